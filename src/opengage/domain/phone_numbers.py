"""Which numbers can be texted: E.164 by libphonenumber's rules, checked as an envelope is created.

The truth is the `phonenumbers` package. It takes some 40 microseconds a number, so each country code also
gets one regular expression compiled from that package's own metadata, which accepts a canonical number in
about one; whatever the expression does not accept goes to the library. The expressions are compiled when a
country code is first seen.

One deliberate departure: numbers that regulators reserve for fiction are accepted, although the library calls
some of them invalid, so that a demonstration, a test or a rehearsal never needs the number of a real person
(see FICTION).
"""

import re
from collections.abc import Callable, Sequence
from functools import cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberFormat
from phonenumbers.phonemetadata import PhoneNumberDesc

FICTION = {
    "1": (("US", r"[2-9]\d\d55501\d\d"),),
    "33": (("FR", r"63998\d{4}"),),
    "44": (("GB", r"(?:7700900|1632960)\d{3}"),),
}
"""National numbers reserved for fiction, by country code: NANPA (NPA-555-0100 to 0199 in any area code),
ARCEP (06 39 98 xx xx), Ofcom (07700 900xxx and 01632 960xxx). Ranges that the library itself accepts are not
repeated here."""

LONGEST_INPUT = 64
"""Characters, separators included; nobody writes a number longer than that."""

_NANP_LENGTH = len("+12025550100")
_KINDS = (
    "mobile",
    "fixed_line",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
_SPACES = " \t\r\n\u00a0\u2007\u2009\u202f\u3000"
_PUNCTUATION = "-./()\u2010\u2011\u2012\u2013\u2014\u2212"
_INVISIBLE = "\u200b\u200e\u200f\u202a\u202c\u2060\ufeff"  # address books wrap copied numbers in these
_CLEAN = str.maketrans(
    dict.fromkeys(_SPACES + _PUNCTUATION + _INVISIBLE)
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
    | {"\uff0b": "+"}
)
_E164 = re.compile(r"\+[1-9][0-9]{1,14}\Z")

_Match = Callable[[str], "re.Match[str] | None"]
_accept: dict[str, _Match] = {}


class InvalidNumber(Exception):
    """The text is no phone number that can be texted; `reason` says why, `fix` what to write instead."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason}; {fix}")
        self.reason = reason
        self.fix = fix


def parse(text: str) -> str:
    """The canonical E.164 form of what a person wrote: plus sign, country code, national number, no more.

    Spaces, dashes, dots, slashes and parentheses are removed; the country code is never guessed.
    Raises InvalidNumber.
    """
    accept = _accept.get(text[:2]) or _accept.get(text[:3]) or _accept.get(text[:4])
    if accept is not None and accept(text) is not None:
        return text
    return _parse_slowly(text)


def parse_written(text: str, default_region: str | None) -> str:
    """`parse`, but a number without a country code belongs to a region: an ISO 3166 code such as "US", or None.

    "00" before the country code is read as a plus sign where that region dials it. Raises InvalidNumber.
    """
    if default_region is None or text.lstrip(_SPACES + _INVISIBLE).startswith(("+", "\uff0b")):
        return parse(text)
    digits = text.translate(_CLEAN) if len(text) <= LONGEST_INPUT else ""
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidNumber("this is no phone number", "write its digits alone")
    try:
        found = phonenumbers.parse(digits, default_region)
    except phonenumbers.NumberParseException as error:
        raise InvalidNumber(f"this is no phone number of {default_region}", "check its digits") from error
    return parse(phonenumbers.format_number(found, PhoneNumberFormat.E164))


def is_region(code: str) -> bool:
    """Whether numbers without a country code can belong to this region: an ISO 3166 code in capitals."""
    return code in phonenumbers.SUPPORTED_REGIONS


def is_valid(text: str) -> bool:
    """Whether parse accepts the text."""
    try:
        parse(text)
    except InvalidNumber:
        return False
    return True


def region(number: str) -> str | None:
    """The region of a canonical number: an ISO 3166 code such as "US", "001" if none, None if invalid."""
    code = _country_code(number)
    match = code and _acceptor(code)(number)
    if match:
        return str(match.lastgroup)[1:]
    return phonenumbers.region_code_for_number(phonenumbers.parse(number)) if is_valid(number) else None


def area_code(number: str) -> str | None:
    """The geographic area code of a canonical number of the North American Numbering Plan, such as "202".

    None for other countries, and for codes without an area: those whose last two digits are the same (toll-free,
    premium, personal) are never geographic (NANPA, easily recognizable codes), and 710 is the government's.
    """
    code = number[2:5]
    if not number.startswith("+1") or len(number) != _NANP_LENGTH or code[1] == code[2] or code == "710":
        return None
    return code


def mask(number: str) -> str:
    """A number fit for logs: the country code and the last two digits, the rest starred."""
    shown = 1 + len(_country_code(number) or "")
    return (
        number[:shown] + "*" * (len(number) - shown - 2) + number[-2:] if len(number) > shown + 2 else "*" * len(number)
    )


def _parse_slowly(text: str) -> str:
    number = _written(text)
    code = _country_code(number)
    if code is None:
        raise InvalidNumber(
            "no country has this country code", "write + and the country code first, as in +12025550100"
        )
    _accept[f"+{code}"] = _acceptor(code, fiction_first=True)
    return number if _acceptor(code)(number) else _by_library(number)


def _written(text: str) -> str:
    number = text.translate(_CLEAN) if len(text) <= LONGEST_INPUT else ""
    if _E164.match(number):
        return number
    if number.isascii() and number.isdigit():
        raise InvalidNumber("the country code is missing", "write + and the country code first, as in +12025550100")
    raise InvalidNumber("this is no phone number in E.164 form", "write + and 7 to 15 digits, as in +12025550100")


def _by_library(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException as error:
        raise InvalidNumber("the number has the wrong length", "check its digits") from error
    if phonenumbers.is_valid_number(parsed):
        return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if phonenumbers.is_possible_number(parsed):
        raise InvalidNumber(f"+{parsed.country_code} has no numbers that begin like this", "check its digits")
    raise InvalidNumber(f"the number has the wrong length for +{parsed.country_code}", "check its digits")


def _country_code(number: str) -> str | None:
    """Country codes have one to three digits and none begins another."""
    digits = number[1:4]
    if not (digits.isascii() and digits.isdigit()):
        return None
    lengths = range(1, len(digits) + 1)
    return next((digits[:end] for end in lengths if int(digits[:end]) in COUNTRY_CODE_TO_REGION_CODE), None)


@cache
def _acceptor(code: str, *, fiction_first: bool = False) -> _Match:
    """What accepts canonical numbers of one country code, naming the region in the group that matched.

    With fiction first it is quicker on the numbers of tests and demos, but the region may be the wrong one.
    """
    described = [(name, _metadata(code, name)) for name in COUNTRY_CODE_TO_REGION_CODE[int(code)]]
    real = rf"{_no_national_prefix(code)}(?:{'|'.join(_regions(described))})"
    fiction = [f"(?P<f{region}>{pattern})" for region, pattern in FICTION.get(code, ())]
    alternatives = [*fiction, real] if fiction_first else [real, *fiction]
    return re.compile(rf"\+{code}(?:{'|'.join(alternatives)})", re.ASCII).fullmatch


def _no_national_prefix(code: str) -> str:
    """Leave numbers that begin with a national prefix to the library: it may strip that, as in +44 (0)20."""
    main = COUNTRY_CODE_TO_REGION_CODE[int(code)][0]
    prefix = _metadata(code, main).national_prefix_for_parsing
    # A prefix that matched nothing (Argentina's may) strips nothing: look behind for having moved at all.
    return rf"(?!(?:{prefix})(?<!\A.{{{1 + len(code)}}}))" if prefix else ""


def _regions(described: Sequence[tuple[str, PhoneMetadata]]) -> list[str]:
    """One alternative for each region of a country code, with the library's precedence between them.

    Where several share a code, leading digits, if a region has any, decide alone; otherwise the first full
    match does.
    """
    alternatives, taken = [], ""
    for name, metadata in described:
        leading = metadata.leading_digits if len(described) > 1 else None
        guard = rf"{taken}(?={leading})" if leading else taken
        alternatives.append(f"(?P<r{name}>{guard}{_numbers(metadata)})")
        taken += rf"(?!{leading})" if leading else ""
    return alternatives


def _metadata(code: str, name: str) -> PhoneMetadata:
    found = PhoneMetadata.metadata_for_region_or_calling_code(int(code), name)
    assert found is not None, "the library describes every region that it lists"
    return found


def _numbers(metadata: PhoneMetadata) -> str:
    """All valid national numbers of a region: the general description, and one of the kinds."""
    kinds = dict.fromkeys(filter(None, (_described(getattr(metadata, kind)) for kind in _KINDS)))
    general = _described(metadata.general_desc)
    return rf"(?={general}\Z)(?:{'|'.join(kinds)})\Z"


def _described(description: PhoneNumberDesc | None) -> str | None:
    if description is None or not description.national_number_pattern:
        return None
    lengths = "|".join(rf"\d{{{length}}}" for length in description.possible_length if length > 0)
    if not lengths and description.possible_length:
        return None
    longest = rf"(?=(?:{lengths})\Z)" if lengths else ""
    return rf"(?:{longest}(?:{description.national_number_pattern}))"
