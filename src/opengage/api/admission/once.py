"""Idempotency-Key: a POST that is sent again is not carried out again (draft-ietf-httpapi-idempotency-key-header-07).

Step 1 of a text's path. The key, the change that it protects and the answer are written in one transaction, so that no
crash can part them: either all three are there, and a retry gets the stored answer, or none, and a retry does it anew.
Only what succeeded is kept; a refusal has changed nothing. An answer that says `Cache-Control: no-store` holds a
secret: its key is kept, the answer is not, and a retry is told so instead of doing it twice.
"""

import asyncio
import hashlib
import re
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar.types import ASGIApp, Message, Send

from opengage.api.admission.whole import answer_of, body_of, commit, forward, nothing, succeeded
from opengage.api.body import read_body
from opengage.api.state import ApiState, WebRequest
from opengage.clock import SECOND, Instant
from opengage.domain.errors import Code, Invalid, KeyInUse, Problem, Unprocessable
from opengage.operations.actors import Actor
from opengage.store import idempotency
from opengage.store.contract import Store, Transaction
from opengage.store.idempotency import Kept, Key
from opengage.store.one_transaction import OneTransaction, Stepwise

HEADER: Final = "idempotency-key"
STEPWISE: Final = "stepwise"
"""What a route whose change is too large for one transaction has in its `opt`: its key is taken with the first step,
and a retry after it was stopped on the way is told so."""
REPLAYED: Final = (b"idempotency-replayed", b"true")
"""Marks an answer that was given before."""

_KEY: Final = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"\Z|([\x21\x23-\x7e][\x20-\x7e]{0,254})\Z')
"""A structured field's string, as the draft has it, or the same without quotes, as most clients send it."""

_IN_THREAD: Final = 64 * 1024
"""Bytes from which an answer is compressed beside the event loop."""

_BAD_KEY: Final = (
    "The Idempotency-Key must be 1 to 255 printable ASCII characters, in double quotes or bare. Send a fresh UUID for "
    "each request, and the same one when you send that request again."
)


def key_of(header: str) -> str:
    """The key that a header names. Raises Invalid."""
    match = _KEY.match(header.strip())
    if match is None:
        raise Invalid([Problem(Code.BAD_KEY, _BAD_KEY)])
    return match[1] or match[2]


class Once:
    """Carries out each keyed request once."""

    def __init__(self, state: ApiState) -> None:
        self._state = state
        self._under_way: set[Key] = set()

    async def serve(
        self,
        app: ASGIApp,
        request: WebRequest,
        actor: Actor,
        use: Callable[[Store], None],
        send: Send,
    ) -> None:
        """Answer a keyed POST; `use` hands the handler the store to work with.

        Raises Invalid, Unprocessable, KeyInUse, and whatever the commit raises.
        """
        key = Key(actor.account_id, actor.membership_id, key_of(request.headers[HEADER]))
        if key in self._under_way:
            raise _in_use()
        self._under_way.add(key)
        try:
            fingerprint = _fingerprint(request, await read_body(request))
            kept = await self._find(key)
            if kept is not None:
                await _replay(kept, fingerprint, send)
                return
            await self._carry_out(app, request, key, fingerprint, use, send)
        finally:
            self._under_way.discard(key)

    async def _find(self, key: Key) -> Kept | None:
        async with self._state.store.reading() as tx:
            return await idempotency.find(tx, key, self._expired(self._state.clock.now()))

    def _expired(self, now: Instant) -> Instant:
        """Keys claimed until then are free again."""
        return Instant(now - round(self._state.settings.idempotency_seconds * SECOND))

    async def _carry_out(
        self,
        app: ASGIApp,
        request: WebRequest,
        key: Key,
        fingerprint: bytes,
        use: Callable[[Store], None],
        send: Send,
    ) -> None:
        async def claim(tx: Transaction) -> None:
            now = self._state.clock.now()
            if not await idempotency.claim(tx, key, fingerprint, now, self._expired(now)):
                raise _in_use()

        stepwise = request.scope["route_handler"].opt.get(STEPWISE)
        change = (Stepwise if stepwise else OneTransaction)(self._state.store, claim)
        use(change)
        try:
            answer = await answer_of(app, request)
            if succeeded(answer):
                await _commit(change, key, answer)
        finally:
            await change.abandon()
        await forward(answer, send)


def _in_use() -> KeyInUse:
    return KeyInUse(
        "A request with this Idempotency-Key is under way. Wait for its answer, or send this one again in a moment."
    )


def _fingerprint(request: WebRequest, body: bytes) -> bytes:
    """What tells one request from another; the query is left out, since clients count their tries there."""
    digest = hashlib.sha256(f"{request.method} {request.scope['path']}\n".encode())
    digest.update(body)
    return digest.digest()


async def _commit(change: OneTransaction | Stepwise, key: Key, answer: list[Message]) -> None:
    """Keep the answer, and make the change durable with it."""
    start: Any = answer[0]
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
    if any(name == "cache-control" and "no-store" in value for name, value in headers):
        await commit(change, nothing)
        return
    body = body_of(answer)
    packed = await asyncio.to_thread(zlib.compress, body, 1) if len(body) > _IN_THREAD else zlib.compress(body, 1)
    kept = msgspec.json.encode([pair for pair in headers if pair[0] != "content-length"]).decode()
    await commit(change, lambda tx: idempotency.answer(tx, key, start["status"], kept, packed))


async def _replay(kept: Kept, fingerprint: bytes, send: Send) -> None:
    """Give the stored answer. Raises Unprocessable, KeyInUse."""
    if kept.fingerprint != fingerprint:
        raise Unprocessable(
            "This Idempotency-Key came with another body or address before. Send that request again as it was, or "
            "this one with a key of its own."
        )
    if kept.status is None or kept.body is None:
        detail = (
            "The request was carried out before, and its answer is not kept: it held a secret, or the server ended on "
            "the way. Look at what was made; remove or revoke it if it is of no use, and start anew with a new key."
        )
        raise KeyInUse([Problem(Code.ANSWER_NOT_KEPT, detail)])
    body = zlib.decompress(kept.body)
    pairs = msgspec.json.decode(kept.headers or "[]", type=list[tuple[str, str]])
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    headers += [(b"content-length", str(len(body)).encode()), REPLAYED]
    start: Any = {"type": "http.response.start", "status": kept.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
