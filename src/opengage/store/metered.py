"""A store whose commits are timed: how long the disk or the server takes is the first thing that an operator asks."""

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from opengage.metrics import Metrics
from opengage.store.contract import Store, Transaction


class MeteredStore:
    """See store.contract.Store."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """See Store.reading."""
        return self._store.reading()

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """See Store.writing: timed from the end of the block to the end of the commit."""
        async with contextlib.AsyncExitStack() as stack:
            yield await stack.enter_async_context(self._store.writing())
            began = time.perf_counter()
            try:
                await stack.aclose()
            except Exception:
                self._metrics.count("opengage_commit_failures_total")
                raise
            self._metrics.observe("opengage_commit_seconds", time.perf_counter() - began)

    async def changed(self, within: float) -> None:
        """See Store.changed."""
        await self._store.changed(within)

    async def scrub(self) -> None:
        """See Store.scrub."""
        await self._store.scrub()

    async def close(self) -> None:
        """See Store.close."""
        await self._store.close()
