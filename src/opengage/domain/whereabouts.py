"""Where a recipient is, as far as the number and the envelope's `meta` tell: what the legal clock asks first.

A number tells its country, often its state, and one or more time zones in which its holder may be. `meta` knows
better: `time-zone`, `state` and `postal-code` win over the number. The zones of numbers are libphonenumber's own
(`phonenumbers.tzdata`, longest prefix). Where the finer prefixes of an area code lie in several zones and the number
has none of them, it may be in any of those zones.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE as _REGIONS
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from opengage.domain.local_time import is_zone
from opengage.domain.phone_numbers import region
from opengage.domain.places import AREA_CODES, NUMBERS_AS_ONE, OTHER_NAMES, POSTAL_CODES, STATES, ZIPS, State

TIME_ZONE = "time-zone"
STATE = "state"
POSTAL_CODE = "postal-code"
KEYS = frozenset({TIME_ZONE, STATE, POSTAL_CODE})
"""The members of `meta` that tell where a recipient is."""

_LONGEST_VALUE = 64
_LARGEST_ZIP = 99_999
_MOST_SEEN = 16_384
_NANP_PREFIX, _PREFIX = 8, 1 + TIMEZONE_LONGEST_PREFIX  # characters, plus sign included, that decide
_ZIP = re.compile(r"(\d{4,5})(?:-?\d{4})?\Z", re.ASCII)
_CANADIAN = re.compile(r"([A-Z]\d[A-Z])(?: ?\d[A-Z]\d)?\Z", re.ASCII)


class Whereabouts(NamedTuple):
    """A country (ISO 3166, "001" for none), a state or province if known, and every zone that is possible.

    The zones are IANA names; there are none for numbers that belong to no place, such as satellite telephones.
    """

    country: str
    state: str | None
    zones: tuple[str, ...]


_seen: dict[str, Whereabouts] = {}
_one_of_each: dict[Whereabouts, Whereabouts] = {}


def whereabouts(number: str, meta: Mapping[str, object] | None = None) -> Whereabouts:
    """Where the holder of a canonical E.164 number is; what `meta` tells wins over the number.

    A value of `meta` that is not understood counts as not given (`unknown` names it).
    """
    place = _by_number(number)
    return place if not meta or KEYS.isdisjoint(meta) else _told(place, meta)


def unknown(number: str, meta: Mapping[str, object] | None) -> list[str]:
    """The keys of `meta` that should tell where a recipient is, and hold nothing that is understood."""
    if not meta or KEYS.isdisjoint(meta):
        return []
    country = _by_number(number).country
    read = {
        TIME_ZONE: _zone_told(_word(meta.get(TIME_ZONE))),
        STATE: _state_told(_word(meta.get(STATE)), country),
        POSTAL_CODE: _posted(_word(meta.get(POSTAL_CODE)), country),
    }
    return [key for key, found in read.items() if found is None and meta.get(key) not in (None, "")]


def _told(place: Whereabouts, meta: Mapping[str, object]) -> Whereabouts:
    return _by_words(place, _word(meta.get(TIME_ZONE)), _word(meta.get(STATE)), _word(meta.get(POSTAL_CODE)))


@lru_cache(maxsize=_MOST_SEEN)
def _by_words(place: Whereabouts, zone: str, state: str, postal_code: str) -> Whereabouts:
    code = _state_told(state, place.country) or _posted(postal_code, place.country)
    if code is not None and code != place.state:
        place = Whereabouts(STATES[code].country, code, STATES[code].zones)
    name = _zone_told(zone)
    return _shared(place if name is None else place._replace(zones=(name,)))


def _word(value: object) -> str:
    """What a value says; nothing if it is no short text. A ZIP code may have become a number."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_ZIP:
        return str(value)
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST_VALUE else ""


def _zone_told(name: str) -> str | None:
    return name if name and is_zone(name) else None


def _state_told(text: str, country: str) -> str | None:
    """A code or a name; for a number of another country only ISO 3166-2, as in US-FL, is unmistakable."""
    name = text.replace(".", "")
    if name[2:3] == "-":
        code = name[3:].upper()
        state = STATES.get(code)
        return code if state and name[:2].upper() in _countries(state) else None
    if country not in NUMBERS_AS_ONE:
        return None
    return name.upper() if name.upper() in STATES else _names().get(name.casefold())


def _countries(state: State) -> tuple[str, ...]:
    """A territory of the United States has two ISO 3166-2 names: its own, and US-PR and the like."""
    return (state.country,) if state.country == "CA" else ("US", state.country)


def _posted(text: str, country: str) -> str | None:
    """The state of a ZIP code, which may have lost its leading zero to a spreadsheet, or a Canadian postal code."""
    if country not in NUMBERS_AS_ONE:
        return None
    if found := _ZIP.match(text):
        zip_code = found[1].zfill(5)
        return ZIPS.get(zip_code) or ZIPS.get(zip_code[:3])
    if found := _CANADIAN.match(text.upper()):
        return POSTAL_CODES.get(found[1]) or POSTAL_CODES.get(found[1][0])
    return None


@cache
def _names() -> Mapping[str, str]:
    names = {state.name.replace(".", "").casefold(): code for code, state in STATES.items()}
    return {**OTHER_NAMES, **names}


def _by_number(number: str) -> Whereabouts:
    prefix = number[: _NANP_PREFIX if number[1:2] == "1" else _PREFIX]
    place = _seen.get(prefix)
    if place is None:
        place = _shared(_north_american(prefix) if number[1:2] == "1" else _elsewhere(number))
        if len(_seen) >= _MOST_SEEN:
            _seen.clear()
        _seen[prefix] = place
    return place


def _shared(place: Whereabouts) -> Whereabouts:
    """The same object for the same place, so that a million envelopes hold a few hundred of them."""
    if len(_one_of_each) >= _MOST_SEEN:
        _one_of_each.clear()
    return _one_of_each.setdefault(place, place)


def _north_american(prefix: str) -> Whereabouts:
    country, state = AREA_CODES.get(prefix[2:5], ("US", None))
    found = _longest_prefix(prefix[1:])
    area = prefix[1:5]
    return Whereabouts(country, state, TIMEZONE_DATA[found] if len(found) > len(area) else _of_area(area, state))


def _of_area(area: str, state: str | None) -> tuple[str, ...]:
    """Every zone of an area code; if libphonenumber does not know the code those of its state, or of all of +1."""
    return _areas().get(area) or (STATES[state].zones if state else TIMEZONE_DATA["1"])


@cache
def _areas() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for prefix, zones in TIMEZONE_DATA.items():
        if prefix[0] == "1" and len(prefix) >= len("1201"):
            found[prefix[:4]].update(zones)
    return {area: tuple(sorted(zones)) for area, zones in found.items()}


def _elsewhere(number: str) -> Whereabouts:
    """The region of a number is decided by its first digits, wherever several share a country code."""
    digits = number[1:]
    codes = (int(digits[:end]) for end in (1, 2, 3) if digits[:end].isdigit())
    shared = next((_REGIONS[code] for code in codes if code in _REGIONS), ("001",))
    country = (region(number) if len(shared) > 1 else None) or shared[0]
    return Whereabouts(country, None, TIMEZONE_DATA.get(_longest_prefix(digits), ()))


def _longest_prefix(digits: str) -> str:
    for end in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
        if digits[:end] in TIMEZONE_DATA:
            return digits[:end]
    return ""
