"""Who wrote something, and telling others: LISTEN on a connection of its own, and NOTIFY after a commit.

NOTIFY goes out after the commit and not in it: commits that notify queue for one lock of the whole server, from before
their flush to after it, so that no two of them would share a flush. A process that dies between the two tells nobody;
those who wait look again by themselves after a second at most.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg

from opengage import logs
from opengage.store.postgres.failures import LOST, translated
from opengage.store.postgres.options import CHANNEL, PostgresOptions

log = logs.get(__name__)

_POLL: Final = 0.05
"""Seconds between looks where nothing can be listened to."""
_GATHER: Final = 0.02
"""Seconds between two notifications of one process, at least."""
_PROBE: Final = 30.0
"""Seconds after which a connection on which nothing was heard is asked whether it lives."""
_PROBE_TIMEOUT: Final = 5.0


class Watcher:
    """Waits for commits, of this process and of others. One waiter at a time."""

    def __init__(self, options: PostgresOptions, snapshot: Callable[[], Awaitable[str]]) -> None:
        self._options = options
        self._snapshot = snapshot
        self._own = secrets.token_hex(8)
        self._seen: str | None = None
        self._something = asyncio.Event()
        self._connection: asyncpg.Connection[Any] | None = None
        self._probed = 0.0
        self.notification = f"SELECT pg_notify('{CHANNEL}', '{self._own}')"
        """What tells others of a commit here."""

    def wake(self) -> None:
        """This process has committed something."""
        self._something.set()

    async def changed(self, within: float) -> None:
        """See Store.changed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        try:
            with translated():
                if self._options.is_pooled:
                    await self._look_until(deadline)
                else:
                    await self._listen()
        except Exception:
            # whoever looks again at once would only fill the log
            await asyncio.sleep(max(0.0, deadline - loop.time()))
            raise
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._something.wait()
        self._something.clear()

    async def _look_until(self, deadline: float) -> None:
        """Look until another snapshot shows: it moves with every transaction that ends."""
        loop = asyncio.get_running_loop()
        while not self._something.is_set():
            found = await self._snapshot()
            if self._seen not in (None, found):
                self._something.set()
            self._seen = found
            if loop.time() + _POLL >= deadline:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await self._something.wait()

    async def _listen(self) -> None:
        """Be connected; what was missed while we were not counts as a change."""
        now = asyncio.get_running_loop().time()
        if self._connection is not None and not self._connection.is_closed():
            if now - self._probed < _PROBE:
                return
            self._probed = now
            with contextlib.suppress(asyncpg.PostgresError, *LOST):
                await self._connection.fetchval("SELECT 1", timeout=_PROBE_TIMEOUT)
                return
        await self._hang_up()
        self._connection = await asyncpg.connect(**self._options.connecting)
        self._connection.add_termination_listener(lambda *_: self._something.set())
        await self._connection.add_listener(CHANNEL, self._heard)
        self._probed = now
        self._something.set()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload != self._own:  # our own commits have woken us already
            self._something.set()

    async def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Stop listening."""
        await self._hang_up()


class Teller:
    """Tells others that something was committed: at once, and then at most once in a few milliseconds."""

    def __init__(self, notify: Callable[[], Awaitable[None]]) -> None:
        self._notify = notify
        self._task: asyncio.Task[None] | None = None
        self._more = False

    def tell(self) -> None:
        """Something was committed."""
        self._more = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        while self._more:
            self._more = False
            try:
                with translated():
                    await self._notify()
            except Exception as error:
                log.warning("others could not be told of a change", action="notify", error=str(error))
            await asyncio.sleep(_GATHER)

    async def close(self) -> None:
        """Tell what is untold."""
        if self._task is not None:
            await asyncio.wait([self._task])
