"""Wall-clock time: what is accepted, and which instant it means where clocks are put forward and back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opengage.clock import SECOND, Instant
from opengage.domain.local_time import (
    InvalidWallTime,
    UnknownZone,
    earliest,
    for_recipient,
    instant,
    is_zone,
    latest,
    parse,
    wall,
    zone,
)

ZONES = [
    *("America/New_York", "America/Phoenix", "America/St_Johns", "Australia/Sydney", "Australia/Lord_Howe"),
    *("Europe/Paris", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12", "Africa/Cairo"),
]
WALLS = st.datetimes(datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("2090-01-01"))


def utc(text: str) -> Instant:
    """An instant written in UTC."""
    return Instant(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND)


@pytest.mark.parametrize("text", ["2026-12-01T09:00:00", "2026-12-01T09:00"])
def test_seconds_are_optional(text: str) -> None:
    """A wall time has no zone, and reads the same with and without seconds."""
    assert parse(text).isoformat() == "2026-12-01T09:00:00"
    assert parse(text).tzinfo is None


@pytest.mark.parametrize("text", ["2026-12-01T09:00:00Z", "2026-12-01T09:00+01:00", "2026-12-01T09:00:00-0500"])
def test_an_offset_is_refused(text: str) -> None:
    """An offset contradicts local time, and the message says to leave it out."""
    with pytest.raises(InvalidWallTime, match="leave it out"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-12-01", "09:00", "2026-12-01 09:00", "2026-12-01T9:00", "20261201T090000", "2026-W49-1T09:00"),
        *("2026-12-01T09:00:00.5", "2026-12-01T09:00:00\n", "٢٠٢٦-12-01T09:00:00", "tomorrow"),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    """Only the one form is read, and the message shows it."""
    with pytest.raises(InvalidWallTime, match="as in 2026-12-01T09:00:00"):
        parse(text)


@pytest.mark.parametrize("text", ["2026-02-29T09:00", "2026-12-01T24:00", "2026-13-01T00:00", "2026-12-01T09:60"])
def test_times_that_no_clock_shows_are_refused(text: str) -> None:
    """A date or hour that does not exist is an error, not the next one."""
    with pytest.raises(InvalidWallTime, match="write a real date and hour"):
        parse(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00", "1969-12-31T23:59", "9999-01-01T00:00"])
def test_years_out_of_reach_are_refused(text: str) -> None:
    """Years at the ends of the calendar are refused before an offset can leave it."""
    with pytest.raises(InvalidWallTime, match="from 1970 to 9998"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("2026-12-01T09:00", "America/New_York", "2026-12-01T14:00"),
        ("2026-07-01T09:00", "America/New_York", "2026-07-01T13:00"),
        ("2026-07-01T09:00", "America/Phoenix", "2026-07-01T16:00"),
        ("2026-12-01T09:00", "America/Phoenix", "2026-12-01T16:00"),
        ("2026-12-01T09:00", "Asia/Kolkata", "2026-12-01T03:30"),
        ("2026-12-01T09:00", "Asia/Kathmandu", "2026-12-01T03:15"),
        ("2026-12-01T09:00", "America/St_Johns", "2026-12-01T12:30"),
        ("2026-12-01T09:00", "Pacific/Kiritimati", "2026-11-30T19:00"),
    ],
)
def test_ordinary_times(text: str, name: str, expected: str) -> None:
    """Offsets of whole, half and quarter hours, in summer and in winter."""
    assert instant(parse(text), name) == utc(expected)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:30"),
        ("2026-03-29T02:30", "Europe/Paris", "2026-03-29T01:30"),
        ("2026-10-04T02:30", "Australia/Sydney", "2026-10-03T16:30"),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:45"),
    ],
)
def test_gap(text: str, name: str, expected: str) -> None:
    """A time that the clock skips is read with the offset from before the gap, in both hemispheres (RFC 5545)."""
    assert instant(parse(text), name) == utc(expected)


@pytest.mark.parametrize(
    ("text", "name", "first", "second"),
    [
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30", "2026-11-01T06:30"),
        ("2026-10-25T02:30", "Europe/Paris", "2026-10-25T00:30", "2026-10-25T01:30"),
        ("2026-04-05T02:30", "Australia/Sydney", "2026-04-04T15:30", "2026-04-04T16:30"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-04T14:45", "2026-04-04T15:15"),
    ],
)
def test_overlap(text: str, name: str, first: str, second: str) -> None:
    """A time that the clock shows twice means the first, in both hemispheres (RFC 5545)."""
    assert instant(parse(text), name) == utc(first)
    assert instant(parse(text), name, fold=1) == utc(second)


@settings(deadline=None)
@given(WALLS, st.sampled_from(ZONES))
def test_a_shown_time_comes_back(shown: datetime, name: str) -> None:
    """At the instant the clock shows the wall time, or, in a gap, one that is later by the gap."""
    shown = shown.replace(microsecond=0, fold=0)
    late = wall(instant(shown, name), name) - shown
    assert timedelta(0) <= late <= timedelta(days=1)
    if late:
        assert wall(instant(shown, name, fold=1), name) != shown


@settings(deadline=None)
@given(WALLS, st.lists(st.sampled_from(ZONES), min_size=1, unique=True).map(tuple))
def test_no_zone_is_early(shown: datetime, zones: tuple[str, ...]) -> None:
    """A recipient who may be in several zones gets it when it is no earlier than that hour in any of them."""
    at = for_recipient(shown, zones)
    assert all(wall(at, name) >= shown.replace(microsecond=0) for name in zones)
    assert at in [instant(shown, name) for name in zones]
    assert earliest(shown) <= at <= latest(shown)


def test_no_zone_at_all() -> None:
    """Without a zone it is the latest hour of the world."""
    shown = parse("2026-12-01T09:00")
    assert for_recipient(shown, ()) == latest(shown) == utc("2026-12-01T21:00")


def test_the_whole_world() -> None:
    """The first clock shows it fourteen hours before Greenwich, the last twelve hours after."""
    shown = parse("2026-12-01T09:00")
    assert earliest(shown) == utc("2026-11-30T19:00") == instant(shown, "Pacific/Kiritimati")
    assert latest(shown) == utc("2026-12-01T21:00") == instant(shown, "Etc/GMT+12")


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Olympus", "EST5EDT4", "../zones", "America/../zones", "America", "zone.tab", "/etc/localtime", "a\0b"],
)
def test_unknown_zones(name: str) -> None:
    """What is no zone is refused, and no name leads out of the folder of zones."""
    assert not is_zone(name)
    with pytest.raises(UnknownZone, match="America/New_York"):
        zone(name)
