"""The database of a simulation: a real SQLite file behind the real store, whose commits can fail, dawdle and kill.

One file and its connections serve all schedules of a test, one after the other: between two, every row goes. What is
prepared once is the connections and the compiled statements; a schedule's stores are its own.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.sql import Executable

from opengage.clock import SECOND, Clock, Instant
from opengage.domain.errors import Unavailable
from opengage.store import tables
from opengage.store.contract import Batches, Rows, Seals, Transaction, Turn
from opengage.store.sqlite import SqliteStore
from opengage.store.sqlite.store import _Compiled
from simulation.loop import Process

_COMPILED = _Compiled()
_STEP = 1e-6
"""Seconds that are too few to wait for."""


class Disk:
    """One migrated file and a set of connections for each of its users."""

    def __init__(self, path: Path, users: int = 3) -> None:
        self._stores = [SqliteStore(path, readers=2) for _ in range(users)]
        for store in self._stores:
            store._writer.execute("PRAGMA synchronous = OFF")  # what is simulated is a crash, not a power cut
        self.look = sqlite3.connect(path, isolation_level=None)
        self._tables = [table.name for table in tables.metadata.sorted_tables]

    def reset(self) -> None:
        """No row of an earlier schedule is left."""
        for store in self._stores:
            for connection in (store._writer, *store._readers):
                if connection.in_transaction:
                    connection.rollback()
        writer = self._stores[0]._writer
        writer.execute("BEGIN IMMEDIATE")
        for table in self._tables:
            writer.execute(f"DELETE FROM {table}")
        writer.execute("COMMIT")

    def connections(self, user: int) -> tuple[sqlite3.Connection, list[sqlite3.Connection]]:
        """(writing, reading) connections of one user."""
        store = self._stores[user]
        return store._writer, list(store._readers)

    def close(self) -> None:
        """Let go of the file."""
        self.look.close()
        for store in self._stores:
            store._opened.close()


class Weather:
    """How the disk does at present, for everybody."""

    def __init__(self) -> None:
        self.is_down = False
        """Nothing can be read or written."""
        self.is_full = False
        """Nothing can be written."""
        self.slow_seconds = 0.0
        """How long a commit takes."""
        self.lies = False
        """Commits happen, and are reported as failed: the connection to the database ends at that very moment."""
        self.version = 0


class _SteadyTransaction:
    """A transaction whose database has the simulation's clock."""

    def __init__(self, tx: Transaction, clock: Clock) -> None:
        self._tx = tx
        self._clock = clock

    async def rows(self, statement: Executable, **parameters: Any) -> Rows:
        """See Transaction.rows."""
        return await self._tx.rows(statement, **parameters)

    async def run(self, statement: Executable, **parameters: Any) -> int:
        """See Transaction.run."""
        return await self._tx.run(statement, **parameters)

    async def now(self) -> Instant:
        """See Transaction.now."""
        return self._clock.now()

    async def take_turn(self, turn: Turn, whose: Sequence[int] = (0,), *, shared: bool = False) -> None:
        """See Transaction.take_turn."""
        await self._tx.take_turn(turn, whose, shared=shared)

    async def be_patient(self, seconds: float | None) -> None:
        """See Transaction.be_patient."""
        await self._tx.be_patient(seconds)

    @property
    def batches(self) -> Batches:
        """See Transaction.batches."""
        return self._tx.batches

    @property
    def seals(self) -> Seals | None:
        """See Transaction.seals."""
        return self._tx.seals


class SimulatedStore(SqliteStore):
    """One process's store. `boundary` is told of every step before and after a commit, `committed` of every commit."""

    def __init__(
        self,
        disk: Disk,
        user: int,
        process: Process,
        weather: Weather,
        clock: Clock,
        boundary: Callable[[str], bool],
        committed: Callable[[str], None],
    ) -> None:
        self._compiled = _COMPILED
        self._seals = None
        self._writing = asyncio.Lock()
        self._writer, self._readers = disk.connections(user)
        self._free = asyncio.LifoQueue()
        for reader in self._readers:
            self._free.put_nowait(reader)
        self._process = process
        self._weather = weather
        self._clock = clock
        self._boundary = boundary
        self._committed = committed
        self._version_seen = weather.version
        self.writes = 0
        self.commits = 0

    @contextlib.asynccontextmanager
    async def reading(self, *, is_hot: bool = False) -> AsyncIterator[Transaction]:  # type: ignore[override]
        """See Store.reading."""
        self._live()
        if self._weather.is_down:
            raise Unavailable("The database is down.")
        async with super().reading(is_hot=is_hot) as tx:
            yield _SteadyTransaction(tx, self._clock)

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[Transaction]:  # type: ignore[override]
        """See Store.writing."""
        self._live()
        await self._pass("before a transaction")
        if self._weather.is_down:
            raise Unavailable("The database is down.")
        before = 0
        self.writes += 1
        try:
            async with super().writing(is_hot=is_hot) as tx:
                before = self._writer.total_changes
                yield _SteadyTransaction(tx, self._clock)
                if self._weather.slow_seconds:
                    await asyncio.sleep(self._weather.slow_seconds)
                self._live()
                await self._pass("before a commit")
                if self._weather.is_full or self._weather.is_down:
                    raise Unavailable("The disk is full. Make room.")
        finally:
            self.writes -= 1
        if self._writer.total_changes == before:
            return
        self.commits += 1
        self._weather.version += 1
        self._committed(self._process.name)
        if self._weather.lies:
            raise Unavailable("The connection was lost; nobody knows whether the transaction was committed.")
        await self._pass("after a commit")

    def _live(self) -> None:
        if self._process.is_dead:
            raise asyncio.CancelledError

    async def _pass(self, where: str) -> None:
        if self._boundary(f"{self._process.name} {where}"):
            await self._process.die()

    async def changed(self, within: float) -> None:
        """See Store.changed: here a commit tells.

        A rest of time that is smaller than the clock's own steps would never pass.
        """
        deadline = self._clock.monotonic() + within
        while self._weather.version == self._version_seen and (left := deadline - self._clock.monotonic()) > _STEP:
            await asyncio.sleep(min(left, max(0.05, left / 4)))
        self._version_seen = self._weather.version

    async def close(self) -> None:
        """The disk closes what it opened."""


class MachineClock:
    """The clock of a machine: its wall clock can be set, its monotonic one cannot."""

    def __init__(self, loop: asyncio.AbstractEventLoop, starts_at: Instant) -> None:
        self._loop = loop
        self._starts_at = starts_at - int(loop.time() * SECOND)
        self.offset = 0.0
        """Seconds that the wall clock was set forward."""

    def now(self) -> Instant:
        """See Clock.now."""
        return Instant(self._starts_at + int((self._loop.time() + self.offset) * SECOND))

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self._loop.time()
