"""Holidays as rules, so that no year needs a new table: fixed dates, weekdays of a month, days from Easter.

How a rule is written (all numbers as shown, names in small letters):

    07-04                  4 July
    3 mon 01, last mon 05  the third Monday of January, the last Monday of May
    4 thu 11 +1            the day after the fourth Thursday of November
    1 mon 11 +1 even       the day after the first Monday of November, in even years only
    easter, easter-2       Easter Sunday (Gregorian), the Friday before it
"""

import re
from calendar import Calendar as Months
from calendar import isleap
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, get_args

import msgspec

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Observed = Literal["same", "sunday-to-monday", "weekend-to-monday", "nearest"]
"""Which other day is free too when a holiday falls on a weekend: none; Sunday's Monday; the Monday of both days;
Saturday's Friday and Sunday's Monday."""

OBSERVED: tuple[Observed, ...] = get_args(Observed)

_FIXED = re.compile(r"(\d\d)-(\d\d)\Z", re.ASCII)
_NTH = re.compile(r"([1-4]|last) (mon|tue|wed|thu|fri|sat|sun) (\d\d)(?: \+(\d))?( even)?\Z", re.ASCII)
_EASTER = re.compile(r"easter([+-]\d{1,2})?\Z", re.ASCII)
_LEAP_YEAR = 2024
_SHIFTS: Mapping[Observed, Mapping[int, int]] = {
    "same": {},
    "sunday-to-monday": {6: 1},
    "weekend-to-monday": {5: 2, 6: 1},
    "nearest": {5: -1, 6: 1},
}


class Holidays(msgspec.Struct, frozen=True):
    """A calendar: rules by the holiday's name, and what happens when one falls on a weekend."""

    days: tuple[tuple[str, str], ...]
    observed: Observed = "same"

    def name(self, day: date) -> str | None:
        """Which holiday a day is, or None."""
        return _of_year(self, day.year).get(day)


def is_rule(text: str) -> bool:
    """Whether a text is a rule as this module's head describes them."""
    try:
        _written_in(text, _LEAP_YEAR)
    except ValueError:
        return False
    return True


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876, in Meeus: Astronomical Algorithms)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    lunar = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * lunar) // 451
    month, day = divmod(h + lunar - 7 * m + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=256)
def _of_year(calendar: Holidays, year: int) -> Mapping[date, str]:
    """With the neighbouring years, whose observed days may reach into this one."""
    found: dict[date, str] = {}
    for near in (year - 1, year, year + 1):
        for name, rule in calendar.days:
            day = _written_in(rule, near)
            if day is not None:
                found.setdefault(day, name)
                shift = _SHIFTS[calendar.observed].get(day.weekday(), 0)
                found.setdefault(day + timedelta(shift), f"{name} (observed)")
    return {day: name for day, name in found.items() if day.year == year}


def _written_in(rule: str, year: int) -> date | None:
    """The day that a rule means in a year, None if it skips that year. Raises ValueError if it is no rule."""
    if found := _FIXED.match(rule):
        day = date(_LEAP_YEAR, int(found[1]), int(found[2]))
        return None if (day.month, day.day) == (2, 29) and not isleap(year) else day.replace(year)
    if found := _EASTER.match(rule):
        return easter(year) + timedelta(int(found[1] or 0))
    if found := _NTH.match(rule):
        if found[5] and year % 2:
            return None
        return _weekday(year, int(found[3]), found[1], found[2]) + timedelta(int(found[4] or 0))
    raise ValueError("no rule for a holiday")


def _weekday(year: int, month: int, which: str, weekday: str) -> date:
    if not 1 <= month <= 12:
        raise ValueError("no such month")
    wanted = WEEKDAYS.index(weekday)
    days = [day for day in Months().itermonthdates(year, month) if day.month == month and day.weekday() == wanted]
    return days[-1] if which == "last" else days[int(which) - 1]
