"""The legal clock: which rule holds a text, until when, and that it errs towards holding."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opengage.assembly.legal_clock import legal_clock
from opengage.clock import SECOND, Instant
from opengage.domain.legal_clock import HORIZON_DAYS, Hold, LegalCap, LegalClock, parse
from opengage.domain.local_time import instant, wall
from opengage.domain.places import AREA_CODES, STATES
from opengage.domain.whereabouts import Whereabouts, whereabouts

HOUR = 3600 * SECOND
NEW_YORK, GUAM = "America/New_York", "Pacific/Guam"
CLOCK = legal_clock()
ABROAD = {
    "FR": "Europe/Paris",
    "GB": "Europe/London",
    "IN": "Asia/Kolkata",
    "KR": "Asia/Seoul",
    "AE": "Asia/Dubai",
    "SA": "Asia/Riyadh",
    "JO": "Asia/Amman",
    "VN": "Asia/Ho_Chi_Minh",
    "CA": "America/Toronto",
}
PLACES = [
    *{whereabouts(f"+1{area}5550100") for area in AREA_CODES},
    *(Whereabouts(state.country, code, state.zones) for code, state in STATES.items()),
    *map(
        whereabouts,
        ["+33639980000", "+447700900123", "+919876543210", "+821023123456", "+971501234567", "+18005550100"],
    ),
]


def at(text: str, zone: str = NEW_YORK) -> Instant:
    """The instant of a wall time."""
    return instant(datetime.fromisoformat(text), zone)


def in_state(code: str) -> Whereabouts:
    """Somebody in a state whose zone is the first of the state's."""
    return Whereabouts(STATES[code].country, code, STATES[code].zones[:1])


def clock(rules: str) -> LegalClock:
    """A clock by rules of one's own: a text of [id, countries, hours] lines."""
    head = 'format = 1\nversion = "test"\n'
    rest = 'title = "T"\nsource = "S"\nchecked-on = 2026-01-01\nbasis = "statute"\n'
    written = [line.split(" | ") for line in rules.strip().splitlines()]
    tables = [f'[[rules]]\nid = "{name}"\ncountries = ["{country}"]\n{rule}\n{rest}' for name, country, rule in written]
    return LegalClock(parse(head + "\n".join(tables)))


# A Saturday is 2026-11-28, a Sunday 2026-11-29; 2026-11-26 is Thanksgiving.
@pytest.mark.parametrize(
    ("state", "first", "last", "rule"),
    [
        ("NY", "2026-11-27T08:00", "2026-11-27T20:59:59", "us-federal-quiet-hours"),
        ("NY", "2026-11-29T08:00", "2026-11-29T20:59:59", "us-federal-quiet-hours"),
        ("CA", "2026-11-26T08:00", "2026-11-26T20:59:59", "us-federal-quiet-hours"),
        ("PR", "2026-11-27T08:00", "2026-11-27T20:59:59", "us-federal-quiet-hours"),
        ("GU", "2026-11-27T08:00", "2026-11-27T20:59:59", "us-federal-quiet-hours"),
        ("AZ", "2026-07-01T08:00", "2026-07-01T20:59:59", "us-federal-quiet-hours"),
        ("HI", "2026-07-01T08:00", "2026-07-01T20:59:59", "us-federal-quiet-hours"),
        ("FL", "2026-11-27T08:00", "2026-11-27T19:59:59", "us-fl-quiet-hours"),
        ("OK", "2026-11-27T08:00", "2026-11-27T19:59:59", "us-ok-quiet-hours"),
        ("WA", "2026-11-29T08:00", "2026-11-29T19:59:59", "us-wa-quiet-hours"),
        ("MD", "2026-11-27T08:00", "2026-11-27T19:59:59", "us-md-quiet-hours"),
        ("NJ", "2026-11-27T08:00", "2026-11-27T19:59:59", "us-nj-quiet-hours"),
        ("CT", "2026-11-27T09:00", "2026-11-27T19:59:59", "us-ct-quiet-hours"),
        ("TX", "2026-11-28T09:00", "2026-11-28T20:59:59", "us-tx-quiet-hours"),
        ("TX", "2026-11-29T12:00", "2026-11-29T20:59:59", "us-tx-quiet-hours"),
        ("MS", "2026-11-27T08:00", "2026-11-27T19:59:59", "us-ms-quiet-hours"),
        ("LA", "2026-11-28T08:00", "2026-11-28T19:59:59", "us-la-quiet-hours"),
        ("RI", "2026-11-27T09:00", "2026-11-27T17:59:59", "us-ri-quiet-hours"),
        ("RI", "2026-11-28T10:00", "2026-11-28T16:59:59", "us-ri-quiet-hours"),
        ("VA", "2026-11-27T08:00", "2026-11-27T20:59:59", "us-va-quiet-hours"),
    ],
)
def test_hours_of_a_state(state: str, first: str, last: str, rule: str) -> None:
    """From the first second to the last a text may go; a second before and after that, the state's rule holds it."""
    place, zone = in_state(state), STATES[state].zones[0]
    opens, closes = at(first, zone), Instant(at(last, zone) + SECOND)
    assert CLOCK.held(place, opens) is None
    assert CLOCK.held(place, Instant(closes - 1)) is None
    assert CLOCK.held(place, Instant(opens - 1)) == Hold(rule, opens)
    after = CLOCK.held(place, closes)
    assert after
    assert after.rule == rule


@pytest.mark.parametrize(
    ("state", "day", "until"),
    [
        ("MS", "2026-11-29T12:00", "2026-11-30T08:00"),
        ("LA", "2026-11-29T12:00", "2026-11-30T08:00"),
        ("LA", "2026-02-17T12:00", "2026-02-18T08:00"),
        ("LA", "2026-04-03T12:00", "2026-04-04T08:00"),
        ("LA", "2026-11-26T12:00", "2026-11-28T08:00"),
        ("RI", "2026-11-29T12:00", "2026-11-30T09:00"),
        ("RI", "2026-11-26T12:00", "2026-11-27T09:00"),
        ("RI", "2026-05-04T12:00", "2026-05-05T09:00"),
        ("RI", "2026-07-03T18:00", "2026-07-07T09:00"),
        ("RI", "2026-12-24T18:00", "2026-12-26T10:00"),
        ("TX", "2026-11-28T21:00", "2026-11-29T12:00"),
    ],
)
def test_days_without_texts(state: str, day: str, until: str) -> None:
    """Sundays and holidays are passed over whole, and the day that stands in for a holiday on a weekend too."""
    zone = STATES[state].zones[0]
    assert CLOCK.held(in_state(state), at(day, zone)) == Hold(f"us-{state.lower()}-quiet-hours", at(until, zone))


@pytest.mark.parametrize(
    ("country", "day", "hold"),
    [
        ("FR", "2026-05-07T21:59", None),
        ("FR", "2026-05-07T22:00", ("fr-quiet-hours", "2026-05-09T08:00")),
        ("FR", "2026-11-28T22:00", ("fr-quiet-hours", "2026-11-30T08:00")),
        ("FR", "2026-04-06T12:00", ("fr-quiet-hours", "2026-04-07T08:00")),
        ("FR", "2026-05-14T12:00", ("fr-quiet-hours", "2026-05-15T08:00")),
        ("FR", "2026-12-24T22:00", ("fr-quiet-hours", "2026-12-26T08:00")),
        ("IN", "2026-11-27T08:59", ("in-quiet-hours", "2026-11-27T09:00")),
        ("IN", "2026-11-27T09:00", None),
        ("KR", "2026-11-27T21:00", ("kr-quiet-hours", "2026-11-28T08:00")),
        ("AE", "2026-11-27T06:59", ("ae-quiet-hours", "2026-11-27T07:00")),
        ("JO", "2026-11-27T21:00", ("jo-quiet-hours", "2026-11-28T07:00")),
        ("SA", "2026-11-27T22:00", ("sa-quiet-hours", "2026-11-28T08:00")),
        ("VN", "2026-11-27T21:59", None),
        ("VN", "2026-11-27T22:00", ("vn-quiet-hours", "2026-11-28T07:00")),
        ("GB", "2026-11-29T03:00", None),
        ("CA", "2026-11-29T03:00", None),
    ],
)
def test_countries(country: str, day: str, hold: tuple[str, str] | None) -> None:
    """A country's hours, Sundays and holidays; half-hour zones; countries without a rule are never held."""
    zone = ABROAD[country]
    expected = hold and Hold(hold[0], at(hold[1], zone))
    assert CLOCK.held(Whereabouts(country, None, (zone,)), at(day, zone)) == expected


def test_every_zone_must_allow_it() -> None:
    """Of a split state both zones count: it opens with the west and closes with the east."""
    place = whereabouts("+18505550100")
    assert CLOCK.held(place, at("2026-11-27T08:59:59")) == Hold("us-fl-quiet-hours", at("2026-11-27T09:00"))
    assert CLOCK.held(place, at("2026-11-27T09:00")) is None
    assert CLOCK.held(place, at("2026-11-27T20:00")) == Hold("us-fl-quiet-hours", at("2026-11-28T09:00"))


def test_a_zip_code_across_zones() -> None:
    """A ZIP code of Tennessee brings both zones, and the zone itself narrows it."""
    place = whereabouts("+12125550100", {"postal-code": "37402"})
    assert CLOCK.held(place, at("2026-11-27T08:30")) == Hold("us-federal-quiet-hours", at("2026-11-27T09:00"))
    narrowed = whereabouts("+12125550100", {"postal-code": "37402", "time-zone": NEW_YORK})
    assert CLOCK.held(narrowed, at("2026-11-27T08:30")) is None


def test_all_of_the_country_code() -> None:
    """A toll-free number is held until it is a fit hour from Newfoundland to Guam."""
    place = whereabouts("+18005550100")
    hold = CLOCK.held(place, at("2026-11-27T12:00"))
    assert hold == Hold("us-federal-quiet-hours", at("2026-11-28T08:00", GUAM))
    assert CLOCK.held(place, hold.until) is None


def test_arizona_keeps_its_hours() -> None:
    """Phoenix has no daylight saving time: its hours stay put in UTC, those of Denver move."""
    opens = [CLOCK.held(in_state("AZ"), at(f"{day}T07:00", "Etc/UTC")) for day in ("2026-03-07", "2026-03-09")]
    assert [hold and hold.until for hold in opens] == [
        at(f"{day}T15:00", "Etc/UTC") for day in ("2026-03-07", "2026-03-09")
    ]
    moved = [CLOCK.held(in_state("CO"), at(f"{day}T07:00", "Etc/UTC")) for day in ("2026-03-07", "2026-03-09")]
    assert [hold and hold.until for hold in moved] == [
        at("2026-03-07T15:00", "Etc/UTC"),
        at("2026-03-09T14:00", "Etc/UTC"),
    ]


def test_a_window_that_begins_in_a_gap() -> None:
    """Clocks skip 02:30: the window begins where that hour would have been, and never before."""
    own = clock('x | US | hours = { daily = "02:30-05:00" }')
    place = Whereabouts("US", None, (NEW_YORK,))
    assert CLOCK.held(place, at("2026-03-08T00:00")) is not None
    assert own.held(place, at("2026-03-08T00:00")) == Hold("x", at("2026-03-08T03:30"))


def test_a_window_in_an_overlap() -> None:
    """Clocks show 01:30 twice: a window ends at the first and begins at the second."""
    place = Whereabouts("US", None, (NEW_YORK,))
    ends = clock('x | US | hours = { daily = "00:00-01:30" }')
    begins = clock('x | US | hours = { daily = "01:30-05:00" }')
    first = at("2026-11-01T01:30")
    second = Instant(first + HOUR)
    assert ends.held(place, Instant(first - 1)) is None
    assert ends.held(place, first) == Hold("x", at("2026-11-02T00:00"))
    assert begins.held(place, first) == Hold("x", second)
    assert begins.held(place, second) is None


def test_the_southern_hemisphere() -> None:
    """The same in Sydney and, by half an hour, on Lord Howe Island."""
    own = clock('x | AU | hours = { daily = "02:15-05:00" }')
    sydney, howe = (Whereabouts("AU", None, (zone,)) for zone in ("Australia/Sydney", "Australia/Lord_Howe"))
    assert own.held(sydney, at("2026-10-04T01:00", sydney.zones[0])) == Hold(
        "x", at("2026-10-04T03:15", sydney.zones[0])
    )
    assert own.held(howe, at("2026-10-04T01:00", howe.zones[0])) == Hold("x", at("2026-10-04T02:45", howe.zones[0]))


def test_several_windows_and_midnight() -> None:
    """A pause at noon holds; midnight between two open days does not."""
    own = clock('x | US | hours = { mon-fri = "09:00-12:00, 14:00-24:00", sat = "00:00-20:00", sun = "none" }')
    place = Whereabouts("US", None, (NEW_YORK,))
    assert own.held(place, at("2026-11-27T12:00")) == Hold("x", at("2026-11-27T14:00"))
    assert own.held(place, at("2026-11-28T00:00")) is None
    assert own.held(place, Instant(at("2026-11-28T00:00") - 1)) is None


def test_the_strictest_rule_is_named() -> None:
    """Of rules that hold at once the one that holds longest is named; at a tie the state's."""
    longest = CLOCK.held(in_state("TX"), at("2026-11-27T07:00", "America/Chicago"))
    assert longest == Hold("us-tx-quiet-hours", at("2026-11-27T09:00", "America/Chicago"))
    assert CLOCK.held(in_state("FL"), at("2026-11-27T07:00")) == Hold("us-fl-quiet-hours", at("2026-11-27T08:00"))


def test_until_passes_every_rule() -> None:
    """Rules that take turns hold through: the end is where none is left."""
    own = clock('a | US | hours = { daily = "08:00-12:00" }\nb | US | hours = { daily = "11:00-20:00" }')
    place = Whereabouts("US", None, (NEW_YORK,))
    assert own.held(place, at("2026-11-27T12:30")) == Hold("a", at("2026-11-28T11:00"))


def test_rules_that_never_meet() -> None:
    """Where no instant is allowed within the horizon the hold ends there, and begins again."""
    own = clock('a | US | hours = { daily = "08:00-12:00" }\nb | US | hours = { daily = "13:00-20:00" }')
    place = Whereabouts("US", None, (NEW_YORK,))
    now = at("2026-11-27T09:00")
    assert own.held(place, now) == Hold("b", Instant(now + HORIZON_DAYS * 24 * HOUR))
    again = own.held(place, Instant(now + HORIZON_DAYS * 24 * HOUR))
    assert again
    assert again.rule == "b"


def test_disabled_rules_are_explained_only() -> None:
    """A rule that is switched off holds nothing, and can still be read."""
    assert CLOCK.held(in_state("KY"), at("2026-11-27T09:00")) is None
    assert "10:00" in CLOCK.explain("us-ky-quiet-hours").text


@pytest.mark.parametrize(
    ("state", "caps"),
    [
        ("FL", [("us-fl-quiet-hours", 3, 24)]),
        ("OK", [("us-ok-quiet-hours", 3, 24)]),
        ("MD", [("us-md-quiet-hours", 3, 24)]),
        ("NY", []),
        ("ON", []),
    ],
)
def test_caps(state: str, caps: list[tuple[str, int, int]]) -> None:
    """How many texts a law allows a person, where it says so."""
    for _ in range(2):  # the second answer is remembered
        assert list(CLOCK.caps(in_state(state))) == [LegalCap(*cap) for cap in caps]


def test_every_cap_of_a_place_holds() -> None:
    """None makes up for another: which is the stricter depends on when the texts were; a rule may have a cap alone."""
    own = clock(
        "a | US | cap = { count = 3, hours = 24 }\nb | US | cap = { count = 1, hours = 8 }\n"
        "c | US | cap = { count = 1, hours = 1 }"
    )
    place = Whereabouts("US", None, (NEW_YORK,))
    assert own.caps(place) == (LegalCap("a", 3, 24), LegalCap("b", 1, 8), LegalCap("c", 1, 1))
    assert own.held(place, at("2026-11-27T03:00")) is None


def test_explanations() -> None:
    """A rule is told in words, with its source and when it was read."""
    said = CLOCK.explain("us-tx-quiet-hours")
    assert "Mon–Sat 09:00–21:00, Sun 12:00–21:00" in said.text
    assert "§ 301.051" in said.source
    assert "2026-11-25" in said.source
    assert "at most 3 in 24 hours" in CLOCK.explain("us-fl-quiet-hours").text
    assert "holidays none" in CLOCK.explain("fr-quiet-hours").text
    with pytest.raises(KeyError):
        CLOCK.explain("us-xx")


def allowed(place: Whereabouts, now: Instant) -> bool:
    """The law read plainly: every rule in every zone allows what its clock shows."""
    shown = [(rule, wall(now, zone)) for rule in CLOCK.rules_for(place) for zone in place.zones]
    return all(
        any(start <= clock.hour * 60 + clock.minute < end for start, end in rule.windows(clock.date()))
        for rule, clock in shown
    )


INSTANTS = st.integers(
    int(datetime(2025, 12, 20, tzinfo=UTC).timestamp()), int(datetime(2029, 1, 10, tzinfo=UTC).timestamp())
).map(lambda seconds: Instant(seconds * SECOND))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), INSTANTS, st.floats(0, 1))
def test_any_place_at_any_time(place: Whereabouts, now: Instant, share: float) -> None:
    """A hold is what the law says, names a rule that exists, ends where a text may go, and not a second later."""
    hold = LegalClock(CLOCK.rules).held(place, now)
    assert (hold is None) is allowed(place, now)
    if hold:
        assert CLOCK.explain(hold.rule).source
        assert hold.rule in {rule.id for rule in CLOCK.rules_for(place)}
        assert hold.until % (60 * SECOND) == 0
        assert now < hold.until <= now + HORIZON_DAYS * 24 * HOUR
        assert allowed(place, hold.until)
        assert not allowed(place, Instant(hold.until - SECOND))
        assert not allowed(place, Instant(now + int((hold.until - now - 1) * share)))


STEPS = st.lists(st.integers(-3600, 4 * 3600), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PLACES), min_size=1, max_size=5), INSTANTS, STEPS)
def test_what_is_kept_is_right(places: list[Whereabouts], start: Instant, steps: list[int]) -> None:
    """However the time moves, back by an hour too, a clock that has answered before answers like a new one."""
    used = LegalClock(CLOCK.rules)
    now = start
    for step in steps:
        now = Instant(now + step * SECOND)
        fresh = LegalClock(CLOCK.rules)
        assert used.held_all(places, now) == [fresh.held(place, now) for place in places]


def test_a_clock_that_steps_back() -> None:
    """An hour before the evening's hold a text may go again, and is held again after it."""
    used = LegalClock(CLOCK.rules)
    times = ["2026-11-27T20:30", "2026-11-27T21:10", "2026-11-27T20:10", "2026-11-27T21:10", "2026-11-28T07:30"]
    holds = [used.held(in_state("NY"), at(time)) for time in times]
    assert [hold is not None for hold in holds] == [False, True, False, True, True]


def test_a_day_by_the_minute() -> None:
    """Through a Saturday and a Sunday the answer changes at the hours of the law alone."""
    place, start = in_state("TX"), at("2026-11-28T00:00", "America/Chicago")
    minutes = [Instant(start + minute * 60 * SECOND) for minute in range(2 * 24 * 60)]
    open_now = [CLOCK.held(place, minute) is None for minute in minutes]
    changes = [minutes[i + 1] for i, (before, after) in enumerate(pairwise(open_now)) if before != after]
    shown = [wall(change, "America/Chicago") - datetime.fromisoformat("2026-11-28") for change in changes]
    assert shown == [timedelta(hours=hours) for hours in (9, 21, 36, 45)]
