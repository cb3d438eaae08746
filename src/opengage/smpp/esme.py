"""The ESME's end of a link: binds, submits, and answers deliveries once its owner says they are durable."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from opengage.smpp import codec, hot, pdu
from opengage.smpp.commands import CommandId
from opengage.smpp.contract import Cause, ConnectionLost, Loss, SessionOwner, SessionSettings, State, Token
from opengage.smpp.framing import Frame
from opengage.smpp.session import Session

Bind = pdu.BindTransceiver | pdu.BindTransmitter | pdu.BindReceiver

_ANSWERS: Final = (
    CommandId.BIND_TRANSCEIVER_RESP,
    CommandId.BIND_TRANSMITTER_RESP,
    CommandId.BIND_RECEIVER_RESP,
    CommandId.GENERIC_NACK,
)


class EsmeOwner(SessionOwner["Esme"], Protocol):
    """Whoever submits by an Esme."""

    def on_deliveries(self, session: "Esme", deliveries: list[pdu.DeliverSm]) -> None:
        """Texts and receipts, all those of one read, in order.

        Each stays unanswered until `answer_delivery`, which is to follow the commit.
        """
        return


class Esme(Session):
    """A client session (SMPP 3.4 section 2.2). Made by `connect`, or as the protocol of a connection of one's own."""

    _request_command = int(CommandId.SUBMIT_SM)
    _answer_command = int(CommandId.SUBMIT_SM_RESP)
    _incoming_command = int(CommandId.DELIVER_SM)
    _decode_incoming = staticmethod(hot.decode_deliver_sm)

    def __init__(self, owner: EsmeOwner, settings: SessionSettings) -> None:
        super().__init__(owner, settings)
        self._esme_owner = owner
        self._kind = CommandId.BIND_TRANSCEIVER
        self._bind_sequence = 0
        self._bound: asyncio.Future[str] | None = None
        self.system_id = ""
        """The SMSC's own system_id, as its answer to the bind gave it."""

    async def bind(self, bind: Bind) -> str:
        """Bind and return the SMSC's system_id.

        Raises ConnectionLost: its loss has cause BIND_REFUSED and the SMSC's status, or says how the link ended before.
        """
        if self.state is not State.OPEN or self._loss is not None:
            raise ConnectionLost(self._loss or Loss(Cause.ABORTED, f"the session is {self.state}"))
        self._kind = bind.command
        self._bind_sequence = self._next_sequence()
        data = codec.encode(msgspec.structs.replace(bind, sequence=self._bind_sequence))
        self.state = State.BINDING
        self._bound = self._loop.create_future()
        self._send(data)
        return await self._bound

    def submit(self, body: bytes, token: Token) -> None:
        """Send one submit_sm, its body from `hot.SubmitTemplate.body`; the answer comes back with the token.

        Raises WindowFull when `free_window` is 0.
        """
        self._request(body, token)

    def submit_many(self, items: Sequence[tuple[bytes, Token]]) -> int:
        """Send as many of these (body, token) as the window has room for; returns how many, from the front."""
        return self._request_many(items)

    def answer_delivery(self, sequence: int, status: int = 0) -> None:
        """Answer one deliver_sm: 0 once it is durable, or an error that makes the SMSC keep it."""
        self._answered((sequence,), hot.deliver_sm_resp(sequence, status))

    def answer_deliveries(self, answers: Iterable[tuple[int, int]]) -> None:
        """Answer several (sequence, status) in one write."""
        pairs = list(answers)
        data = b"".join([hot.deliver_sm_resp(sequence, status) for sequence, status in pairs])
        self._answered([sequence for sequence, _ in pairs], data)

    def _may_request(self) -> bool:
        return self._kind is not CommandId.BIND_RECEIVER

    def _may_receive(self) -> bool:
        return self._kind is not CommandId.BIND_TRANSMITTER

    def _on_incoming(self, messages: list[pdu.DeliverSm]) -> None:
        self._esme_owner.on_deliveries(self, messages)

    def _on_command(self, record: pdu.Pdu) -> bytes | None:
        # alert_notification and outbind have no answer; a bound session has no use for either.
        return b"" if record.command in (CommandId.ALERT_NOTIFICATION, CommandId.OUTBIND) else None

    def _handle(self, frame: Frame) -> None:
        command, status, sequence, _ = frame
        if self.state is State.BINDING and sequence == self._bind_sequence and command in _ANSWERS:
            self._conclude_bind(frame, refused=bool(status) or command == CommandId.GENERIC_NACK)
        else:
            super()._handle(frame)

    def _conclude_bind(self, frame: Frame, *, refused: bool) -> None:
        _, status, _, body = frame
        if refused:
            self._end(Loss(Cause.BIND_REFUSED, pdu.status_name(status), status))
            return
        self.state = State.BOUND
        self.system_id = body.partition(b"\0")[0].decode("latin-1")
        if self._bound is not None and not self._bound.done():
            self._bound.set_result(self.system_id)
        self._owner.on_window(self)
        self._arm(self._next_enquiry())

    def connection_lost(self, exc: Exception | None) -> None:
        """See Session.connection_lost; a bind that waits fails too."""
        super().connection_lost(exc)
        if self._bound is not None and not self._bound.done() and self._loss is not None:
            self._bound.set_exception(ConnectionLost(self._loss))


async def connect(owner: EsmeOwner, settings: SessionSettings, host: str, port: int, bind: Bind) -> Esme:
    """A bound session. Raises OSError when nobody listens, ConnectionLost when the bind fails, TimeoutError when
    neither.

    The bind time-out covers both the connection and the bind.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(settings.bind_timeout):
        _, session = await loop.create_connection(lambda: Esme(owner, settings), host, port)
    try:
        await session.bind(bind)
    except BaseException:
        session.abort()
        raise
    return session
