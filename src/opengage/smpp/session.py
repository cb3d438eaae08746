"""One SMPP link, either end: frames in, frames out, and an exact account of every request in between.

`esme.Esme` and `smsc.SmscSession` are this class with their side's commands. The hot path knows no Future and no Task:
what one read brings is handed to the owner in one list, and what one turn of the event loop sends leaves in one write.

Each request handed in ends exactly once: answered, timed out (then perhaps a late answer), or reported by the loss of
the link, where bytes given to the transport count as possibly sent (`unanswered`) and only the others as `never_sent`.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

import msgspec

from opengage.smpp import codec, pdu
from opengage.smpp.commands import MAX_SEQUENCE, RESPONSE_BIT, CommandId, Status
from opengage.smpp.contract import (
    Answer,
    Cause,
    ConnectionLost,
    Counters,
    Loss,
    SessionOwner,
    SessionSettings,
    State,
    Token,
    WindowFull,
)
from opengage.smpp.errors import PduError
from opengage.smpp.framing import HEADER, Frame, Splitter
from opengage.smpp.hot import message_id_of
from opengage.smpp.inquiries import Inquiries
from opengage.smpp.outstanding import Outstanding

_MISSING: Final = object()
_HIGH_WATER: Final = 256 * 1024
_LIVE: Final = (State.BOUND, State.UNBINDING)


class Session(asyncio.Protocol):
    """What both roles share. Use a subclass."""

    _request_command: int
    _answer_command: int
    _incoming_command: int
    _decode_incoming: Callable[[int, bytes], pdu.Message]

    def __init__(self, owner: SessionOwner[Any], settings: SessionSettings) -> None:
        self.settings = settings
        self.state = State.OPEN
        self.counters = Counters()
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._splitter = Splitter(settings.max_length)
        self._sequence = 0
        self._wrapped = False
        self._requests: list[bytes] = []
        self._control: list[bytes] = []
        self._flush_scheduled = False
        self._write_paused = False
        self._read_paused = False
        self._sent = Outstanding(settings.response_timeout, settings.max_remembered)
        self._asked = Inquiries()
        self._owed: set[int] = set()
        self._enquiry: tuple[int, float] | None = None
        self._heard = self._opened = self._loop.time()
        # Since the last enquire_link. Times cannot tell: uvloop's clock stands still for a millisecond.
        self._spoken = False
        self._unbind_sequence = 0
        self._end_deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._loss: Loss | None = None
        self._drained: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[Loss] = self._loop.create_future()

    # What the owner asks.

    @property
    def free_window(self) -> int:
        """Requests that may be handed in now: 0 while unbound, or while the peer does not read."""
        if self._write_paused or self.state is not State.BOUND or not self._may_request():
            return 0
        return max(0, self.settings.window - len(self._sent))

    @property
    def in_flight(self) -> int:
        """Requests handed in that have neither an answer nor a time-out."""
        return len(self._sent)

    @property
    def owed(self) -> int:
        """Requests of the peer that wait for the owner's answer."""
        return len(self._owed)

    async def wait_closed(self) -> Loss:
        """Return once the link is gone, with the reason."""
        return await asyncio.shield(self._closed)

    def abort(self, cause: Cause = Cause.ABORTED, detail: str = "") -> None:
        """Cut the link now; everything in flight is reported by `on_lost`."""
        if self._loss is None:
            self._loss = Loss(cause, detail)
        if self._transport is not None:
            self._transport.abort()

    def write_raw(self, data: bytes) -> None:
        """Put these bytes on the wire in their turn: for simulators that misbehave on purpose."""
        self._send(data)

    def unbind(self) -> None:
        """Ask to end the session: the link closes when unbind_resp is read, or when the response time-out has passed.

        Requests that were not yet given to the transport (it was full) stay behind as `never_sent`.
        """
        if self.state is State.UNBINDING or self._loss is not None:
            return
        if self.state is not State.BOUND:
            self._end(Loss(Cause.UNBOUND))
            return
        self._flush()
        self.state = State.UNBINDING
        self._unbind_sequence = self._next_sequence()
        self._send(codec.encode(pdu.Unbind(self._unbind_sequence)))
        self._end_deadline = self._loop.time() + self.settings.response_timeout
        self._arm(self._end_deadline)

    async def close(self, patience: float) -> Loss:
        """Leave politely: wait up to `patience` seconds for answers in flight, unbind, read until unbind_resp, close.

        Hand in nothing more. Whatever is unanswered even then is reported by `on_lost`.
        """
        if len(self._sent) and self.state is State.BOUND:
            self._drained = self._loop.create_future()
            either: list[asyncio.Future[Any]] = [self._drained, self._closed]
            await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        self.unbind()
        return await self.wait_closed()

    async def request(self, record: pdu.Pdu) -> pdu.Pdu:
        """Send any other request (query_sm, cancel_sm, ...) and return its answer; its sequence number is set here.

        Outside the window and not for the hot path. Raises ConnectionLost, ResponseTimeout, or PduError when the record
        cannot be encoded or its answer not be read.
        """
        if self._loss is not None or self.state not in _LIVE:
            raise ConnectionLost(self._loss or Loss(Cause.ABORTED, "the session is not bound"))
        sequence = self._next_sequence()
        data = codec.encode(msgspec.structs.replace(record, sequence=sequence))
        answer: asyncio.Future[pdu.Pdu] = self._loop.create_future()
        deadline = self._loop.time() + self.settings.response_timeout
        self._asked.add(sequence, answer, deadline)
        self._send(data)
        self._arm(deadline)
        return await answer

    # What a role fills in.

    def _may_request(self) -> bool:
        raise NotImplementedError

    def _may_receive(self) -> bool:
        raise NotImplementedError

    def _on_incoming(self, messages: list[Any]) -> None:
        raise NotImplementedError

    def _on_command(self, record: pdu.Pdu) -> bytes | None:
        """The answer to a command that is not every session's own business: no bytes for none, None to refuse it."""
        raise NotImplementedError

    # Requests out.

    def _request(self, body: bytes, token: Token) -> None:
        if self.free_window <= 0:
            raise WindowFull(f"{len(self._sent)} of {self.settings.window} requests are unanswered ({self.state})")
        self._put(body, token)

    def _request_many(self, items: Sequence[tuple[bytes, Token]]) -> int:
        fitting = min(len(items), self.free_window)
        for body, token in items[:fitting]:
            self._put(body, token)
        return fitting

    def _put(self, body: bytes, token: Token) -> None:
        sequence = self._next_sequence()
        self._sent.unsent[sequence] = token
        self._requests.append(HEADER.pack(16 + len(body), self._request_command, 0, sequence) + body)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _next_sequence(self) -> int:
        sequence = self._sequence + 1
        if sequence > MAX_SEQUENCE or self._wrapped:
            return self._next_free_sequence(sequence)
        self._sequence = sequence
        return sequence

    def _next_free_sequence(self, sequence: int) -> int:
        """After 0x7FFFFFFF comes 1, and from then on a number may still be in use: it is passed over."""
        self._wrapped = True
        while sequence > MAX_SEQUENCE or sequence in self._sent or sequence in self._asked:
            sequence = sequence + 1 if sequence < MAX_SEQUENCE else 1
        self._sequence = sequence
        return sequence

    def _send(self, data: bytes) -> None:
        if self._loss is not None:
            return
        self._control.append(data)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """All of this turn in one write. While the peer does not read it waits here, and requests stay never sent."""
        self._flush_scheduled = False
        if self._write_paused or self._loss is not None or self._transport is None:
            return
        out, self._control = self._control, []
        if self._requests and self.state is State.BOUND:
            out += self._requests
            self._requests.clear()
            self._sent.note_sent(self._loop.time())
            self._arm(self._sent.deadline)
        if out:
            self._transport.write(b"".join(out))

    # Bytes in.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol. Small PDUs must not wait for each other: Nagle's algorithm is switched off."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        link = transport.get_extra_info("socket")
        if link is not None and link.family in (socket.AF_INET, socket.AF_INET6):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._heard = self._opened = self._loop.time()
        self._tick()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. One read, at most one call of each kind to the owner."""
        if self._loss is not None:
            return
        self._heard, self._spoken = self._loop.time(), True
        frames = self._splitter.feed(data)
        # Until the session is bound each frame may change what the next one means: a deliver_sm often follows
        # bind_resp in the same read.
        first = 0
        while self.state not in _LIVE and first < len(frames) and self._loss is None:
            self._handle(frames[first])
            first += 1
        if first < len(frames) and self._loss is None:
            self._receive(frames[first:] if first else frames)
        if self._splitter.error is not None and self._loss is None:
            self._fail_framing(self._splitter.error)
        self._mind_reading()

    def _receive(self, frames: list[Frame]) -> None:
        answers: list[Answer] = []
        incoming: list[pdu.Message] = []
        others: list[Frame] = []
        answer_command, incoming_command = self._answer_command, self._incoming_command
        decode, pop, may_receive = self._decode_incoming, self._sent.pending.pop, self._may_receive()
        for frame in frames:
            command, status, sequence, body = frame
            if command == answer_command and (token := pop(sequence, _MISSING)) is not _MISSING:
                answers.append((token, status, message_id_of(body)))
            elif command == incoming_command and may_receive:
                try:
                    incoming.append(decode(sequence, body))
                except PduError as error:
                    self._refuse(command, sequence, error.status)
            else:
                others.append(frame)
        self._hand_over(answers, incoming)
        for frame in others:
            self._handle(frame)

    def _hand_over(self, answers: list[Answer], incoming: list[pdu.Message]) -> None:
        # Answers first: a receipt in the same read then finds its message id known.
        if answers:
            self._owner.on_answers(self, answers)
        if incoming:
            self._owed.update([message.sequence for message in incoming])
            self._on_incoming(incoming)
        if answers:
            self._freed()

    def _freed(self) -> None:
        if self._drained is not None and not len(self._sent) and not self._drained.done():
            self._drained.set_result(None)
        if self.free_window > 0:
            self._owner.on_window(self)

    # Everything that is rare.

    def _handle(self, frame: Frame) -> None:
        command, status, sequence, body = frame
        if self._loss is not None:
            return
        if command == CommandId.ENQUIRE_LINK:
            self._send(codec.encode(pdu.EnquireLinkResp(sequence)))
        elif command == CommandId.UNBIND:
            self._unbound_by_peer(sequence)
        elif command & RESPONSE_BIT:
            self._handle_answer(command, status, sequence, body)
        else:
            self._handle_request(command, status, sequence, body)

    def _unbound_by_peer(self, sequence: int) -> None:
        # From here on no request leaves: those still here are honestly never sent.
        self.state = State.UNBINDING
        self._send(codec.encode(pdu.UnbindResp(sequence)))
        self._flush()
        self._end(Loss(Cause.UNBOUND_BY_PEER))

    def _handle_answer(self, command: int, status: int, sequence: int, body: bytes) -> None:
        if sequence in self._asked:
            self._asked.settle(command, status, sequence, body)
        elif self._enquiry is not None and sequence == self._enquiry[0]:
            self._enquiry = None
            self._arm(self._next_enquiry())
        elif self.state is State.UNBINDING and sequence == self._unbind_sequence:
            self._end(Loss(Cause.UNBOUND))
        elif command in (self._answer_command, CommandId.GENERIC_NACK):
            self._answer_out_of_turn(command, status, sequence, body)
        else:
            self.counters.stray_answers += 1

    def _answer_out_of_turn(self, command: int, status: int, sequence: int, body: bytes) -> None:
        if command == CommandId.GENERIC_NACK:
            # With status 0 a nack would read as success; it is a refusal all the same.
            status = status or Status.ESME_RUNKNOWNERR
        if sequence in self._sent.pending:
            self._owner.on_answers(self, [(self._sent.pending.pop(sequence), status, message_id_of(body))])
            self._freed()
        elif sequence in self._sent.timed_out:
            self._owner.on_late_answers(self, [(self._sent.timed_out.pop(sequence), status, message_id_of(body))])
        else:
            self.counters.stray_answers += 1

    def _handle_request(self, command: int, status: int, sequence: int, body: bytes) -> None:
        try:
            record = codec.decode_body(command, status, sequence, body)
        except PduError as error:
            self._refuse(command, sequence, error.status)
            return
        if command == self._incoming_command:
            self._refuse(command, sequence, Status.ESME_RINVBNDSTS)
            return
        reply = self._on_command(record)
        if reply is None:
            self.counters.refused += 1
            reply = codec.encode(pdu.GenericNack(sequence, Status.ESME_RINVCMDID))
        if reply:
            self._send(reply)

    def _refuse(self, command: int, sequence: int, status: int) -> None:
        self.counters.refused += 1
        self._send(codec.refusal(command, sequence, status))

    def _fail_framing(self, error: PduError) -> None:
        """Section 4.3.1: command_length is impossible. The stream is lost, so the nack's sequence number is 0."""
        self.counters.refused += 1
        self._send(codec.encode(pdu.GenericNack(0, error.status)))
        self._flush()
        self._end(Loss(Cause.FRAMING, error.detail))

    # Answers out.

    def _answered(self, sequences: Iterable[int], data: bytes) -> None:
        self._owed.difference_update(sequences)
        self._send(data)
        self._mind_reading()

    def _mind_reading(self) -> None:
        """Stop reading while the owner or the peer lags behind: what is held here stays bounded."""
        most = self.settings.max_unanswered
        behind = len(self._owed) >= most or (self._write_paused and len(self._control) >= most)
        if behind == self._read_paused or self._transport is None or self._transport.is_closing():
            return
        self._read_paused = behind
        if behind:
            self._transport.pause_reading()
        else:
            self._heard = self._loop.time()
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """See asyncio.Protocol: the peer does not read, so the window is shut and nothing more is written."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """See asyncio.Protocol: the peer reads again."""
        self._write_paused = False
        self._flush()
        self._mind_reading()
        if self.free_window > 0:
            self._owner.on_window(self)

    # Time: one timer for everything, set to the earliest of the deadlines and moved only when that comes nearer.

    def _arm(self, deadline: float | None) -> None:
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._expire(now)
        self._judge_silence(now)
        if self.state is not State.CLOSED:
            self._arm(min((one for one in self._deadlines() if one is not None), default=None))

    def _deadlines(self) -> list[float | None]:
        if self._loss is not None:
            return [self._end_deadline]
        settings, bound = self.settings, self.state in _LIVE
        inactive = settings.inactivity_timeout
        return [
            self._sent.deadline,
            self._asked.deadline,
            None if bound else self._opened + settings.bind_timeout,
            self._end_deadline,
            self._next_enquiry(),
            self._heard + inactive if inactive is not None else None,
        ]

    def _next_enquiry(self) -> float | None:
        """When the next enquire_link is due, or the answer to the last one overdue."""
        if self._enquiry is not None:
            return self._enquiry[1]
        interval = self.settings.enquire_interval
        return None if interval is None or self.state not in _LIVE else self._heard + interval

    def _expire(self, now: float) -> None:
        expired = self._sent.expire(now)
        if expired:
            self._owner.on_timed_out(self, expired)
            self._freed()
        self._asked.expire(now)

    def _judge_silence(self, now: float) -> None:
        settings = self.settings
        if self._end_deadline is not None and self._end_deadline <= now:
            self.abort(Cause.UNBIND_TIMEOUT, f"no unbind_resp within {settings.response_timeout} s")
        elif self.state not in _LIVE and self._opened + settings.bind_timeout <= now:
            self.abort(Cause.BIND_TIMEOUT, f"not bound within {settings.bind_timeout} s")
        elif self._read_paused:
            # The silence is of our own making.
            self._heard, self._enquiry = now, None
        elif settings.inactivity_timeout is not None and now - self._heard >= settings.inactivity_timeout:
            self.abort(Cause.INACTIVE, f"nothing heard for {settings.inactivity_timeout} s")
        elif self.state in _LIVE:
            self._enquire(now)

    def _enquire(self, now: float) -> None:
        interval, patience = self.settings.enquire_interval, self.settings.response_timeout
        if self._enquiry is not None and self._enquiry[1] <= now:
            if not self._spoken:
                self.abort(Cause.ENQUIRE_TIMEOUT, f"enquire_link unanswered for {patience} s")
                return
            # It owes that answer but has spoken since: the link lives.
            self._enquiry = None
        if self._enquiry is None and interval is not None and now - self._heard >= interval:
            self._enquiry, self._spoken = (self._next_sequence(), now + patience), False
            self._send(codec.encode(pdu.EnquireLink(self._enquiry[0])))

    # The end.

    def _end(self, loss: Loss) -> None:
        """Let the transport go once its bytes have left; a peer that does not read them is cut off in the end."""
        if self._loss is not None:
            return
        self._loss = loss
        if self._transport is not None:
            self._transport.close()
            self._end_deadline = self._loop.time() + self.settings.response_timeout
            self._arm(self._end_deadline)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol. Everything in flight is reported here, once."""
        self.state = State.CLOSED
        if self._timer is not None:
            self._timer.cancel()
        if self._loss is None:
            self._loss = Loss(Cause.NETWORK_ERROR, repr(exc)) if exc else Loss(Cause.CLOSED_BY_PEER)
        unanswered, never_sent = self._sent.drain()
        for store in (self._requests, self._control, self._owed):
            store.clear()
        self._asked.lose(ConnectionLost(self._loss))
        self._owner.on_lost(self, unanswered, never_sent, self._loss)
        if not self._closed.done():
            self._closed.set_result(self._loss)
