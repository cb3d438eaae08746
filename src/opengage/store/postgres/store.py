"""PostgreSQL behind the store's contract: a pool, transactions, durability, and news of commits.

Writers are concurrent here, unlike on SQLite. Whoever decides on what it has read locks it (`with_for_update`, which
SQLite ignores), takes a turn (`Transaction.take_turn`), or guards its change by WHERE on the state it starts from.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

import asyncpg

from opengage import logs
from opengage.domain.errors import Unavailable
from opengage.store.contract import Seals
from opengage.store.postgres.failures import LOST, translated
from opengage.store.postgres.options import FORGOTTEN, PostgresOptions
from opengage.store.postgres.transaction import Compiled, Connection, PostgresTransaction
from opengage.store.postgres.watching import Teller, Watcher

log = logs.get(__name__)

_ACQUIRE_TIMEOUT: Final = 15.0
"""Seconds to wait for a connection of the pool."""
_SESSION_TIMEOUT: Final = 5.0
"""Seconds that a new connection's settings may take."""
_END_TIMEOUT: Final = 5.0
"""Seconds that a rollback may take; after that the connection is thrown away, which undoes as well."""
_DOUBT_TIMEOUT: Final = 60.0
"""Seconds in which to find out what became of a commit whose answer was lost."""
_DOUBT_PAUSE: Final = 0.25
_PLANS_KEPT: Final = 5.0
"""Seconds for which a connection keeps the plans of the hot path, at most: each was made for a table's size."""

_XID: Final = "SELECT pg_current_xact_id_if_assigned()::text"
_FATE: Final = "SELECT pg_xact_status($1::text::xid8)"
_SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"


class PostgresStore:
    """Opengage's data in one PostgreSQL database, shared by any number of processes. Connects at its first use."""

    def __init__(self, options: PostgresOptions, *, seals: Seals | None = None) -> None:
        self._options = options
        self._seals = seals
        self._compiled = Compiled()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._connecting = asyncio.Lock()
        self._watcher = Watcher(options, self._snapshot)
        self._teller = Teller(self._notify)
        self._planning = 0
        self._planned: set[int] = set()

    @contextlib.asynccontextmanager
    async def reading(self, *, is_hot: bool = False) -> AsyncIterator[PostgresTransaction]:
        """See Store.reading."""
        async with self._connection() as connection:
            options = self._options
            begin = options.begin_hot_reading + self._forgetting(connection) if is_hot else options.begin_reading
            await connection.execute(begin)
            yield self._transaction(connection, writes=False)

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[PostgresTransaction]:
        """See Store.looking: without a transaction around them, statements save two round trips.

        What a pooler hands on has none of our settings, so a view is asked for, which brings them.
        """
        async with self._connection() as connection:
            if self._options.is_pooled:
                await connection.execute(self._options.begin_reading)
            elif anew := self._forgetting(connection):
                await connection.execute(anew)
            yield self._transaction(connection, writes=False)

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[PostgresTransaction]:
        """See Store.writing."""
        async with self._connection() as connection:
            options = self._options
            begin = options.begin_hot + self._forgetting(connection) if is_hot else options.begin_writing
            await connection.execute(begin)
            tx = self._transaction(connection, writes=True)
            yield tx
            written = await self._commit(connection, tx.xid)
        if written:
            self._watcher.wake()
            self._teller.tell()

    def _forgetting(self, connection: Connection) -> str:
        """What comes first on a connection that has not planned anew in this stretch of time; empty on the others."""
        now, server = int(asyncio.get_running_loop().time() / _PLANS_KEPT), connection.get_server_pid()
        if now != self._planning:
            self._planning, self._planned = now, set()
        if server in self._planned:
            return ""
        self._planned.add(server)
        return FORGOTTEN

    def _transaction(self, connection: Connection, *, writes: bool) -> PostgresTransaction:
        return PostgresTransaction(
            connection, self._compiled, writes=writes, copies=not self._options.is_pooled, seals=self._seals
        )

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool; what it has begun and not committed is undone at the end."""
        with translated():
            pool = await self._connected()
            connection = await pool.acquire(timeout=_ACQUIRE_TIMEOUT)
            try:
                yield connection
            finally:
                await _to_the_end(_give_back(pool, connection))

    async def _connected(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._pool is None:
            async with self._connecting:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        min_size=1,
                        max_size=self._options.pool_size,
                        init=self._begin_session,
                        reset=_as_it_is,
                        **self._options.connecting,
                    )
        return self._pool

    async def _begin_session(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        try:
            if self._options.begin_session:
                await connection.execute(self._options.begin_session, timeout=_SESSION_TIMEOUT)
        except BaseException:
            connection.terminate()  # closing it in order would wait for a server that says nothing
            raise

    async def _commit(self, connection: Connection, xid: str | None) -> bool:
        """Make the transaction, of this number if it is known, durable; whether there was anything to write.

        When the answer is lost, the server is asked what became of it: “nothing was changed” must be true when it is
        said, or the request that is sent again would be carried out twice.
        """
        xid = xid or await connection.fetchval(_XID)
        try:
            status = await _to_the_end(connection.execute("COMMIT"))
        except LOST as error:
            if xid is None or not await self._has_committed(xid):
                raise
            log.warning("a commit's answer was lost, and it was carried out", action="commit", error=str(error))
            return True
        if status != "COMMIT":
            raise Unavailable("The database undid the transaction, because a statement in it had failed.")
        return xid is not None

    async def _has_committed(self, xid: str) -> bool:
        """What became of a transaction, asked for on other connections."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _DOUBT_TIMEOUT
        while loop.time() < deadline:
            with contextlib.suppress(asyncpg.PostgresError, *LOST):
                connection = await asyncpg.connect(**self._options.connecting)
                try:
                    async with connection.transaction(readonly=True):
                        fate = await connection.fetchval(_FATE, xid)
                finally:
                    connection.terminate()
                if fate != "in progress":
                    return bool(fate == "committed")
            await asyncio.sleep(_DOUBT_PAUSE)
        log.error("it is not known whether a transaction was committed: look before you repeat it", action="commit")
        return False

    async def _notify(self) -> None:
        async with self._connection() as connection:
            await connection.execute(self._watcher.notification)

    async def _snapshot(self) -> str:
        async with self._connection() as connection:
            await connection.execute(self._options.begin_reading)
            return str(await connection.fetchval(_SNAPSHOT))

    async def changed(self, within: float) -> None:
        """See Store.changed."""
        await self._watcher.changed(within)

    async def scrub(self) -> None:
        """See Store.scrub: old versions of rows are the server's, and its vacuum takes them away."""

    async def close(self) -> None:
        """See Store.close."""
        await self._teller.close()
        await self._watcher.close()
        if self._pool is not None:
            try:
                async with asyncio.timeout(_END_TIMEOUT):
                    await self._pool.close()
            except TimeoutError:
                self._pool.terminate()


async def _as_it_is(_connection: object) -> None:
    """Nothing to reset: settings are those of the session, or of one transaction only, which is ended before its
    connection is given back."""


async def _give_back(pool: "asyncpg.Pool[asyncpg.Record]", connection: Connection) -> None:
    try:
        if not connection.is_closed() and connection.is_in_transaction():
            await connection.execute("ROLLBACK", timeout=_END_TIMEOUT)
    except Exception:
        with contextlib.suppress(asyncpg.InterfaceError):  # the pool was closed meanwhile, and this connection with it
            connection.terminate()
    finally:
        await pool.release(connection)


async def _to_the_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Wait for what must not be left half done, even when cancelled."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
