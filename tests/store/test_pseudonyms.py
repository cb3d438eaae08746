"""Pseudonyms: what is suppressed stays so when only its pseudonym is left, and nothing gives the number away."""

import pytest

from opengage.domain.errors import Unavailable
from opengage.domain.records import Suppression
from opengage.operations import backups
from opengage.sealing import Sealer
from opengage.store import pseudonyms, rows, suppressions
from opengage.store.contract import Store, Transaction
from opengage.store.pseudonyms import MARK
from store.samples import ACCOUNT, NOW, OTHER_ACCOUNT, number
from store.test_suppressions import new


async def hidden(tx: Transaction, place: int, account: int = ACCOUNT, reason: str = "manual") -> None:
    """Suppress that number, and leave its pseudonym only."""
    await suppressions.add(tx, [new(place, account, reason)])
    assert await suppressions.hide(tx, account, [number(place)], NOW) == 1


async def stored(store: Store) -> list[str]:
    """What stands in the account's suppressions."""
    async with store.reading() as tx:
        return [each.phone_number for each in await rows.every(tx, Suppression, account_id=ACCOUNT)]


async def test_a_hidden_number_is_still_suppressed(store: Store) -> None:
    """It alone, in its account alone; the number is no longer there."""
    async with store.writing() as tx:
        await suppressions.add(tx, [new(2)])
        await hidden(tx, 1)
    assert number(1) not in await stored(store)
    assert len([each for each in await stored(store) if each.startswith(MARK)]) == 1
    async with store.reading() as tx:
        wanted = [number(place) for place in range(4)]
        assert await suppressions.suppressed(tx, ACCOUNT, wanted) == {number(1), number(2)}
        assert await suppressions.suppressed(tx, OTHER_ACCOUNT, wanted) == set()


async def test_suppressing_a_hidden_number_again_changes_nothing(store: Store) -> None:
    """What stands for it is told as it is: its reason, its date, its pseudonym."""
    async with store.writing() as tx:
        await hidden(tx, 1, reason="opted-out")
    async with store.writing() as tx:
        found = await suppressions.add(tx, [new(1, shift=50), new(2, shift=50)])
    assert found[number(1)].id == new(1).id
    assert found[number(1)].reason == "opted-out"
    assert found[number(1)].phone_number.startswith(MARK)
    assert found[number(2)].phone_number == number(2)
    assert number(1) not in await stored(store)


async def test_a_hidden_number_is_forgiven(store: Store) -> None:
    """For the reason for which it was suppressed, and no other."""
    async with store.writing() as tx:
        await hidden(tx, 1, reason="opted-out")
        assert not await suppressions.forgive(tx, ACCOUNT, number(1), "manual")
        assert await suppressions.forgive(tx, ACCOUNT, number(1), "opted-out")
        assert not await suppressions.forgive(tx, ACCOUNT, number(1), "opted-out")
    assert await stored(store) == []


async def test_hiding_twice_leaves_one(store: Store) -> None:
    """A number that is there in both ways, as only a hand in the database can bring about, comes to one row."""
    async with store.writing() as tx:
        await hidden(tx, 1)
        await rows.insert(tx, new(1, shift=50))
        assert await suppressions.hide(tx, ACCOUNT, [number(1), number(2)], NOW) == 1
        assert await suppressions.hide(tx, ACCOUNT, [number(1)], NOW) == 0
    assert len(await stored(store)) == 1


async def test_accounts_cannot_compare(store: Store) -> None:
    """The same number has another pseudonym in each account, and the same one whenever it is asked for."""
    async with store.writing() as tx:
        ours = (await pseudonyms.ensure(tx, ACCOUNT)).of(number(1))
        theirs = (await pseudonyms.ensure(tx, OTHER_ACCOUNT)).of(number(1))
        again = await pseudonyms.ensure(tx, ACCOUNT)
        known = await pseudonyms.find(tx, ACCOUNT)
    assert ours != theirs
    assert known is not None
    assert {again.of(number(1)), known.of(number(1)), again.of(ours)} == {ours}
    assert number(1).lstrip("+") not in ours


async def test_without_the_key_nobody_is_let_through(store: Store) -> None:
    """A process with another secret key, or with none, refuses to say who is suppressed: it would pass over a STOP."""
    async with store.writing() as tx:
        await hidden(tx, 1)
    for seals in (lambda: Sealer([b"x" * 32]), None):
        store._seals = seals  # type: ignore[attr-defined]
        async with store.reading() as tx:
            with pytest.raises(Unavailable, match="secret key"):
                await suppressions.suppressed(tx, ACCOUNT, [number(3)])
            assert await suppressions.suppressed(tx, OTHER_ACCOUNT, [number(1)]) == set()


async def test_a_move_keeps_who_has_opted_out(store: Store, other_store: Store) -> None:
    """From one database to the other: the key goes along, and the same number is recognised there."""
    async with store.writing() as tx:
        await hidden(tx, 1)
    await backups.move(store, other_store)
    async with other_store.reading() as tx:
        assert await suppressions.suppressed(tx, ACCOUNT, [number(1), number(2)]) == {number(1)}
