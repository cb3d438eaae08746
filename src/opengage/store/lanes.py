"""Leases on lanes: one owner at a time for the outflow of each phone number, measured on the database's clock.

Taking a lane raises its epoch. Whoever still writes under an older one is fenced: `require` finds no row.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from opengage.clock import SECOND, Instant
from opengage.domain.breaker import Phase
from opengage.domain.errors import Fenced
from opengage.domain.records import PhoneNumber, ServiceProfile
from opengage.ids import Id
from opengage.store import rows, tables
from opengage.store.contract import Transaction

NUMBER_WITHIN = 1.0
"""Seconds to wait for a number with its lane in hand: no lease of its worker can be kept meanwhile."""

_lanes: Final = tables.lanes
_numbers: Final = tables.phone_numbers

_FREE: Final = (
    sa.select(*rows.columns(PhoneNumber))
    .select_from(
        _numbers.join(tables.accounts, tables.accounts.c.account_id == _numbers.c.account_id).outerjoin(
            _lanes, sa.and_(_lanes.c.account_id == _numbers.c.account_id, _lanes.c.phone_number_id == _numbers.c.id)
        )
    )
    .where(
        # a number that is switched off sends nothing, but receipts and replies come in as before
        tables.accounts.c.is_active,
        sa.or_(
            _lanes.c.owner.is_(None),
            _lanes.c.owner == sa.bindparam("owner"),
            sa.and_(
                _lanes.c.expires_at <= sa.bindparam("now"),
                # see shares: it was let go for somebody
                sa.or_(
                    _lanes.c.wanted_by.is_(None),
                    _lanes.c.wanted_by == sa.bindparam("owner"),
                    _lanes.c.wanted_until <= sa.bindparam("now"),
                ),
            ),
        ),
    )
    .order_by(_numbers.c.account_id, _numbers.c.id)
    .limit(sa.bindparam("most"))
)

# both databases spell it like this; a lane that somebody else renewed in the meantime is left alone
_TAKE: Final = sa.text(
    "INSERT INTO lanes (account_id, phone_number_id, owner, epoch, expires_at, crashes)"
    " VALUES (:account_id, :phone_number_id, :owner, 1, :expires_at, 0)"
    " ON CONFLICT (account_id, phone_number_id) DO UPDATE"
    " SET owner = excluded.owner, epoch = lanes.epoch + 1, expires_at = excluded.expires_at,"
    " unhealthy_since = NULL, under_way = NULL, circuit = NULL, wanted_by = NULL, wanted_until = NULL,"
    " crashes = CASE WHEN lanes.owner IN ('', '?') THEN 0 ELSE coalesce(lanes.crashes, 0) + 1 END"
    " WHERE lanes.expires_at <= :now OR lanes.owner = excluded.owner"
)

_EPOCH: Final = sa.select(_lanes.c.epoch).where(
    _lanes.c.account_id == sa.bindparam("account_id"),
    _lanes.c.phone_number_id == sa.bindparam("phone_number_id"),
    _lanes.c.owner == sa.bindparam("owner"),
)

_HELD: Final = sa.select(_lanes.c.account_id, _lanes.c.phone_number_id, _lanes.c.epoch).where(
    _lanes.c.owner == sa.bindparam("owner"), _lanes.c.expires_at > sa.bindparam("now")
)

_RENEW: Final = (
    sa.update(_lanes)
    .where(_lanes.c.owner == sa.bindparam("own"), _lanes.c.expires_at > sa.bindparam("now"))
    .values(expires_at=sa.bindparam("until"))
)

_RELEASE: Final = sa.update(_lanes).where(_lanes.c.owner == sa.bindparam("own")).values(expires_at=0, owner="")

_usual: Final = tables.service_profiles.alias("usual")
_fallback: Final = tables.service_profiles.alias("fallback")
_SETUPS: Final = (
    sa.select(
        _lanes.c.account_id,
        _lanes.c.phone_number_id,
        _numbers.c.updated_at,
        _usual.c.updated_at,
        _fallback.c.updated_at,
    )
    .select_from(
        _lanes.join(
            _numbers,
            sa.and_(_numbers.c.account_id == _lanes.c.account_id, _numbers.c.id == _lanes.c.phone_number_id),
        )
        .join(
            _usual,
            sa.and_(_usual.c.account_id == _numbers.c.account_id, _usual.c.id == _numbers.c.service_profile_id),
        )
        .outerjoin(
            _fallback,
            sa.and_(_fallback.c.account_id == _usual.c.account_id, _fallback.c.id == _usual.c.fallback_id),
        )
    )
    .where(_lanes.c.owner == sa.bindparam("owner"))
)

_IS_ON: Final = sa.select(_numbers.c.is_active).where(
    _numbers.c.account_id == sa.bindparam("account_id"), _numbers.c.id == sa.bindparam("phone_number_id")
)

_HOLD_ON: Final = _IS_ON.with_for_update(read=True)

_CRASHES: Final = sa.select(_lanes.c.crashes).where(
    _lanes.c.account_id == sa.bindparam("account_id"), _lanes.c.phone_number_id == sa.bindparam("phone_number_id")
)

_OWN: Final = (
    _lanes.c.account_id == sa.bindparam("key_account_id"),
    _lanes.c.phone_number_id == sa.bindparam("key_number_id"),
    _lanes.c.epoch == sa.bindparam("key_epoch"),
)

_CALM: Final = sa.update(_lanes).where(*_OWN).values(crashes=0)

_LET_GO: Final = sa.update(_lanes).where(*_OWN).values(expires_at=0, owner=sa.bindparam("nobody"))

_OWED: Final = "?"
"""Nobody owns the lane, and its last owner still owed the network an acknowledgement."""
_IS_OWED: Final = sa.select(_lanes.c.epoch).where(
    _lanes.c.account_id == sa.bindparam("account_id"),
    _lanes.c.phone_number_id == sa.bindparam("phone_number_id"),
    _lanes.c.owner == _OWED,
)

_REPORT: Final = (
    sa.update(_lanes)
    .where(*_OWN)
    .values(
        rate=sa.bindparam("lane_rate"),
        under_way=sa.bindparam("texts"),
        unhealthy_since=sa.bindparam("since"),
        circuit=sa.bindparam("phase"),
    )
)

_REQUIRE: Final = (
    sa.select(_lanes.c.epoch)
    .where(
        _lanes.c.account_id == sa.bindparam("account_id"),
        _lanes.c.phone_number_id == sa.bindparam("phone_number_id"),
        _lanes.c.epoch == sa.bindparam("epoch"),
        _lanes.c.expires_at > sa.bindparam("now"),
    )
    .with_for_update(key_share=True)
)

_KEY: Final = sa.select(_lanes.c.epoch).where(
    _lanes.c.account_id == sa.bindparam("account_id"), _lanes.c.phone_number_id == sa.bindparam("phone_number_id")
)
_FREE_KEY: Final = _KEY.with_for_update(skip_locked=True)
_HOLD: Final = _KEY.with_for_update()
_HOLD_NUMBER: Final = (
    sa.select(_numbers.c.id)
    .where(_numbers.c.account_id == sa.bindparam("account_id"), _numbers.c.id == sa.bindparam("phone_number_id"))
    .with_for_update()
)


_profiles: Final = tables.service_profiles
_SERVED: Final = (
    sa.select(_lanes.c.epoch)
    .select_from(
        _lanes.join(
            _numbers, sa.and_(_numbers.c.account_id == _lanes.c.account_id, _numbers.c.id == _lanes.c.phone_number_id)
        ).join(
            _profiles,
            sa.and_(_profiles.c.account_id == _numbers.c.account_id, _profiles.c.id == _numbers.c.service_profile_id),
        )
    )
    .where(
        _lanes.c.account_id == sa.bindparam("account_id"),
        _lanes.c.owner == sa.bindparam("owner"),
        _lanes.c.expires_at > sa.bindparam("now"),
        sa.or_(_profiles.c.id == sa.bindparam("profile_id"), _profiles.c.fallback_id == sa.bindparam("profile_id")),
    )
    .with_for_update(read=True, of=_lanes)
)


class Lease(msgspec.Struct, frozen=True):
    """A lane held: what identifies it, and the epoch under which its owner may write."""

    account_id: int
    phone_number_id: Id
    epoch: int


class Condition(NamedTuple):
    """How a lane is."""

    rate: float | None = None
    """Its pace in segments per second."""
    under_way: int = 0
    """Its load, in texts."""
    unhealthy_since: Instant | None = None
    """Since when no carrier takes its texts."""
    circuit: Phase = Phase.CLOSED
    """The circuit of its usual carrier, as its worker sees it."""


Setup = tuple[Instant, Instant, Instant | None]
"""When a lane's phone number, its service profile and the one that takes over were changed last."""


def _until(now: Instant, seconds: float) -> Instant:
    return Instant(now + int(seconds * SECOND))


async def renew(tx: Transaction, owner: str, seconds: float) -> list[Lease]:
    """Extend every lease of `owner` that has not run out; those that it still holds."""
    now = await tx.now()
    await tx.run(_RENEW, own=owner, now=now, until=_until(now, seconds))
    return [Lease(*row) for row in await tx.rows(_HELD, owner=owner, now=now)]


async def free(tx: Transaction, owner: str, most: int) -> list[PhoneNumber]:
    """Phone numbers whose lane nobody holds, or `owner` itself held under an earlier life."""
    found = await tx.rows(_FREE, now=await tx.now(), owner=owner, most=most)
    return [rows.from_row(PhoneNumber, row) for row in found]


async def take(tx: Transaction, number: PhoneNumber, owner: str, seconds: float) -> Lease | None:
    """Take a free lane under a new epoch; None when somebody else was faster, or writes under it at this moment."""
    lane = {"account_id": number.account_id, "phone_number_id": number.id}
    if await tx.rows(_KEY, **lane) and not await tx.rows(_FREE_KEY, **lane):
        return None  # whoever waited here could not renew its other lanes meanwhile
    now = await tx.now()
    key = {"account_id": number.account_id, "phone_number_id": number.id, "owner": owner}
    if not await tx.run(_TAKE, **key, now=now, expires_at=_until(now, seconds)):
        return None
    found = await tx.rows(_EPOCH, **key)
    return Lease(number.account_id, number.id, found[0][0])


async def hold_with_number(tx: Transaction, account_id: int, phone_number_id: Id) -> None:
    """Wait for what is being written under a lane, and hold it and its number to the end of this transaction.

    The lane comes first, as for who writes under it. Whoever else holds the number is not waited for any longer than a
    lease can spare. Raises Unavailable when it takes longer.
    """
    key = {"account_id": account_id, "phone_number_id": phone_number_id}
    await tx.rows(_HOLD, **key)
    await tx.be_patient(NUMBER_WITHIN)
    await tx.rows(_HOLD_NUMBER, **key)
    await tx.be_patient(None)


async def serves(tx: Transaction, owner: str, account_id: int, profile_id: Id) -> bool:
    """Whether `owner` holds a lane that this service profile serves; nobody takes one before this transaction ends."""
    key = {"account_id": account_id, "profile_id": profile_id}
    return bool(await tx.rows(_SERVED, **key, owner=owner, now=await tx.now()))


async def release(tx: Transaction, owner: str) -> None:
    """Let go of every lane of `owner`, so that the next one need not wait."""
    await tx.run(_RELEASE, own=owner)


async def let_go(tx: Transaction, lease: Lease, *, is_owed: bool = False) -> None:
    """Let go of one lane, if it is still held under this lease.

    `is_owed`: the network may deliver texts again that are stored, and whoever takes the lane is to know of it.
    """
    await tx.run(_LET_GO, **_own(lease), nobody=_OWED if is_owed else "")


async def is_owed(tx: Transaction, account_id: int, phone_number_id: Id) -> bool:
    """Whether the lane was let go with an acknowledgement owed; asked before it is taken."""
    return bool(await tx.rows(_IS_OWED, account_id=account_id, phone_number_id=phone_number_id))


async def setups(tx: Transaction, owner: str) -> dict[tuple[int, Id], Setup]:
    """How each lane of `owner` is set up at present, by account and phone number."""
    return {(account_id, id_): tuple(stamps) for account_id, id_, *stamps in await tx.rows(_SETUPS, owner=owner)}


def setup_of(number: PhoneNumber, profiles: Sequence[ServiceProfile]) -> Setup:
    """The same of a number and its service profiles as they were read."""
    usual, *fallback = [profile.updated_at for profile in profiles]
    return number.updated_at, usual, fallback[0] if fallback else None


async def is_on(tx: Transaction, account_id: int, phone_number_id: Id) -> bool:
    """Whether a phone number is switched on: nothing is sent from one that is not."""
    found = await tx.rows(_IS_ON, account_id=account_id, phone_number_id=phone_number_id)
    return bool(found and found[0][0])


async def hold_on(tx: Transaction, account_id: int, phone_number_id: Id) -> bool:
    """The same; nobody switches it off before this transaction has ended."""
    found = await tx.rows(_HOLD_ON, account_id=account_id, phone_number_id=phone_number_id)
    return bool(found and found[0][0])


async def require(tx: Transaction, lease: Lease) -> None:
    """Raise Fenced unless this lease is the newest one and has not run out.

    The lane is held from here on: nobody takes it before this transaction has ended.
    """
    now = await tx.now()
    key = {"account_id": lease.account_id, "phone_number_id": lease.phone_number_id, "epoch": lease.epoch}
    if not await tx.rows(_REQUIRE, **key, now=now):
        raise Fenced("The lane's lease has run out or passed to another worker; nothing was written.")


async def crashes(tx: Transaction, lease: Lease) -> int:
    """How many owners in a row were lost with this lane in hand."""
    found = await tx.rows(_CRASHES, account_id=lease.account_id, phone_number_id=lease.phone_number_id)
    return int(found[0][0] or 0) if found else 0


def _own(lease: Lease) -> dict[str, Any]:
    return {
        "key_account_id": lease.account_id,
        "key_number_id": lease.phone_number_id,
        "key_epoch": lease.epoch,
    }


async def calm(tx: Transaction, lease: Lease) -> None:
    """The lane has been worked on for a while, and its owner lives: the next loss is the first again."""
    await tx.run(_CALM, **_own(lease))


async def report(tx: Transaction, lease: Lease, condition: Condition) -> None:
    """How a lane is, for the choice among the numbers of a pool and for operators."""
    rate, under_way, since, circuit = condition
    phase = None if circuit is Phase.CLOSED else circuit.value
    await tx.run(_REPORT, **_own(lease), lane_rate=rate, texts=under_way, since=since, phase=phase)
