"""Numbers that must not be texted, written by the thousand: each once, whatever was there before."""

from opengage.clock import Instant
from opengage.domain.records import Suppression
from opengage.store import rows, suppressions
from opengage.store.contract import Store
from store.samples import ACCOUNT, NOW, id_of, number


def new(place: int, account: int = ACCOUNT, reason: str = "manual", shift: int = 0) -> Suppression:
    """A suppression of that number."""
    now = Instant(NOW + shift)
    id_ = id_of(account * 1_000_000 + place + shift)
    return Suppression(
        account_id=account, id=id_, created_at=now, updated_at=now, phone_number=number(place), reason=reason
    )


async def test_more_than_a_statement_holds(store: Store) -> None:
    """Every number is written once, and what stands for each is told."""
    wanted = [new(place) for place in range(1_300)]
    async with store.writing() as tx:
        found = await suppressions.add(tx, wanted)
    assert found == {each.phone_number: each for each in wanted}
    async with store.reading() as tx:
        assert await tx.batches.suppressed(ACCOUNT, [number(0), number(1_299), number(1_300)]) == {
            number(0),
            number(1_299),
        }
        assert len(await rows.every(tx, Suppression, account_id=ACCOUNT)) == 1_300


async def test_what_is_there_stays(store: Store) -> None:
    """Its id, reason and date; the others are new."""
    async with store.writing() as tx:
        await suppressions.add(tx, [new(1, reason="opted-out")])
    async with store.writing() as tx:
        found = await suppressions.add(tx, [new(place, shift=50) for place in (0, 1, 2)])
    assert [found[number(place)].id for place in (0, 1, 2)] == [
        new(0, shift=50).id,
        new(1).id,
        new(2, shift=50).id,
    ]
    assert found[number(1)].reason == "opted-out"


async def test_accounts_are_apart(store: Store) -> None:
    """The same number may be texted by one account and not by another."""
    async with store.writing() as tx:
        await suppressions.add(tx, [new(1)])
        assert await suppressions.add(tx, [new(1, account=2)]) == {number(1): new(1, account=2)}
        assert await suppressions.add(tx, []) == {}
    async with store.reading() as tx:
        assert await tx.batches.suppressed(3, [number(1)]) == set()
