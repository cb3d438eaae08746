"""Budgets: how much may go in a minute, an hour or a day, as carriers allow it and engagements want it.

`dispatch.sender` asks before each batch, with what the store says is used up (`budget_uses`); `domain.drain` asks for
the time at which a blast will be done; `operations` parse what is written on a service profile or a phone number. JSON:

    [{"name": "Our contract", "limit": 100000, "unit": "segments", "period": "day", "time-zone": "America/New_York"},
     {"preset": "att-10dlc-class-c"}, {"preset": "tmobile-10dlc-low", "limit": 1500}]

`unit` may be left out for segments, `time-zone` for UTC; a preset's own values may be overridden. The presets are data:
`rules/carriers.toml`, with their sources.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain.checks import decoded, fault, no_others
from opengage.domain.errors import Invalid, Problem
from opengage.domain.wallclock import instant_of, local, second_instant_of, zone

MOST_BUDGETS: Final = 20
MOST: Final = 10**12
"""The largest limit."""

LONGEST_NAME: Final = 100
"""Characters of a budget's name."""

_EXAMPLE: Final = '[{"name": "Our contract", "limit": 100000, "period": "day"}, {"preset": "att-10dlc-class-c"}]'
_KEYS: Final = ("preset", "name", "limit", "unit", "period", "time-zone")
_MINUTE: Final = 60 * SECOND


class Unit(StrEnum):
    """What is counted."""

    SEGMENTS = "segments"
    TEXTS = "texts"


class Period(StrEnum):
    """How long it is counted for."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


LONGEST_SECONDS: Final[Mapping[Period, int]] = MappingProxyType(
    {Period.MINUTE: 60, Period.HOUR: 3600, Period.DAY: 86400}
)
"""Seconds of an ordinary period."""


class Budget(msgspec.Struct, frozen=True):
    """`limit` units in each period; periods begin on the minute, the hour or at midnight of `time_zone`."""

    name: str
    limit: int
    unit: Unit = Unit.SEGMENTS
    period: Period = Period.DAY
    time_zone: str = "UTC"

    @property
    def slot(self) -> str:
        """What uses are remembered under (`budget_uses.period`): budgets of one slot that begin together share them."""
        return self.period.value if self.unit is Unit.SEGMENTS else f"{self.period}-{self.unit}"

    def began_at(self, now: Instant) -> Instant:
        """When the current period began."""
        return max(one for one in self._bounds(now) if one <= now)

    def ends_at(self, now: Instant) -> Instant:
        """When the next period begins, and the whole limit is there again."""
        return min(one for one in self._bounds(now) if one > now)

    def _bounds(self, now: Instant) -> list[Instant]:
        """The beginnings of the periods around `now`."""
        if self.period is Period.MINUTE:  # all zones are whole minutes apart
            began = Instant(now - now % _MINUTE)
            return [began, Instant(began + _MINUTE)]
        tz = zone(self.time_zone)
        assert tz is not None, "parse lets no other in"
        wall = local(tz, now).replace(minute=0, second=0, microsecond=0)
        if self.period is Period.DAY:
            midnight = wall.replace(hour=0)
            return [instant_of(tz, midnight + timedelta(days=days)) for days in range(-2, 3)]
        return [bound for hours in range(-3, 4) for bound in _hour_bounds(tz, wall + timedelta(hours=hours))]


def _hour_bounds(tz: ZoneInfo, wall: datetime) -> list[Instant]:
    """An hour that comes twice when the clocks go back is two hours."""
    again = second_instant_of(tz, wall)
    return [instant_of(tz, wall)] if again is None else [instant_of(tz, wall), again]


class Use(NamedTuple):
    """A budget and what is used up of it in its current period."""

    budget: Budget
    used: int


class Allowance(NamedTuple):
    """What all budgets together let go now: None is no limit; where one is 0 nothing goes until `until`.

    `budget` is the one that stands in the way longest, else the one that will be used up first; None without any.
    """

    segments: int | None
    texts: int | None
    until: Instant | None
    budget: Budget | None

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing may go now."""
        return self.until is not None

    @property
    def reason(self) -> str | None:
        """What keeps texts back, in words for people; None when nothing does."""
        if self.until is None or self.budget is None:
            return None
        budget = self.budget
        return f"{budget.name}: the {budget.limit:,} {budget.unit} of this {budget.period} are used up"


def room(used: int, limit: int) -> int:
    """How much may still go in the current period."""
    return max(0, limit - used)


def allowance(uses: Iterable[Use], now: Instant, needed: int = 1) -> Allowance:
    """How much may go now under several budgets at once.

    `needed` is the segments of the next text: it goes whole or not at all, so a budget with less room is used up. One
    whose whole limit is less lets such a text go as the first of a period.
    """
    rooms: dict[Unit, int] = {}
    spent: list[tuple[Instant, Budget]] = []
    tightest: tuple[int, Budget] | None = None
    for budget, used in uses:
        left = room(used, budget.limit)
        wanted = needed if budget.unit is Unit.SEGMENTS else 1
        if left < min(wanted, budget.limit):
            spent.append((budget.ends_at(now), budget))
            left = 0
        elif budget.limit < wanted:
            left = wanted  # the first text of a period, longer than the limit
        rooms[budget.unit] = min(left, rooms.get(budget.unit, left))
        if tightest is None or left < tightest[0]:
            tightest = (left, budget)
    segments, texts = rooms.get(Unit.SEGMENTS), rooms.get(Unit.TEXTS)
    if spent:
        until, budget = max(spent, key=lambda one: one[0])
        return Allowance(segments, texts, until, budget)
    return Allowance(segments, texts, None, tightest[1] if tightest else None)


def of_engagement(hour_limit: int | None, day_limit: int | None, time_zone: str = "UTC") -> list[Budget]:
    """`queue-throttle-hour-limit` and `-day-limit` of an engagement as budgets of texts."""
    limits = ((hour_limit, Period.HOUR), (day_limit, Period.DAY))
    return [
        Budget(f"queue-throttle-{period}-limit", limit, Unit.TEXTS, period, time_zone)
        for limit, period in limits
        if limit is not None
    ]


@cache
def presets() -> Mapping[str, Budget]:
    """The presets by name, read from `rules/carriers.toml`."""
    text = Path(__file__).with_name("rules").joinpath("carriers.toml").read_text("utf-8")
    found = {}
    for name, values in tomllib.loads(text)["presets"].items():
        found[name] = Budget(
            values["name"], values["limit"], Unit(values["unit"]), Period(values["period"]), values["time-zone"]
        )
    return MappingProxyType(found)


def parse(value: str | bytes | object) -> list[Budget]:
    """Budgets from their JSON text, or from that text decoded.

    Raises Invalid with every fault; pointers begin at the list itself, as in `/0/limit`.
    """
    value = decoded(value, "list of budgets", _EXAMPLE)
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MOST_BUDGETS:
        raise Invalid([fault("", f"The budgets are no list of at most {MOST_BUDGETS}", f"Write them as {_EXAMPLE}")])
    problems: list[Problem] = []
    budgets = [_budget(one, f"/{place}", problems) for place, one in enumerate(value)]
    if problems:
        raise Invalid(problems)
    return [budget for budget in budgets if budget is not None]


def _budget(value: object, pointer: str, problems: list[Problem]) -> Budget | None:
    if not isinstance(value, Mapping):
        problems.append(fault(pointer, "The budget is no object", f"Write it as in {_EXAMPLE}"))
        return None
    before = len(problems)
    no_others(value, _KEYS, pointer, problems)
    base = _preset(value, pointer, problems) if "preset" in value else {}
    merged = {**base, **value}
    name, limit = merged.get("name"), merged.get("limit")
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        said = f"“name” is missing, empty or over {LONGEST_NAME} characters"
        problems.append(fault(f"{pointer}/name", said, "Name the budget as people know it"))
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST:
        said = "“limit” is no whole number from 1"
        problems.append(fault(f"{pointer}/limit", said, "Say how many may go in one period"))
    unit = _one_of(Unit, merged.get("unit", Unit.SEGMENTS), f"{pointer}/unit", problems)
    period = _one_of(Period, merged.get("period"), f"{pointer}/period", problems)
    time_zone = merged.get("time-zone", "UTC")
    if not isinstance(time_zone, str) or zone(time_zone) is None:
        fix = "Use an IANA name such as America/Los_Angeles, or leave it out for UTC"
        problems.append(fault(f"{pointer}/time-zone", f"“{str(time_zone)[:40]}” is no time zone", fix))
    if len(problems) > before:
        return None
    assert isinstance(limit, int), "else there would be a problem"
    return Budget(str(name), limit, Unit(unit), Period(period), str(time_zone))


def _preset(value: Mapping[Any, Any], pointer: str, problems: list[Problem]) -> dict[str, object]:
    name = value["preset"]
    found = presets().get(name) if isinstance(name, str) else None
    if found is None:
        fix = f"Use one of {', '.join(presets())}"
        problems.append(fault(f"{pointer}/preset", f"“{str(name)[:40]}” is no preset", fix))
        # that is the fault, and not what the preset would have brought
        return {"name": "?", "limit": 1, "period": Period.DAY}
    plain = {"name": found.name, "limit": found.limit, "unit": found.unit, "period": found.period}
    return {**plain, "time-zone": found.time_zone}


def _one_of(kind: type[Unit] | type[Period], value: object, pointer: str, problems: list[Problem]) -> str:
    values = [one.value for one in kind]
    if isinstance(value, str) and value in values:
        return value
    said = f"“{value[:40]}” is not allowed here" if isinstance(value, str) else "it is missing or no text"
    problems.append(fault(pointer, f"“{pointer.rpartition('/')[2]}”: {said}", f"Use {' or '.join(values)}"))
    return ""
