"""A relay that can fail: it stands between a node of the fleet and its database, or between a lane and its carrier."""

import asyncio
import threading
from collections.abc import Callable

_PATIENCE = 10.0
_CHUNK = 1 << 16


class Proxy:
    """Relays a free port to one of loopback's, in a thread of its own. Every method may be called from anywhere."""

    def __init__(self, upstream: int, host: str = "127.0.0.1") -> None:
        self.host = host
        self._upstream = upstream
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port: int = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(_PATIENCE)

    def cut(self) -> None:
        """Reset all connections, and those that come, until `heal`."""
        self._do(self._cut)

    def stall(self) -> None:
        """Keep all connections, and pass nothing on, until `heal`: a network that says nothing at all."""
        self._do(self._flows.clear)

    def switch(self, upstream: int) -> None:
        """Fail over: reset all connections, and lead new ones to another port."""
        self._upstream = upstream
        self._do(self._reset)

    def heal(self) -> None:
        """Relay again."""
        self._do(self._heal)

    def close(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Callable[[], None]) -> None:
        async def run() -> None:
            work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(_PATIENCE)

    async def _open(self) -> int:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _cut(self) -> None:
        self._is_cut = True
        self._reset()

    def _heal(self) -> None:
        self._is_cut = False
        self._flows.set()

    def _reset(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._relay(reader, back), self._relay(there, writer))
        finally:
            self._writers -= {writer, back}
            for each in (writer, back):
                each.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction. An orderly end is passed on as such, and a reset as a reset: a killed process leaves one."""
        try:
            while data := await reader.read(_CHUNK):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        self._heal()
        self._reset()
        ours = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not ours]
        await asyncio.wait(tasks, timeout=_PATIENCE) if tasks else None
