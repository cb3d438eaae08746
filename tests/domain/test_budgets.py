"""Budgets: periods that follow the clocks, several limits at once, and every fault of a list named."""

import re
import tomllib
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.clock import SECOND, Instant
from opengage.domain import budgets, weekly
from opengage.domain.budgets import Allowance, Budget, Period, Unit, Use, allowance, of_engagement, parse, presets, room
from opengage.domain.errors import Invalid
from source import ROOT

HOUR = 3600 * SECOND
PACIFIC = "America/Los_Angeles"
T_MOBILE = presets()["tmobile-10dlc-low"]
NOW = Instant(1_780_000_012 * SECOND)


def at(text: str, name: str = PACIFIC) -> Instant:
    """The instant at which a zone's clocks show this (for the first time)."""
    return Instant(int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp()) * SECOND)


@pytest.mark.parametrize(
    ("now", "began", "ends"),
    [
        ("2026-11-25T00:00", "2026-11-25T00:00", "2026-11-26T00:00"),
        ("2026-11-25T23:59:59", "2026-11-25T00:00", "2026-11-26T00:00"),
        ("2026-03-08T12:00", "2026-03-08T00:00", "2026-03-09T00:00"),  # 23 hours
        ("2026-11-01T12:00", "2026-11-01T00:00", "2026-11-02T00:00"),  # 25 hours
    ],
)
def test_t_mobile_days_end_at_midnight_pacific(now: str, began: str, ends: str) -> None:
    """Whatever the clocks do on that day."""
    assert T_MOBILE.began_at(at(now)) == at(began)
    assert T_MOBILE.ends_at(at(now)) == at(ends)


def test_days_where_midnight_does_not_exist() -> None:
    """In Cairo the clocks go forward at midnight: the day begins at one o'clock, when the one before has ended."""
    day = Budget("x", 1, Unit.SEGMENTS, Period.DAY, "Africa/Cairo")
    one_o_clock = at("2026-04-24T01:00", "Africa/Cairo")
    assert day.ends_at(Instant(one_o_clock - SECOND)) == one_o_clock
    assert day.began_at(one_o_clock) == one_o_clock


def test_an_hour_that_comes_twice_is_two() -> None:
    """When the clocks go back, each of the two has the whole limit."""
    hour = Budget("x", 1, Unit.SEGMENTS, Period.HOUR, PACIFIC)
    first = at("2026-11-01T01:00")
    assert hour.began_at(Instant(first + 10 * SECOND)) == first
    assert hour.ends_at(first) == first + HOUR == hour.began_at(Instant(first + HOUR))
    assert hour.ends_at(Instant(first + HOUR)) == first + 2 * HOUR


def test_hours_of_a_zone_between_hours() -> None:
    """In Kolkata an hour begins at half past, by UTC."""
    hour = Budget("x", 1, Unit.SEGMENTS, Period.HOUR, "Asia/Kolkata")
    now = at("2026-11-25T10:20", "Asia/Kolkata")
    assert hour.began_at(now) == at("2026-11-25T10:00", "Asia/Kolkata")
    assert hour.ends_at(now) == at("2026-11-25T11:00", "Asia/Kolkata")


ZONES = st.sampled_from([PACIFIC, "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "Asia/Kolkata", "UTC"])
PERIODS = st.builds(Budget, st.just("x"), st.just(5), st.just(Unit.SEGMENTS), st.sampled_from(Period), ZONES)
NOWS = st.integers(1_300_000_000, 2_000_000_000).map(lambda second: Instant(second * SECOND))


@given(PERIODS, NOWS)
def test_periods_join_without_gap(budget: Budget, now: Instant) -> None:
    """Each instant lies in one period, that of its beginning and of its last moment; the next begins where it ends."""
    began, ends = budget.began_at(now), budget.ends_at(now)
    assert began <= now < ends
    assert budget.began_at(began) == budget.began_at(Instant(ends - 1)) == began
    assert budget.ends_at(began) == ends == budget.began_at(ends)
    assert ends - began <= 25 * HOUR + HOUR


@pytest.mark.parametrize(("used", "limit", "left"), [(0, 5, 5), (4, 5, 1), (5, 5, 0), (9, 5, 0)])
def test_room(used: int, limit: int, left: int) -> None:
    """What is left, and never less than nothing."""
    assert room(used, limit) == left


def a_use(limit: int, used: int, unit: Unit = Unit.SEGMENTS, period: Period = Period.MINUTE) -> Use:
    """A budget used up to some extent."""
    return Use(Budget(f"{period} of {unit}", limit, unit, period), used)


def test_no_budget_no_limit() -> None:
    """Nothing stands in the way."""
    assert allowance([], NOW) == Allowance(None, None, None, None)


def test_the_tightest_counts() -> None:
    """Each unit has the least room of its budgets; the one that ends first is named."""
    uses = [a_use(100, 40), a_use(1000, 990, period=Period.DAY), a_use(50, 20, Unit.TEXTS, Period.HOUR)]
    found = allowance(uses, NOW)
    assert (found.segments, found.texts, found.is_exhausted, found.reason) == (10, 30, False, None)
    assert found.budget is uses[1].budget


def test_the_last_to_open_says_until_when() -> None:
    """Of several that are used up, the one with the latest end decides."""
    uses = [a_use(100, 100), a_use(50, 50, Unit.TEXTS, Period.HOUR), a_use(900, 3, period=Period.DAY)]
    found = allowance(uses, NOW)
    assert found.is_exhausted
    assert (found.segments, found.texts) == (0, 0)
    assert found.until == uses[1].budget.ends_at(NOW)
    assert found.reason == "hour of texts: the 50 texts of this hour are used up"


def test_a_text_goes_whole() -> None:
    """With room for two segments, a text of three waits; a limit below a text's length lets it go first."""
    assert allowance([a_use(100, 98)], NOW, needed=3).is_exhausted
    assert allowance([a_use(100, 97)], NOW, needed=3).segments == 3
    assert allowance([a_use(2, 0)], NOW, needed=3).segments == 3
    assert allowance([a_use(2, 1)], NOW, needed=3).is_exhausted
    assert not allowance([a_use(5, 4, Unit.TEXTS)], NOW, needed=3).is_exhausted


USES = st.lists(
    st.builds(a_use, st.integers(1, 100), st.integers(0, 120), st.sampled_from(Unit), st.sampled_from(Period)),
    max_size=5,
)


@given(USES, st.integers(1, 10))
def test_no_budget_is_exceeded(uses: list[Use], needed: int) -> None:
    """What may go fits into every budget, but for a single text that is longer than a limit; a wait always ends."""
    found = allowance(uses, NOW, needed)
    for budget, used in uses:
        granted = found.segments if budget.unit is Unit.SEGMENTS else found.texts
        assert granted is not None
        assert used + granted <= max(used, budget.limit) or (granted == needed > budget.limit and used == 0)
    assert found.is_exhausted is (0 in (found.segments, found.texts))
    assert found.until is None or found.until > NOW


def test_limits_of_an_engagement() -> None:
    """Texts an hour and a day; what is not set is no budget."""
    hour, day = of_engagement(100, 1000)
    assert (hour.limit, hour.unit, hour.period) == (100, Unit.TEXTS, Period.HOUR)
    assert (day.limit, day.slot, hour.slot) == (1000, "day-texts", "hour-texts")
    assert of_engagement(None, 5)[0].period is Period.DAY
    assert of_engagement(None, None) == []


def test_presets_are_data_with_sources() -> None:
    """Each names a zone that exists, a limit that can be and where it is from."""
    path = Path(budgets.__file__).with_name("rules") / "carriers.toml"
    written = tomllib.loads(path.read_text("utf-8"))
    assert written["version"] >= 1
    assert set(written["presets"]) == set(presets())
    for name, values in written["presets"].items():
        assert values["source"], name
        assert parse([{"preset": name}]) == [presets()[name]]


def test_presets_are_documented() -> None:
    """The reference has a row for each, with the figures that hold."""
    text = (ROOT / "docs/reference/schedules-and-budgets.md").read_text("utf-8")
    for name, one in presets().items():
        assert f"| `{name}` | {one.name} | {one.limit:,} | {one.period} | {one.time_zone} |" in text
    assert len(re.findall(r"^\| `", text, re.MULTILINE)) == len(presets())


def test_the_examples_of_the_reference_are_in_order() -> None:
    """What is written there can be copied."""
    text = (ROOT / "docs/reference/schedules-and-budgets.md").read_text("utf-8")
    schedule, own = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert weekly.parse(schedule).time_zone == "America/New_York"
    assert [budget.limit for budget in parse(own)] == [100_000, 2400, 1500]


@pytest.mark.parametrize(
    ("preset", "limit", "period"),
    [
        ("att-10dlc-class-a", 4500, Period.MINUTE),
        ("att-10dlc-class-c", 2400, Period.MINUTE),
        ("att-10dlc-class-f", 240, Period.MINUTE),
        ("att-10dlc-class-t", 75, Period.MINUTE),
        ("tmobile-10dlc-top", 200_000, Period.DAY),
        ("tmobile-10dlc-sole-proprietor", 1_000, Period.DAY),
        ("us-toll-free", 180, Period.MINUTE),
        ("us-short-code", 6_000, Period.MINUTE),
    ],
)
def test_presets(preset: str, limit: int, period: Period) -> None:
    """The published figures."""
    assert (presets()[preset].limit, presets()[preset].period) == (limit, period)


def test_lists_are_parsed() -> None:
    """Own budgets with what may be left out, and presets with a limit of their own; from text too."""
    own, preset = parse('[{"name": "Ours", "limit": 7, "period": "hour"}, {"preset": "us-toll-free", "limit": 1500}]')
    assert own == Budget("Ours", 7, Unit.SEGMENTS, Period.HOUR, "UTC")
    assert (preset.limit, preset.name) == (1500, presets()["us-toll-free"].name)
    assert parse([]) == []


@pytest.mark.parametrize(
    ("value", "pointer", "said"),
    [
        ("x", "", "no JSON"),
        ({}, "", "no list"),
        ([{}] * 21, "", "no list of at most 20"),
        ([7], "/0", "no object"),
        ([{"preset": "att"}], "/0/preset", "Use one of att-10dlc-class-a"),
        ([{"preset": None}], "/0/preset", "no preset"),
        ([{"limit": 5, "period": "day"}], "/0/name", "missing"),
        ([{"name": "x" * 101, "limit": 5, "period": "day"}], "/0/name", "over 100"),
        ([{"name": "x", "limit": 0, "period": "day"}], "/0/limit", "no whole number"),
        ([{"name": "x", "limit": True, "period": "day"}], "/0/limit", "no whole number"),
        ([{"name": "x", "limit": 1.5, "period": "day"}], "/0/limit", "no whole number"),
        ([{"name": "x", "limit": 10**13, "period": "day"}], "/0/limit", "no whole number"),
        ([{"name": "x", "limit": 5, "period": "week"}], "/0/period", "minute or hour or day"),
        ([{"name": "x", "limit": 5}], "/0/period", "missing"),
        ([{"name": "x", "limit": 5, "period": "day", "unit": "parts"}], "/0/unit", "segments or texts"),
        ([{"name": "x", "limit": 5, "period": "day", "time-zone": "PT"}], "/0/time-zone", "“PT”"),
        ([{"name": "x", "limit": 5, "period": "day", "zone": "UTC"}], "/0", "“zone”"),
    ],
)
def test_faults_are_named(value: object, pointer: str, said: str) -> None:
    """Where it is and what to write instead."""
    with pytest.raises(Invalid) as caught:
        parse(value)
    assert [problem for problem in caught.value.problems if problem.pointer == pointer and said in problem.detail]


def test_an_unknown_preset_is_one_fault() -> None:
    """Not also all that it would have brought."""
    with pytest.raises(Invalid) as caught:
        parse([{"preset": "none"}, {"preset": "us-toll-free"}])
    assert len(caught.value.problems) == 1
