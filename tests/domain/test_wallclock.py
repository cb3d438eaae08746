"""Wall clocks: gaps, overlaps, and names that are no zone."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.clock import SECOND, Instant
from opengage.domain.wallclock import at, instant_of, local, second_instant_of, zone

NAMES = ("America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "Africa/Cairo", "UTC")


def utc(text: str) -> Instant:
    """An instant from its UTC reading."""
    return Instant(int(datetime.fromisoformat(text + "+00:00").timestamp()) * SECOND)


@pytest.mark.parametrize(
    "name", ["", "Nowhere/City", "America", "../UTC", "/etc/passwd", "localtime", "U\0C", "A" * 999]
)
def test_names_that_are_no_zone(name: str) -> None:
    """They are told from zones, whatever files the machine has."""
    assert zone(name) is None


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        ("2026-03-08T01:59", "2026-03-08T06:59"),
        ("2026-03-08T02:30", "2026-03-08T07:30"),  # skipped: with the offset from before, it is 03:30
        ("2026-03-08T03:00", "2026-03-08T07:00"),
        ("2026-11-01T01:30", "2026-11-01T05:30"),  # comes twice: the first
        ("2026-11-01T02:00", "2026-11-01T07:00"),
    ],
)
def test_new_york_changes_its_clocks(wall: str, expected: str) -> None:
    """The gap and the overlap of a zone, by RFC 5545."""
    tz = zone("America/New_York")
    assert tz is not None
    assert instant_of(tz, datetime.fromisoformat(wall)) == utc(expected)


def test_the_second_of_two_times() -> None:
    """An overlap has a second reading; other times, skipped ones included, have none."""
    tz = zone("America/New_York")
    assert tz is not None
    assert second_instant_of(tz, datetime(2026, 11, 1, 1, 30)) == utc("2026-11-01T06:30")  # noqa: DTZ001 - wall clock
    assert second_instant_of(tz, datetime(2026, 3, 8, 2, 30)) is None  # noqa: DTZ001 - the same
    assert second_instant_of(tz, datetime(2026, 7, 1, 12)) is None  # noqa: DTZ001 - the same


def test_minutes_of_the_day_after() -> None:
    """1440 is the next midnight, even where that day has 23 hours."""
    tz = zone("America/New_York")
    assert tz is not None
    assert at(tz, date(2026, 3, 8), 1440) == at(tz, date(2026, 3, 9), 0) == utc("2026-03-09T04:00")


@given(st.sampled_from(NAMES), st.integers(0, 2_500_000_000))
def test_what_is_shown_is_when_it_is_shown(name: str, second: int) -> None:
    """Any instant is one of the readings of what the clock shows then."""
    tz = zone(name)
    assert tz is not None
    now = Instant(second * SECOND)
    wall = local(tz, now)
    assert now in (instant_of(tz, wall), second_instant_of(tz, wall))
