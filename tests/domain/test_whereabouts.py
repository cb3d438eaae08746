"""Where a recipient is: what the number tells, and what `meta` tells better."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_non_geo_entity,
    example_number_for_type,
    format_number,
    region_code_for_number,
)
from phonenumbers.timezone import time_zones_for_geographical_number
from phonenumbers.tzdata import TIMEZONE_DATA

from opengage.domain.local_time import is_zone
from opengage.domain.places import AREA_CODES
from opengage.domain.whereabouts import Whereabouts, unknown, whereabouts

NEW_YORK, MIAMI, PENSACOLA = "+12125550100", "+13055550100", "+18505550100"
PARIS = "+33639980000"


@pytest.mark.parametrize(
    ("number", "country", "state", "zones"),
    [
        (NEW_YORK, "US", "NY", ("America/New_York",)),
        (MIAMI, "US", "FL", ("America/New_York",)),
        ("+16025550100", "US", "AZ", ("America/Phoenix",)),
        ("+19285550100", "US", "AZ", ("America/Denver", "America/Phoenix")),
        (PENSACOLA, "US", "FL", ("America/Chicago", "America/New_York")),
        ("+12705550100", "US", "KY", ("America/Chicago", "America/New_York")),
        ("+12085550100", "US", "ID", ("America/Boise", "America/Los_Angeles")),
        ("+18085550100", "US", "HI", ("Pacific/Honolulu",)),
        ("+17875550100", "PR", "PR", ("America/Puerto_Rico",)),
        ("+16715550100", "GU", "GU", ("Pacific/Guam",)),
        ("+14165550100", "CA", "ON", ("America/Toronto",)),
        ("+19025550100", "CA", None, ("America/Halifax",)),
        ("+18765550100", "JM", None, ("America/Jamaica",)),
        (PARIS, "FR", None, ("Europe/Paris",)),
        ("+447700900123", "GB", None, ("Europe/Guernsey", "Europe/Isle_of_Man", "Europe/London")),
    ],
)
def test_numbers(number: str, country: str, state: str | None, zones: tuple[str, ...]) -> None:
    """Country, state and every possible zone; the finer prefixes of a split area code leave several."""
    assert (country, state, zones) == whereabouts(number)


def test_a_finer_prefix_decides() -> None:
    """Where libphonenumber knows the exchange, its zones are the ones."""
    exchanges = {prefix: zones for prefix, zones in TIMEZONE_DATA.items() if prefix[0] == "1" and len(prefix) == 7}
    assert len(exchanges) > 1000
    assert all(whereabouts(f"+{prefix}0100").zones == zones for prefix, zones in exchanges.items())


def test_a_number_of_no_country() -> None:
    """A satellite telephone has no country and no zone."""
    example = example_number_for_non_geo_entity(870)
    assert example
    assert whereabouts(format_number(example, PhoneNumberFormat.E164)) == ("001", None, ())


@pytest.mark.parametrize("number", ["+18005550100", "+18885550100", "+15005550100"])
def test_numbers_without_a_place(number: str) -> None:
    """A toll-free or personal number may be in any zone of its country code, and in no one state."""
    found = whereabouts(number)
    assert found[:2] == ("US", None)
    assert {"America/New_York", "Pacific/Honolulu", "Pacific/Guam", "America/St_Johns"} <= set(found.zones)


@pytest.mark.parametrize(
    ("number", "meta", "state", "zones"),
    [
        (NEW_YORK, {"state": "TX"}, "TX", ("America/Chicago", "America/Denver")),
        (NEW_YORK, {"state": " texas "}, "TX", ("America/Chicago", "America/Denver")),
        (NEW_YORK, {"state": "fl"}, "FL", ("America/New_York", "America/Chicago")),
        (NEW_YORK, {"state": "Arizona"}, "AZ", ("America/Phoenix",)),
        (NEW_YORK, {"state": "Washington D.C."}, "DC", ("America/New_York",)),
        (NEW_YORK, {"state": "U.S. Virgin Islands"}, "VI", ("America/St_Thomas",)),
        (MIAMI, {"state": "Florida"}, "FL", ("America/New_York",)),
        (NEW_YORK, {"postal-code": "32501"}, "FL", ("America/New_York", "America/Chicago")),
        (NEW_YORK, {"postal-code": "37402-1234"}, "TN", ("America/New_York", "America/Chicago")),
        (NEW_YORK, {"postal-code": "2906"}, "RI", ("America/New_York",)),
        (NEW_YORK, {"postal-code": 2906}, "RI", ("America/New_York",)),
        (NEW_YORK, {"postal-code": "06390"}, "NY", ("America/New_York",)),
        (NEW_YORK, {"postal-code": "s4p 3y2"}, "SK", ("America/Regina", "America/Edmonton")),
        (NEW_YORK, {"postal-code": "X0A"}, "NU", ("America/Iqaluit", "America/Winnipeg", "America/Edmonton")),
        (NEW_YORK, {"state": "TX", "postal-code": "33101"}, "TX", ("America/Chicago", "America/Denver")),
        (NEW_YORK, {"time-zone": "Asia/Kolkata"}, "NY", ("Asia/Kolkata",)),
        (NEW_YORK, {"time-zone": "America/Chicago", "state": "TN"}, "TN", ("America/Chicago",)),
        ("+18005550100", {"time-zone": "America/Chicago"}, None, ("America/Chicago",)),
        (PARIS, {"state": "US-FL"}, "FL", ("America/New_York", "America/Chicago")),
        (PARIS, {"state": "ca-qc"}, "QC", ("America/Toronto", "America/Halifax", "America/Blanc-Sablon")),
        (PARIS, {"state": "US-PR"}, "PR", ("America/Puerto_Rico",)),
    ],
)
def test_meta_wins(number: str, meta: dict[str, object], state: str | None, zones: tuple[str, ...]) -> None:
    """A state or postal code brings its state and that state's zones, unless the number is of that state already."""
    found = whereabouts(number, meta)
    assert (state, zones) == found[1:]
    assert unknown(number, meta) == []


@pytest.mark.parametrize(
    ("number", "meta"),
    [
        (NEW_YORK, {"time-zone": "Mars/Olympus"}),
        (NEW_YORK, {"time-zone": "America/New York"}),
        (NEW_YORK, {"time-zone": 5}),
        (NEW_YORK, {"time-zone": "x" * 1000}),
        (NEW_YORK, {"state": "Bavaria"}),
        (NEW_YORK, {"state": "US-ON"}),
        (NEW_YORK, {"state": ["TX"]}),
        (NEW_YORK, {"postal-code": "00000"}),
        (NEW_YORK, {"postal-code": "75008 Paris"}),
        (NEW_YORK, {"postal-code": True}),
        (NEW_YORK, {"postal-code": -2906}),
        (NEW_YORK, {"postal-code": "Z1A 1A1"}),
        (PARIS, {"state": "FL"}),
        (PARIS, {"postal-code": "33101"}),
    ],
)
def test_what_is_not_understood(number: str, meta: dict[str, object]) -> None:
    """A value that means nothing, or may mean another country's state, counts as not given, and can be told."""
    assert whereabouts(number, meta) == whereabouts(number)
    assert unknown(number, meta) == list(meta)


@pytest.mark.parametrize(
    "meta", [None, {}, {"first-name": "Ada"}, {"state": None, "time-zone": "", "postal-code": None}]
)
def test_nothing_told(meta: dict[str, object] | None) -> None:
    """Without those keys, or with nothing in them, the number alone tells."""
    assert whereabouts(NEW_YORK, meta) == whereabouts(NEW_YORK)
    assert unknown(NEW_YORK, meta) == []


def test_the_library_agrees() -> None:
    """The example numbers of every region are in that region, in the zones that the library gives them."""
    for name in sorted(SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            example = example_number_for_type(name, kind)
            if example is None or region_code_for_number(example) != name:
                continue
            found = whereabouts(format_number(example, PhoneNumberFormat.E164))
            expected = time_zones_for_geographical_number(example)
            assert found.country == name
            assert set(expected) <= set(found.zones)
            assert example.country_code == 1 or set(expected) == set(found.zones)


@settings(deadline=None)
@given(st.sampled_from(sorted(AREA_CODES)), st.integers(200, 999), st.integers(0, 9999))
def test_any_north_american_number(area: str, exchange: int, line: int) -> None:
    """Every number of a known area code has its country, its state and at least one real zone."""
    found = whereabouts(f"+1{area}{exchange}{line:04}")
    assert found[:2] == AREA_CODES[area]
    assert found.zones
    assert all(map(is_zone, found.zones))


META = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=80), st.lists(st.text()))


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["time-zone", "state", "postal-code", "x"]), META),
    st.sampled_from([NEW_YORK, PARIS]),
)
def test_any_meta(meta: dict[str, object], number: str) -> None:
    """No value of `meta` breaks it, and an answer always names real zones."""
    found = whereabouts(number, meta)
    assert isinstance(found, Whereabouts)
    assert all(map(is_zone, found.zones))


def test_the_same_place_is_one_object() -> None:
    """A million recipients share a few hundred places."""
    assert whereabouts(NEW_YORK) is whereabouts("+12125550199")
    assert whereabouts(NEW_YORK, {"state": "TX"}) is whereabouts(MIAMI, {"state": "TX"})
