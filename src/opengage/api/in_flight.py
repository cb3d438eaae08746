"""The requests under way in this process: they are let finish when it stops, and cut off when that takes too long.

Step 1 of a text's path, around everything else of it.
"""

import asyncio
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from opengage.api import errors
from opengage.api.state import ApiState, WebRequest
from opengage.domain.errors import Unavailable

_CUT: Final = (
    "The server stopped before the request was finished. Send it to another one, or again in a moment; with an "
    "Idempotency-Key nothing is done twice."
)


class InFlight:
    """Knows the task of every request that is not yet answered."""

    def __init__(self, state: ApiState) -> None:
        self._state = state
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False

    def around(self, app: ASGIApp) -> ASGIApp:
        """An application whose requests are known here."""

        async def known(scope: Scope, receive: Receive, send: Send) -> None:
            task = asyncio.current_task()
            if scope["type"] != ScopeType.HTTP or task is None:
                await app(scope, receive, send)
                return
            is_answered = False

            async def noting(message: Message) -> None:
                nonlocal is_answered
                is_answered = True
                await send(message)

            self._tasks.add(task)
            try:
                await app(scope, receive, noting)
            except asyncio.CancelledError:
                if not self._is_cut:
                    raise
                if not is_answered:
                    await self._refuse(WebRequest(scope, receive, send), send)
            finally:
                self._tasks.discard(task)

        return known

    def cut(self) -> int:
        """End them all at once, each with 503 unless its answer has begun; how many there were."""
        self._is_cut = True
        for task in self._tasks:
            task.cancel()
        return len(self._tasks)

    async def _refuse(self, request: WebRequest, send: Send) -> None:
        answer = errors.refusal(self._state, request, Unavailable(_CUT))
        await answer.to_asgi_response(None, request)(request.scope, request.receive, send)
