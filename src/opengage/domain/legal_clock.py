"""The legal clock: which rule holds a text to a recipient now, and until when. Asked before every text.

A recipient may be in several zones and under several rules: a text is allowed when every rule allows it in every one
of those zones. Rules are data (`legal_rules`); which hours are the law's is not decided here.

Where a clock is put forward or back within an hour that begins or ends a window, the shorter reading of the window
counts, so that the answer errs towards holding.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain.legal_rules import InvalidRules, Rule, Rules, parse
from opengage.domain.local_time import instant, wall
from opengage.domain.whereabouts import Whereabouts

__all__ = ["HORIZON_DAYS", "Explanation", "Hold", "InvalidRules", "LegalCap", "LegalClock", "Rules", "parse"]

HORIZON_DAYS = 30
"""How far ahead an opening is looked for."""

_HORIZON = HORIZON_DAYS * 24 * 3600 * SECOND
_EVER = (Instant(-(1 << 62)), Instant(1 << 62))
_MOST_ANSWERS = 16_384
_NOWHERE = ("Etc/UTC",)


class Hold(NamedTuple):
    """A text that must wait: which rule holds it, and until when.

    `until` is the first instant at which no rule holds it in any zone. Where there is none within HORIZON_DAYS it is
    that many days ahead: the answer then will be another hold.
    """

    rule: str
    until: Instant


class LegalCap(msgspec.Struct, frozen=True):
    """A rule's limit: at most `count` texts to one person in so many hours."""

    rule: str
    count: int
    hours: int


class Explanation(NamedTuple):
    """A rule for people: what it says, and who says so."""

    text: str
    source: str


class _Answer(NamedTuple):
    """What holds a recipient, and for which instants that stays the answer."""

    since: Instant
    until: Instant
    hold: Hold | None


class LegalClock:
    """Answers by one set of rules. Answers are kept until they would change, so most cost one look-up.

    Someone without any zone (no country of the built-in rules has such numbers) is asked about in UTC.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._by_id = {rule.id: rule for rule in rules.rules}
        self._enabled = [rule for rule in rules.rules if rule.enabled]
        self._answers: dict[Whereabouts, _Answer] = {}
        self._caps: dict[tuple[str, str | None], tuple[LegalCap, ...]] = {}

    def held(self, place: Whereabouts, now: Instant) -> Hold | None:
        """What holds a text to a recipient there at this instant; None if it may go."""
        answer = self._answers.get(place)
        if answer is None or not answer.since <= now < answer.until:
            answer = self._work_out(place, now)
        return answer.hold

    def held_all(self, places: Sequence[Whereabouts], now: Instant) -> list[Hold | None]:
        """The same for a batch, in its order."""
        holds = {place: self.held(place, now) for place in set(places)}
        return [holds[place] for place in places]

    def caps(self, place: Whereabouts) -> tuple[LegalCap, ...]:
        """Every limit by law on how many texts somebody there may get: all of them hold."""
        law = (place.country, place.state)
        if law not in self._caps:
            given = ((rule.id, rule.cap) for rule in self.rules_for(place))
            self._caps[law] = tuple(LegalCap(id_, cap.count, cap.hours) for id_, cap in given if cap)
        return self._caps[law]

    @property
    def longest_cap_hours(self) -> int:
        """The hours of the longest cap that any rule sets; 0 without caps."""
        return max((rule.cap.hours for rule in self._enabled if rule.cap), default=0)

    def explain(self, rule_id: str) -> Explanation:
        """A rule in words. Raises KeyError when the rules hold none with this id."""
        rule = self._by_id[rule_id]
        said = [f"{rule.title}: {hours_in_words(rule)}.", rule.notes]
        source = f"{rule.source} ({rule.basis}; checked on {rule.checked_on:%Y-%m-%d})"
        return Explanation(" ".join(part for part in said if part), source)

    def rules_for(self, place: Whereabouts) -> list[Rule]:
        """The enabled rules that apply there, in the file's order."""
        return [
            rule
            for rule in self._enabled
            if place.country in rule.countries and (not rule.states or place.state in rule.states)
        ]

    def _work_out(self, place: Whereabouts, now: Instant) -> _Answer:
        openings = [_Openings(rule, zone) for rule in self.rules_for(place) for zone in place.zones or _NOWHERE]
        answer = _answer(openings, now)
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        self._answers[place] = answer
        return answer


def hours_in_words(rule: Rule) -> str:
    """A rule's hours and cap in one line, such as “Mon–Sat 09:00–21:00, Sun 12:00–21:00; at most 3 in 24 hours”."""
    said = [", ".join(_days_in_words(rule))]
    if rule.calendar is not None:
        said.append(f"holidays {_windows_in_words(rule.holiday_hours)}")
    if rule.cap:
        said.append(f"at most {rule.cap.count} in {rule.cap.hours} hours")
    return "; ".join(said)


def _days_in_words(rule: Rule) -> Iterator[str]:
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    first = 0
    for day in range(1, 8):
        if day == 7 or rule.hours[day] != rule.hours[first]:
            days = names[first] if day - first == 1 else f"{names[first]}–{names[day - 1]}"
            yield f"{'daily' if day - first == 7 else days} {_windows_in_words(rule.hours[first])}"
            first = day


def _windows_in_words(windows: Iterable[tuple[int, int]]) -> str:
    return " and ".join(f"{_clock(start)}–{_clock(end)}" for start, end in windows) or "none"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


class _Span(NamedTuple):
    """A stretch of time in which one rule, in one zone, does not change its mind."""

    rule: Rule
    held: bool
    since: Instant
    until: Instant


class _Openings:
    """The windows of one rule as instants in one zone."""

    __slots__ = ("rule", "zone")

    def __init__(self, rule: Rule, zone: str) -> None:
        self.rule = rule
        self.zone = zone

    def at(self, now: Instant) -> _Span:
        """The stretch that an instant is in; its beginning may be later than the true one, never than `now`."""
        today = wall(now, self.zone).date()
        since = now
        for offset in range(-1, HORIZON_DAYS + 2):
            for start, end in self._windows(today + timedelta(offset)):
                if start <= now < end:
                    return _Span(self.rule, held=False, since=start, until=end)
                if start > now:
                    return _Span(self.rule, held=True, since=since, until=min(start, Instant(now + _HORIZON)))
                since = end
        return _Span(self.rule, held=True, since=since, until=Instant(now + _HORIZON))

    def _windows(self, day: date) -> Iterator[tuple[Instant, Instant]]:
        midnight = datetime.combine(day, datetime.min.time())
        for first, last in self.rule.windows(day):
            start = max(self._instants(midnight + timedelta(minutes=first)))
            end = min(self._instants(midnight + timedelta(minutes=last)))
            if start < end:
                yield start, end

    def _instants(self, wall: datetime) -> tuple[Instant, Instant]:
        """Both that a clock may mean while it is put forward or back, and the same one twice at any other time."""
        return instant(wall, self.zone), instant(wall, self.zone, fold=1)


def _answer(openings: Sequence[_Openings], now: Instant) -> _Answer:
    spans = [opening.at(now) for opening in openings]
    since = max((span.since for span in spans), default=_EVER[0])
    until = min((span.until for span in spans), default=_EVER[1])
    holding = [span for span in spans if span.held]
    if not holding:
        return _Answer(since, until, None)
    strictest = max(holding, key=lambda span: (span.until, bool(span.rule.states)))
    return _Answer(since, until, Hold(strictest.rule.id, _release(openings, now)))


def _release(openings: Sequence[_Openings], now: Instant) -> Instant:
    """The first instant from now on at which none of them holds; HORIZON_DAYS ahead if there is none before."""
    horizon = Instant(now + _HORIZON)
    at = now
    while at < horizon:
        spans = [opening.at(at) for opening in openings]
        after = max((span.until for span in spans if span.held), default=at)
        if after == at:
            return at
        at = after
    return horizon
