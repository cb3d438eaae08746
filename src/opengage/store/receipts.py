"""Receipts that cannot be matched yet, and the segments of long texts that receipts settle one by one."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.outcomes import Receipt, ReceiptState
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Rows, Transaction

_parked: Final = tables.parked_receipts
_segments: Final = tables.text_segments
_MOST: Final = 10_000
_EVER: Final = Instant(0)

_LIST: Final = (
    sa.select(_parked.c.carrier_ref, _parked.c.recipient, _parked.c.reference, _parked.c.state, _parked.c.code)
    .where(
        _parked.c.account_id == sa.bindparam("account_id"),
        _parked.c.service_profile_id == sa.bindparam("service_profile_id"),
    )
    .where(_parked.c.received_at >= sa.bindparam("since"))
    .order_by(_parked.c.received_at.desc())
    .limit(_MOST)
)

_EXPIRE: Final = sa.delete(_parked).where(
    _parked.c.account_id == sa.bindparam("account_id"),
    _parked.c.service_profile_id == sa.bindparam("service_profile_id"),
    _parked.c.received_at < sa.bindparam("before"),
)

_STALE: Final = sa.select(
    sa.exists().where(
        _parked.c.account_id == sa.bindparam("account_id"),
        _parked.c.service_profile_id == sa.bindparam("service_profile_id"),
        _parked.c.received_at < sa.bindparam("before"),
    )
)

_MARK: Final = (
    sa.update(_segments)
    .where(
        _segments.c.account_id == sa.bindparam("key_account_id"),
        _segments.c.text_id == sa.bindparam("key_text_id"),
        _segments.c.parts > 1,
        _segments.c.carrier_ref == sa.bindparam("key_ref"),
    )
    .values(state=sa.bindparam("state"))
)

_SEGMENTS: Final = (
    sa.select(_segments.c.number, _segments.c.carrier_ref, _segments.c.state)
    .where(
        _segments.c.account_id == sa.bindparam("account_id"),
        _segments.c.text_id == sa.bindparam("text_id"),
        _segments.c.parts > 1,
    )
    .order_by(_segments.c.number)
)

_HOLD_SEGMENTS: Final = _SEGMENTS.with_for_update(key_share=True)


class Segment(msgspec.Struct, frozen=True):
    """One segment of a long text that the carrier took."""

    number: int
    carrier_ref: str
    state: str | None


async def park(
    tx: Transaction, account_id: int, service_profile_id: Id, receipts: Sequence[Receipt], now: Instant
) -> None:
    """Keep receipts whose texts are not known yet."""
    # in the order of the key, as all who write here: two batches with the same receipts wait the same way round
    await tx.batches.park(account_id, service_profile_id, sorted(receipts, key=lambda each: each.carrier_ref), now)


async def parked(tx: Transaction, account_id: int, service_profile_id: Id, since: Instant = _EVER) -> list[Receipt]:
    """The parked receipts of a service profile that came since an instant, the newest 10,000 of them."""
    found = await tx.rows(_LIST, account_id=account_id, service_profile_id=service_profile_id, since=since)
    return _read(found)


async def parked_of(tx: Transaction, account_id: int, service_profile_id: Id, refs: Iterable[str]) -> list[Receipt]:
    """The parked receipts of a service profile with these ids of the carrier's, however many others there are."""
    return _read(await tx.batches.parked(account_id, service_profile_id, sorted(set(refs))))


def _read(found: Rows) -> list[Receipt]:
    return [
        Receipt(carrier_ref, ReceiptState(state), code, "", recipient or "", reference, 0)
        for carrier_ref, recipient, reference, state, code in found
    ]


async def forget(tx: Transaction, account_id: int, service_profile_id: Id, refs: Iterable[str]) -> None:
    """Parked receipts have found their texts."""
    await tx.batches.forget_parked(account_id, service_profile_id, sorted(set(refs)))


async def stale(tx: Transaction, account_id: int, service_profile_id: Id, before: Instant) -> bool:
    """Whether there is anything for `expire` to drop."""
    found = await tx.rows(_STALE, account_id=account_id, service_profile_id=service_profile_id, before=before)
    return bool(found[0][0])


async def expire(tx: Transaction, account_id: int, service_profile_id: Id, before: Instant) -> int:
    """Drop parked receipts that came before an instant: no text of ours will ever claim them."""
    return await tx.run(_EXPIRE, account_id=account_id, service_profile_id=service_profile_id, before=before)


async def mark_segment(tx: Transaction, account_id: int, text_id: Id, carrier_ref: str, state: ReceiptState) -> None:
    """Write down the fate of one segment of a long text.

    All of them are held from here on: of two receipts that come at once, the second one sees what the first one wrote.
    """
    await tx.rows(_HOLD_SEGMENTS, account_id=account_id, text_id=text_id)
    await tx.run(_MARK, key_account_id=account_id, key_text_id=text_id, key_ref=carrier_ref, state=state.value)


async def segments(tx: Transaction, account_id: int, text_id: Id) -> list[Segment]:
    """The segments of a long text that the carrier took, in order."""
    return [Segment(*row) for row in await tx.rows(_SEGMENTS, account_id=account_id, text_id=text_id)]
