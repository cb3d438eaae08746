"""A service profile's SMPP connections as one carrier: texts out by submit_sm, receipts and inbound texts in by
deliver_sm.

Step 7 of the text's path. It translates between the dispatcher's words (`carriers.contract`) and a session's, and keeps
exact account: every text handed in comes back as one outcome, whatever befalls the links. It never sends a text again.

A service profile may have several binds (SMPP 3.4 section 2.2 lets an ESME bind more than once). Each is a `Link` with
a window of its own, as SMSCs count it; a text goes whole over the link that has most room. Receipts and inbound texts
come over any of them, the parts of one text over several.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from opengage.carriers.contract import Sink
from opengage.carriers.smpp.deliveries import REF_FORMS, Deliveries, RefForm
from opengage.carriers.smpp.link import Link
from opengage.carriers.smpp.outgoing import Encoder, Item
from opengage.carriers.smpp.verdicts import TREATMENTS, Treatment, never_sent
from opengage.clock import Clock
from opengage.domain.outcomes import Outcome, Submission
from opengage.smpp.connection import Backoff
from opengage.smpp.contract import SessionSettings
from opengage.smpp.pdu import BindTransceiver, DeliverSm

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

    binds: int = 1
    """Connections at once."""
    window: int = 100
    """Segments that may be unanswered at once, on each of them."""
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


class SmppCarrier:
    """See carriers.contract.Carrier. Everything happens on the event loop that `start` was called on."""

    def __init__(self, address: SmscAddress, clock: Clock, options: SmppOptions = SmppOptions()) -> None:  # noqa: B008 - frozen
        self._clock = clock
        self._options = options
        self._encoder = Encoder(clock)
        self._links = [self._link(address, number) for number in range(1, max(1, options.binds) + 1)]
        self._deliveries = Deliveries(options.ref_form, limit=options.inbound_limit, patience=options.inbound_patience)
        self._sessions = 0
        self._early: list[Outcome] = []
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._sink: Sink
        self._loop: asyncio.AbstractEventLoop

    def _link(self, address: SmscAddress, number: int) -> Link:
        options = self._options
        settings = SessionSettings(
            window=options.window,
            response_timeout=options.response_timeout,
            enquire_interval=options.enquire_interval,
        )
        bind = BindTransceiver(system_id=address.system_id, password=address.password, system_type=address.system_type)
        normalise = None if options.ref_form is RefForm.EXACT else REF_FORMS[options.ref_form][0]
        where = address.host, address.port
        return Link(self, settings, where, bind, options.backoff, normalise, options.treatments, number)

    # What the dispatcher asks: see carriers.contract.Carrier.

    def start(self, sink: Sink) -> None:
        """See Carrier.start."""
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        for link in self._links:
            link.start()

    @property
    def is_bound(self) -> bool:
        """See Carrier.is_bound: one link is enough."""
        return not self._stopping and any(link.is_bound for link in self._links)

    def capacity(self) -> int:
        """See Carrier.capacity: of all links together."""
        return 0 if self._stopping else sum([link.capacity() for link in self._links])

    def submit(self, submissions: Sequence[Submission]) -> None:
        """See Carrier.submit: while not bound, everything is Deferred as NEVER_SENT."""
        bound = [] if self._stopping else [link for link in self._links if link.is_bound]
        if not bound:
            self._tell_soon([never_sent(submission) for submission in submissions])
            return
        if len(bound) == 1:
            items: list[Item] = []
            add = self._encoder.add
            early = [outcome for submission in submissions if (outcome := add(submission, items)) is not None]
            bound[0].submit(items)
        else:
            early = self._spread(submissions, bound)
        if early:
            self._tell_soon(early)

    def _spread(self, submissions: Sequence[Submission], bound: Sequence[Link]) -> list[Outcome]:
        """Give each text, whole, to the link with most room; the outcomes of those that cannot be sent."""
        rooms = [link.capacity() for link in bound]
        loads: list[list[Item]] = [[] for _ in bound]
        early: list[Outcome] = []
        for submission in submissions:
            place = rooms.index(max(rooms))
            before = len(loads[place])
            outcome = self._encoder.add(submission, loads[place])
            if outcome is not None:
                early.append(outcome)
            rooms[place] -= len(loads[place]) - before
        for link, items in zip(bound, loads, strict=True):
            if items:
                link.submit(items)
        return early

    def acknowledge(self, tokens: Sequence[int], *, stored: bool) -> None:
        """See Carrier.acknowledge: "try again later" is ESME_RX_T_APPN (SMPP 3.4 section 5.1.3)."""
        answers = self._deliveries.answers(tokens, stored=stored, now=self._clock.monotonic())
        for link in self._links:
            if link.mark in answers:
                link.answer(answers[link.mark])

    async def stop(self, within: float) -> None:
        """See Carrier.stop: takes at most `within` and UNBIND_GRACE seconds, all links at once."""
        self._stopping = True
        for link in self._links:
            link.give_up_waiting()
        cut = asyncio.get_running_loop().call_later(within + UNBIND_GRACE, self._cut)
        try:
            await asyncio.gather(*(link.stop(within) for link in self._links))
        finally:
            cut.cancel()
            self._forget_timer()
            self._tell_early()

    # What the links tell: see link.Hub.

    def tell(self, outcomes: list[Outcome]) -> None:
        """See Hub.tell."""
        if outcomes:
            self._sink.outcomes(outcomes)

    def opened(self) -> int:
        """See Hub.opened."""
        self._sessions += 1
        return self._sessions

    def room(self) -> None:
        """See Hub.room."""
        if self.capacity():
            self._sink.ready()

    def delivered(self, link: Link, deliveries: list[DeliverSm]) -> None:
        """See Hub.delivered."""
        assert link.mark is not None, "a session that speaks has a mark"
        found = self._deliveries.read(link.mark, deliveries, self._clock.monotonic())
        if found.at_once:
            link.answer(found.at_once)
        if found.receipts:
            self._sink.receipts(found.receipts)
        if found.inbound:
            self._sink.inbound(found.inbound)
        self._mind_parts()

    def closed(self, mark: int | None) -> None:
        """See Hub.closed."""
        if mark is not None:
            lost = self._deliveries.lose(mark, self._clock.monotonic())
            for tokens, surely in ((lost.unanswered, True), (lost.answered, False)):
                if tokens:
                    self._sink.unacknowledged(tokens, surely=surely)
            if not self._deliveries.gathering:
                self._forget_timer()
        self._sink.ready()

    # Outcomes that are known before anything is sent.

    def _tell_soon(self, outcomes: Sequence[Outcome]) -> None:
        """After the caller's turn: whoever submits is not called back before `submit` returns."""
        if not self._early:
            self._loop.call_soon(self._tell_early)
        self._early += outcomes

    def _tell_early(self) -> None:
        outcomes, self._early = self._early, []
        self.tell(outcomes)

    # Parts of inbound texts that wait for the others.

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
        for link in self._links:
            link.cut()
