"""How the lanes are spread over the workers, and asking a busy one for some of its own.

An ask stands on the lane itself, for a while: `lanes.free` shows the lane to nobody else meanwhile, taking it clears
the ask, and the ask of a worker that is gone lapses.
"""

from typing import Final

import sqlalchemy as sa

from opengage.clock import SECOND, Instant
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Rows, Transaction

_lanes: Final = tables.lanes

_IS_HELD: Final = sa.and_(_lanes.c.owner != "", _lanes.c.owner != "?", _lanes.c.expires_at > sa.bindparam("now"))
_IS_WANTED: Final = sa.and_(_lanes.c.wanted_by.is_not(None), _lanes.c.wanted_until > sa.bindparam("now"))

_HELD: Final = sa.select(_lanes.c.owner, sa.func.count()).where(_IS_HELD).group_by(_lanes.c.owner)

# nobody is ever shown a lane of an account that is switched off: see lanes.free
_MAY_BE_TAKEN: Final = sa.exists().where(
    tables.accounts.c.account_id == _lanes.c.account_id, tables.accounts.c.is_active
)

_MOVING: Final = sa.select(_lanes.c.owner, _lanes.c.wanted_by, sa.case((_IS_HELD, 1), else_=0)).where(
    _IS_WANTED, sa.or_(_IS_HELD, _MAY_BE_TAKEN)
)

# a lane that its owner is writing under is passed by: whoever waited for it could not renew its own lanes meanwhile
_CHOOSE: Final = (
    sa.select(_lanes.c.account_id, _lanes.c.phone_number_id)
    .where(
        _lanes.c.owner == sa.bindparam("holder"),
        _IS_HELD,
        ~_IS_WANTED,
        _lanes.c.unhealthy_since.is_(None),
        _MAY_BE_TAKEN,
    )
    .order_by(_lanes.c.phone_number_id.desc())
    .limit(sa.bindparam("most"))
    .with_for_update(key_share=True, skip_locked=True)
)

_ASK: Final = (
    sa.update(_lanes)
    .where(
        _lanes.c.account_id == sa.bindparam("key_account_id"),
        _lanes.c.phone_number_id == sa.bindparam("key_number_id"),
    )
    .values(wanted_by=sa.bindparam("asker"), wanted_until=sa.bindparam("until"))
)

_OWN: Final = (
    sa.select(_lanes.c.account_id, _lanes.c.phone_number_id)
    .where(_lanes.c.wanted_by == sa.bindparam("asker"))
    .with_for_update(key_share=True, skip_locked=True)
)

_ASKED: Final = sa.select(_lanes.c.account_id, _lanes.c.phone_number_id).where(
    _lanes.c.owner == sa.bindparam("owner"), _lanes.c.wanted_by != sa.bindparam("owner"), _IS_WANTED
)


async def spread(tx: Transaction) -> tuple[dict[str, int], set[str]]:
    """How many lanes each worker has, once everybody has what was asked for; and who waits for any.

    Nothing is told of a worker without lanes. A lane that was let go for somebody is waited for until it is taken.
    """
    now = await tx.now()
    has = {str(owner): int(count) for owner, count in await tx.rows(_HELD, now=now)}
    moving = await tx.rows(_MOVING, now=now)
    for owner, asker, is_held in moving:
        if is_held:
            has[owner] -= 1
        has[asker] = has.get(asker, 0) + 1
    return has, {asker for _, asker, _ in moving}


async def ask(tx: Transaction, holder: str, asker: str, most: int, seconds: float) -> int:
    """Ask a worker for some of its lanes, for so many seconds; of how many that is so now.

    Those that no carrier serves stay where they are: they would be no better off.
    """
    now = await tx.now()
    until = Instant(now + int(seconds * SECOND))
    chosen = await tx.rows(_CHOOSE, holder=holder, now=now, most=most)
    await _mark(tx, chosen, asker, until)
    return len(chosen)


async def withdraw(tx: Transaction, asker: str) -> None:
    """Ask for nothing any more; what its owner is writing under lapses by itself."""
    await _mark(tx, await tx.rows(_OWN, asker=asker), None, None)


async def _mark(tx: Transaction, chosen: Rows, asker: str | None, until: Instant | None) -> None:
    for account_id, number_id in chosen:
        await tx.run(_ASK, key_account_id=account_id, key_number_id=number_id, asker=asker, until=until)


async def asked(tx: Transaction, owner: str) -> set[tuple[int, Id]]:
    """The lanes of a worker that others have asked for, by account and phone number."""
    found = await tx.rows(_ASKED, owner=owner, now=await tx.now())
    return {(account_id, number_id) for account_id, number_id in found}
