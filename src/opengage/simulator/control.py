"""The control port: look at handsets, text from them, and change the chaos while everything runs.

Beside the SMPP port, on loopback only. One JSON object per line asks, one per line answers: `{"ok": ...}` or
`{"error": "what is wrong"}`. The requests are listed in docs/reference/simulator.md.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from opengage.simulator.chaos import InvalidChaos, changed
from opengage.simulator.network import Network, Refused

HOST: Final = "127.0.0.1"
MAX_LINE: Final = 65_536
"""Octets of the longest request."""

_MOST_SHOWN: Final = 1_000


class _Base(msgspec.Struct, kw_only=True, tag_field="do", rename="kebab", forbid_unknown_fields=True):
    pass


class AskCounts(_Base, tag="counts"):
    """All counts."""


class AskHandsets(_Base, tag="handsets"):
    """The numbers that rang last, latest first."""

    limit: int = 10


class AskInbox(_Base, tag="inbox"):
    """The texts of one handset, oldest first, and its screen as lines of text."""

    number: str


class SendText(_Base, tag="send"):
    """A text from a handset."""

    source: str = msgspec.field(name="from")
    destination: str = msgspec.field(name="to")
    text: str
    system_id: str | None = None


class ChangeChaos(_Base, tag="chaos"):
    """Other chaos settings, by the names of their flags; without any, those that hold."""

    set: dict[str, Any] = {}


Request = AskCounts | AskHandsets | AskInbox | SendText | ChangeChaos


class Control:
    """Serves the control port."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._decoder = msgspec.json.Decoder(Request)
        self._answers: dict[type, Callable[[Any], Any]] = {
            AskCounts: lambda _: network.report(),
            AskHandsets: lambda asked: network.wall.numbers(max(0, min(asked.limit, _MOST_SHOWN))),
            AskInbox: self._inbox,
            SendText: self._send,
            ChangeChaos: self._change,
        }

    async def start(self, port: int) -> int:
        """Listen on loopback; returns the port. Raises OSError when it cannot be had."""
        self._server = await asyncio.start_server(self._serve, HOST, port, limit=MAX_LINE)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection to it."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """What one line of JSON gets."""
        try:
            asked = self._decoder.decode(line)
            return {"ok": self._answers[type(asked)](asked)}
        except (msgspec.DecodeError, InvalidChaos, Refused) as error:
            return {"error": str(error)}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(self.answer(line)) + b"\n")
                await writer.drain()
        except ValueError:
            writer.write(b'{"error":"a request is one line of at most %d octets"}\n' % MAX_LINE)
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _inbox(self, asked: AskInbox) -> dict[str, Any]:
        wall = self._network.wall
        texts = wall.inbox(asked.number)
        return {"texts": [text.shown() for text in texts[-_MOST_SHOWN:]], "screen": wall.screen(asked.number)}

    def _send(self, asked: SendText) -> dict[str, int]:
        return {"parts": self._network.send(asked.source, asked.destination, asked.text, asked.system_id)}

    def _change(self, asked: ChangeChaos) -> dict[str, Any]:
        if asked.set:
            self._network.change(changed(self._network.chaos, asked.set))
        found: dict[str, Any] = msgspec.to_builtins(self._network.chaos)
        return found
