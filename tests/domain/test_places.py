"""States, area codes and postal codes: the tables agree with each other and with libphonenumber."""

import pytest
from phonenumbers import region_code_for_number
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.phonenumber import PhoneNumber
from phonenumbers.tzdata import TIMEZONE_DATA

from opengage.domain.local_time import is_zone
from opengage.domain.places import AREA_CODES, OTHER_NAMES, POSTAL_CODES, STATES, ZIPS

GEODATA = {prefix[1:]: names["en"] for prefix, names in GEOCODE_DATA.items() if prefix[0] == "1" and len(prefix) == 4}
NAMES = {state.name: code for code, state in STATES.items()} | {
    "Washington State": "WA",
    "Washington D.C.": "DC",
    "British Colombia": "BC",  # as libphonenumber spells it for 257
}

MISPLACED = {"474"}
"""An overlay of Saskatchewan, to which the library gives the zone of Manitoba."""


def test_every_area_code_that_libphonenumber_places_is_here() -> None:
    """Each area code is in the state that the library's geographic data names; shared ones are in none."""
    assert len(GEODATA) > 400
    for area, place in GEODATA.items():
        last = place.rpartition(", ")[2]
        assert AREA_CODES[area][1] == (last if last in STATES else NAMES.get(last)), area


def test_every_area_code_with_a_zone_is_here() -> None:
    """The table misses no area code whose zone the library knows."""
    known = {prefix[1:4] for prefix in TIMEZONE_DATA if prefix[0] == "1" and len(prefix) >= 4}
    assert known <= AREA_CODES.keys()


@pytest.mark.parametrize("area", ["787", "340", "671", "684", "670", "242", "809", "876", "204", "905"])
def test_countries_of_area_codes(area: str) -> None:
    """Islands and Canada are countries of their own."""
    number = PhoneNumber(country_code=1, national_number=int(f"{area}5550100"))
    by_library = {region_code_for_number(number)} - {None, "US"}
    assert AREA_CODES[area][0] != "US"
    assert by_library <= {AREA_CODES[area][0]}


def test_every_zone_exists() -> None:
    """The zones of states are zones."""
    assert all(state.zones and all(map(is_zone, state.zones)) for state in STATES.values())


def test_the_zones_of_numbers_are_those_of_their_state() -> None:
    """Where the library places an area code as a whole, its zone is one of those of the state's zones."""
    for area, (_, state) in AREA_CODES.items():
        zones = TIMEZONE_DATA.get(f"1{area}", ())
        if state and len(zones) == 1 and area not in MISPLACED:
            assert zones[0] in STATES[state].zones, area


def test_states_are_whole() -> None:
    """Fifty states, the District of Columbia, five territories, and thirteen provinces and territories of Canada."""
    countries = [state.country for state in STATES.values()]
    assert countries.count("US") == 51
    assert countries.count("CA") == 13
    assert len(countries) == 51 + 13 + 5


def test_postal_codes_lead_to_states() -> None:
    """Every ZIP prefix and postal code leads to a state of the table; each state of the fifty has one."""
    assert {*ZIPS.values(), *POSTAL_CODES.values(), *OTHER_NAMES.values()} <= STATES.keys()
    assert {code for code, state in STATES.items() if state.country == "US"} <= set(ZIPS.values())
    assert {code for code, state in STATES.items() if state.country == "CA"} == set(POSTAL_CODES.values())


@pytest.mark.parametrize(
    ("prefix", "state"),
    [
        *(("100", "NY"), ("902", "CA"), ("606", "IL"), ("770", "TX"), ("331", "FL"), ("029", "RI"), ("981", "WA")),
        *(("731", "OK"), ("733", "TX"), ("200", "DC"), ("201", "VA"), ("009", "PR"), ("008", "VI"), ("995", "AK")),
        *(("06390", "NY"), ("96799", "AS"), ("967", "HI"), ("969", "GU"), ("96950", "MP"), ("055", "MA")),
    ],
)
def test_zip_codes(prefix: str, state: str) -> None:
    """Known prefixes, and ZIP codes that differ from their neighbours."""
    assert ZIPS[prefix] == state


@pytest.mark.parametrize("prefix", ["000", "004", "090", "098", "340", "962", "966"])
def test_no_state(prefix: str) -> None:
    """Unassigned and military prefixes belong to no state."""
    assert prefix not in ZIPS
