"""Holidays by rule: fixed dates, weekdays of a month, days from Easter, and the days observed for them."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opengage.domain.holidays import Holidays, Observed, easter, is_rule


@pytest.mark.parametrize(
    "day",
    ["1961-04-02", "2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25"],
)
def test_easter(day: str) -> None:
    """Easter Sundays as they were and will be, the earliest and the latest of the century among them."""
    assert easter(int(day[:4])) == date.fromisoformat(day)


@settings(deadline=None)
@given(st.integers(1900, 4000))
def test_easter_is_a_spring_sunday(year: int) -> None:
    """Easter is a Sunday from 22 March to 25 April."""
    assert easter(year).weekday() == 6
    assert date(year, 3, 22) <= easter(year) <= date(year, 4, 25)


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        ("07-04", "2026-07-04"),
        ("02-29", "2024-02-29"),
        ("3 mon 01", "2026-01-19"),
        ("1 mon 09", "2026-09-07"),
        ("4 thu 11", "2026-11-26"),
        ("4 thu 11 +1", "2026-11-27"),
        ("last mon 05", "2026-05-25"),
        ("1 mon 11 +1 even", "2026-11-03"),
        ("easter", "2026-04-05"),
        ("easter+1", "2026-04-06"),
        ("easter-2", "2026-04-03"),
        ("easter+39", "2026-05-14"),
        ("easter-47", "2026-02-17"),
    ],
)
def test_rules(rule: str, day: str) -> None:
    """Each way of writing a day means that one day of the year, and no other."""
    calendar = Holidays((("It", rule),))
    year = date.fromisoformat(day).year
    days = [date(year, 1, 1) + timedelta(offset) for offset in range(366)]
    assert [each for each in days if calendar.name(each)] == [date.fromisoformat(day)]
    assert calendar.name(date.fromisoformat(day)) == "It"


def test_every_other_year() -> None:
    """An election day of even years is an ordinary day in odd ones."""
    calendar = Holidays((("Election Day", "1 mon 11 +1 even"),))
    assert calendar.name(date(2028, 11, 7))
    assert not any(calendar.name(date(2027, 11, day)) for day in range(1, 31))


def test_a_leap_day_in_other_years() -> None:
    """A rule for 29 February is kept in leap years, and breaks no other."""
    calendar = Holidays((("Leap day", "02-29"),))
    assert calendar.name(date(2028, 2, 29))
    assert calendar.name(date(2027, 3, 1)) is None


@pytest.mark.parametrize(
    ("observed", "saturday", "sunday"),
    [
        ("same", None, None),
        ("sunday-to-monday", None, "2027-07-05"),
        ("weekend-to-monday", "2026-07-06", "2027-07-05"),
        ("nearest", "2026-07-03", "2027-07-05"),
    ],
)
def test_observed(observed: Observed, saturday: str | None, sunday: str | None) -> None:
    """4 July falls on a Saturday in 2026 and on a Sunday in 2027; the day itself stays free."""
    calendar = Holidays((("Independence Day", "07-04"),), observed)
    for year, expected in ((2026, saturday), (2027, sunday)):
        free = [day for day in range(1, 12) if calendar.name(date(year, 7, day))]
        assert free == sorted({4} | ({date.fromisoformat(expected).day} if expected else set()))


def test_observed_in_the_year_before() -> None:
    """New Year's Day of 2028 is a Saturday: the Friday before it is in 2027."""
    calendar = Holidays((("New Year's Day", "01-01"),), "nearest")
    assert calendar.name(date(2027, 12, 31)) == "New Year's Day (observed)"


@pytest.mark.parametrize(
    "text",
    [
        *("", "7-4", "02-30", "13-01", "00-10", "5 mon 01", "3 mon 13", "3 mon 00", "3 Monday 01", "last mon"),
        *("easter+", "easter+1000", "3 mon 01 odd", "07-04\n", "pentecost"),
    ],
)
def test_no_rule(text: str) -> None:
    """Anything else is told to be no rule."""
    assert not is_rule(text)
