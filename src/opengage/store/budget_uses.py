"""What a limit's current period has used up: texts of an engagement, segments of a phone number or service profile."""

from typing import Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

_uses: Final = tables.budget_uses

# for update: two lanes of one service profile must not both see the same room
_READ: Final = (
    sa.select(_uses.c.used)
    .where(
        _uses.c.account_id == sa.bindparam("account_id"),
        _uses.c.scope_id == sa.bindparam("scope_id"),
        _uses.c.period == sa.bindparam("period"),
        _uses.c.began_at == sa.bindparam("began_at"),
    )
    .with_for_update()
)

# both databases spell it like this
_ADD: Final = sa.text(
    "INSERT INTO budget_uses (account_id, scope_id, period, began_at, used)"
    " VALUES (:account_id, :scope_id, :period, :began_at, :used)"
    " ON CONFLICT (account_id, scope_id, period, began_at) DO UPDATE SET used = budget_uses.used + excluded.used"
)

_SWEEP: Final = sa.delete(_uses).where(
    _uses.c.account_id == sa.bindparam("account_id"), _uses.c.began_at < sa.bindparam("before")
)


async def read(tx: Transaction, account_id: int, scope_id: Id, period: str, began_at: Instant) -> int:
    """What was used since the period began; whoever asks next waits until this transaction has ended."""
    key = {"account_id": account_id, "scope_id": scope_id, "period": period, "began_at": began_at}
    await tx.run(_ADD, **key, used=0)  # a row that is not there cannot be locked
    return int((await tx.rows(_READ, **key))[0][0])


async def add(tx: Transaction, account_id: int, scope_id: Id, period: str, began_at: Instant, used: int) -> None:
    """Use up so much."""
    await tx.run(_ADD, account_id=account_id, scope_id=scope_id, period=period, began_at=began_at, used=used)


async def sweep(tx: Transaction, account_id: int, before: Instant) -> None:
    """Forget an account's periods that began before; there are a few for each limit."""
    await tx.run(_SWEEP, account_id=account_id, before=before)
