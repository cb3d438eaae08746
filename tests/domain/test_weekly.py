"""`queue-schedule`: open hours over midnights and clock changes, and every fault of one named."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.clock import SECOND, Instant
from opengage.domain.errors import Invalid
from opengage.domain.weekly import DAYS, Window, parse

NEW_YORK = "America/New_York"
HOUR = 3600 * SECOND


def local(text: str, name: str = NEW_YORK) -> Instant:
    """The instant at which a zone's clocks show this (for the first time)."""
    return Instant(int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp()) * SECOND)


def a_schedule(*windows: tuple[str, str, str], name: str = NEW_YORK) -> dict[str, Any]:
    """The JSON of a schedule; each window is its days with spaces between, from and to."""
    return {
        "time-zone": name,
        "windows": [{"days": days.split(), "from": start, "to": end} for days, start, end in windows],
    }


OFFICE = parse(a_schedule(("mon tue wed thu fri", "09:00", "17:30")))
NIGHT = parse(a_schedule(("fri", "22:00", "02:00")))
ALL_WEEK = parse(a_schedule((" ".join(DAYS), "00:00", "24:00")))


@pytest.mark.parametrize(
    ("now", "is_open", "next_open"),
    [
        ("2026-11-27T08:59:59", False, "2026-11-27T09:00"),  # a Friday
        ("2026-11-27T09:00", True, "2026-11-27T09:00"),
        ("2026-11-27T17:29:59", True, "2026-11-27T17:29:59"),
        ("2026-11-27T17:30", False, "2026-11-30T09:00"),
        ("2026-11-28T12:00", False, "2026-11-30T09:00"),
        # between the two the clocks go forward: 9 o'clock stays 9 o'clock
        ("2026-03-06T18:00", False, "2026-03-09T09:00"),
    ],
)
def test_office_hours(now: str, is_open: bool, next_open: str) -> None:
    """Open from the first minute, closed at the last one."""
    assert OFFICE.is_open(local(now)) is is_open
    assert OFFICE.next_open(local(now)) == local(next_open)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-11-27T21:59", False),
        ("2026-11-27T22:00", True),
        ("2026-11-28T01:59", True),
        ("2026-11-28T02:00", False),
        ("2026-11-27T01:00", False),
    ],
)
def test_over_midnight(now: str, is_open: bool) -> None:
    """A window that ends on the day after belongs to the day on which it began."""
    assert NIGHT.is_open(local(now)) is is_open


def test_all_week() -> None:
    """Whole days join: it is open and never closes."""
    now = local("2026-11-27T23:59:59")
    assert ALL_WEEK.is_open(now)
    assert ALL_WEEK.is_open(Instant(now + SECOND))
    assert ALL_WEEK.closes_at(now) is None
    assert ALL_WEEK.open_time(now, Instant(now + 24 * HOUR)) == 24 * 3600


def test_closing() -> None:
    """Windows that touch close together; what is closed does not close."""
    two_halves = parse(a_schedule(("sun", "20:00", "24:00"), ("mon", "00:00", "03:00")))
    assert two_halves.closes_at(local("2026-11-29T21:00")) == local("2026-11-30T03:00")
    assert two_halves.closes_at(local("2026-11-30T03:00")) is None
    assert [*two_halves.spans(local("2026-11-29T21:00"), 3)] == [(local("2026-11-29T21:00"), local("2026-11-30T03:00"))]


def test_a_window_in_the_gap() -> None:
    """A window that the clocks jump over opens once, an hour later by the clock; one swallowed whole is left out."""
    early = parse(a_schedule(("sun", "02:15", "03:30")))
    assert early.next_open(local("2026-03-08T00:00")) == local("2026-03-08T03:15")
    assert early.closes_at(local("2026-03-08T03:15")) == local("2026-03-08T03:30")
    swallowed = parse(a_schedule(("sun", "02:15", "03:00")))
    assert not swallowed.is_open(local("2026-03-08T03:20"))
    assert swallowed.next_open(local("2026-03-08T00:00")) == local("2026-03-15T02:15")


def test_a_window_in_the_overlap() -> None:
    """What comes twice opens once."""
    early = parse(a_schedule(("sun", "01:00", "01:30")))
    first = local("2026-11-01T01:00")
    assert early.is_open(first)
    assert not early.is_open(Instant(first + HOUR))
    assert early.open_time(Instant(first - HOUR), Instant(first + 12 * HOUR)) == 1800


def test_text_is_parsed_too() -> None:
    """From the column as from the request; days and windows are told once."""
    text = msgspec.json.encode(a_schedule(("tue tue", "09:00", "10:00"), ("tue", "09:00", "10:00"))).decode()
    assert parse(text).windows == (Window(1, 540, 600),)


@pytest.mark.parametrize(
    ("value", "pointer", "said"),
    [
        ("{", "", "no JSON"),
        ("[" * 5000, "", "no JSON"),
        ([], "", "no object"),
        (a_schedule(("mon", "09:00", "10:00"), name="Mars/Olympus"), "/time-zone", "Mars/Olympus"),
        ({"windows": [{"days": ["mon"], "from": "09:00", "to": "10:00"}]}, "/time-zone", "missing"),
        ({"time-zone": "UTC"}, "/windows", "no list of 1"),
        ({"time-zone": "UTC", "windows": []}, "/windows", "no list of 1"),
        ({"time-zone": "UTC", "windows": "mon"}, "/windows", "no list of 1"),
        ({"time-zone": "UTC", "windows": [{}] * 101}, "/windows", "no list of 1"),
        ({"time-zone": "UTC", "windows": [7]}, "/windows/0", "no object"),
        (a_schedule(("monday", "09:00", "10:00")), "/windows/0/days", "“monday”"),
        ({"time-zone": "UTC", "windows": [{"days": [{}], "from": "1", "to": "2"}]}, "/windows/0/days", "no day"),
        (a_schedule(("", "09:00", "10:00")), "/windows/0/days", "no list of days"),
        (a_schedule(("mon", "9:00", "10:00")), "/windows/0/from", "“9:00”"),
        (a_schedule(("mon", "09:00", "24:01")), "/windows/0/to", "“24:01”"),
        (a_schedule(("mon", "09:00\n", "10:00")), "/windows/0/from", "no time of day"),
        (a_schedule(("mon", "24:00", "10:00")), "/windows/0/from", "begin at 24:00"),
        (a_schedule(("mon", "09:00", "09:00")), "/windows/0/to", "no length"),
        (a_schedule(("mon", "09:00", "10:00")) | {"zone": "UTC"}, "", "“zone” is not known"),
    ],
)
def test_faults_are_named(value: object, pointer: str, said: str) -> None:
    """Where it is and what to write instead."""
    with pytest.raises(Invalid) as caught:
        parse(value)
    found = [problem for problem in caught.value.problems if problem.pointer == pointer and said in problem.detail]
    assert found


def test_all_faults_are_told_at_once() -> None:
    """Nobody has to mend a schedule one answer at a time."""
    with pytest.raises(Invalid) as caught:
        parse({"time-zone": "X", "windows": [{"days": ["m"], "from": "a", "to": "b"}, {"days": ["tue"]}]})
    assert [problem.pointer for problem in caught.value.problems] == [
        "/time-zone",
        "/windows/0/days",
        "/windows/0/from",
        "/windows/0/to",
        "/windows/1/from",
        "/windows/1/to",
    ]


TIMES = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
SCHEDULES = st.builds(
    lambda name, windows: parse(
        {"time-zone": name, "windows": [{"days": list(days), "from": a, "to": b} for days, a, b in windows]}
    ),
    st.sampled_from([NEW_YORK, "Australia/Lord_Howe", "Europe/London", "Asia/Kolkata", "UTC", "Pacific/Apia"]),
    st.lists(
        st.tuples(st.sets(st.sampled_from(DAYS), min_size=1), TIMES, TIMES).filter(lambda one: one[1] != one[2]),
        min_size=1,
        max_size=3,
    ),
)
NOWS = st.integers(1_700_000_000, 2_000_000_000).map(lambda second: Instant(second * SECOND))


@given(SCHEDULES, NOWS)
def test_opening_keeps_its_word(schedule: Any, now: Instant) -> None:
    """It is open at the next opening and closed at every moment before it."""
    opens_at = schedule.next_open(now)
    assert opens_at >= now
    assert schedule.is_open(opens_at)
    assert (opens_at == now) is schedule.is_open(now)
    for share in (0.0, 0.3, 0.7, 0.999):
        moment = Instant(now + int((opens_at - now) * share))
        assert moment == opens_at or not schedule.is_open(moment)


@given(SCHEDULES, NOWS)
def test_closing_keeps_its_word(schedule: Any, now: Instant) -> None:
    """It is closed at its closing time and open until just before."""
    closes_at = schedule.closes_at(now)
    if closes_at is None:
        return
    assert schedule.is_open(now)
    assert schedule.is_open(Instant(closes_at - 1))
    assert not schedule.is_open(closes_at)


@given(SCHEDULES, NOWS, st.integers(0, 14 * 24))
def test_open_time_adds_up(schedule: Any, start: Instant, hours: int) -> None:
    """The open time of a stretch is that of its two parts, and no more than the stretch itself."""
    end = Instant(start + hours * HOUR)
    middle = Instant((start + end) // 2)
    whole = schedule.open_time(start, end)
    assert 0 <= whole <= hours * 3600
    assert abs(whole - schedule.open_time(start, middle) - schedule.open_time(middle, end)) < 0.001


@given(SCHEDULES, NOWS)
def test_open_as_the_clock_on_the_wall_says(schedule: Any, now: Instant) -> None:
    """On days without a change of clocks, the windows read literally say the same."""
    tz = ZoneInfo(schedule.time_zone)
    wall = datetime.fromtimestamp(now / SECOND, tz)
    days = [wall + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2)]
    if len({day.utcoffset() for day in days}) > 1:
        return
    minute = wall.hour * 60 + wall.minute
    literally = any(
        (wall.weekday() == day and start <= minute < end)
        or ((wall.weekday() - 1) % 7 == day and start <= minute + 1440 < end)
        for day, start, end in schedule.windows
    )
    assert schedule.is_open(now) is literally
