"""Phone numbers: what people write, what is stored, and agreement with libphonenumber."""

import os
import random
import re
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

from opengage.domain import phone_numbers
from opengage.domain.phone_numbers import InvalidNumber, area_code, is_valid, mask, parse, region

AGREEMENT_NUMBERS = int(os.environ.get("OPENGAGE_AGREEMENT_NUMBERS", "10000"))
"""How many numbers to compare with the library; 200,000 before a new version of it is accepted."""

WRITTEN = [
    ("+12025550100", "+12025550100"),
    (" +1 (202) 555-0100\n", "+12025550100"),
    ("+1.202.555.0100", "+12025550100"),
    ("+1–202–555–0100", "+12025550100"),
    ("\u202a+1\u00a0202\u00a0555\u00a00100\u202c", "+12025550100"),
    ("＋１２０２５５５０１００", "+12025550100"),
    ("+44 (0)20 7946 0123", "+442079460123"),
    ("+44 07400 123456", "+447400123456"),
    ("+39 06 6982", "+39066982"),
    ("+800 1234 5678", "+80012345678"),
]

REFUSED = [
    ("", "E.164"),
    ("+", "E.164"),
    ("hello", "E.164"),
    ("2025550100", "country code is missing"),
    ("(202) 555-0100", "country code is missing"),
    ("0012025550100", "country code is missing"),
    ("++12025550100", "E.164"),
    ("1+2025550100", "E.164"),
    ("+02025550100", "E.164"),
    ("+12025550100x5", "E.164"),
    ("+12025550100 ext. 5", "E.164"),
    ("+12025550100;ext=5", "E.164"),
    ("tel:+12025550100", "E.164"),
    ("+1202555010٠", "E.164"),
    ("+12025550100\x00", "E.164"),
    ("+1" + "2" * 15, "E.164"),
    ("+9991234567", "no country"),
    ("+1202555010", "wrong length"),
    ("+120255501000", "wrong length"),
    ("+10", "wrong length"),
    ("+11025550100", "no numbers that begin like this"),
    ("+442999460123", "no numbers that begin like this"),
    ("+1 " + " " * 64 + "2025550100", "E.164"),
]

FICTIONAL = [
    ("+12025550100", "US"),
    ("+12025550199", "US"),
    ("+14165550123", "CA"),
    ("+12465550100", "US"),  # refused by the library: Barbados has no 555
    ("+19995550100", "US"),
    ("+447700900000", "GB"),
    ("+447700900999", "GB"),
    ("+441632960123", "GB"),
    ("+442079460123", "GB"),
    ("+33639980000", "FR"),
    ("+33199000000", "FR"),
    ("+61491570156", "AU"),
]

NEARLY_FICTIONAL = [
    "+19995550099",
    "+19995550200",
    "+19995540100",
    "+447700901000",
    "+441632961000",
    "+33639990000",
]


@pytest.mark.parametrize(("written", "stored"), WRITTEN)
def test_common_forms(written: str, stored: str) -> None:
    """Separators, bidirectional marks, full-width digits and a trunk zero vanish; E.164 is what stays."""
    assert parse(written) == stored
    assert is_valid(written)
    assert parse(stored) == stored


@pytest.mark.parametrize(("written", "reason"), REFUSED)
def test_refusals(written: str, reason: str) -> None:
    """What is no number is refused with the reason and what to write instead, never repaired by guessing."""
    with pytest.raises(InvalidNumber) as caught:
        parse(written)
    assert reason in caught.value.reason
    assert caught.value.fix in str(caught.value)
    assert not is_valid(written)
    assert region(written) is None


@pytest.mark.parametrize(("number", "home"), FICTIONAL)
def test_fiction_is_accepted(number: str, home: str) -> None:
    """Numbers reserved for fiction are good numbers, with a region, whatever the library says."""
    assert parse(number) == number
    assert region(number) == home


@pytest.mark.parametrize("number", NEARLY_FICTIONAL)
def test_fiction_ends(number: str) -> None:
    """The neighbours of a fictional range are left to the library, which refuses these."""
    assert not is_valid(number)


@pytest.mark.parametrize(
    ("number", "home"),
    [
        ("+12125551234", "US"),
        ("+12684601234", "AG"),
        ("+79161234567", "RU"),
        ("+77012345678", "KZ"),
        ("+78005553535", "RU"),
        ("+390669812345", "VA"),
        ("+390612345678", "IT"),
        ("+80012345678", "001"),
        ("+5491123456789", "AR"),
    ],
)
def test_region(number: str, home: str) -> None:
    """Regions that share a country code are told apart as the library does."""
    assert region(number) == home


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+12025550100", "+1********00"),
        ("+447700900123", "+44********23"),
        ("+85255501234", "+852******34"),
        ("+123", "****"),
        ("", ""),
        ("hello", "***lo"),
    ],
)
def test_mask(number: str, masked: str) -> None:
    """A masked number keeps its country code and last two digits, never more."""
    assert mask(number)[-2:] == masked[-2:]
    assert len(mask(number)) == len(number)
    if number.startswith("+"):
        assert mask(number) == masked


@pytest.mark.parametrize("number", ["+3758101123456", "+4949300123456", "+78005553535"])
def test_what_looks_canonical_and_is_not(number: str) -> None:
    """A national prefix that the library would strip, or a kind beyond the general description, is its to judge."""
    expected = _by_the_library(number)
    assert is_valid(number) is (expected is not None)
    assert region(number) == expected


def test_precedence_of_regions() -> None:
    """Leading digits decide before patterns do, and lengths bound patterns, whatever the metadata of the day."""
    other = _a_region("BB", r"\d+", None)
    assert _homes(_a_region("AA", r"\d+", "2"), other) == ["AA", "BB", None, None]
    assert _homes(_a_region("AA", r"3\d+", "2"), other) == [None, "BB", None, None]


def _a_region(name: str, mobiles: str, leading: str | None) -> PhoneMetadata:
    return PhoneMetadata(
        id=name,
        general_desc=PhoneNumberDesc(national_number_pattern=r"\d+"),
        mobile=PhoneNumberDesc(national_number_pattern=mobiles, possible_length=(4,)),
        leading_digits=leading,
        register=False,
    )


def _homes(*regions: PhoneMetadata) -> list[str | None]:
    """Which of the regions owns a number that begins with 2, one that does not, one too short, one too long."""
    named = [(metadata.id, metadata) for metadata in regions]
    accept = re.compile("|".join(phone_numbers._regions(named))).match
    matches = (accept(number) for number in ("2345", "3456", "345", "34567"))
    return [match and str(match.lastgroup)[1:] for match in matches]


def test_each_country_code_is_accepted_fast() -> None:
    """Once a country code was seen, its canonical numbers never reach the library."""
    parse("+12025550100")
    assert "+1" in phone_numbers._accept


@given(st.text(max_size=80))
def test_any_text_gets_an_answer(text: str) -> None:
    """Whatever is uploaded, parse answers with E.164 or with InvalidNumber."""
    try:
        number = parse(text)
    except InvalidNumber:
        return
    assert number[0] == "+"
    assert number[1:].isascii()
    assert number[1:].isdigit()
    assert parse(number) == number


def test_agreement_with_the_library() -> None:
    """On numbers near every kind of every region, the fast path accepts only, and nearly all of, what the
    library calls valid and canonical, and names the same region."""
    accepted = valid = 0
    for number in _numbers_of_the_world(AGREEMENT_NUMBERS):
        code = phone_numbers._country_code(number)
        match = phone_numbers._acceptor(code)(number) if code else None
        if match is not None and str(match.lastgroup).startswith("f"):
            continue
        expected = _by_the_library(number)
        valid += expected is not None
        accepted += match is not None
        assert match is None or str(match.lastgroup)[1:] == expected, number
        assert is_valid(number) or expected is None, number
    assert accepted > 0.98 * valid > 0.4 * AGREEMENT_NUMBERS


def _by_the_library(number: str) -> str | None:
    """The region, if the number is valid and already in its canonical form."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    canonical = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if canonical != number or not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.region_code_for_number(parsed)


def _numbers_of_the_world(count: int) -> Iterator[str]:
    chance = random.Random(20_260_101)
    examples = list(_examples())
    for _ in range(count):
        digits = list(chance.choice(examples))
        for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
            digits[chance.randrange(2, len(digits))] = chance.choice("0123456789")
        if chance.random() < 0.05:
            digits.insert(chance.randrange(2, len(digits)), chance.choice("0123456789"))
        if chance.random() < 0.05:
            digits.pop()
        yield "".join(digits)


def _examples() -> Iterator[str]:
    """The library's example of each kind of number in each region."""
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for name in regions:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, name)
            for kind in phone_numbers._KINDS:
                description = getattr(metadata, kind)
                if description is not None and description.example_number:
                    yield f"+{code}{description.example_number}"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+12025550100", "202"),
        ("+14165550100", "416"),
        ("+18005550100", None),
        ("+18885550100", None),
        ("+15005550100", None),
        ("+17105550100", None),
        ("+447700900000", None),
        ("+1202555010", None),
        ("+1", None),
        ("12345", None),
        ("", None),
    ],
)
def test_area_codes(number: str, code: str | None) -> None:
    """Those of North America that name an area, and no others."""
    assert area_code(number) == code
