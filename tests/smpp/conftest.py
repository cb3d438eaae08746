"""Peers for sessions: an owner that remembers, and a socket driven by hand, as badly as a test asks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from opengage.smpp import codec, pdu
from opengage.smpp.contract import Loss, SessionSettings
from opengage.smpp.esme import Esme, EsmeOwner
from opengage.smpp.framing import Splitter
from opengage.smpp.smsc import SmscOwner, SmscSession


class Signals:
    """Lets a test wait until something it can see has happened."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Something may be different now."""
        self._changed.set()

    async def until(self, seen: Callable[[], Any]) -> None:
        """Return once `seen()` holds."""
        async with asyncio.timeout(10):
            while not seen():
                self._changed.clear()
                await self._changed.wait()


class Remembering(Signals):
    """The part of an owner that both roles share."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[tuple[Any, int, str]] = []
        self.batches: list[int] = []
        self.late: list[tuple[Any, int, str]] = []
        self.timed_out: list[Any] = []
        self.windows = 0
        self.lost: list[tuple[list[Any], list[Any], Loss]] = []

    def on_answers(self, session: Any, answers: list[tuple[Any, int, str]]) -> None:
        self.answers += answers
        self.batches.append(len(answers))
        self.changed()

    def on_late_answers(self, session: Any, answers: list[tuple[Any, int, str]]) -> None:
        self.late += answers
        self.changed()

    def on_timed_out(self, session: Any, tokens: list[Any]) -> None:
        self.timed_out += tokens
        self.changed()

    def on_window(self, session: Any) -> None:
        self.windows += 1
        self.changed()

    def on_lost(self, session: Any, unanswered: list[Any], never_sent: list[Any], loss: Loss) -> None:
        self.lost.append((unanswered, never_sent, loss))
        self.changed()


class Business(Remembering, EsmeOwner):
    """An ESME's owner. Deliveries are answered only when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.deliveries: list[pdu.DeliverSm] = []

    def on_deliveries(self, session: Esme, deliveries: list[pdu.DeliverSm]) -> None:
        self.deliveries += deliveries
        self.changed()


class Network(Remembering, SmscOwner):
    """An SMSC's owner that accepts everything at once, unless `answering` is off."""

    def __init__(self) -> None:
        super().__init__()
        self.submits: list[pdu.SubmitSm] = []
        self.binds: list[Any] = []
        self.sessions: list[SmscSession] = []
        self.answering = True
        self.bind_status = 0
        self.replies: Callable[[pdu.Pdu], pdu.Pdu | None] = lambda record: None

    def on_bind(self, session: SmscSession, bind: Any) -> int:
        self.binds.append(bind)
        if not self.bind_status:
            self.sessions.append(session)
        self.changed()
        return self.bind_status

    def on_submits(self, session: SmscSession, submits: list[pdu.SubmitSm]) -> None:
        first = len(self.submits)
        self.submits += submits
        if self.answering:
            session.answer_submits([(submit.sequence, 0, f"m{first + place}") for place, submit in enumerate(submits)])
        self.changed()

    def on_request(self, session: SmscSession, record: pdu.Pdu) -> pdu.Pdu | None:
        return self.replies(record)


class Peer(Signals):
    """A socket driven by hand: every PDU it reads is kept, and it answers nothing by itself but binds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, reading: bool = True) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        self._splitter = Splitter()
        self.got: list[pdu.Pdu] = []
        self.ended = False
        self.binding: Callable[[Any], bytes] | None = lambda bind: codec.encode(
            pdu.BindTransceiverResp(bind.sequence, 0, "peer")
        )
        self._task = asyncio.get_running_loop().create_task(self._read()) if reading else None

    def send(self, *data: bytes | pdu.Pdu) -> None:
        """Put these on the wire, in one write."""
        self._writer.write(b"".join(one if isinstance(one, bytes) else codec.encode(one) for one in data))

    def cut(self) -> None:
        """End the connection without a word."""
        self._writer.transport.abort()

    def of(self, kind: type[pdu.Pdu]) -> list[Any]:
        """The PDUs of this kind read so far."""
        return [one for one in self.got if type(one) is kind]

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65_536):
                for command, status, sequence, body in self._splitter.feed(data):
                    record = codec.decode_body(command, status, sequence, body)
                    self.got.append(record)
                    if self.binding is not None and isinstance(record, pdu.BindTransceiver):
                        self.send(self.binding(record))
                self.changed()
        except ConnectionError:
            pass
        self.ended = True
        self.changed()

    async def close(self) -> None:
        """Let go of the socket."""
        self.cut()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test here on both loops: they differ in timers and in how they write and close."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


Serve = Callable[..., Awaitable[int]]


@pytest.fixture
def business() -> Business:
    """An ESME's owner that remembers."""
    return Business()


@pytest.fixture
def network() -> Network:
    """An SMSC's owner that remembers and accepts."""
    return Network()


@pytest.fixture
def settings() -> Callable[..., SessionSettings]:
    """Session settings for tests: no enquiries unless asked for."""

    def make(**changes: Any) -> SessionSettings:
        return SessionSettings(**({"enquire_interval": None, "response_timeout": 5.0, "window": 1000} | changes))

    return make


@pytest.fixture
async def smsc(network: Network, settings: Callable[..., SessionSettings]) -> AsyncIterator[Serve]:
    """Serve our own SMSC sessions on loopback; returns the port."""
    servers, sessions = [], []

    async def serve(**changes: Any) -> int:
        def build() -> SmscSession:
            sessions.append(SmscSession(network, settings(**changes), "smsc"))
            return sessions[-1]

        server = await asyncio.get_running_loop().create_server(build, "127.0.0.1", 0)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield serve
    for server in servers:
        server.close()
    for session in sessions:
        session.abort()
        await session.wait_closed()


@pytest.fixture
async def peers() -> AsyncIterator[Callable[..., Awaitable[tuple[int, Callable[[], Awaitable[Peer]]]]]]:
    """Listen as a hand-driven SMSC; returns the port and a way to wait for the next connection's Peer."""
    made: list[Peer] = []
    servers = []

    async def listen(*, reading: bool = True) -> tuple[int, Callable[[], Awaitable[Peer]]]:
        arrived: asyncio.Queue[Peer] = asyncio.Queue()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            made.append(Peer(reader, writer, reading=reading))
            arrived.put_nowait(made[-1])

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        return server.sockets[0].getsockname()[1], arrived.get

    yield listen
    for server in servers:
        server.close()
    for peer in made:
        await peer.close()


@pytest.fixture
async def dial() -> AsyncIterator[Callable[[int], Awaitable[Peer]]]:
    """Connect by hand to a server of ours."""
    made: list[Peer] = []

    async def connect(port: int) -> Peer:
        made.append(Peer(*await asyncio.open_connection("127.0.0.1", port)))
        return made[-1]

    yield connect
    for peer in made:
        await peer.close()
