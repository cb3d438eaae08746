"""SQLite behind the store's contract: connections, transactions, and durability.

One writing connection and a few reading ones per process. Statements run on the calling thread: most take
microseconds, and a hop to another thread costs more than they do. The few large ones (see `batches`) are each a single
statement, so that SQLite works without the interpreter's lock when they run in a thread. Several processes share
the file; whoever finds it locked waits for its turn without blocking its event loop.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.sql import ClauseElement, Executable

from opengage.clock import Instant
from opengage.domain.errors import Unavailable
from opengage.store.contract import Batches, Rows, Seals, Turn, Violation
from opengage.store.sqlite.batches import SqliteBatches

_DIALECT: Final = dialects.dialect(paramstyle="named")
_LOCK_TIMEOUT: Final = 15.0
"""Seconds to wait for another process's transaction to end."""
_POLL: Final = 0.005
"""Seconds between looks at whether the file has changed: one pragma, about 2 µs."""
_NOW: Final = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"

_WRITER_CACHE: Final = 16_384
_READER_CACHE: Final = 2_048
"""Page caches in KiB: the operating system caches the file too, for all connections and processes at once."""

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA wal_autocheckpoint = 4096",
    "PRAGMA journal_size_limit = 67108864",
    # what was deleted or replaced is overwritten with zeros: a person's number may be among it
    "PRAGMA secure_delete = ON",
)


def _in_our_words(error: BaseException | None) -> Violation | Unavailable | None:
    """A database failure in the contract's words; None for what is none."""
    if isinstance(error, sqlite3.IntegrityError):
        return Violation(str(error))
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.ProgrammingError):
        return Unavailable(
            f"The database could not be used ({error}). Nothing was changed: check the disk's free space "
            "and the file's permissions, then send the request again."
        )
    return None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Say a database failure in the contract's words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        said = _in_our_words(error)
        if said is None:
            raise
        raise said from error


class _Compiled:
    """SQL text of composed statements, made once for each statement object that lives on."""

    def __init__(self) -> None:
        self._texts: WeakKeyDictionary[Executable, tuple[str, dict[str, Any]]] = WeakKeyDictionary()

    def __call__(self, statement: Executable, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        found = self._texts.get(statement)
        if found is None:
            assert isinstance(statement, ClauseElement)
            compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
            found = (str(compiled), {name: value for name, value in compiled.params.items() if value is not None})
            self._texts[statement] = found
        text, constants = found
        return text, {**constants, **parameters}


class SqliteTransaction:
    """One transaction on one connection."""

    def __init__(self, connection: sqlite3.Connection, compiled: _Compiled, seals: Seals | None = None) -> None:
        self._connection = connection
        self._compiled = compiled
        self._seals = seals
        self._batches = SqliteBatches(connection)

    async def rows(self, statement: Executable, **parameters: Any) -> Rows:
        """See Transaction.rows."""
        return self._connection.execute(*self._compiled(statement, parameters)).fetchall()

    async def run(self, statement: Executable, **parameters: Any) -> int:
        """See Transaction.run."""
        return self._connection.execute(*self._compiled(statement, parameters)).rowcount

    async def now(self) -> Instant:
        """See Transaction.now: the clock of the machine that the file is on."""
        return Instant(self._connection.execute(_NOW).fetchone()[0])

    async def take_turn(self, turn: Turn, whose: Sequence[int] = (0,), *, shared: bool = False) -> None:
        """See Transaction.take_turn: there is one writer, and it is this one."""

    async def be_patient(self, seconds: float | None) -> None:
        """See Transaction.be_patient."""

    @property
    def batches(self) -> Batches:
        """See Transaction.batches."""
        return self._batches

    @property
    def seals(self) -> Seals | None:
        """See Transaction.seals."""
        return self._seals


class _Reading(contextlib.AbstractAsyncContextManager[SqliteTransaction]):
    """One reading transaction: a class, because every request has two, and generators take twice the time."""

    def __init__(self, free: asyncio.LifoQueue[sqlite3.Connection], compiled: _Compiled, seals: Seals | None) -> None:
        self._free = free
        self._compiled = compiled
        self._seals = seals

    async def __aenter__(self) -> SqliteTransaction:
        self._connection = await self._free.get()
        try:
            self._connection.execute("BEGIN")
        except BaseException as error:
            self._end(error)
            raise
        return SqliteTransaction(self._connection, self._compiled, self._seals)

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        """Give the connection back. Raises the error in the contract's words, if it was the database's."""
        if self._connection.in_transaction:
            self._connection.rollback()
        self._free.put_nowait(self._connection)
        said = _in_our_words(error)
        if said is not None:
            raise said from error


class SqliteStore:
    """Opengage's data in one SQLite file, shared by the processes of one machine."""

    def __init__(self, path: Path, *, readers: int = 4, seals: Seals | None = None) -> None:
        self._path = path
        self._seals = seals
        self._compiled = _Compiled()
        self._writing = asyncio.Lock()
        with contextlib.ExitStack() as opened, _translated():
            self._writer = self._connect(opened, _WRITER_CACHE)
            self._writer.execute("PRAGMA busy_timeout = 0")
            self._watcher, *self._readers = (self._connect(opened) for _ in range(1 + readers))
            for reader in (self._watcher, *self._readers):
                # a change in a reading transaction would be undone at its end without a word
                reader.execute("PRAGMA query_only = ON")
            self._seen = self._version()
            self._opened = opened.pop_all()
        self._free: asyncio.LifoQueue[sqlite3.Connection] = asyncio.LifoQueue()
        for reader in self._readers:
            self._free.put_nowait(reader)

    def _connect(self, opened: contextlib.ExitStack, cache: int = _READER_CACHE) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5.0)
        opened.callback(connection.close)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute(f"PRAGMA cache_size = {-cache}")
        return connection

    def reading(self, *, is_hot: bool = False) -> contextlib.AbstractAsyncContextManager[SqliteTransaction]:  # noqa: ARG002 - nothing is planned
        """See Store.reading."""
        return _Reading(self._free, self._compiled, self._seals)

    def looking(self) -> contextlib.AbstractAsyncContextManager[SqliteTransaction]:
        """See Store.looking: a transaction costs microseconds here."""
        return self.reading()

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[SqliteTransaction]:  # noqa: ARG002 - nothing is planned
        """See Store.writing."""
        async with self._writing:
            with _translated():
                await self._begin()
                try:
                    yield SqliteTransaction(self._writer, self._compiled, self._seals)
                    self._writer.execute("COMMIT")
                finally:
                    if self._writer.in_transaction:
                        self._writer.rollback()

    async def _begin(self) -> None:
        """Take the write lock, leaving the loop free while another process has it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LOCK_TIMEOUT
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or loop.time() > deadline:
                    raise
                await asyncio.sleep(0.001)
            else:
                return

    def _version(self) -> int:
        """A number that changes when another connection has committed."""
        with _translated():
            version: int = self._watcher.execute("PRAGMA data_version").fetchone()[0]
        return version

    async def changed(self, within: float) -> None:
        """See Store.changed: looks at the file's version, which no write anywhere can fail to move."""
        deadline = asyncio.get_running_loop().time() + within
        while self._version() == self._seen and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)  # SQLite cannot call us: looking is the only way
        self._seen = self._version()

    async def scrub(self) -> None:
        """See Store.scrub: the write-ahead log still has the pages as they were, until all of it is in the file."""
        async with self._writing:
            with _translated():
                await asyncio.shield(asyncio.to_thread(self._checkpoint))

    def _checkpoint(self) -> None:
        # what readers keep it from is done at the next one
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def close(self) -> None:
        """See Store.close."""
        async with self._writing:
            self._opened.close()
