"""What becomes of each due envelope: a text to send, a time to wait until, or a reason why not. Pure, for `intent`.

Every check that keeps a person from being texted wrongly is made here, between reading the envelopes and writing the
intent, in one transaction: suppressed, too late, a value missing, too long, already texted, not yet its hour, held by
the legal clock, over a cap. What is final comes first: a held envelope is one that will go when its time has come.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from opengage import logs
from opengage.clock import SECOND, Instant
from opengage.dispatch.parts import LOOK_AGAIN, PART_ELSEWHERE
from opengage.domain.frequency import Cap, over
from opengage.domain.legal_clock import Hold
from opengage.domain.segments import TooManySegments, check
from opengage.domain.states import Reason
from opengage.domain.templates import RenderError, Template
from opengage.domain.whereabouts import Whereabouts, whereabouts
from opengage.ids import Id, NewId, to_wire
from opengage.store.contract import Due, Held, Intent, Settled

log = logs.get(__name__)

_META = msgspec.json.Decoder(dict[str, Any])

Meta = Mapping[str, Any]
Caps = Callable[[Whereabouts], Sequence[Cap]]


class Rules(msgspec.Struct, frozen=True):
    """What holds for a whole batch."""

    max_segments: int
    now: Instant = Instant(0)
    expires_at: Instant | None = None
    """When the engagement's texts are no longer worth sending."""
    hour: Callable[[Whereabouts], Instant] | None = None
    """When a text of a `local-time` engagement may go to recipients there."""
    legal: Callable[[Whereabouts], Hold | None] | None = None
    """The rule that holds texts to recipients there now; None where the legal clock is off."""
    caps: Caps | None = None
    """All frequency caps that hold for recipients there; None where nobody has one."""
    looks_back: int = 0
    """Seconds of the longest cap: how far back it matters who was texted."""

    @property
    def since(self) -> Instant:
        """From when on it matters who was texted."""
        return Instant(self.now - self.looks_back * SECOND)


class Known(msgspec.Struct, frozen=True):
    """What the store knows of a batch's numbers."""

    suppressed: Collection[str]
    texted: Collection[tuple[str, str]]
    """(number, body) of texts that this engagement already has."""
    written: Mapping[Id, str] = {}
    """The words of texts that were put off: they stay as they are, whatever became of the template since."""
    elsewhere: Collection[Id] = ()
    """Texts that were put off with a part taken by another carrier than the one at hand."""
    recent: Mapping[str, list[Instant]] = {}
    """When each number was texted lately, oldest first."""


class Plan(msgspec.Struct, frozen=True):
    """A batch decided: `intents` are to be written as sending, `settled` closed without a text, `held` kept waiting."""

    intents: list[Intent]
    settled: list[Settled]
    held: list[Held] = []

    @property
    def segments(self) -> int:
        """What the intents cost on the wire."""
        return sum(intent.segments for intent in self.intents)


def plan(due: Sequence[Due], template: Template, known: Known, rules: Rules, new_id: NewId) -> Plan:
    """Decide a batch, in its order: of two envelopes that would say the same to one number, the first one speaks."""
    planner = _Planner(template, known, rules)
    batch = Plan([], [], [])
    for envelope in due:
        verdict = planner.verdict(envelope)
        if isinstance(verdict, Reason):
            batch.settled.append(Settled(envelope.envelope_id, verdict, envelope.text_id))
        elif isinstance(verdict, Held):
            batch.held.append(verdict)
        else:
            batch.intents.append(planner.intent(envelope, *verdict, new_id))
    return batch


class _Planner:
    """One batch being gone through: what it has said so far is remembered."""

    def __init__(self, template: Template, known: Known, rules: Rules) -> None:
        self._template = template
        self._known = known
        self._rules = rules
        self._said: set[tuple[str, str]] = set()
        self._recent = {number: list(times) for number, times in known.recent.items()}
        self._waits = rules.hour is not None or rules.legal is not None or rules.caps is not None

    def verdict(self, envelope: Due) -> tuple[str, int] | Reason | Held:
        """The body to send and its segments, why nothing may be sent, or until when to wait."""
        try:
            return self._verdict(envelope)
        except Exception as error:  # one envelope that nobody foresaw must not stop its neighbours
            log.error(
                "an envelope cannot be handled: it is set aside",
                action="set-aside",
                envelope_id=to_wire(envelope.envelope_id),
                error=type(error).__name__,
            )
            return Reason.UNKNOWN

    def _verdict(self, envelope: Due) -> tuple[str, int] | Reason | Held:
        known, rules = self._known, self._rules
        if envelope.phone_number in known.suppressed:
            return Reason.OPTED_OUT
        if rules.expires_at is not None and rules.now >= rules.expires_at:
            return Reason.EXPIRED
        if envelope.text_id in known.elsewhere:
            return Held(envelope.envelope_id, envelope.reason, PART_ELSEWHERE, Instant(rules.now + LOOK_AGAIN))
        meta = None
        try:
            # parts of a long text may have arrived already: the others must belong to the same words
            if envelope.text_id:
                body = known.written[envelope.text_id]
            else:
                meta = _META.decode(envelope.meta)
                body = self._template.render(meta)
            segments = check(body, rules.max_segments).segments
        except (RenderError, TooManySegments) as refusal:
            return Reason(refusal.reason)
        said = (envelope.phone_number, body)
        # a text that was put off is in the store already: it is not its own duplicate
        if said in self._said or (envelope.text_id is None and said in known.texted):
            return Reason.DUPLICATE
        if self._waits and (held := self._held(envelope, meta)):
            return held
        return body, segments

    def _held(self, envelope: Due, meta: Meta | None) -> Held | None:
        """What this envelope must wait for, if anything; one whose text was put off stays where it is meanwhile."""
        number, rules = envelope.phone_number, self._rules
        place = whereabouts(number, _META.decode(envelope.meta) if meta is None else meta)
        if rules.hour is not None and (hour := rules.hour(place)) > rules.now:
            return Held(envelope.envelope_id, envelope.reason, None, hour)
        hold, reason = None, Reason.QUIET_HOURS
        if rules.legal is not None:
            hold = rules.legal(place)
        if hold is None and rules.caps is not None and envelope.text_id is None:
            hold, reason = self._over_caps(number, place, rules.caps), Reason.THROTTLED
        if hold is None:
            return None
        return Held(envelope.envelope_id, envelope.reason if envelope.text_id else reason, hold.rule, hold.until)

    def _over_caps(self, number: str, place: Whereabouts, caps: Caps) -> Hold | None:
        texted = self._recent.get(number)
        # whoever was not texted lately is over no cap
        return over(caps(place), texted, self._rules.now) if texted else None

    def intent(self, envelope: Due, body: str, segments: int, new_id: NewId) -> Intent:
        """The text that this envelope becomes; the rest of the batch will know of it."""
        number = envelope.phone_number
        self._said.add((number, body))
        if self._rules.caps is not None:
            self._recent.setdefault(number, []).append(self._rules.now)
        return Intent(
            text_id=envelope.text_id or new_id(),
            envelope_id=envelope.envelope_id,
            recipient=number,
            body=body,
            segments=segments,
            is_retry=envelope.text_id is not None,
        )
