"""The SMSC on its TCP port: accepts links, and ends them politely.

The far end of a text's path, in a process of its own; `network` is what lies behind the port.
"""

import asyncio
from typing import Any, Final

import msgspec

from opengage import logs
from opengage.clock import Clock
from opengage.simulator.chaos import Chaos
from opengage.simulator.counts import Seen
from opengage.simulator.link import Line, Link
from opengage.simulator.network import Access, Limits, Network
from opengage.smpp.contract import SessionSettings

SESSION: Final = SessionSettings(window=1_000)
"""How the simulator treats its peers unless told otherwise."""

_BACKLOG: Final = 128


class SmscSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one simulator."""

    host: str = "127.0.0.1"
    port: int = 2775
    """0 takes any free port."""
    access: Access = Access()
    limits: Limits = Limits()
    session: SessionSettings = SESSION
    """`window` is how many deliveries may be unanswered on a link."""
    chaos: Chaos = Chaos()


class Smsc:
    """One simulator on the running event loop."""

    def __init__(self, settings: SmscSettings, clock: Clock, seen: Seen | None = None) -> None:
        known = Seen() if seen is None else seen
        self.network = Network(clock, settings.access, settings.limits, settings.chaos, known)
        self.port = settings.port
        """Where it listens, known for sure after `start`."""
        self._settings = settings
        self._server: asyncio.Server | None = None
        self._lines: set[Line] = set()
        self._log = logs.get(__name__)

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError when the address cannot be had."""
        loop, settings = asyncio.get_running_loop(), self._settings
        self._server = await loop.create_server(self._connect, settings.host, settings.port, backlog=_BACKLOG)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._log.info("smsc.listening", host=settings.host, port=self.port)
        return self.port

    async def stop(self, patience: float = 2.0) -> None:
        """Accept nobody more, wait up to `patience` seconds for acknowledgements, unbind, and as long for the answers.

        Links that have not ended then are cut.
        """
        self.network.stop()
        if self._server is not None:
            self._server.close()
        closing = [asyncio.ensure_future(line.close(patience)) for line in self._lines]
        if closing:
            _, late = await asyncio.wait(closing, timeout=2 * patience)
            for line in list(self._lines) if late else ():
                line.abort()
            await asyncio.wait(closing)
        self.network.close()
        self._log.info("smsc.stopped", pending=self.network.pending)

    def report(self) -> dict[str, Any]:
        """All counts as one JSON object."""
        return self.network.report()

    def _connect(self) -> Line:
        line = Link(self.network, self._settings.session).session
        self._lines.add(line)
        asyncio.ensure_future(line.wait_closed()).add_done_callback(lambda _: self._lines.discard(line))
        return line
