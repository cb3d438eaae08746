"""`--away`: a relay that keeps the database so many milliseconds away from everybody, as on another machine.

A process of its own: `python -m bench.away PORT TARGET MILLISECONDS`. What comes is passed on later, in its order.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import uvloop

from bench.children import free_port
from bench.client import Broken


@contextlib.contextmanager
def relay(target: int, milliseconds: int) -> Iterator[int]:
    """The loopback port at which `target` is found that far away, for the length of a block."""
    port = free_port()
    command = [sys.executable, "-m", "bench.away", str(port), str(target), str(milliseconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout
            if not child.stdout.readline():
                raise Broken("the relay to the database did not start")
            yield port
        finally:
            child.terminate()


class _End(asyncio.Protocol):
    """One end of a connection: what it reads, the other end writes, a while later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: list[bytes] = []
        self._transport: asyncio.WriteTransport | None = None
        self.other: _End = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there, and so may be what was said to it before."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's are no heirs of it
        self._transport.writelines(self._waiting)

    def data_received(self, data: bytes) -> None:
        """Pass it on later."""
        asyncio.get_running_loop().call_later(self._seconds, self.other.write, data)

    def write(self, data: bytes) -> None:
        """Say what the other end has read."""
        if self._transport is None:
            self._waiting.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        """The other end goes too, once it has said everything."""
        asyncio.get_running_loop().call_later(self._seconds, self.other.close)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def _serve(port: int, target: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    connecting: set[asyncio.Task[None]] = set()

    def ends() -> _End:
        near, far = _End(seconds), _End(seconds)
        near.other, far.other = far, near
        task = loop.create_task(connect(near, far))
        connecting.add(task)
        task.add_done_callback(connecting.discard)
        return near

    async def connect(near: _End, far: _End) -> None:
        try:
            await loop.create_connection(lambda: far, "127.0.0.1", target)
        except OSError:
            near.close()

    server = await loop.create_server(ends, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
