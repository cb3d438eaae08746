"""The network of a simulation: it sees every byte, and misbehaves by the dice of the schedule's seed.

`Network` is the far side and the truth: what arrived, what it took, which receipts it was told are stored.
`SimulatedCarrier` is one process's connection to it, and keeps carriers.contract.Carrier to the letter.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from opengage.carriers.contract import Sink
from opengage.domain.outcomes import (
    CONNECTION_LOST,
    NEVER_SENT,
    NO_ANSWER,
    Accepted,
    Deferred,
    Inbound,
    Outcome,
    Receipt,
    ReceiptState,
    Refused,
    Submission,
    Unknown,
    reference_of,
)
from opengage.domain.segments import count
from opengage.ids import Id
from simulation.loop import Killed, Process

RESPONSE_TIMEOUT: Final = 4.0
TAKEN, REFUSED, THROTTLED, TEMPORARY = "taken", "refused", "throttled", "temporary"


class Mood(msgspec.Struct):
    """How likely each misbehaviour is, per segment."""

    refuses: float = 0.0
    throttles: float = 0.0
    fails: float = 0.0
    says_nothing: float = 0.0
    cuts_before: float = 0.0
    cuts_after: float = 0.0
    repeats_receipts: float = 0.0
    loses_receipts: float = 0.0
    undelivered: float = 0.1
    slowest: float = 0.05
    """Seconds that an answer takes at most."""
    slowest_receipt: float = 0.5
    names_texts: bool = True
    """Receipts carry the reference of their submit."""


class Arrival(msgspec.Struct):
    """One segment's bytes, once."""

    text_id: Id
    number: int
    fate: str
    ref: str
    is_told: bool = False
    """The sender has read the answer."""


class Delivery(msgspec.Struct):
    """A receipt or a text from a handset on its way to us."""

    what: Receipt | Inbound
    login: str
    arrival: Arrival | None = None
    is_stored: bool = False
    carrier: "SimulatedCarrier | None" = None
    """Who was brought it last, over its link number `link`."""
    link: int = 0


class Network:
    """The far side."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, mood: Mood) -> None:
        self.mood = mood
        self.rng = rng
        self.arrivals: dict[tuple[Id, int], list[Arrival]] = {}
        self.seen: Callable[[SimulatedCarrier, Submission, int], None] = lambda *_: None
        self.acknowledged: Callable[[SimulatedCarrier, Delivery, int], None] = lambda *_: None
        self.sessions: list[SimulatedCarrier] = []
        self.is_down = False
        self.busy = 0
        """Deliveries that are not acknowledged yet."""
        self.from_handsets: Counter[tuple[str, str]] = Counter()
        self._loop = loop
        self._refs = itertools.count(1)
        self.log: Callable[[str], None] = lambda _: None

    def dice(self, chance: float) -> bool:
        """Whether something happens that happens this often."""
        return chance > 0 and self.rng.random() < chance

    def arrive(self, carrier: "SimulatedCarrier", submission: Submission, number: int) -> Arrival:
        """Bytes come in."""
        self.seen(carrier, submission, number)
        mood, fate = self.mood, TAKEN
        for chance, other in ((mood.refuses, REFUSED), (mood.throttles, THROTTLED), (mood.fails, TEMPORARY)):
            if self.dice(chance):
                fate = other
                break
        arrival = Arrival(submission.text_id, number, fate, f"r{next(self._refs)}" if fate == TAKEN else "")
        self.arrivals.setdefault((submission.text_id, number), []).append(arrival)
        self.log(f"network: {submission.recipient} #{number} {fate} {arrival.ref}")
        if fate == TAKEN and not self.dice(mood.loses_receipts):
            self._plan_receipt(carrier, submission, arrival)
        return arrival

    def _plan_receipt(self, carrier: "SimulatedCarrier", submission: Submission, arrival: Arrival) -> None:
        rng, state = self.rng, ReceiptState.DELIVERED
        if self.dice(self.mood.undelivered):
            state = rng.choice((ReceiptState.UNDELIVERED, ReceiptState.EXPIRED))
        reference = reference_of(submission.text_id) if self.mood.names_texts else None
        for _ in range(2 if self.dice(self.mood.repeats_receipts) else 1):
            receipt = Receipt(arrival.ref, state, state.value, submission.sender, submission.recipient, reference, 0)
            self.send(Delivery(receipt, carrier.login, arrival), rng.random() * self.mood.slowest_receipt)

    def send(self, delivery: Delivery, after: float = 0.0) -> None:
        """Bring something to whoever of this login is connected; again, until it is said to be stored."""
        self.busy += 1
        if isinstance(delivery.what, Inbound):
            self.from_handsets[delivery.what.sender, delivery.what.body] += 1
        self._loop.call_later(after, self._try, delivery)

    def _try(self, delivery: Delivery) -> None:
        if delivery.is_stored:
            self.busy -= 1
            return
        if delivery.carrier is not None and delivery.carrier.is_asked(delivery):
            self._loop.call_later(1.0, self._try, delivery)
            return
        open_ = [each for each in self.sessions if each.is_live and each.login == delivery.login]
        if not open_:
            self._loop.call_later(1.0, self._try, delivery)
            return
        carrier = self.rng.choice(open_)
        self.log(f"network: brings {delivery.what} to {carrier.process.name}")
        carrier.bring(delivery)
        self._loop.call_later(2.0, self._try, delivery)

    def cut(self) -> None:
        """Every connection is lost."""
        for carrier in list(self.sessions):
            carrier.process.later(0.0, carrier.lose)


class _Flight:
    """One text with the carrier: how each of its segments stands."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        done = submission.accepted or {}
        numbers = range(1, count(submission.body).segments + 1)
        self.refs = dict(done)
        self.new_refs: dict[int, str] = {}
        self.waiting = [number for number in numbers if number not in done]
        self.unanswered: set[int] = set()
        self.refusal = self.trouble = ""
        self.is_given_up = False
        self.lacks = False
        """Segments of it never left, and never will: no late answer makes it whole."""

    def outcome(self) -> Outcome:
        """What became of it, with every answer there."""
        text_id, attempt = self.submission.text_id, self.submission.attempt
        refs = tuple(sorted(self.new_refs.items()))
        if self.refusal:
            return Refused(text_id, self.refusal, refs, attempt)
        if self.trouble:
            return Deferred(text_id, self.trouble, self.trouble == THROTTLED, refs, attempt)
        return Accepted(text_id, tuple(ref for _, ref in sorted(self.refs.items())), attempt)


class SimulatedCarrier:
    """See carriers.contract.Carrier."""

    def __init__(
        self, network: Network, process: Process, login: str, window: int, boundary: Callable[[str], bool]
    ) -> None:
        self.process = process
        self.login = login
        self.is_bound = False
        self.commits: Callable[[], int] = lambda: 0
        self._network = network
        self._window = window
        self._boundary = boundary
        self._sink: Sink | None = None
        self._flights: dict[Id, _Flight] = {}
        self._tokens: dict[int, tuple[Delivery, int]] = {}
        self._next_token = itertools.count(1)
        self._link = 0
        self._is_stopped = False

    def start(self, sink: Sink) -> None:
        """See Carrier.start."""
        self._sink = sink
        self._network.sessions.append(self)
        self.process.later(0.01, self._bind)

    def _bind(self) -> None:
        if self.process.is_dead or self._is_stopped:
            return
        if self._network.is_down:
            self.process.later(1.0, self._bind)
            return
        self.is_bound = True
        self._link += 1
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self._sink is not None:
            self._sink.ready()

    @property
    def is_live(self) -> bool:
        """Whether somebody reads what comes over it."""
        return self.is_bound and not self.process.is_dead

    def _in_flight(self) -> int:
        return sum(len(flight.unanswered) for flight in self._flights.values() if not flight.is_given_up)

    def capacity(self) -> int:
        """See Carrier.capacity."""
        waiting = sum(len(flight.waiting) for flight in self._flights.values())
        return max(0, self._window - self._in_flight() - waiting) if self.is_bound else 0

    def submit(self, submissions: Sequence[Submission]) -> None:
        """See Carrier.submit."""
        for submission in submissions:
            self._flights[submission.text_id] = _Flight(submission)
        self._send()

    def _send(self) -> None:
        """Let as many bytes leave as the window allows; without a connection, none does."""
        for flight in list(self._flights.values()):
            while flight.waiting and self.is_bound and self._in_flight() < self._window:
                self._live("before bytes")
                if self._network.dice(self._network.mood.cuts_before):
                    self.lose()
                    return
                self._send_segment(flight, flight.waiting.pop(0))
        if not self.is_bound and self._flights:
            self.lose()

    def _live(self, where: str) -> None:
        if not self.process.is_dead and self._boundary(f"{self.process.name} {where}"):
            self.process.kill()
        if self.process.is_dead:
            raise Killed

    def _send_segment(self, flight: _Flight, number: int) -> None:
        network, mood = self._network, self._network.mood
        arrival = network.arrive(self, flight.submission, number)
        flight.unanswered.add(number)
        self._live("after bytes")
        if network.dice(mood.cuts_after):
            self.lose()
        elif not network.dice(mood.says_nothing):
            self.process.later(network.rng.random() * mood.slowest, self._answer, self._link, flight, arrival)
        self.process.later(RESPONSE_TIMEOUT, self._give_up, self._link, flight)

    def _answer(self, link: int, flight: _Flight, arrival: Arrival) -> None:
        if self.process.is_dead or link != self._link or not self.is_bound:
            return
        flight.unanswered.discard(arrival.number)
        arrival.is_told = True
        if arrival.fate == TAKEN:
            flight.refs[arrival.number] = flight.new_refs[arrival.number] = arrival.ref
        elif arrival.fate == REFUSED:
            flight.refusal = arrival.fate
        else:
            flight.trouble = arrival.fate
        if not flight.unanswered and not flight.waiting:
            if self._flights.get(flight.submission.text_id) is flight:  # else it has been sent again
                del self._flights[flight.submission.text_id]
            self._say([] if flight.lacks else [flight.outcome()])
        self._send()
        self._tell_ready()

    def _give_up(self, link: int, flight: _Flight) -> None:
        if self.process.is_dead or link != self._link or flight.is_given_up or not flight.unanswered:
            return
        flight.is_given_up, flight.lacks, flight.waiting = True, bool(flight.waiting), []
        refs = tuple(sorted(flight.new_refs.items()))
        self._say([Unknown(flight.submission.text_id, NO_ANSWER, refs, flight.submission.attempt)])

    def _say(self, outcomes: list[Outcome]) -> None:
        if outcomes and self._sink is not None and not self.process.is_dead:
            self._network.log(f"{self.process.name}: {' '.join(type(each).__name__ for each in outcomes)}")
            self._sink.outcomes(outcomes)

    def lose(self) -> None:
        """The connection ends; what has left without an answer is unknown, what has not left is put off."""
        if self.process.is_dead:
            return
        self._network.log(f"{self.process.name}: link lost")
        was_bound, self.is_bound = self.is_bound, False
        tokens, self._tokens = self._tokens, {}
        if was_bound and self._sink is not None:
            mine = [token for token, (delivery, _) in tokens.items() if isinstance(delivery.what, Inbound)]
            self._sink.unacknowledged(mine, surely=True)
        flights, self._flights = self._flights, {}
        told: list[Outcome] = []
        for flight in flights.values():
            text_id, attempt = flight.submission.text_id, flight.submission.attempt
            refs = tuple(sorted(flight.new_refs.items()))
            if flight.is_given_up:
                continue
            if flight.unanswered:
                told.append(Unknown(text_id, CONNECTION_LOST, refs, attempt))
            elif flight.refusal:
                told.append(Refused(text_id, flight.refusal, refs, attempt))
            else:
                told.append(Deferred(text_id, NEVER_SENT, throttled=True, carrier_refs=refs, attempt=attempt))
        self._say(told)
        if was_bound and not self._is_stopped:
            self._tell_ready()
            self.process.later(self._network.rng.uniform(0.3, 2.0), self._bind)

    def bring(self, delivery: Delivery) -> None:
        """A delivery is on its way over this link."""
        delivery.carrier, delivery.link = self, self._link
        self.process.later(0.001, self._deliver, delivery, self._link)

    def is_asked(self, delivery: Delivery) -> bool:
        """Whether the link lives over which a delivery was brought: its answer may come yet."""
        return self.is_live and delivery.carrier is self and delivery.link == self._link

    def _deliver(self, delivery: Delivery, link: int) -> None:
        if self.process.is_dead or not self.is_bound or self._sink is None or link != self._link:
            return
        token = next(self._next_token)
        self._tokens[token] = (delivery, self.commits())
        what = msgspec.structs.replace(delivery.what, token=token)
        if isinstance(what, Receipt):
            self._sink.receipts([what])
        else:
            self._sink.inbound([what])

    def acknowledge(self, tokens: Sequence[int], *, stored: bool) -> None:
        """See Carrier.acknowledge."""
        for token in tokens:
            delivery, commits = self._tokens.pop(token, (None, 0))
            if delivery is not None and not stored:
                delivery.carrier = None
            if delivery is not None and stored and not self.process.is_dead:
                self._network.acknowledged(self, delivery, commits)
                delivery.is_stored = True

    async def stop(self, within: float) -> None:
        """See Carrier.stop."""
        until = asyncio.get_running_loop().time() + within
        while self._flights and self.is_bound and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.05)
        self._is_stopped = True
        self.lose()
        if self in self._network.sessions:
            self._network.sessions.remove(self)
