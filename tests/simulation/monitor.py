"""Who watches a simulation: looks at the whole database after every commit, and at every byte that reaches the network.

It shares no code with the dispatcher's safeguards: what it knows of the rules is written here once more, in the words
of the promise. What it finds is collected, not raised: nothing of the dispatcher could swallow it.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from opengage.clock import SECOND, Clock
from opengage.domain.outcomes import Receipt, Submission
from opengage.domain.states import CLOSED, STATUS_OF, Reason
from opengage.ids import Id
from simulation.network import RESPONSE_TIMEOUT, TAKEN, Delivery, Network, SimulatedCarrier

_FINAL: Final = frozenset(("delivered", "undelivered", "failed", "canceled"))
_WAITING: Final = frozenset(("", "retrying", "quiet-hours", "throttled"))
"""Places of envelopes whose turn comes by itself, so that they must be due at some time."""
_HOUR: Final = 3600 * SECOND
_PLACES: Final = {
    "queued": {"retrying", "canceled", "opted-out", "expired", "unknown"},
    "sending": {"sending"},
    "sent": {"sent", "sent-unconfirmed"},
    "delivered": {"delivered"},
    "undelivered": {"undelivered", "expired"},
    "failed": {"rejected", "unknown"},
    "in-doubt": {"in-doubt"},
    "canceled": {"canceled", "opted-out", "expired", "unknown"},
}
"""Where the envelope of a text stands, by the text's status."""


class _Text(NamedTuple):
    id: Id
    status: str
    epoch: int | None
    recipient: str
    envelope_id: Id | None
    engagement_id: Id | None
    phone_number_id: Id
    segments: int
    purpose: str | None
    settled_at: int | None


class _Envelope(NamedTuple):
    id: Id
    engagement_id: Id
    reason: str
    status: str
    next_at: int | None
    phone_number: str


class _Engagement(NamedTuple):
    id: Id
    status: str
    canary_state: str | None
    canary_size: int | None
    hour_limit: int | None


class State(NamedTuple):
    """All that is committed."""

    texts: dict[Id, _Text]
    envelopes: dict[Id, _Envelope]
    engagements: dict[Id, _Engagement]
    ledger: dict[Id, Counter[str]]
    suppressed: frozenset[str]
    lanes: dict[Id, tuple[str, int, int]]
    off: frozenset[Id]
    """Phone numbers that are switched off."""


_NOTHING: Final = State({}, {}, {}, {}, frozenset(), {}, frozenset())


def look(connection: sqlite3.Connection) -> State:
    """What is committed now."""
    run = connection.execute
    run("BEGIN")
    texts = run(
        "SELECT id, status, epoch, recipient, envelope_id, engagement_id, phone_number_id, segments, purpose,"
        " settled_at FROM texts WHERE direction = 'outbound'"
    ).fetchall()
    envelopes = run("SELECT id, engagement_id, reason, status, next_at, phone_number FROM envelopes").fetchall()
    engagements = run(
        "SELECT id, status, canary_state, canary_size, queue_throttle_hour_limit FROM engagements"
    ).fetchall()
    ledger: dict[Id, Counter[str]] = {}
    for engagement_id, reason, count in run("SELECT engagement_id, reason, count FROM ledger WHERE count <> 0"):
        ledger.setdefault(engagement_id, Counter())[reason] = count
    suppressed = frozenset(row[0] for row in run("SELECT phone_number FROM suppressions"))
    lanes = {row[0]: row[1:] for row in run("SELECT phone_number_id, owner, epoch, expires_at FROM lanes")}
    off = frozenset(row[0] for row in run("SELECT id FROM phone_numbers WHERE NOT is_active"))
    run("COMMIT")
    return State(
        {row[0]: _Text(*row) for row in texts},
        {row[0]: _Envelope(*row) for row in envelopes},
        {row[0]: _Engagement(*row) for row in engagements},
        ledger,
        suppressed,
        lanes,
        off,
    )


class Rules(NamedTuple):
    """What a schedule has switched on."""

    resends: bool = False
    steps_the_database: bool = False
    """The database's clock is set too: a lease may then end while its owner holds it for good."""
    has_quiet_hours: bool = False
    cap: tuple[int, int] | None = None
    """At most so many texts to one person in so many seconds."""
    steps_clocks: bool = False
    has_neighbours: bool = False
    """Several workers share the login."""


def _hour_in_washington(now: int) -> int:
    """The hour of day where all recipients are, in winter: 47 CFR 64.1200(c)(1) lets texts go from 8 to 21."""
    return (now // _HOUR - 5) % 24


class Monitor:
    """See the module."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        network: Network,
        clock_of: Callable[[str], Clock],
        database_clock: Clock,
        rules: Rules,
        log: Callable[[str], None],
    ) -> None:
        self.state = _NOTHING
        self.violations: list[str] = []
        self.deaths = 0
        """Workers lost so far."""
        self._connection = connection
        self._network = network
        self._clock_of = clock_of
        self._database_clock = database_clock
        self._rules = rules
        self._log = log
        self._hours: Counter[tuple[Id, int]] = Counter()
        self._first: dict[str, list[int]] = {}
        self._sending_since: dict[Id, float] = {}
        self._acknowledged: set[Id] = set()
        network.seen = self.saw_bytes
        network.acknowledged = self.saw_acknowledgement

    def _violated(self, what: str) -> None:
        self._log(f"VIOLATION: {what}")
        self.violations.append(what)

    # every commit

    def committed(self, who: str) -> None:
        """Somebody has committed something."""
        before, self.state = self.state, look(self._connection)
        for text in self.state.texts.values():
            earlier = before.texts.get(text.id)
            if text != earlier:
                self._log(f"{who}: text {text.recipient} {earlier.status if earlier else '-'} -> {text.status}")
                self._check_text(who, before, text, earlier)
        for envelope in self.state.envelopes.values():
            self._check_envelope(envelope, before.envelopes.get(envelope.id))
        for engagement in self.state.engagements.values():
            self._check_engagement(engagement, before.engagements.get(engagement.id))

    def _check_text(self, who: str, before: State, text: _Text, earlier: _Text | None) -> None:
        name = f"the text to {text.recipient}"
        if earlier and earlier.status in _FINAL and earlier.status != text.status:
            self._violated(f"{name} was {earlier.status} and became {text.status}")
        if text.status == "sending" and (earlier is None or earlier.status != "sending" or earlier.epoch != text.epoch):
            self._sending_since[text.id] = self._database_clock.monotonic()
            self._check_intent(who, before, text, earlier)
        if text.envelope_id is not None:
            reason = self.state.envelopes[text.envelope_id].reason
            if reason not in _PLACES[text.status]:
                self._violated(f"{name} is {text.status} and its envelope {reason}")

    def _check_intent(self, who: str, before: State, text: _Text, earlier: _Text | None) -> None:
        """A text was written as sending: may it be?"""
        name = f"the intent of a text to {text.recipient}"
        owner, epoch, expires_at = before.lanes.get(text.phone_number_id, ("", 0, 0))
        if (owner, epoch) != (who, text.epoch):
            self._violated(f"{name} by {who} under epoch {text.epoch}: the lane is {owner}'s, epoch {epoch}")
        if expires_at <= self._database_clock.now() and not self._rules.steps_the_database:
            self._violated(f"{name} under a lease that has run out")
        if text.phone_number_id in before.off:
            self._violated(f"{name} from a number that is switched off")
        if earlier is not None and earlier.status != "queued":
            self._violated(f"{name} that was {earlier.status}")
        if text.purpose is None and text.recipient in before.suppressed:
            self._violated(f"{name} after the opt-out's commit")
        if text.engagement_id is not None and text.envelope_id is not None:
            self._check_turn(who, name, before, text, text.engagement_id, text.envelope_id)
            self._check_cap(who, text, earlier)

    def _check_turn(self, who: str, name: str, before: State, text: _Text, engagement_id: Id, envelope_id: Id) -> None:
        """May this envelope of this engagement go now?"""
        engagement = before.engagements[engagement_id]
        if engagement.status != "processing":
            self._violated(f"{name} of an engagement that is {engagement.status}")
        if before.envelopes[envelope_id].next_at is None:
            self._violated(f"{name} of an envelope that was not due")
        now = self._clock_of(who).now()
        self._check_limits(name, text, engagement, now)
        if self._rules.has_quiet_hours and not 8 <= _hour_in_washington(now) < 21:
            self._violated(f"{name} in quiet hours")

    def _check_cap(self, who: str, text: _Text, earlier: _Text | None) -> None:
        now = self._clock_of(who).now()
        if self._rules.cap and earlier is None and not self._rules.steps_clocks:
            most, seconds = self._rules.cap
            times = self._first.setdefault(text.recipient, [])
            times.append(now)
            if sum(each > now - seconds * SECOND for each in times) > most:
                self._violated(f"the intent of a text to {text.recipient} over the frequency cap")

    def _check_limits(self, name: str, text: _Text, engagement: _Engagement, now: int) -> None:
        if engagement.canary_state == "waiting":
            out = sum(
                each.reason != "" for each in self.state.envelopes.values() if each.engagement_id == engagement.id
            )
            if out > (engagement.canary_size or 0):
                self._violated(f"{name} beyond the canary")
        hour = (engagement.id, now // _HOUR)
        self._hours[hour] += 1
        if engagement.hour_limit and self._hours[hour] > engagement.hour_limit:
            self._violated(f"{name} beyond the limit of the hour")

    def _check_envelope(self, envelope: _Envelope, earlier: _Envelope | None) -> None:
        name = f"the envelope of {envelope.phone_number}"
        if earlier and earlier.status in ("complete", "incomplete") and earlier.reason != envelope.reason:
            self._violated(f"{name} was closed as {earlier.reason} and became {envelope.reason}")
        if STATUS_OF[Reason(envelope.reason)] != envelope.status:
            self._violated(f"{name} is {envelope.status} for {envelope.reason}")
        if (envelope.next_at is not None) != (envelope.reason in _WAITING):
            self._violated(f"{name} is {envelope.reason or 'pending'} and due at {envelope.next_at}")

    def _check_engagement(self, engagement: _Engagement, earlier: _Engagement | None) -> None:
        counted = Counter(each.reason for each in self.state.envelopes.values() if each.engagement_id == engagement.id)
        kept = self.state.ledger.get(engagement.id, Counter())
        if counted != kept:
            self._violated(f"the ledger says {dict(kept)} of {dict(counted)}")
        is_open = any(STATUS_OF[Reason(reason)] not in CLOSED for reason in counted)
        if engagement.status == "completed" and is_open:
            self._violated(f"completed with {dict(counted)}")
        if earlier and earlier.status in ("completed", "canceled") and engagement.status != earlier.status:
            self._violated(f"an engagement was {earlier.status} and became {engagement.status}")

    # every byte

    def saw_bytes(self, carrier: SimulatedCarrier, submission: Submission, number: int) -> None:
        """A segment's bytes have reached the network."""
        text = self.state.texts.get(submission.text_id)
        name = f"segment {number} to {submission.recipient} by {carrier.process.name}"
        if text is None:
            self._violated(f"{name} left without a committed intent")
            return
        if text.status != "sending" and not self._rules.steps_the_database:
            self._violated(f"{name} left while its text was {text.status}")
        lane = self.state.lanes.get(text.phone_number_id)
        if (lane is None or lane[1] != text.epoch) and not self._rules.steps_the_database:
            self._violated(f"{name} left under a stale epoch")
        earlier = self._network.arrivals.get((submission.text_id, number), [])
        risky = [each for each in earlier if each.fate == TAKEN or not each.is_told]
        if len(risky) > (self._doubts(submission.text_id) if self._rules.resends else 0):
            self._violated(f"{name} left again: earlier it was {[each.fate for each in earlier]}")

    def _doubts(self, text_id: Id) -> int:
        found = self._connection.execute(
            "SELECT count(*) FROM text_results WHERE text_id = ? AND kind = 'in-doubt'", (text_id,)
        )
        counted: int = found.fetchone()[0]
        return counted

    def saw_acknowledgement(self, carrier: SimulatedCarrier, delivery: Delivery, commits: int) -> None:
        """A delivery was said to be stored."""
        if carrier.commits() == commits and not self._is_old_news(delivery):
            self._violated(f"{delivery.what} was acknowledged before it was stored")
        if delivery.arrival is not None:
            text = self.state.texts.get(delivery.arrival.text_id)
            if text is not None and text.settled_at is None:
                self._acknowledged.add(text.id)

    def _is_old_news(self, delivery: Delivery) -> bool:
        """What is stored already, or changes nothing, need not be written."""
        if not isinstance(delivery.what, Receipt) or delivery.arrival is None:
            return (delivery.what.sender, delivery.what.body) in self._inbound()  # type: ignore[union-attr]
        text = self.state.texts.get(delivery.arrival.text_id)
        parked = self._connection.execute(
            "SELECT 1 FROM parked_receipts WHERE carrier_ref = ? UNION ALL"
            " SELECT 1 FROM text_segments WHERE carrier_ref = ? AND (state IS NOT NULL)",
            (delivery.what.carrier_ref, delivery.what.carrier_ref),
        ).fetchone()
        closed = text is not None and (text.settled_at is not None or text.status in _FINAL)
        return closed or parked is not None

    def check_none_stuck(self, seconds: float) -> None:
        """Nobody is `sending` for longer than an answer is waited for, while its lane's owner lives."""
        for text in self.state.texts.values():
            since = self._sending_since.get(text.id, seconds)
            if text.status == "sending" and seconds - since > RESPONSE_TIMEOUT + 0.5:
                self._violated(f"the text to {text.recipient} is sending for {seconds - since:.1f} seconds")

    # the end

    def check_end(self) -> None:
        """All is quiet: everybody is where the network says, or in doubt by name."""
        for envelope in self.state.envelopes.values():
            if STATUS_OF[Reason(envelope.reason)] not in CLOSED and envelope.reason != "in-doubt":
                self._violated(f"the envelope of {envelope.phone_number} is {envelope.reason or 'pending'} for ever")
        texts = Counter(text.envelope_id for text in self.state.texts.values() if text.envelope_id)
        if any(count > 1 for count in texts.values()):
            self._violated("an envelope has two texts")
        for text in self.state.texts.values():
            if text.envelope_id is not None:
                self._check_fate(text, self.state.envelopes[text.envelope_id].reason)
        for engagement in self.state.engagements.values():
            self._check_completed(engagement)
        self._check_inbound()

    def _check_inbound(self) -> None:
        """What handsets sent is stored once; of two that say the same around a crash one may pass for a repetition."""
        stored, sent = self._inbound(), self._network.from_handsets
        if set(stored) != set(sent) or self._has_twice(stored, sent):
            self._violated(f"handsets sent {dict(sent)}, and stored is {dict(stored)}")

    def _has_twice(self, stored: Counter[tuple[str, str]], sent: Counter[tuple[str, str]]) -> bool:
        """A second worker on the login does not know what the first one has stored and not acknowledged.

        Nor does a worker's second successor, where the network was away during the first one's life.
        """
        return not self._rules.has_neighbours and self.deaths < 2 and any(stored[said] > sent[said] for said in stored)

    def _inbound(self) -> Counter[tuple[str, str]]:
        rows = self._connection.execute("SELECT sender, body FROM texts WHERE direction = 'inbound'")
        return Counter((sender, body) for sender, body in rows)

    def _check_fate(self, text: _Text, reason: str) -> None:
        """One envelope's place beside what the network knows of its text."""
        arrivals = [self._network.arrivals.get((text.id, number), []) for number in range(1, text.segments + 1)]
        taken = sum(any(each.fate == TAKEN for each in one) for one in arrivals)
        if reason in ("delivered", "sent-unconfirmed") and taken < text.segments:
            self._violated(f"the envelope of {text.recipient} is {reason}, and the network took {taken} segments")
        may_have_it = ("delivered", "sent-unconfirmed", "undelivered", "expired", "in-doubt")
        if taken == text.segments and reason not in may_have_it and not self._was_doubted(text):
            self._violated(f"the network took the text to {text.recipient}, and its envelope is {reason}")
        acknowledged = text.id in self._acknowledged
        # a receipt window ends by the wall clock: one that is set forward by more than the window ends it
        must_be_known = text.segments == 1 and self._network.mood.names_texts and not self._rules.steps_clocks
        if reason == "sent-unconfirmed" and acknowledged and must_be_known:
            self._violated(f"the receipt of the text to {text.recipient} was acknowledged, and is forgotten")
        if text.status == "in-doubt" and not self._named(text.id):
            self._violated(f"the text to {text.recipient} is in doubt, and nothing says since when")

    def _was_doubted(self, text: _Text) -> bool:
        """Under `resend` a text that arrived may be refused the second time, or closed while it waits for it."""
        return self._rules.resends and self._doubts(text.id) > 0

    def _named(self, text_id: Id) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM text_results WHERE text_id = ? AND kind = 'in-doubt'", (text_id,)
        )
        return found.fetchone() is not None

    def _check_completed(self, engagement: _Engagement) -> None:
        own = [each for each in self.state.envelopes.values() if each.engagement_id == engagement.id]
        is_settled = all(STATUS_OF[Reason(each.reason)] in CLOSED for each in own)
        wanted = "completed" if is_settled else "processing"
        if engagement.status not in (wanted, "canceled"):
            self._violated(f"an engagement is {engagement.status} and should be {wanted}")
