"""`queue-schedule`: the hours of the week in which an engagement may send, in one time zone.

Parsed by `operations.engagements` when a client writes it; asked by `dispatch.sender` before each batch, and by
`domain.drain` for the time at which a blast will be done. The JSON is ours, the public record being silent:

    {"time-zone": "America/New_York",
     "windows": [{"days": ["mon", "tue"], "from": "09:00", "to": "17:30"}]}

`days` are mon, tue, wed, thu, fri, sat, sun. A window whose `to` is before its `from` ends on the day after; `24:00` is
the end of the day. Windows may overlap: it is open when any of them is. Clock changes are as in `domain.wallclock`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain.checks import decoded, fault, no_others
from opengage.domain.errors import Invalid, Problem
from opengage.domain.wallclock import DAY_MINUTES, at, local, zone

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_WINDOWS: Final = 100

_EXAMPLE: Final = '{"time-zone": "America/New_York", "windows": [{"days": ["mon"], "from": "09:00", "to": "17:30"}]}'
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z|24:00\Z", re.ASCII)
_LOOK: Final = 15
"""Days to look for an opening: a week, and another one where a change of clocks swallows a window whole."""


class Window(NamedTuple):
    """One window on one day of the week: Monday is 0; minutes from midnight, past 1440 on the day after."""

    day: int
    start: int
    end: int


class Span(NamedTuple):
    """An uninterrupted time in which it is open; `closes_at` is the first instant at which it no longer is."""

    opens_at: Instant
    closes_at: Instant


class Weekly(msgspec.Struct, frozen=True):
    """A schedule that was found to be in order."""

    time_zone: str
    windows: tuple[Window, ...]

    @property
    def _zone(self) -> ZoneInfo:
        found = zone(self.time_zone)
        assert found is not None, "parse lets no other in"
        return found

    def is_open(self, now: Instant) -> bool:
        """Whether sending is allowed at this instant."""
        return any(span.opens_at <= now for span in self._spans(now, 1))

    def next_open(self, now: Instant) -> Instant:
        """The first instant from `now` on at which sending is allowed: `now` itself while it is open."""
        return max(now, min(span.opens_at for span in self._spans(now, _LOOK)))

    def closes_at(self, now: Instant) -> Instant | None:
        """When the time that is open at `now` ends; None if it is closed at `now`, or open all week."""
        end = now
        for span in sorted(self._spans(now, _LOOK)):
            if span.opens_at > end:
                break
            end = max(end, span.closes_at)
        return end if now < end < now + 8 * DAY_MINUTES * 60 * SECOND else None

    def spans(self, start: Instant, days: int) -> Iterator[Span]:
        """The open times of some days from `start` on, in order and joined where they touch, the first cut to begin
        no earlier than `start`."""
        joined: Span | None = None
        for span in sorted(self._spans(start, days)):
            opens_at = max(start, span.opens_at)
            if joined is None or opens_at > joined.closes_at:
                if joined is not None:
                    yield joined
                joined = Span(opens_at, span.closes_at)
            else:
                joined = Span(joined.opens_at, max(joined.closes_at, span.closes_at))
        if joined is not None:
            yield joined

    def open_time(self, start: Instant, end: Instant) -> float:
        """Seconds between two instants in which sending is allowed."""
        days = max(0, end - start) // (DAY_MINUTES * 60 * SECOND) + 2
        spans = self.spans(start, days)
        return sum(max(0, min(end, span.closes_at) - span.opens_at) for span in spans) / SECOND

    def _spans(self, now: Instant, days: int) -> list[Span]:
        """Each window of yesterday, today and the `days` after that which ends after `now`; a window that a change
        of clocks swallows is none."""
        tz, today = self._zone, local(self._zone, now).date()
        found = []
        for offset in range(-1, days + 1):
            day = today + timedelta(days=offset)
            for window in self.windows:
                if window.day == day.weekday():
                    span = Span(at(tz, day, window.start), at(tz, day, window.end))
                    if span.closes_at > max(now, span.opens_at):
                        found.append(span)
        return found


def parse(value: str | bytes | object) -> Weekly:
    """A schedule from its JSON text, or from that text decoded.

    Raises Invalid with every fault; pointers begin at the schedule itself, as in `/windows/0/from`.
    """
    value = decoded(value, "schedule", _EXAMPLE)
    problems: list[Problem] = []
    if not isinstance(value, Mapping):
        raise Invalid([fault("", "The schedule is no object", f"Write it as {_EXAMPLE}")])
    no_others(value, ("time-zone", "windows"), "", problems)
    name = value.get("time-zone")
    if not isinstance(name, str) or zone(name) is None:
        said = f"“{name[:40]}” is no time zone" if isinstance(name, str) else "“time-zone” is missing or no text"
        problems.append(fault("/time-zone", said, "Use an IANA name such as America/New_York or UTC"))
    windows = _windows(value.get("windows"), problems)
    if problems:
        raise Invalid(problems)
    return Weekly(str(name), tuple(sorted(windows)))


def _windows(value: object, problems: list[Problem]) -> set[Window]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not 1 <= len(value) <= MOST_WINDOWS:
        said = f"“windows” is no list of 1 to {MOST_WINDOWS} windows"
        problems.append(fault("/windows", said, f"Write it as in {_EXAMPLE}"))
        return set()
    return {found for place, window in enumerate(value) for found in _window(window, f"/windows/{place}", problems)}


def _window(value: object, pointer: str, problems: list[Problem]) -> list[Window]:
    """One window, on each of its days."""
    if not isinstance(value, Mapping):
        problems.append(fault(pointer, "The window is no object", f"Write it as in {_EXAMPLE}"))
        return []
    no_others(value, ("days", "from", "to"), pointer, problems)
    days = _days(value.get("days"), f"{pointer}/days", problems)
    start, end = (_minute(value, key, pointer, problems) for key in ("from", "to"))
    if start is None or end is None:
        return []
    if start == DAY_MINUTES:
        problems.append(fault(f"{pointer}/from", "A window cannot begin at 24:00", "Use 00:00 of the day after"))
    if start == end:
        fix = "For the whole day write 00:00 to 24:00; else let them differ"
        problems.append(fault(f"{pointer}/to", "“from” and “to” are the same, so the window has no length", fix))
    return [Window(day, start, end if end > start else end + DAY_MINUTES) for day in days]


def _days(value: object, pointer: str, problems: list[Problem]) -> list[int]:
    fix = f"Use any of {', '.join(DAYS)}"
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        problems.append(fault(pointer, "“days” is no list of days", fix))
        return []
    bad = [day for day in value if day not in DAYS]
    problems += [fault(pointer, f"“{str(day)[:20]}” is no day of the week", fix) for day in bad[:7]]
    return [DAYS.index(day) for day in value if day in DAYS]


def _minute(window: Mapping[Any, Any], key: str, pointer: str, problems: list[Problem]) -> int | None:
    text = window.get(key)
    if isinstance(text, str) and _TIME.match(text):
        return int(text[:2]) * 60 + int(text[3:])
    said = f"“{text[:20]}” is no time of day" if isinstance(text, str) else f"“{key}” is missing or no text"
    problems.append(fault(f"{pointer}/{key}", said, "Write hours and minutes of 24 hours, as in 09:00 or 17:30"))
    return None
