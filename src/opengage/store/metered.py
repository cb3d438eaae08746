"""A store whose commits are timed: how long the disk or the server takes is the first thing that an operator asks."""

import time
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from opengage.metrics import Metrics
from opengage.store.contract import Store, Transaction


class _Timed(AbstractAsyncContextManager[Transaction]):
    def __init__(self, writing: AbstractAsyncContextManager[Transaction], metrics: Metrics) -> None:
        self._writing = writing
        self._metrics = metrics

    async def __aenter__(self) -> Transaction:
        return await self._writing.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            return await self._writing.__aexit__(kind, error, trace)
        began = time.perf_counter()
        try:
            await self._writing.__aexit__(None, None, None)
        except Exception:
            self._metrics.count("opengage_commit_failures_total")
            raise
        self._metrics.observe("opengage_commit_seconds", time.perf_counter() - began)
        return None


class MeteredStore:
    """See store.contract.Store."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    def reading(self, *, is_hot: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """See Store.reading."""
        return self._store.reading(is_hot=is_hot)

    def looking(self) -> AbstractAsyncContextManager[Transaction]:
        """See Store.looking."""
        return self._store.looking()

    def writing(self, *, is_hot: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """See Store.writing: timed from the end of the block to the end of the commit."""
        return _Timed(self._store.writing(is_hot=is_hot), self._metrics)

    async def changed(self, within: float) -> None:
        """See Store.changed."""
        await self._store.changed(within)

    async def scrub(self) -> None:
        """See Store.scrub."""
        await self._store.scrub()

    async def close(self) -> None:
        """See Store.close."""
        await self._store.close()
