"""Transactions: all or nothing, and failures in the contract's words."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from opengage.clock import SECOND, SystemClock
from opengage.domain import records
from opengage.domain.errors import Unavailable
from opengage.domain.states import Reason, TextStatus
from opengage.store import rows, tables
from opengage.store.contract import Held, Store, Transaction, Violation
from store.samples import ACCOUNT, ENGAGEMENT, NOW, NUMBER_ID, RECORDS, due, envelope_id, envelopes, id_of, step, take

Open = Callable[[], Awaitable[Store]]
COUNT = sa.select(sa.func.count()).select_from(tables.memberships)
MEMBERSHIP = next(record for record in RECORDS if isinstance(record, records.Membership))


def membership(number: int) -> records.Membership:
    """A row to write."""
    return msgspec.structs.replace(MEMBERSHIP, id=id_of(number))


async def write(store: Store, *numbers: int, failure: BaseException | None = None) -> None:
    """Write these rows in one block, which then fails in this way."""
    async with store.writing() as tx:
        for number in numbers:
            await rows.insert(tx, membership(number))
        if failure is not None:
            raise failure


async def count(store: Store) -> int:
    """How many rows anybody sees."""
    async with store.reading() as tx:
        return int((await tx.rows(COUNT))[0][0])


async def test_a_block_that_ends_is_written(open_store: Open) -> None:
    """Another process sees it, all of it."""
    store, other = await open_store(), await open_store()
    async with store.writing() as tx:
        await rows.insert(tx, membership(1))
        await rows.insert(tx, membership(2))
        assert await count(other) == 0
    assert await count(other) == 2


@pytest.mark.parametrize("failure", [RuntimeError("no"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_a_block_that_raises_is_undone(store: Store, failure: BaseException) -> None:
    """Nothing of it stays, the failure comes out as it was, and the store can be used."""
    with pytest.raises(type(failure)):
        await write(store, 1, failure=failure)
    assert await count(store) == 0
    await write(store, 1)
    assert await count(store) == 1


async def test_a_cancelled_bulk_insert_is_undone(store: Store) -> None:
    """A large insert that is cancelled on its way leaves nothing behind, not even later."""

    async def insert() -> None:
        async with store.writing() as tx:
            await envelopes(tx, 5_000)

    task = asyncio.ensure_future(insert())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await due(store) == []
    async with store.writing() as tx:
        await envelopes(tx, 1)
    assert len(await due(store)) == 1


async def test_a_writer_sees_its_own_changes(store: Store) -> None:
    """Reads inside a writing block come after its writes."""
    async with store.writing() as tx:
        await rows.insert(tx, membership(1))
        assert (await tx.rows(COUNT))[0][0] == 1


async def test_a_reader_keeps_its_view(open_store: Open) -> None:
    """What is committed while a reading block is open shows only in the next."""
    store, other = await open_store(), await open_store()
    async with store.reading() as tx:
        assert (await tx.rows(COUNT))[0][0] == 0
        async with other.writing() as writer:
            await rows.insert(writer, membership(1))
        assert (await tx.rows(COUNT))[0][0] == 0
    assert await count(store) == 1


async def test_many_readers_wait_for_each_other(store: Store) -> None:
    """More reading blocks than connections all come to their turn."""
    assert await asyncio.gather(*(count(store) for _ in range(20))) == [0] * 20


@pytest.mark.parametrize("block", ["reading", "looking"])
async def test_a_reader_changes_nothing(store: Store, block: str) -> None:
    """A change in a block that reads, or only looks, is refused aloud."""
    with pytest.raises(Unavailable):
        async with getattr(store, block)() as tx:
            await rows.insert(tx, membership(1))
    assert await count(store) == 0


CHANGES: dict[str, Callable[[Transaction], Awaitable[Any]]] = {
    "run": lambda tx: tx.run(sa.delete(tables.memberships)),
    "rows": lambda tx: tx.rows(sa.delete(tables.memberships).returning(tables.memberships.c.id)),
    "words": lambda tx: tx.rows(sa.text("DELETE FROM memberships RETURNING id")),
    "a batch": lambda tx: tx.batches.hold_envelopes(ACCOUNT, [Held(envelope_id(1), Reason.NONE, None, NOW)], NOW),
    "a counted batch": lambda tx: take(tx, [step(1, TextStatus.SENT, Reason.SENT)], NOW),
    "new rows": lambda tx: tx.batches.load("memberships", ["account_id"], [(ACCOUNT,)]),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_who_only_looks_changes_nothing(store: Store, change: str) -> None:
    """Where there may be no transaction around it, a change would be there at once: each way is refused."""
    await write(store, 1)
    with pytest.raises(Unavailable):
        async with store.looking() as tx:
            await CHANGES[change](tx)
    assert await count(store) == 1


async def test_run_says_how_many_rows(store: Store) -> None:
    """The number of rows that a change touched, none included."""
    everyone = sa.update(tables.memberships).values(name=sa.bindparam("new_name"))
    async with store.writing() as tx:
        assert await tx.run(everyone, new_name="x") == 0
        for number in range(3):
            await rows.insert(tx, membership(number))
        assert await tx.run(everyone, new_name="x") == 3


async def test_a_broken_constraint_is_a_violation(store: Store) -> None:
    """Whatever the database calls it; the whole block is undone."""
    await write(store, 1)
    with pytest.raises(Violation):
        await write(store, 2, 1)
    assert await count(store) == 1


async def test_the_databases_clock(store: Store) -> None:
    """It tells the same time as this machine, in microseconds."""
    async with store.reading() as tx:
        assert abs(await tx.now() - SystemClock().now()) < 5 * SECOND


async def test_changed_wakes_on_another_stores_commit(open_store: Open) -> None:
    """A waiter returns long before its time when another process has committed."""
    store, other = await open_store(), await open_store()
    waiting = asyncio.ensure_future(store.changed(within=60))
    await asyncio.sleep(0)
    assert not waiting.done()
    async with other.writing() as tx:
        await rows.insert(tx, membership(1))
    async with asyncio.timeout(5):
        await waiting


async def test_changed_wakes_on_its_own_commit(store: Store) -> None:
    """One process's web part may write what its dispatcher waits for."""
    async with store.writing() as tx:
        await rows.insert(tx, membership(1))
    async with asyncio.timeout(5):
        await store.changed(within=60)


async def test_changed_gives_up_in_time(open_store: Open) -> None:
    """Without a commit it returns when its time is over; an undone block is none."""
    store, other = await open_store(), await open_store()
    with pytest.raises(RuntimeError):
        await write(other, 1, failure=RuntimeError())
    loop = asyncio.get_running_loop()
    started = loop.time()
    await store.changed(within=0.05)
    assert loop.time() - started >= 0.05


async def test_a_commit_between_two_waits_is_not_missed(open_store: Open) -> None:
    """What was written while nobody waited wakes the next waiter at once."""
    store, other = await open_store(), await open_store()
    await store.changed(within=0)
    async with other.writing() as tx:
        await envelopes(tx, 1)
    async with asyncio.timeout(5):
        await store.changed(within=60)
    assert [one.envelope_id for one in await due(store)] == [envelope_id(0)]


async def test_accounts_do_not_see_each_other(store: Store) -> None:
    """The same ids in two accounts are different rows."""
    async with store.writing() as tx:
        await rows.insert(tx, membership(1))
        await rows.insert(tx, msgspec.structs.replace(membership(1), account_id=ACCOUNT + 1, name="Bob"))
        await envelopes(tx, 1, account=ACCOUNT + 1)
    async with store.reading() as tx:
        found = await rows.find(tx, records.Membership, ACCOUNT, id_of(1))
        assert await tx.batches.due(ACCOUNT, ENGAGEMENT, NUMBER_ID, NOW, 10) == []
    assert found == membership(1)
    assert found.name != "Bob"
