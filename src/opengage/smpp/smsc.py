"""The SMSC's end of a link, for the simulator: accepts binds, takes submits, delivers texts and receipts."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from opengage.smpp import codec, hot, pdu, tlv
from opengage.smpp.commands import CommandId, Status
from opengage.smpp.contract import SessionOwner, SessionSettings, State, Token
from opengage.smpp.esme import Bind
from opengage.smpp.fields import ANSWERS, CLASSES
from opengage.smpp.framing import frame
from opengage.smpp.session import Session

_VERSION: Final = ((tlv.Tag.SC_INTERFACE_VERSION, b"\x34"),)


class SmscOwner(SessionOwner["SmscSession"], Protocol):
    """Whoever plays the network. `on_answers` brings the answers to deliveries."""

    def on_bind(self, session: "SmscSession", bind: Bind) -> int | None:
        """The command_status for this bind (its class tells the kind): 0, or None as when not overridden, accepts."""
        return None

    def on_submits(self, session: "SmscSession", submits: list[pdu.SubmitSm]) -> None:
        """Submits, all those of one read, in order; each stays unanswered until `answer_submits`."""
        return

    def on_request(self, session: "SmscSession", record: pdu.Pdu) -> pdu.Pdu | None:
        """The answer to query_sm, cancel_sm, replace_sm, data_sm or submit_multi; None refuses it (ESME_RINVCMDID)."""
        return None


class SmscSession(Session):
    """A server session (SMPP 3.4 section 2.2), one per connection: `loop.create_server(lambda: SmscSession(...))`."""

    _request_command = int(CommandId.DELIVER_SM)
    _answer_command = int(CommandId.DELIVER_SM_RESP)
    _incoming_command = int(CommandId.SUBMIT_SM)
    _decode_incoming = staticmethod(hot.decode_submit_sm)

    def __init__(self, owner: SmscOwner, settings: SessionSettings, system_id: str = "opengage") -> None:
        super().__init__(owner, settings)
        self._smsc_owner = owner
        self._system_id = system_id
        self.bind: Bind | None = None
        """The accepted bind: who this is and in which direction; None before."""

    def deliver(self, body: bytes, token: Token) -> None:
        """Send one deliver_sm, its body from `hot.body_of`; the answer comes back with the token.

        Raises WindowFull when `free_window` is 0, as it always is for a transmitter.
        """
        self._request(body, token)

    def deliver_many(self, items: Sequence[tuple[bytes, Token]]) -> int:
        """Send as many of these (body, token) as the window has room for; returns how many, from the front."""
        return self._request_many(items)

    def answer_submits(self, answers: Iterable[tuple[int, int, str]]) -> None:
        """Answer several (sequence, status, message_id) in one write. Raises BodyError for an impossible message id."""
        triples = list(answers)
        data = b"".join([hot.submit_sm_resp(sequence, status, name) for sequence, status, name in triples])
        self._answered([sequence for sequence, _, _ in triples], data)

    def _may_request(self) -> bool:
        return not isinstance(self.bind, pdu.BindTransmitter)

    def _may_receive(self) -> bool:
        return not isinstance(self.bind, pdu.BindReceiver)

    def _on_incoming(self, messages: list[pdu.SubmitSm]) -> None:
        self._smsc_owner.on_submits(self, messages)

    def _on_command(self, record: pdu.Pdu) -> bytes | None:
        if isinstance(record, Bind):
            return self._accept(record)
        if record.command not in ANSWERS or record.command == CommandId.DELIVER_SM:
            return None
        if self.state is not State.BOUND:
            return frame(ANSWERS[record.command], Status.ESME_RINVBNDSTS, record.sequence)
        reply = self._smsc_owner.on_request(self, record)
        return None if reply is None else codec.encode(reply)

    def _accept(self, bind: Bind) -> bytes:
        status = Status.ESME_RALYBND if self.bind is not None else self._smsc_owner.on_bind(self, bind)
        answer = ANSWERS[bind.command]
        if status:
            return frame(answer, status, bind.sequence)
        self.bind = bind
        self.state = State.BOUND
        # The owner may deliver at once, and nothing may overtake the answer.
        self._loop.call_soon(self._announce)
        return codec.encode(CLASSES[answer](bind.sequence, 0, self._system_id, _VERSION))  # type: ignore[call-arg]

    def _announce(self) -> None:
        if self.free_window > 0:
            self._owner.on_window(self)
        self._arm(self._next_enquiry())
