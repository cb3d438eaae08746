"""Receipts that came too early: kept and forgotten a batch at a time."""

from opengage.clock import Instant
from opengage.domain.outcomes import Receipt, ReceiptState
from opengage.store import receipts
from opengage.store.contract import Store
from store.samples import ACCOUNT, NOW, OTHER_PROFILE, PROFILE, number


def receipt(ref: str, state: ReceiptState = ReceiptState.DELIVERED, reference: int | None = 7) -> Receipt:
    """A receipt as the store keeps it: who sent the text, and over which link it came, is forgotten."""
    return Receipt(ref, state, "DELIVRD", "", number(0), reference, 0)


async def test_a_batch_is_kept_and_the_first_word_counts(store: Store) -> None:
    """Each id of the carrier's once, whether it came again in the batch or later; by service profile."""
    again = receipt("b", ReceiptState.UNDELIVERED)
    async with store.writing() as tx:
        await receipts.park(tx, ACCOUNT, PROFILE, [receipt("b"), again, receipt("a", reference=None)], NOW)
        await receipts.park(tx, ACCOUNT, PROFILE, [again, receipt("c")], Instant(NOW + 1))
        await receipts.park(tx, ACCOUNT, OTHER_PROFILE, [again], NOW)
    async with store.reading() as tx:
        found = await receipts.parked(tx, ACCOUNT, PROFILE)
        other = await receipts.parked(tx, ACCOUNT, OTHER_PROFILE)
    expected = [receipt("a", reference=None), receipt("b"), receipt("c")]
    assert sorted(found, key=lambda each: each.carrier_ref) == expected
    assert other == [again]


async def test_those_that_found_their_text_are_forgotten(store: Store) -> None:
    """And no others, of this profile or another; an id that is not there is no trouble."""
    async with store.writing() as tx:
        for profile in (PROFILE, OTHER_PROFILE):
            await receipts.park(tx, ACCOUNT, profile, [receipt(ref) for ref in "abc"], NOW)
        await receipts.forget(tx, ACCOUNT, PROFILE, ["c", "a", "x", "a"])
    async with store.reading() as tx:
        assert [each.carrier_ref for each in await receipts.parked(tx, ACCOUNT, PROFILE)] == ["b"]
        assert len(await receipts.parked(tx, ACCOUNT, OTHER_PROFILE)) == 3


async def test_those_of_a_batch_are_found_among_all(store: Store) -> None:
    """By their ids, of this service profile alone; an id that is not there is no trouble, nor is one without sense."""
    async with store.writing() as tx:
        for profile in (PROFILE, OTHER_PROFILE):
            await receipts.park(tx, ACCOUNT, profile, [receipt(ref) for ref in "abc"], NOW)
    async with store.reading() as tx:
        found = await receipts.parked_of(tx, ACCOUNT, PROFILE, ["c", "a", "x", "a", "\0"])
        assert sorted(found, key=lambda each: each.carrier_ref) == [receipt("a"), receipt("c")]
        assert await receipts.parked_of(tx, ACCOUNT, PROFILE, []) == []
