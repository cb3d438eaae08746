"""A closed loop of requests over kept connections: raw bytes out, raw bytes in, so that the client costs little.

Each connection has one request under way, and sends the next as soon as the answer is there whole.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

from bench.client import Broken

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_PATIENCE = 10.0
"""Seconds that the last answers may take."""


@dataclass
class Took:
    """What a number of requests took, in seconds."""

    times: list[float] = field(default_factory=list)
    """From the request's bytes to the answer's last byte, for each."""
    wall: float = 0.0
    processor: float = 0.0
    """Of the server's process, all of its threads."""

    def add(self, more: "Took") -> None:
        """Take in what more requests of the same kind took."""
        self.times += more.times
        self.wall += more.wall
        self.processor += more.processor

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.times) / self.wall

    @property
    def processor_us(self) -> float:
        """Microseconds of the server's processor for each request."""
        return 1e6 * self.processor / len(self.times)

    def percentile_ms(self, share: float) -> float:
        """Milliseconds within which this share of the requests was answered."""
        ordered = sorted(self.times)
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def drive(port: int, pid: int, requests: Sequence[bytes], connections: int, seconds: float) -> Took:
    """Send these in turn for so long. Raises Broken when an answer is no 2xx, or does not come."""
    took = Took()
    before, began = processor_seconds(pid), time.perf_counter()
    uvloop.run(_drive(port, itertools.cycle(requests), connections, began + seconds, took.times))
    took.wall, took.processor = time.perf_counter() - began, processor_seconds(pid) - before
    return took


def processor_seconds(pid: int) -> float:
    """The processor time of a process so far: its POSIX clock, whose number Linux makes from the process's."""
    return time.clock_gettime((~pid << 3) | 2)


def first_answer(port: int, request: bytes) -> bytes:
    """The body of the answer to one request. Raises Broken."""
    return uvloop.run(_first_answer(port, request))


async def _first_answer(port: int, request: bytes) -> bytes:
    connection = await _connect(port, iter((request,)), time.perf_counter(), [])
    return await asyncio.wait_for(connection.done, _PATIENCE)


async def _drive(port: int, requests: Iterator[bytes], connections: int, end: float, times: list[float]) -> None:
    opened = [await _connect(port, requests, end, times) for _ in range(connections)]
    left = end - time.perf_counter() + _PATIENCE
    try:
        await asyncio.wait_for(asyncio.gather(*(connection.done for connection in opened)), left)
    except TimeoutError:
        raise Broken("a request was not answered") from None


async def _connect(port: int, requests: Iterator[bytes], end: float, times: list[float]) -> "_Connection":
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(lambda: _Connection(requests, end, times), "127.0.0.1", port)
    return made


class _Connection(asyncio.Protocol):
    """One connection; `done` has the last answer's body once the time is up."""

    def __init__(self, requests: Iterator[bytes], end: float, times: list[float]) -> None:
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._end = end
        self._times = times
        self._read = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._read += data
        head, found, body = self._read.partition(_END)
        if not found:
            return
        length = _LENGTH.search(head + b"\r\n")
        if head[9:10] != b"2" or length is None:
            self._break(self._read[:500].decode(errors="replace"))
        elif len(body) >= int(length[1]):
            self._answered(body)

    def _answered(self, body: bytes) -> None:
        now = time.perf_counter()
        self._times.append(now - self._sent)
        self._read = b""
        if now < self._end:
            self._send()
            return
        self._transport.close()
        self.done.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._break(f"the server closed the connection: {exc}")

    def _break(self, why: str) -> None:
        self._transport.close()
        if not self.done.done():
            self.done.set_exception(Broken(f"a request failed: {why}"))
