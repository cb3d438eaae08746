"""The file of rules: what is read, and that every fault is named."""

from datetime import date

import pytest

from opengage.assembly.legal_clock import built_in
from opengage.domain.legal_rules import InvalidRules, parse
from opengage.domain.places import STATES

HEAD = 'format = 1\nversion = "1"\n'
RULE = """
[[rules]]
id = "us-x"
title = "X"
countries = ["US"]
hours = { mon-sat = "09:00-12:00, 14:00-24:00", sun = "none" }
source = "somebody"
checked-on = 2026-01-02
basis = "secondary"
"""
CALENDAR = '[calendars.x]\ndays = { New = "01-01" }\n'


def faults(text: str) -> list[str]:
    """What parse finds wrong."""
    with pytest.raises(InvalidRules) as caught:
        parse(text)
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    return caught.value.faults


def test_a_rule() -> None:
    """A file without faults gives its rules as they stand."""
    rules = parse(HEAD + RULE)
    (rule,) = rules.rules
    assert rules.version == "1"
    assert rule.hours == (((540, 720), (840, 1440)),) * 6 + ((),)
    assert (rule.states, rule.cap, rule.calendar, rule.enabled) == ((), None, None, True)
    assert rule.checked_on == date(2026, 1, 2)


def test_holiday_hours_lie_within_the_weekday_s() -> None:
    """On a holiday both hours must allow a text: a holiday opens no day that is closed."""
    limits = 'calendar = "x"\nholiday-hours = "10:00-20:00"\n'
    (rule,) = parse(HEAD + CALENDAR + RULE + limits).rules
    assert rule.windows(date(2026, 1, 1)) == ((600, 720), (840, 1200))
    assert rule.windows(date(2028, 1, 1)) == ((600, 720), (840, 1200))
    assert rule.windows(date(2023, 1, 1)) == ()
    assert rule.windows(date(2026, 1, 2)) == ((540, 720), (840, 1440))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('id = "us-x"', 'id = "US X"', "US X: the id is not of small letters"),
        ('id = "us-x"\n', "", "rule 1: id is missing"),
        ('countries = ["US"]', "countries = []", "us-x: it names no country"),
        ('countries = ["US"]', 'countries = ["usa"]', "us-x: “usa” is no country"),
        ('countries = ["US"]', 'countries = "US"', "us-x: countries: Expected `array`, got `str`"),
        ('title = "X"', 'title = "X"\nstates = ["ZZ"]', "us-x: “ZZ” is no state"),
        ('title = "X"', 'title = "X"\nstates = ["ON"]', "us-x: the state ON is not in its countries: add CA"),
        ('title = "X"', 'title = " "', "us-x: it does not say what it is or who says so"),
        ('title = "X"', 'title = "X"\ncolour = "red"', "us-x: “colour” means nothing here"),
        ('title = "X"', 'title = "X"\ncap = { count = 0, hours = 24 }', "us-x: a cap counts from 1"),
        ('title = "X"', 'title = "X"\ncap = { count = 3 }', "us-x: cap: Object missing required field `hours`"),
        ('title = "X"', 'title = "X"\ncalendar = "x"', "us-x: calendar and holiday-hours belong together"),
        ('title = "X"', 'title = "X"\ncalendar = "y"\nholiday-hours = "none"', "us-x: there is no calendar “y”"),
        ('basis = "secondary"', 'basis = "hearsay"', "us-x: basis: Invalid enum value 'hearsay'"),
        ("checked-on = 2026-01-02", 'checked-on = "lately"', "us-x: checked-on: Invalid RFC3339 encoded date"),
        ("mon-sat", "mon-fri", "us-x: sat without hours"),
        ("sun =", "sat-sun =", "us-x: sat has hours twice"),
        ("mon-sat", "sat-mon", "us-x: “sat-mon” are no days"),
        ("mon-sat", "weekdays", "us-x: “weekdays” are no days"),
        ("09:00-12:00", "9-12", "us-x: “9-12, 14:00-24:00” are no hours"),
        ("09:00-12:00", "12:00-09:00", "are no hours"),
        ("09:00-12:00", "09:00-14:30", "are no hours"),
        ("09:00-12:00", "09:60-12:00", "are no hours"),
        ("24:00", "24:01", "are no hours"),
        ('"09:00-12:00, 14:00-24:00"', '"none"', "us-x: no day has an hour in which texts are allowed"),
        ('hours = { mon-sat = "09:00-12:00, 14:00-24:00", sun = "none" }\n', "", "us-x: it limits nothing"),
        ('New = "01-01"', 'New = "31-31"', "calendar x: “31-31” (New) is no rule for a day"),
        (
            'days = { New = "01-01" }',
            'days = { New = "01-01" }\nobserved = "never"',
            "calendar x: observed: Invalid enum",
        ),
        ('days = { New = "01-01" }', "", "calendar x: days is missing"),
        ("format = 1", "format = 2", "format is 2: this Opengage reads 1"),
        ('version = "1"\n', "", "the file lacks its form"),
        ("format = 1", "format = ", "the file is no TOML"),
    ],
)
def test_faults(old: str, new: str, fault: str) -> None:
    """Each kind of fault is told, with the rule or calendar that it is in."""
    text = HEAD + CALENDAR + RULE
    assert old in text
    assert [told for told in faults(text.replace(old, new, 1)) if fault in told]


def test_every_fault_is_named() -> None:
    """Several faults in several rules are told at once."""
    broken = RULE.replace('"X"', "1").replace("2026-01-02", '"soon"') + RULE.replace("sun", "day").replace(
        "us-x", "us-y"
    )
    assert len(faults(HEAD + broken)) == 4


def test_two_rules_of_one_name() -> None:
    """An id means one rule."""
    assert faults(HEAD + RULE + RULE) == ["us-x: two rules have this id: give each its own"]


def test_the_rules_that_come_with_the_package() -> None:
    """They are read without fault; each says where it was read and when; a rule of a state has a state's name."""
    rules = parse(built_in()).rules
    assert len(rules) > 20
    for rule in rules:
        assert rule.source
        assert date(2026, 1, 1) < rule.checked_on
        assert rule.enabled or rule.notes
        assert set(rule.states) <= STATES.keys()
        assert rule.id.startswith(rule.countries[0].lower() + "-")
