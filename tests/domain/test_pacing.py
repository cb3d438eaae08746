"""Pacing: a lane never exceeds its rate, whatever is asked of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.pacing import PAUSE, Bucket

RATES = st.floats(0.1, 5_000)
STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 400)), min_size=1, max_size=60)
SLACK = 0.01


def test_one_per_second_is_even() -> None:
    """A phone number at one segment a second never sends two at once, even after a rest."""
    bucket = Bucket(1)
    assert [bucket.take(now, 5) for now in (0.0, 0.5, 1.0, 1.5, 60.0, 60.1)] == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(("rate", "burst"), [(1, 1), (10, 1), (25, 2.5), (1_000, 100)])
def test_burst_is_small(rate: float, burst: float) -> None:
    """A tenth of a second's worth, and at least one segment, goes at once."""
    bucket = Bucket(rate)
    assert bucket.burst == burst
    assert bucket.take(0.0, 10_000) == int(burst)


def test_burst_can_be_given() -> None:
    """A burst is a setting, but never below one segment, which would stop the lane."""
    assert Bucket(10, 5).take(0.0, 10) == 5
    assert Bucket(10, 0.2).take(0.0, 10) == 1


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_impossible_rates(rate: float) -> None:
    """A lane that could never send is a mistake in the settings."""
    with pytest.raises(ValueError, match="above zero"):
        Bucket(rate)


def test_unlimited() -> None:
    """Without a rate everything goes at once, and throttling without a measure changes nothing."""
    bucket = Bucket(None)
    bucket.slow_down(0.0)
    bucket.speed_up(0.0)
    assert bucket.take(0.0, 1_000_000) == 1_000_000
    assert bucket.take_text(0.0, 10)
    assert bucket.wait(0.0, 1_000_000) == 0


def test_clock_going_back_is_no_gain() -> None:
    """Time that seems to run backwards and forwards again is counted once."""
    bucket = Bucket(10)
    bucket.take(10.0, 10)
    assert bucket.take(5.0, 10) == 0
    assert bucket.take(10.0, 10) == 0
    assert bucket.take(10.1, 10) == 1


def test_a_long_text_goes_whole_and_is_paid_for() -> None:
    """Three segments at one a second go together once the bucket is full, and then the lane rests."""
    bucket = Bucket(1)
    assert bucket.take_text(0.0, 3)
    assert bucket.take(0.0, 1) == 0
    assert bucket.wait(0.0, 1) == pytest.approx(3.0)
    assert not bucket.take_text(2.9, 1)
    assert bucket.take_text(3.0, 1)


@given(RATES, STEPS)
def test_never_above_the_rate(rate: float, steps: list[tuple[float, int]]) -> None:
    """In every window of t seconds at most rate * t + burst segments are granted."""
    bucket, now, granted = Bucket(rate), 0.0, []
    for pause, wanted in steps:
        now += pause
        taken = bucket.take(now, wanted)
        assert 0 <= taken <= wanted
        granted.append((now, taken))
    for first, (start, _) in enumerate(granted):
        total = 0
        for end, taken in granted[first:]:
            total += taken
            assert total <= rate * (end - start) + bucket.burst + SLACK


@given(RATES, STEPS)
def test_whole_texts_never_above_the_rate(rate: float, steps: list[tuple[float, int]]) -> None:
    """The same for whole texts, with a longest text in the place of the burst where it is the larger."""
    bucket, now, total = Bucket(rate), 0.0, 0
    for pause, size in steps:
        now += pause
        segments = size % 10 + 1
        total += segments * bucket.take_text(now, segments)
        assert total <= rate * now + max(bucket.burst, 10) + SLACK


@given(RATES, STEPS, st.integers(1, 10))
def test_waiting_helps(rate: float, steps: list[tuple[float, int]], segments: int) -> None:
    """After the wait that it asks for, the bucket keeps its word; and it does not ask for a wait when none is due."""
    bucket, now = Bucket(rate), 0.0
    for pause, wanted in steps:
        now += pause
        bucket.take(now, wanted)
    delay = bucket.wait(now, segments)
    assert delay >= 0
    assert bucket.take_text(now + delay, segments)


def test_slowing_and_recovering() -> None:
    """One complaint halves the rate once; each quiet second wins back a twentieth, up to the configured rate."""
    bucket = Bucket(100)
    for _ in range(200):
        bucket.slow_down(1.0)
    assert bucket.rate == 50
    assert bucket.take(1.0, 100) == 0
    bucket.speed_up(1.0 + PAUSE / 2)
    assert bucket.rate == 50
    bucket.speed_up(1.0 + PAUSE)
    assert bucket.rate == 55
    for second in range(3, 40):
        bucket.speed_up(float(second))
    assert bucket.rate == 100
    assert bucket.configured == 100


def test_a_new_pace_is_not_backdated() -> None:
    """What trickled in before a change of pace is counted at the pace of that time."""
    bucket = Bucket(100)
    bucket.slow_down(0.0)
    bucket.speed_up(10.0)
    bucket.take(10.0, 100)
    assert bucket.take(10.1, 100) == 5
    idle = Bucket(100, burst=1_000)
    idle.slow_down(0.0)
    idle.speed_up(10.0)
    assert idle.take(10.0, 1_000) == 500


def test_slowing_has_a_floor() -> None:
    """Throttling answers alone never stop a lane."""
    bucket = Bucket(100)
    for second in range(100):
        bucket.slow_down(float(second))
    assert bucket.rate == 1


def test_unlimited_lane_under_throttling() -> None:
    """An unlimited lane slows from the rate that was too much and becomes unlimited again."""
    bucket = Bucket(None)
    bucket.slow_down(0.0, observed=1_000)
    assert bucket.rate == 500
    assert bucket.burst == 100
    assert bucket.take(0.0, 10) == 0
    bucket.slow_down(PAUSE, observed=480)
    assert bucket.rate == 250
    for second in range(2, 40):
        bucket.speed_up(float(second))
    assert bucket.rate is None


@given(st.lists(st.sampled_from(["slow", "fast"]), max_size=60))
def test_pace_stays_in_bounds(events: list[str]) -> None:
    """Whatever carriers answer, the rate stays between the floor and what was configured."""
    bucket = Bucket(40)
    for second, event in enumerate(events):
        bucket.slow_down(second) if event == "slow" else bucket.speed_up(second)
        assert bucket.rate is not None
        assert 0.4 <= bucket.rate <= 40
