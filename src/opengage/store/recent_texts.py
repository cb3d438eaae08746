"""Who was texted lately: which engagements are their own record of it, and forgetting what is long ago.

What writes and reads the rows of `recent_texts` runs once a batch (see `Batches`).
"""

from typing import Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

BATCH: Final = 5_000
_recent: Final = tables.recent_texts
_engagements: Final = tables.engagements

_OLD: Final = (
    sa.select(_recent.c.text_id)
    .where(_recent.c.account_id == sa.bindparam("account_id"), _recent.c.text_id < sa.bindparam("before"))
    .order_by(_recent.c.text_id)
    .limit(BATCH)
)

_SWEEP: Final = sa.delete(_recent).where(
    _recent.c.account_id == sa.bindparam("account_id"), _recent.c.text_id.in_(_OLD.scalar_subquery())
)


_RECORDS: Final = sa.select(_engagements.c.id).where(
    _engagements.c.account_id == sa.bindparam("account_id"), _engagements.c.is_own_record.is_not(None)
)
# two looks into the index: in one with OR, SQLite goes through all that ever were
_OWN_RECORDS: Final = sa.union_all(
    _RECORDS.where(_engagements.c.completed_at.is_(None)),
    _RECORDS.where(_engagements.c.completed_at >= sa.bindparam("since")),
)

_HAS_POOL: Final = (
    sa.select(tables.engagement_numbers.c.engagement_id)
    .where(tables.engagement_numbers.c.account_id == sa.bindparam("account_id"))
    .limit(1)
)

_MAKE: Final = (
    sa.update(_engagements)
    .where(_engagements.c.account_id == sa.bindparam("key_account_id"), _engagements.c.id == sa.bindparam("key_id"))
    .values(is_own_record=True)
)


async def own_records(tx: Transaction, account_id: int, since: Instant) -> list[Id]:
    """The engagements that are their own record, and may have texted somebody since then."""
    return [row[0] for row in await tx.rows(_OWN_RECORDS, account_id=account_id, since=since)]


async def has_pools(tx: Transaction, account_id: int) -> bool:
    """Whether any engagement of the account has a sender pool, and so asks which number texted somebody last."""
    return bool(await tx.rows(_HAS_POOL, account_id=account_id))


async def make_own_record(tx: Transaction, account_id: int, engagement_id: Id) -> None:
    """From here on, who an engagement texts is not remembered: its envelopes tell."""
    await tx.run(_MAKE, key_account_id=account_id, key_id=engagement_id)


async def sweep(tx: Transaction, account_id: int, before: Id) -> int:
    """Forget the account's oldest texts from before an id, `BATCH` of them at most; how many rows that were."""
    return await tx.run(_SWEEP, account_id=account_id, before=before)
