"""Keys of requests: taken once, kept for a time, and gone in the end."""

import asyncio
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.errors import KeyInUse
from opengage.ids import Id
from opengage.store import idempotency, tables
from opengage.store.contract import Store
from opengage.store.idempotency import Kept, Key
from opengage.store.one_transaction import OneTransaction
from store.samples import ACCOUNT, AUTHOR, NOW, OTHER_ACCOUNT, id_of

Open = Callable[[], Awaitable[Store]]
FINGERPRINT = b"\1" * 32
DAY = 86_400_000_000
KEY = Key(ACCOUNT, AUTHOR, "k")


async def claim(store: Store, key: Key = KEY, now: int = NOW) -> bool:
    """Take a key at this time."""
    async with store.writing() as tx:
        return await idempotency.claim(tx, key, FINGERPRINT, Instant(now), Instant(now - DAY))


async def find(store: Store, key: Key = KEY, now: int = NOW) -> Kept | None:
    """What a key stands for at this time."""
    async with store.reading() as tx:
        return await idempotency.find(tx, key, Instant(now - DAY))


async def test_a_key_is_taken_once(store: Store) -> None:
    """By one member of one account; for all others it is another key."""
    assert await find(store) is None
    assert await claim(store)
    assert not await claim(store)
    assert await find(store) == Kept(FINGERPRINT, None, None, None)
    for other in (Key(OTHER_ACCOUNT, AUTHOR, "k"), Key(ACCOUNT, id_of(77), "k"), Key(ACCOUNT, AUTHOR, "K")):
        assert await find(store, other) is None
        assert await claim(store, other)


async def test_the_answer_is_kept_with_it(store: Store) -> None:
    """Byte for byte."""
    await claim(store)
    async with store.writing() as tx:
        await idempotency.answer(tx, KEY, 201, '[["a","b"]]', bytes(range(256)))
    assert await find(store) == Kept(FINGERPRINT, 201, '[["a","b"]]', bytes(range(256)))


async def test_a_key_expires(store: Store) -> None:
    """Then it is free again, and what it stood for is gone."""
    await claim(store)
    assert await find(store, now=NOW + DAY - 1) is not None
    assert await find(store, now=NOW + DAY) is None
    assert await claim(store, now=NOW + DAY)
    assert await find(store, now=NOW + DAY) == Kept(FINGERPRINT, None, None, None)


async def test_old_keys_go_as_new_ones_come(store: Store) -> None:
    """A few with each, of the same account; those that still count stay."""
    for number in range(20):
        await claim(store, Key(ACCOUNT, AUTHOR, f"old {number}"))
    await claim(store, Key(OTHER_ACCOUNT, AUTHOR, "other"))
    for number in range(3):
        await claim(store, Key(ACCOUNT, AUTHOR, f"new {number}"), now=NOW + DAY)
    async with store.reading() as tx:
        names = [row[0] for row in await tx.rows(sa.select(tables.idempotency_keys.c.key))]
    assert sorted(names) == ["new 0", "new 1", "new 2", "other"]


async def test_two_servers_with_one_key(open_store: Open) -> None:
    """Both begin; the one that comes second waits for the first's end, and then has no key and no change."""
    made: list[Id] = []

    async def carry_out(store: Store, number: int) -> None:
        async def first(tx: object) -> None:
            if not await idempotency.claim(tx, KEY, FINGERPRINT, NOW, Instant(NOW - DAY)):  # type: ignore[arg-type]
                raise KeyInUse("taken")

        async def last(tx: object) -> None:
            made.append(id_of(number))

        change = OneTransaction(store, first)
        try:
            await change.commit(last)
        finally:
            await change.abandon()

    stores = [await open_store() for _ in range(4)]
    ended = await asyncio.gather(
        *(carry_out(store, number) for number, store in enumerate(stores)), return_exceptions=True
    )
    assert sum(isinstance(each, KeyInUse) for each in ended) == 3
    assert len(made) == 1
