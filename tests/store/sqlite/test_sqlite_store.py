"""What is SQLite's own: durability, waiting for a lock, a full disk, and files that cannot be used."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from opengage.domain.errors import Unavailable
from opengage.store.sqlite import SqliteStore
from opengage.store.sqlite import store as module
from store.samples import due, envelopes


@pytest.fixture
async def store(database: Path) -> AsyncIterator[SqliteStore]:
    """A store on a fresh file."""
    made = SqliteStore(database)
    yield made
    await made.close()


def connections(store: SqliteStore) -> list[sqlite3.Connection]:
    """Every connection that it keeps."""
    return [store._writer, store._watcher, *store._readers]


def pragma(connection: sqlite3.Connection, name: str) -> object:
    """The value of a setting."""
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_every_connection_is_durable(store: SqliteStore) -> None:
    """WAL with synchronous=FULL (2): a commit has reached the disk when it returns."""
    assert [pragma(one, "journal_mode") for one in connections(store)] == ["wal"] * 6
    assert [pragma(one, "synchronous") for one in connections(store)] == [2] * 6


def test_only_the_writer_writes(store: SqliteStore) -> None:
    """Every other connection refuses changes."""
    assert [pragma(one, "query_only") for one in connections(store)] == [0] + [1] * 5


async def insert(store: SqliteStore, count: int, first: int = 0) -> None:
    """Write envelopes in one block."""
    async with store.writing() as tx:
        await envelopes(tx, count, first=first)


@contextlib.contextmanager
def locked(database: Path) -> Iterator[sqlite3.Connection]:
    """Another process's writing transaction, open."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


async def test_a_lock_is_waited_for(store: SqliteStore, database: Path) -> None:
    """The block starts when the other process has ended its own, and meanwhile the loop is free to read."""
    with locked(database) as other:
        waiting = asyncio.ensure_future(insert(store, 1))
        assert await due(store) == []
        assert not waiting.done()
        other.execute("COMMIT")
        async with asyncio.timeout(5):
            await waiting
    assert len(await due(store)) == 1


async def test_a_lock_that_never_ends_is_unavailable(
    store: SqliteStore, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time the writer gives up, says so, and can write once the lock is gone."""
    monkeypatch.setattr(module, "_LOCK_TIMEOUT", 0.02)
    with locked(database), pytest.raises(Unavailable, match="locked"):
        await insert(store, 1)
    await insert(store, 1)
    assert len(await due(store)) == 1


@pytest.mark.parametrize("count", [400, 2000])
async def test_a_full_disk_is_unavailable(store: SqliteStore, count: int) -> None:
    """Nothing of the block stays; what was there can be read; with room again it can be written."""
    await insert(store, 1)
    pages = pragma(store._writer, "page_count")
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="free space"):
        await insert(store, count, first=10)
    assert len(await due(store)) == 1
    store._writer.execute("PRAGMA max_page_count = 1000000")
    await insert(store, count, first=10)
    assert len(await due(store, limit=5000)) == count + 1


@pytest.mark.parametrize("kind", ["no folder", "a folder", "not a database"])
def test_a_file_that_cannot_be_used_is_unavailable(tmp_path: Path, kind: str) -> None:
    """It is said at once, and with advice."""
    path = tmp_path / "x.db"
    if kind == "no folder":
        path = tmp_path / "absent" / "x.db"
    elif kind == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"this is no database, whatever it is called" * 100)
    with pytest.raises(Unavailable, match="permissions"):
        SqliteStore(path)


def test_a_damaged_file_is_unavailable(database: Path) -> None:
    """A broken page is told in the contract's words."""
    data = bytearray(database.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    database.write_bytes(data)
    with pytest.raises(Unavailable, match="malformed"):
        SqliteStore(database)


async def test_what_was_committed_survives_the_process(database: Path) -> None:
    """A store that is never closed leaves its commits in the file's log, and the next one reads them."""
    first = SqliteStore(database)
    await insert(first, 3)
    for suffix in ("", "-wal"):
        copy = database.with_name("copy.db" + suffix)
        copy.write_bytes(database.with_name(database.name + suffix).read_bytes())
    second = SqliteStore(database.with_name("copy.db"))
    assert len(await due(second)) == 3
    await first.close()
    await second.close()


async def test_writers_of_one_store_take_turns(store: SqliteStore) -> None:
    """The second block starts when the first has ended."""
    order: list[str] = []

    async def turn(name: str, number: int) -> None:
        async with store.writing() as tx:
            order.append(name)
            await envelopes(tx, 1, first=number)
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(turn("a", 1), turn("b", 2))
    assert order in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    assert len(await due(store)) == 2


async def test_writers_of_two_stores_take_turns(database: Path) -> None:
    """Two processes' blocks do not interleave, and the loop runs on while one of them waits."""
    stores = [SqliteStore(database), SqliteStore(database)]
    inside = 0

    async def turn(store: SqliteStore, number: int) -> None:
        nonlocal inside
        async with store.writing() as tx:
            inside += 1
            assert inside == 1
            await envelopes(tx, 1, first=number)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(turn(stores[number % 2], number) for number in range(10)))
    assert len(await due(stores[0])) == 10
    for each in stores:
        await each.close()
