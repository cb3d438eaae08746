"""Forgetting who was texted long ago; what writes and reads it runs once a batch (see `Batches`)."""

from typing import Final

import sqlalchemy as sa

from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

BATCH: Final = 5_000
_recent: Final = tables.recent_texts

_OLD: Final = (
    sa.select(_recent.c.text_id)
    .where(_recent.c.account_id == sa.bindparam("account_id"), _recent.c.text_id < sa.bindparam("before"))
    .order_by(_recent.c.text_id)
    .limit(BATCH)
)

_SWEEP: Final = sa.delete(_recent).where(
    _recent.c.account_id == sa.bindparam("account_id"), _recent.c.text_id.in_(_OLD.scalar_subquery())
)


async def sweep(tx: Transaction, account_id: int, before: Id) -> int:
    """Forget the account's oldest texts from before an id, `BATCH` of them at most; how many rows that were."""
    return await tx.run(_SWEEP, account_id=account_id, before=before)
