"""One SMPP connection as a carrier: texts out by submit_sm, receipts and inbound texts in by deliver_sm.

Step 7 of the text's path. It translates between the dispatcher's words (`carriers.contract`) and a session's, and keeps
exact account: every text handed in comes back as one outcome, whatever befalls the link. It never sends a text again.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from opengage import logs
from opengage.carriers.contract import Sink
from opengage.carriers.smpp.deliveries import REF_FORMS, Deliveries, RefForm
from opengage.carriers.smpp.outgoing import Encoder, Item, Token
from opengage.carriers.smpp.verdicts import TREATMENTS, LongText, Treatment, declined, never_sent
from opengage.clock import Clock
from opengage.domain.outcomes import CONNECTION_LOST, NO_ANSWER, Accepted, Outcome, Submission, Unknown
from opengage.smpp.connection import Backoff, Connection, ConnectionOwner, Phase, Report
from opengage.smpp.contract import Answer, Cause, Loss, SessionSettings, State
from opengage.smpp.esme import Esme
from opengage.smpp.pdu import BindTransceiver, DeliverSm

_log = logs.get(__name__)

UNBIND_GRACE: Final = 2.0
"""Seconds that an SMSC gets for unbind_resp when we stop, beside what was allowed for answers."""


class SmscAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where to bind, and as whom (SMPP 3.4 section 4.1)."""

    host: str
    port: int
    system_id: str
    password: str
    system_type: str = ""


class SmppOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one network is spoken to; times in seconds."""

    window: int = 100
    """Segments that may be unanswered at once."""
    response_timeout: float = 30.0
    """How long an answer may take before a text is Unknown."""
    enquire_interval: float = 30.0
    """Silence after which the network is asked whether it lives."""
    backoff: Backoff = Backoff()
    ref_form: RefForm = RefForm.EXACT
    treatments: Mapping[int, Treatment] = TREATMENTS
    """What each refusal means, for networks with codes of their own."""
    inbound_limit: int = 1_000
    """Long inbound texts that may be incomplete at once."""
    inbound_patience: float = 10.0
    """How long the parts of an inbound text may be apart."""


class SmppCarrier(ConnectionOwner):
    """See carriers.contract.Carrier. Everything happens on the event loop that `start` was called on."""

    def __init__(self, address: SmscAddress, clock: Clock, options: SmppOptions = SmppOptions()) -> None:  # noqa: B008 - frozen
        self._clock = clock
        self._options = options
        self._treatments = options.treatments
        self._normalise = None if options.ref_form is RefForm.EXACT else REF_FORMS[options.ref_form][0]
        settings = SessionSettings(
            window=options.window,
            response_timeout=options.response_timeout,
            enquire_interval=options.enquire_interval,
        )
        bind = BindTransceiver(system_id=address.system_id, password=address.password, system_type=address.system_type)
        self._connection = Connection(self, settings, address.host, address.port, bind, backoff=options.backoff)
        self._encoder = Encoder()
        self._waiting: deque[Item] = deque()
        self._early: list[Outcome] = []
        self._session: Esme | None = None
        self._generation = 0
        self._deliveries = self._new_deliveries()
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._sink: Sink
        self._loop: asyncio.AbstractEventLoop

    # What the dispatcher asks: see carriers.contract.Carrier.

    def start(self, sink: Sink) -> None:
        """See Carrier.start."""
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        self._connection.start()

    @property
    def is_bound(self) -> bool:
        """See Carrier.is_bound."""
        return self._session is not None and self._session.state is State.BOUND and not self._stopping

    def capacity(self) -> int:
        """See Carrier.capacity."""
        if self._session is None or self._stopping:
            return 0
        return max(0, self._session.free_window - len(self._waiting))

    def submit(self, submissions: Sequence[Submission]) -> None:
        """See Carrier.submit: while not bound, everything is Deferred as NEVER_SENT."""
        if not self.is_bound:
            self._tell_soon([never_sent(submission.text_id) for submission in submissions])
            return
        items: list[Item] = []
        add = self._encoder.add
        early = [outcome for submission in submissions if (outcome := add(submission, items)) is not None]
        if early:
            self._tell_soon(early)
        if not self._waiting and self._session is not None:
            items = items[self._session.submit_many(items) :]
        self._waiting += items

    def acknowledge(self, tokens: Sequence[int], *, stored: bool) -> None:
        """See Carrier.acknowledge: "try again later" is ESME_RX_T_APPN (SMPP 3.4 section 5.1.3)."""
        answers = self._deliveries.answers(tokens, stored=stored)
        if answers and self._session is not None:
            self._session.answer_deliveries(answers)

    async def stop(self, within: float) -> None:
        """See Carrier.stop: takes at most `within` and UNBIND_GRACE seconds."""
        self._stopping = True
        self._give_up([], [token for _, token in self._waiting])
        self._waiting.clear()
        cut = asyncio.get_running_loop().call_later(within + UNBIND_GRACE, self._cut)
        try:
            await self._connection.stop(within)
        finally:
            cut.cancel()
            self._forget_timer()
            self._tell_early()

    # What the session tells: see smpp.contract.SessionOwner.

    def on_phase(self, report: Report) -> None:
        """The connection's news, for the log."""
        if report.phase is Phase.LOST:
            _log.warning("smpp connection lost", why=report.detail, retry_in=report.retry_in, lasting=report.permanent)
        else:
            _log.info("smpp connection " + report.phase.value)

    def on_window(self, session: Esme) -> None:
        """Bound, or room again: first what waits here, then what the dispatcher has."""
        self._adopt(session)
        self._fill()
        if self.capacity():
            self._sink.ready()

    def on_answers(self, session: Esme, answers: list[Answer]) -> None:  # noqa: ARG002 - SessionOwner's
        """Answers to submits."""
        outcomes: list[Outcome] = []
        normalise = self._normalise
        for token, status, name in answers:
            ref = normalise(name) if normalise is not None else name
            if isinstance(token, tuple):
                outcome = self._segment_answered(token, status, ref)
                if outcome is not None:
                    outcomes.append(outcome)
            elif status:
                outcomes.append(declined(token, status, self._treatments))
            else:
                outcomes.append(Accepted(token, (ref,)))
        self._tell(outcomes)

    def on_late_answers(self, session: Esme, answers: list[Answer]) -> None:
        """Answers to texts that were told as Unknown: their doubt is over, one way or the other."""
        self.on_answers(session, answers)

    def on_timed_out(self, session: Esme, tokens: list[Token]) -> None:  # noqa: ARG002 - SessionOwner's
        """No answer in time."""
        self._tell(self._doubt(tokens, NO_ANSWER))

    def on_lost(
        self,
        session: Esme,
        unanswered: list[Token],
        never_sent: list[Token],
        loss: Loss,  # noqa: ARG002 - SessionOwner's; the phase that follows tells it to the log
    ) -> None:
        """The link is gone: everything still here comes back now."""
        if session is self._session:
            self._session = None
            self._deliveries = self._new_deliveries()
            self._forget_timer()
        waiting = [token for _, token in self._waiting]
        self._waiting.clear()
        self._give_up(unanswered, never_sent + waiting)
        self._sink.ready()

    def on_deliveries(self, session: Esme, deliveries: list[DeliverSm]) -> None:
        """Receipts and inbound texts; answered by `acknowledge`."""
        self._adopt(session)
        found = self._deliveries.read(deliveries, self._clock.monotonic())
        if found.at_once:
            session.answer_deliveries(found.at_once)
        if found.receipts:
            self._sink.receipts(found.receipts)
        if found.inbound:
            self._sink.inbound(found.inbound)
        self._mind_parts()

    # Texts out.

    def _fill(self) -> None:
        """As much of what waits as the window has room for."""
        waiting, session = self._waiting, self._session
        if not waiting or session is None:
            return
        if session.free_window >= len(waiting):
            session.submit_many(list(waiting))
            waiting.clear()
            return
        for _ in range(session.free_window):
            session.submit(*waiting.popleft())

    def _segment_answered(self, token: tuple[LongText, int], status: int, ref: str) -> Outcome | None:
        text, number = token
        return text.decline(number, status, self._treatments) if status else text.accept(number, ref)

    def _doubt(self, tokens: Sequence[Token], code: str) -> list[Outcome]:
        found = [Unknown(one, code) if isinstance(one, bytes) else one[0].doubt(one[1], code) for one in tokens]
        return [outcome for outcome in found if outcome is not None]

    def _miss(self, tokens: Sequence[Token]) -> list[Outcome]:
        found = [never_sent(one) if isinstance(one, bytes) else one[0].miss(one[1]) for one in tokens]
        return [outcome for outcome in found if outcome is not None]

    def _give_up(self, unanswered: Sequence[Token], missed: Sequence[Token]) -> None:
        self._tell(self._doubt(unanswered, CONNECTION_LOST) + self._miss(missed))

    def _tell(self, outcomes: list[Outcome]) -> None:
        if outcomes:
            self._sink.outcomes(outcomes)

    def _tell_soon(self, outcomes: Sequence[Outcome]) -> None:
        """After the caller's turn: whoever submits is not called back before `submit` returns."""
        if not self._early:
            self._loop.call_soon(self._tell_early)
        self._early += outcomes

    def _tell_early(self) -> None:
        outcomes, self._early = self._early, []
        self._tell(outcomes)

    # Sessions and their deliveries.

    def _adopt(self, session: Esme) -> None:
        """A session may speak before its connection has told that it is bound: whoever speaks is the live one."""
        if session is not self._session:
            self._session = session
            self._deliveries = self._new_deliveries()

    def _new_deliveries(self) -> Deliveries:
        self._generation += 1
        options = self._options
        return Deliveries(
            self._generation, options.ref_form, limit=options.inbound_limit, patience=options.inbound_patience
        )

    def _mind_parts(self) -> None:
        """While a long text is incomplete, look again once its patience is over."""
        if self._deliveries.gathering and self._timer is None:
            self._timer = self._loop.call_later(self._options.inbound_patience, self._expire_parts)

    def _expire_parts(self) -> None:
        self._timer = None
        late = self._deliveries.expire(self._clock.monotonic())
        if late:
            self._sink.inbound(late)
        self._mind_parts()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        if self._session is not None:
            self._session.abort(Cause.UNBIND_TIMEOUT, "no unbind_resp before the stop's end")
