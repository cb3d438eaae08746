"""Parked receipts and the segments of long texts on each database: carriers may give the same ids."""

from opengage.clock import Instant
from opengage.domain.outcomes import Receipt, ReceiptState
from opengage.ids import new_id
from opengage.store import receipts
from opengage.store.contract import Store
from store.samples import ACCOUNT, NOW, OTHER_PROFILE, PROFILE

LATER = Instant(NOW + 1)


def receipt(ref: str) -> Receipt:
    """A receipt under the carrier's id."""
    return Receipt(ref, ReceiptState.DELIVERED, "DELIVRD", "", "+12025550143", None, 0)


async def test_parked_receipts_are_their_service_profiles(store: Store) -> None:
    """One that found its text is forgotten, and those that came too long ago, of one service profile alone."""
    async with store.writing() as tx:
        for profile in (PROFILE, OTHER_PROFILE):
            for ref, at in (("a", NOW), ("b", NOW), ("c", LATER)):
                await receipts.park(tx, ACCOUNT, profile, [receipt(ref)], at)
        await receipts.forget(tx, ACCOUNT, PROFILE, ["a"])
        assert await receipts.stale(tx, ACCOUNT, PROFILE, LATER)
        assert await receipts.expire(tx, ACCOUNT, PROFILE, LATER) == 1
        assert not await receipts.stale(tx, ACCOUNT, PROFILE, LATER)
        left = [
            sorted(each.carrier_ref for each in await receipts.parked(tx, ACCOUNT, profile))
            for profile in (PROFILE, OTHER_PROFILE)
        ]
    assert left == [["c"], ["a", "b", "c"]]


async def test_a_segments_fate_is_its_own(store: Store) -> None:
    """Neither that of the text's other segments nor that of another text."""
    one, other = new_id(), new_id()
    async with store.writing() as tx:
        await tx.batches.add_refs(ACCOUNT, PROFILE, [("a", one, 1, 2), ("b", one, 2, 2)])
        await tx.batches.add_refs(ACCOUNT, OTHER_PROFILE, [("a", other, 1, 2)])
        await receipts.mark_segment(tx, ACCOUNT, one, "a", ReceiptState.DELIVERED)
        found = [(each.number, each.state) for each in await receipts.segments(tx, ACCOUNT, one)]
        assert found == [(1, "delivered"), (2, None)]
        assert [each.state for each in await receipts.segments(tx, ACCOUNT, other)] == [None]
