"""A receiver of webhooks for tests: a real server on loopback that does as it is told, and what it was sent."""

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator, Callable

import httpx
import msgspec
import standardwebhooks

from opengage.clock import SystemClock
from opengage.dispatch import callouts
from opengage.dispatch.callouts import Caller, Resolve
from opengage.domain.callback_urls import Limits, networks
from opengage.ids import Id, to_wire

LOOPBACK = Limits(allow=networks("127.0.0.0/8"))


class Posted(msgspec.Struct):
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> object:
        """The body, once the public library has accepted its signature. Ignores the timestamp's age."""
        sent = {name: value for name, value in self.headers.items() if name.startswith("webhook-")}
        hook = standardwebhooks.Webhook(secret)
        hook._Webhook__verify_timestamp = _moment  # type: ignore[attr-defined]
        return hook.verify(self.body, sent)


def _moment(seconds: str) -> object:
    return datetime.datetime.fromtimestamp(float(seconds), tz=datetime.UTC)


class Receiver:
    """Answers every POST with what `answer` says: a status line and headers, and a body."""

    def __init__(self) -> None:
        self.posts: list[Posted] = []
        self.answer: Callable[[Posted], bytes | None] = lambda _: ok()
        self.hang = asyncio.Event()
        self.connections = 0
        self.port = 0
        self.sent = 0
        """Bytes that could be written of endless answers."""
        self.open: set[asyncio.StreamWriter] = set()
        self.closed = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self.open.add(writer)
        try:
            await self._serve(reader, writer)
        finally:
            self.open.discard(writer)
            self.closed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            posted = Posted(head[0].split(" ")[1], headers, body)
            self.posts.append(posted)
            answer = self.answer(posted)
            if answer is None:
                await self.hang.wait()
            elif answer == b"reset":
                writer.transport.abort()
            elif answer == b"endless":
                await self._endless(writer)
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        """Ten megabytes of answer."""
        size = 10 * 1024 * 1024
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            self.sent += 65536


def ok(body: bytes = b"thanks") -> bytes:
    """A good answer."""
    return status(200, "OK", body=body)


def status(code: int, reason: str = "Some", *headers: str, body: bytes = b"") -> bytes:
    """An answer with this status."""
    lines = [f"HTTP/1.1 {code} {reason}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextlib.asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that listens on loopback."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        receiver.hang.set()
        while receiver.open:
            for writer in receiver.open:
                writer.transport.abort()
            receiver.closed.clear()
            await receiver.closed.wait()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def calling(
    seconds: float = 5.0,
    limits: Limits = LOOPBACK,
    resolve: Resolve = callouts.resolve,
    inner: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Caller]:
    """A caller that may reach loopback."""
    caller = Caller(SystemClock(), limits, seconds, resolve, inner)
    try:
        yield caller
    finally:
        await caller.close()


async def render(account_id: int, subject_type: str, subject_id: Id, include: str | None) -> bytes:
    """A document that says what was asked for."""
    shown = {"type": subject_type, "id": to_wire(subject_id), "attributes": {"account": account_id, "include": include}}
    return msgspec.json.encode({"data": shown}) + b"\n"
