"""A store whose every block of one request is part of one transaction, committed when the request's answer is known.

Beside the text's path: what a request demands of its change as a whole (an Idempotency-Key that is recorded with it, an
If-Match that still holds) is checked inside the very transaction that changes something, and operations need not know.
The transaction begins with the first block that writes, so that reading and checking a body holds no lock.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from opengage.domain.errors import Unavailable
from opengage.store.contract import Store, Transaction

Part = Callable[[Transaction], Awaitable[None]]
"""Something done inside the transaction; when it raises, nothing is written."""

_LOST: Final = "A part of the change could not be written, so none of it was. Send the request again."


class _Abandoned(Exception):
    """Ends the transaction without a change."""


class OneTransaction:
    """See the module; it is for one request, and is closed by `commit` or `abandon`."""

    def __init__(self, store: Store, first: Part) -> None:
        """`first` runs before anything else in the transaction."""
        self._store = store
        self._first = first
        self._open = contextlib.AsyncExitStack()
        self._transaction: Transaction | None = None
        self._blocks = 0
        self._is_lost = False

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[Transaction]:  # noqa: ARG002 - a request is not
        """See Store.writing: a block that raises undoes those before it too, and none can follow them."""
        transaction = await self._begin()
        try:
            yield transaction
        except BaseException as error:
            await self._undo(error)
            raise
        self._blocks += 1

    @contextlib.asynccontextmanager
    async def reading(self, *, is_hot: bool = False) -> AsyncIterator[Transaction]:
        """See Store.reading: what this request has written is seen."""
        if self._transaction is not None:
            yield self._transaction
            return
        async with self._store.reading(is_hot=is_hot) as transaction:
            yield transaction

    def looking(self) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """See Store.looking."""
        return self.reading()

    async def changed(self, within: float) -> None:
        """See Store.changed."""
        await self._store.changed(within)

    async def scrub(self) -> None:
        """See Store.scrub."""
        await self._store.scrub()

    async def close(self) -> None:
        """See Store.close."""
        await self.abandon()
        await self._store.close()

    async def commit(self, last: Part) -> None:
        """Run `last` in the transaction (its first block, when nothing was written yet), then make it durable."""
        async with self.writing() as transaction:
            await last(transaction)
        self._transaction = None
        await self._open.aclose()

    async def abandon(self) -> None:
        """Undo what is not committed."""
        if self._transaction is not None:
            with contextlib.suppress(_Abandoned):
                abandoned = _Abandoned()
                await self._undo(abandoned)

    async def _begin(self) -> Transaction:
        if self._is_lost:
            raise Unavailable(_LOST)
        if self._transaction is None:
            transaction = await self._open.enter_async_context(self._store.writing())
            self._transaction = transaction
            try:
                await self._first(transaction)
            except BaseException as error:
                await self._undo(error)
                raise
        return self._transaction

    async def _undo(self, error: BaseException) -> None:
        """End the transaction as the store does when a block raises; the store may say the error in its own words."""
        self._transaction, self._is_lost = None, self._blocks > 0
        opened, self._open = self._open, contextlib.AsyncExitStack()
        await opened.__aexit__(type(error), error, error.__traceback__)


class Stepwise:
    """The same for changes that are too large for one transaction: only the first step and `first` are one.

    Whoever is stopped between two steps leaves the steps that were made, and what `first` wrote with them.
    """

    def __init__(self, store: Store, first: Part) -> None:
        """`first` runs before anything else in the first transaction."""
        self._store = store
        self._first = first
        self._has_begun = False

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[Transaction]:
        """See Store.writing."""
        async with self._store.writing(is_hot=is_hot) as transaction:
            if not self._has_begun:
                await self._first(transaction)
            yield transaction
        self._has_begun = True

    def reading(self, *, is_hot: bool = False) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """See Store.reading."""
        return self._store.reading(is_hot=is_hot)

    def looking(self) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """See Store.looking."""
        return self._store.looking()

    async def changed(self, within: float) -> None:
        """See Store.changed."""
        await self._store.changed(within)

    async def scrub(self) -> None:
        """See Store.scrub."""
        await self._store.scrub()

    async def close(self) -> None:
        """See Store.close."""
        await self._store.close()

    async def commit(self, last: Part) -> None:
        """Run `last` as a step of its own, the last one."""
        async with self.writing() as transaction:
            await last(transaction)

    async def abandon(self) -> None:
        """What was made stays."""
