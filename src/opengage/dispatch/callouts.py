"""Calling servers that strangers name: one POST, to an address that was checked, and nowhere else.

The name is resolved for each attempt, every address that it stands for is checked, and the connection goes to one of
those very addresses; what the name leads to a moment later does not matter. Host and TLS keep the name. No redirect is
followed, no proxy is asked, no connection is used twice, and only the first part of an answer is read.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import httpx
import msgspec

from opengage import __version__
from opengage.clock import Clock
from opengage.domain.callback_urls import Limits, may_call, refusal
from opengage.domain.webhooks import retry_after

KEPT: Final = 2048
"""Bytes of an answer's body that are read and kept."""

_TRIED: Final = 3
"""Addresses of a host that are tried, when those before refuse the connection."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host's name and a port to its addresses, in the order in which to try them. Raises OSError."""


class Answer(msgspec.Struct, frozen=True):
    """What one call came to: the status, or why there was none; how long it took, in milliseconds."""

    code: int | None = None
    error: str | None = None
    body: str | None = None
    retry_after: float | None = None
    """Seconds that the server asks for before it is called again."""
    duration_ms: int = 0


class Forbidden(httpx.TransportError):
    """The name leads to an address or a port that must not be called."""


async def resolve(host: str, port: int) -> list[str]:
    """The system's answer. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedTransport(httpx.AsyncBaseTransport):
    """Connects to checked addresses alone."""

    def __init__(self, limits: Limits, resolve: Resolve, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._limits = limits
        self._resolve = resolve
        # a connection that is kept would be used again for another name at the same address
        self._inner = inner or httpx.AsyncHTTPTransport(
            trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.AsyncBaseTransport. Raises Forbidden."""
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError("name not resolved", request=request) from error
        if not may_call(addresses, port, self._limits):
            raise Forbidden("address not allowed", request=request)
        for address in addresses[: _TRIED - 1]:
            try:
                return await self._inner.handle_async_request(_pinned(request, host, address))
            except httpx.ConnectError:
                if address == addresses[-1]:
                    raise
        return await self._inner.handle_async_request(_pinned(request, host, addresses[_TRIED - 1]))

    async def aclose(self) -> None:
        """See httpx.AsyncBaseTransport."""
        await self._inner.aclose()


def _pinned(request: httpx.Request, host: str, address: str) -> httpx.Request:
    """The same request to an address: its Host header and the name for TLS stay the host's."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


class Caller:
    """Makes the calls. `timeout` is in seconds, from the name's resolution to the last byte that is read."""

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        timeout: float,
        resolve: Resolve = resolve,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._limits = limits
        self.timeout = timeout
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(limits, resolve, inner),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout,
            headers={"User-Agent": f"Opengage/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a body to a URL. Never raises for what the other side does."""
        began = self._clock.monotonic()
        if refusal(url, self._limits) is not None:
            return Answer(error="address not allowed")
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._post(url, headers, body)
        except (TimeoutError, httpx.TimeoutException):
            answer = Answer(error="timeout")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError, OSError, ValueError) as error:
            answer = Answer(error=_reason(error))
        return msgspec.structs.replace(answer, duration_ms=round((self._clock.monotonic() - began) * 1000))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        async with self._client.stream("POST", url, headers=headers, content=body) as response:
            kept = bytearray()
            async for chunk in response.aiter_raw():
                kept += chunk
                if len(kept) >= KEPT:
                    break
            return Answer(
                code=response.status_code,
                body=_text(bytes(kept[:KEPT])),
                retry_after=retry_after(response.headers.get("retry-after"), self._clock.now()),
            )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()


def _text(body: bytes) -> str:
    """As much of it as is text; a database's text holds no NUL."""
    return body.decode("utf-8", errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _reason(error: Exception) -> str:
    """Why there was no answer, in words that name no address and quote nothing."""
    match error:
        case Forbidden():
            return "address not allowed"
        case httpx.ConnectError():
            cause = str(error)
            if "not resolved" in cause:
                return "name not resolved"
            return "certificate or TLS refused" if "SSL" in cause.upper() else "connection refused"
        case httpx.ReadError() | httpx.WriteError() | httpx.RemoteProtocolError():
            return "connection broken"
        case httpx.InvalidURL() | UnicodeError():
            return "not a usable URL"
    return "no answer"
