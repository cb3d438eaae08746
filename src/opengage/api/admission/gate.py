"""The gate of the API: room, then credentials, then limits, then what the request demands of its change as a whole.

Step 1 of a text's path. It stands before every handler, whatever that does; a route that asks nobody who they are says
so with `opt={"open": True}`. Health and the pages about errors are outside.
"""

from collections.abc import Callable
from typing import Final

from litestar import Request, Response
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from opengage.api import errors
from opengage.api.admission import changes, once
from opengage.api.admission.last_used import LastUsed
from opengage.api.admission.limits import Limits
from opengage.api.admission.once import Once
from opengage.api.admission.room import Room
from opengage.api.admission.whole import answer_of, commit, forward, nothing, succeeded
from opengage.api.auth import Credentials
from opengage.api.state import Admitted, ApiState, WebRequest, admit
from opengage.clock import SECOND
from opengage.domain.errors import OpengageError, TooMany
from opengage.operations.actors import Actor
from opengage.operations.sessions import Lifetimes, Sessions
from opengage.store.contract import Store
from opengage.store.one_transaction import OneTransaction

V1: Final = "/api/v1"
_NOBODY: Final = 0
"""The account that requests count for which say nobody: they may not fill the room either."""
_CHANGES: Final = ("PATCH", "DELETE")


class Gate:
    """What stands before the handlers of one application."""

    def __init__(self, state: ApiState) -> None:
        settings = state.settings
        lifetimes = Lifetimes(
            round(settings.access_token_seconds * SECOND), round(settings.refresh_token_seconds * SECOND)
        )
        self.last_used = LastUsed(state)
        self.sessions = Sessions(state.store, state.clock, state.new_id, lifetimes, settings.public_url)
        self._state = state
        self._credentials = Credentials(state.store, state.clock, self.sessions, self.last_used.note)
        self._room = Room(settings.requests_in_flight, settings.bytes_in_flight)
        self._limits = Limits(settings.token_rate_limit, settings.account_rate_limit, settings.bulk_rate_limit)
        self._once = Once(state)

    def before(self, app: ASGIApp) -> ASGIApp:
        """This gate before an application."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            request: WebRequest = Request(scope, receive, send)
            if request.method == "OPTIONS":
                await app(scope, receive, send)
                return
            try:
                with self._room.one(self._size(request)):
                    await self._admit(app, request, send)
            except OpengageError as error:
                await _answer(errors.refusal(self._state, request, error), request, send)

        return guarded

    def _size(self, request: WebRequest) -> int:
        """The bytes that a body may take: what it announces, or as much as is read of one that does not."""
        announced = request.headers.get("content-length", "")
        limit = self._state.settings.body_limit_bytes
        if announced.isdecimal() and len(announced) < 20:
            return min(int(announced), limit)
        return limit if "transfer-encoding" in request.headers else 0

    async def _admit(self, app: ASGIApp, request: WebRequest, send: Send) -> None:
        if request.scope["route_handler"].opt.get("open"):
            with self._room.of(_NOBODY):
                await app(request.scope, request.receive, send)
            return
        actor = await self._credentials.actor(request)
        monotonic = self._state.clock.monotonic
        token = (actor.account_id, actor.credential_id)

        async def with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = self._limits.headers(token, actor.account_id, monotonic())
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        try:
            with self._room.of(actor.account_id):
                self._limits.request(token, actor.account_id, monotonic())
                await self._serve(app, request, actor, with_limits)
        except TooMany as error:
            await _answer(errors.refusal(self._state, request, error), request, with_limits)

    async def _serve(self, app: ASGIApp, request: WebRequest, actor: Actor, send: Send) -> None:
        def use(store: Store) -> None:
            admit(request, Admitted(actor, self._state.on(store), charge))

        def charge(count: int) -> None:
            self._limits.resources(actor.account_id, count, self._state.clock.monotonic())

        use(self._state.store)
        if request.method == "POST" and once.HEADER in request.headers:
            await self._once.serve(app, request, actor, use, send)
        elif request.method in _CHANGES and changes.HEADER in request.headers:
            await self._change(app, request, actor, use, send)
        else:
            await app(request.scope, request.receive, send)

    async def _change(
        self, app: ASGIApp, request: WebRequest, actor: Actor, use: Callable[[Store], None], send: Send
    ) -> None:
        """Carry out a change under If-Match."""
        place, deletes = _addressed(request.scope["path"]), request.scope["method"] == "DELETE"
        check = changes.unchanged(actor, *place, request.headers[changes.HEADER], deletes=deletes)
        change = OneTransaction(self._state.store, check)
        use(change)
        try:
            answer = await answer_of(app, request)
            if succeeded(answer):
                await commit(change, nothing)
        finally:
            await change.abandon()
        await forward(answer, send)


def _addressed(path: str) -> tuple[str, str | None]:
    """Type and id of the resource at an address; no id when it is not one resource's own address."""
    kind, _, id_ = path.removeprefix(f"{V1}/").partition("/")
    return kind, id_ if id_ and "/" not in id_ else None


async def _answer(response: Response[bytes], request: WebRequest, send: Send) -> None:
    """Give an answer in place of the handler."""
    await response.to_asgi_response(None, request)(request.scope, request.receive, send)
