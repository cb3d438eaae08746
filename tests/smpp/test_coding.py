"""Data codings: the GSM alphabet pinned to 3GPP TS 23.038, UCS-2, and what arrives under other codings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import coding

# TS 23.038 section 6.2.1, one row of sixteen codes per line; the escape at 0x1B is left out.
ROWS = [
    (0x00, "@£$¥èéùìòÇ\nØø\rÅå"),
    (0x10, "Δ_ΦΓΛΩΠΨΣΘΞ"),
    (0x1C, "ÆæßÉ"),
    (0x20, " !\"#¤%&'()*+,-./"),
    (0x30, "0123456789:;<=>?"),
    (0x40, "¡ABCDEFGHIJKLMNO"),
    (0x50, "PQRSTUVWXYZÄÖÑÜ§"),
    (0x60, "¿abcdefghijklmno"),
    (0x70, "pqrstuvwxyzäöñüà"),
]
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
ALPHABET = "".join(characters for _, characters in ROWS) + "".join(EXTENSION)


@pytest.mark.parametrize(("first", "characters"), ROWS)
def test_default_alphabet(first: int, characters: str) -> None:
    """Each character of the default alphabet has the code of the standard's table, both ways."""
    codes = bytes(range(first, first + len(characters)))
    assert coding.encode_gsm7(characters) == codes
    assert coding.decode_gsm7(codes) == characters


@pytest.mark.parametrize(("character", "code"), EXTENSION.items())
def test_extension_table(character: str, code: int) -> None:
    """Each extension character is the escape and its code, counts two septets, and decodes back."""
    assert coding.encode_gsm7(f"a{character}b") == b"a" + bytes((0x1B, code)) + b"b"
    assert coding.gsm7_length(character) == 2
    assert coding.decode_gsm7(bytes((0x1B, code))) == character


def test_the_alphabet_is_exactly_that() -> None:
    """Of all of Unicode, just the 137 characters of both tables are GSM 7-bit."""
    assert len(ALPHABET) == 137
    others = (chr(code) for code in range(0x110000))
    assert {character for character in others if coding.is_gsm7(character)} == set(ALPHABET)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("Hello", None),
        ("price 5€ {ok}", None),
        ("naïve", (2, "ï")),
        ("hi 😀", (3, "😀")),
        ("`", (0, "`")),
    ],
)
def test_first_non_gsm7(text: str, expected: tuple[int, str] | None) -> None:
    """The character that forces UCS-2 is named with its index."""
    assert coding.first_non_gsm7(text) == expected
    assert coding.is_gsm7(text) is (expected is None)


def test_encoding_beyond_the_alphabet_raises() -> None:
    """encode_gsm7 and gsm7_length refuse what they cannot carry and say where it stands."""
    for function in (coding.encode_gsm7, coding.gsm7_length, coding.gsm7_units):
        with pytest.raises(UnicodeEncodeError) as caught:
            function("abc✓")
        assert caught.value.start == 3


@given(st.text(st.sampled_from(ALPHABET)))
def test_gsm7_round_trip(text: str) -> None:
    """All GSM texts come back, their length is their number of octets, every octet is a septet."""
    data = coding.encode_gsm7(text)
    assert coding.decode_gsm7(data) == text
    assert coding.gsm7_length(text) == len(data)
    assert data.isascii()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1bA", "A"),  # no such extension: the default alphabet's character
        (b"a\x1b\x1bb", "a b"),  # reserved for a further table: a space
        (b"a\x1b", "a\ufffd"),  # an escape with nothing behind it
        (b"a\xffb", "a\ufffdb"),  # no septet
        (b"\x1b\xe9", "\ufffd"),
    ],
)
def test_odd_septets(data: bytes, text: str) -> None:
    """What peers should not send is still read as the standard says, or marked."""
    assert coding.decode_gsm7(data) == text


def test_ucs2_keeps_pairs() -> None:
    """Characters beyond the first plane are surrogate pairs, big-endian."""
    assert coding.encode_ucs2("a😀") == bytes.fromhex("0061 D83D DE00")
    assert coding.decode_ucs2(bytes.fromhex("0061 D83D DE00")) == "a😀"


def test_broken_ucs2_is_marked() -> None:
    """Half a pair and a stray octet are replaced, not raised."""
    assert coding.decode_ucs2(bytes.fromhex("0061 D83D 00")).startswith("a\ufffd")


@pytest.mark.parametrize(
    ("data_coding", "data", "text"),
    [
        (0, b"\x00", "@"),
        (1, b"@", "@"),
        (1, b"\xe9", "\ufffd"),
        (3, b"caf\xe9", "café"),
        (2, b"\x80", "\x80"),
        (4, b"\x80", "\x80"),
        (6, b"\xb0", "А"),
        (7, b"\xe0", "א"),
        (8, b"\x20\xac", "€"),
        (0xF1, b"\x00", "@"),
        (0xF5, b"\x80", "\x80"),
        (0x55, b"\x80", "\x80"),
    ],
)
def test_decode_by_data_coding(data_coding: int, data: bytes, text: str) -> None:
    """Each data_coding is read by its own rule; unknown ones lose nothing."""
    assert coding.decode(data_coding, data) == text


@given(st.integers(0, 255), st.binary())
def test_decode_never_raises(data_coding: int, data: bytes) -> None:
    """Any octets under any coding give a text."""
    assert isinstance(coding.decode(data_coding, data), str)
