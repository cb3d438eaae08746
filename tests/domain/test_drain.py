"""Rates, forecasts and the refusal of what would expire before its turn."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opengage.clock import SECOND, Instant
from opengage.domain.budgets import Budget, Period, Unit, Use, presets
from opengage.domain.drain import HORIZON_DAYS, Forecast, Lane, eta, forecast, measured_rate, refusal, spoken
from opengage.domain.weekly import parse

HOUR, MINUTE = 3600 * SECOND, 60 * SECOND
MIDNIGHT = Instant(1_795_564_800 * SECOND)
"""2026-11-25, a Wednesday, in UTC."""

OFFICE = parse({"time-zone": "UTC", "windows": [{"days": ["wed", "thu"], "from": "09:00", "to": "17:00"}]})


def after(seconds: float) -> Instant:
    """So long after midnight."""
    return Instant(int(MIDNIGHT + seconds * SECOND))


def per(period: Period, limit: int, used: int = 0, unit: Unit = Unit.SEGMENTS) -> Use:
    """A budget of this period, in UTC."""
    return Use(Budget("x", limit, unit, period), used)


@pytest.mark.parametrize(
    ("counts", "seconds", "rate"),
    [
        ({}, 600, 0.0),
        ({0: 600}, 60, 10.0),  # a minute ago it began
        ({0: 600, 60: 300}, 90, 10.0),  # the half of a minute counts as half
        ({0: 600, 60: 600, 120: 0, 180: 0, 240: 0}, 299, 1200 / 299),
        ({0: 60_000, 60: 0, 360: 300, 420: 300}, 450, 600 / 270),  # what is older than five minutes is forgotten
        ({0: 500}, 0, 500.0),  # no second has passed: as if one had
        ({0: 500}, 4_000, 0.0),
    ],
)
def test_measured_rate(counts: dict[int, int], seconds: float, rate: float) -> None:
    """Texts a second over the last five minutes."""
    minutes = {after(minute): count for minute, count in counts.items()}
    assert measured_rate(minutes, after(seconds)) == pytest.approx(rate)


def test_eta() -> None:
    """At the rate of late, in open hours; nothing that moves has no end."""
    assert eta(600, 10.0, MIDNIGHT) == after(60)
    assert eta(0, 0.0, MIDNIGHT) == MIDNIGHT
    assert eta(600, 0.0, MIDNIGHT) is None
    assert eta(600, 10.0, MIDNIGHT, OFFICE) == after(9 * 3600 + 60)


@pytest.mark.parametrize(
    ("backlog", "lanes", "shared", "seconds"),
    [
        (0, [Lane(10)], [], 0),
        (3_600, [Lane(10)], [], 360),
        (3_600, [Lane(10), Lane(20)], [], 120),
        (3_600, [Lane(None)], [], 0),
        # AT&T's minute is a rate
        (48_000, [Lane(None)], [Use(presets()["att-10dlc-class-c"], 0)], 1_200),
        (480, [Lane(None, (per(Period.MINUTE, 240),))], [], 120),
        # the lanes' rates within what they share
        (3_600, [Lane(10), Lane(20)], [per(Period.MINUTE, 600)], 360),
        # an hour at full speed, then what the next hours bring
        (2_500, [Lane(10)], [per(Period.HOUR, 1_000)], 7_200 + 50),
        (1_500, [Lane(10)], [per(Period.HOUR, 1_000, used=1_000)], 7_200 + 50),
        # the day's rest, then the next day
        (1_500, [Lane(10)], [per(Period.DAY, 1_000, used=400)], 86_400 + 90),
        # texts of two segments
        (2_000, [Lane(10)], [per(Period.DAY, 500, unit=Unit.TEXTS)], 86_400 + 100),
        # a number that has used up its day leaves the work to the other
        (3_000, [Lane(10, (per(Period.DAY, 500),)), Lane(10)], [], 50 + 200),
    ],
)
def test_forecast(backlog: int, lanes: list[Lane], shared: list[Use], seconds: float) -> None:
    """The configured rates and budgets, one after the other."""
    found = forecast(backlog, lanes, MIDNIGHT, shared=shared, segments_per_text=2.0)
    assert found.seconds == pytest.approx(seconds, abs=0.01)
    assert found.finishes_at == pytest.approx(after(seconds), abs=0.01 * SECOND)


def test_forecast_in_open_hours() -> None:
    """Eight hours on two days a week."""
    found = forecast(3 * 8 * 3_600, [Lane(1)], MIDNIGHT, weekly=OFFICE)
    assert found.finishes_at == after(7 * 86_400 + 17 * 3_600)


@pytest.mark.parametrize("lanes", [[], [Lane(0.0001)], [Lane(None, (per(Period.DAY, 10),))]])
def test_no_end_in_sight(lanes: list[Lane]) -> None:
    """It is said, and refused."""
    found = forecast(1_000_000, lanes, MIDNIGHT)
    assert found.finishes_at is None
    assert found.seconds is None
    told = refusal(found, None)
    assert told is not None
    assert "1,000,000 segments would not be sent within 60 days" in told


def test_expiry_is_foreseen() -> None:
    """What would not go in time is counted, and the schedule refused with the numbers and what to do."""
    found = forecast(36_000, [Lane(10)], MIDNIGHT, valid_until=after(1_200))
    assert (found.seconds, found.left) == (3_600, 24_000)
    assert refusal(found, 1_200) == (
        "Sending would take 1 h, but texts expire 20 min after the start: 24,000 of 36,000 segments would never be "
        "sent. Allow more time, raise the rate or the budgets, add phone numbers, or split the engagement."
    )


@pytest.mark.parametrize(
    ("validity", "left"),
    [(3_600, 0), (3_599, 10), (9 * 86_400, 0)],
)
def test_what_is_done_in_time_is_not_refused(validity: int, left: int) -> None:
    """To the very second."""
    found = forecast(36_000, [Lane(10)], MIDNIGHT, valid_until=after(validity))
    assert found.left == left
    assert (refusal(found, validity) is None) is (left == 0)
    assert refusal(found, None) is None


def test_expiry_while_closed() -> None:
    """Validity that ends before the doors open leaves everything."""
    found = forecast(100, [Lane(10)], MIDNIGHT, weekly=OFFICE, valid_until=after(3_600))
    assert found.left == 100
    assert refusal(found, 3_600) is not None


def test_expiry_without_an_end() -> None:
    """Also where no end is in sight."""
    found = forecast(1_000_000, [Lane(0.001)], MIDNIGHT, valid_until=after(100_000))
    assert (found.finishes_at, found.left) == (None, 999_900)
    told = refusal(found, 100_000)
    assert told is not None
    assert "more than 60 days" in told


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (3_599.5, "60 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """Two units are enough."""
    assert spoken(seconds) == words


LANES = st.lists(
    st.builds(
        Lane,
        st.none() | st.floats(0.1, 500),
        st.lists(
            st.builds(per, st.sampled_from(Period), st.integers(1, 50_000), st.integers(0, 60_000)), max_size=2
        ).map(tuple),
    ),
    min_size=1,
    max_size=3,
)
SHARED = st.lists(st.builds(per, st.sampled_from(Period), st.integers(1, 100_000), st.integers(0, 99_999)), max_size=2)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200_000), LANES, SHARED, st.integers(0, 86_400), st.booleans())
def test_no_limit_is_outrun(backlog: int, lanes: list[Lane], shared: list[Use], second: int, in_hours: bool) -> None:
    """A forecast never promises more than rates and open hours allow, and more validity never leaves more."""
    start, weekly = after(second), OFFICE if in_hours else None
    found = forecast(backlog, lanes, start, weekly=weekly, shared=shared)
    if found.finishes_at is not None and all(lane.rate is not None for lane in lanes):
        time = weekly.open_time(start, found.finishes_at) if weekly else found.seconds
        assert time is not None
        assert backlog <= sum(lane.rate or 0 for lane in lanes) * time * (1 + 1e-6) + 1
    left = [
        forecast(backlog, lanes, start, weekly=weekly, shared=shared, valid_until=Instant(start + hours * HOUR)).left
        for hours in (1, 30, 24 * HORIZON_DAYS)
    ]
    assert backlog >= left[0] >= left[1] >= left[2]
    assert (left[2] == 0) is (found.finishes_at is not None)


def test_forecasts_are_plain_values() -> None:
    """They can be compared and shown."""
    assert forecast(10, [Lane(10)], MIDNIGHT) == Forecast(10, MIDNIGHT, after(1), 0)
