"""Characters to octets and back: the data codings of SMPP 3.4 section 5.2.19.

The GSM alphabet (3GPP TS 23.038 section 6.2.1 and its extension table) travels as one septet per octet, the
escape and its character as two. `domain.segments` counts with these functions, so what is counted is what is
sent.
"""

import codecs
import re
from enum import IntEnum
from typing import Final

ESCAPE: Final = 0x1B

_DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\ufffeÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
# Inside this module an extension character is one octet with the high bit set, so that CPython's character map, which
# is one to one and written in C, does the walking; the rare octets are widened to their pairs afterwards. Its fast form
# wants NUL at code 0, so "@" borrows the escape's place and NUL, which no text may hold, is kept out by hand.
_TABLE = _DEFAULT + "".join(_EXTENSION.get(code, "\ufffe") for code in range(128))
_MAP = codecs.charmap_build("\0" + _TABLE[1:ESCAPE] + "@" + _TABLE[ESCAPE + 1 :])
_LENT = bytes((ESCAPE,))
_PAIRS = [(bytes((0x80 | code,)), bytes((ESCAPE, code))) for code in _EXTENSION]
_SEPTETS = bytes(range(128))
_ODD = re.compile(rb"\x1b(?s:.)?|[\x80-\xff]")


class DataCoding(IntEnum):
    """Values of data_coding that Opengage sends or understands."""

    DEFAULT = 0
    ASCII = 1
    OCTETS = 2
    LATIN_1 = 3
    OCTETS_8 = 4
    CYRILLIC = 6
    HEBREW = 7
    UCS2 = 8


_CODECS = {
    DataCoding.ASCII: "ascii",
    DataCoding.CYRILLIC: "iso8859_5",
    DataCoding.HEBREW: "iso8859_8",
    DataCoding.UCS2: "utf_16_be",
}


def is_gsm7(text: str) -> bool:
    """Whether the GSM alphabet with its extension table can carry this text."""
    return first_non_gsm7(text) is None


def first_non_gsm7(text: str) -> tuple[int, str] | None:
    """Index and character of the first that the GSM alphabet lacks; None when it lacks none."""
    try:
        gsm7_units(text)
    except UnicodeEncodeError as error:
        return error.start, text[error.start]
    return None


def gsm7_length(text: str) -> int:
    """Septets of this text: an extension character counts two.

    Raises UnicodeEncodeError when the alphabet lacks a character.
    """
    units = gsm7_units(text)
    return len(units) if units.isascii() else len(units) + len(units.translate(None, _SEPTETS))


def gsm7_units(text: str) -> bytes:
    """One octet per character, those of the extension table with the high bit set: for cutting at character borders.

    Raises UnicodeEncodeError when the alphabet lacks a character.
    """
    if "\0" in text:
        text = text.replace("\0", "\uffff")
    return codecs.charmap_encode(text, "strict", _MAP)[0].replace(_LENT, b"\0")


def widen(units: bytes) -> bytes:
    """Septets, one per octet, of what `gsm7_units` gave: each high octet becomes the escape and its code."""
    if not units.isascii():
        for narrow, pair in _PAIRS:
            units = units.replace(narrow, pair)
    return units


def encode_gsm7(text: str) -> bytes:
    """Septets, one per octet, as data_coding 0 carries them.

    Raises UnicodeEncodeError, whose `start` is the index of the first character that the alphabet lacks.
    """
    return widen(gsm7_units(text))


def decode_gsm7(data: bytes) -> str:
    """The text of unpacked septets; never raises.

    An escape before a code that the extension table lacks is ignored, a double one is a space (TS 23.038
    section 6.2.1.1); an octet above 127 is no septet and becomes U+FFFD.
    """
    if ESCAPE not in data and data.isascii():
        return codecs.charmap_decode(data, "strict", _TABLE)[0]
    parts, start = [], 0
    for found in _ODD.finditer(data):
        parts.append(codecs.charmap_decode(data[start : found.start()], "strict", _TABLE)[0])
        parts.append(_odd(found.group()))
        start = found.end()
    parts.append(codecs.charmap_decode(data[start:], "strict", _TABLE)[0])
    return "".join(parts)


def _odd(octets: bytes) -> str:
    if octets == b"\x1b" or octets[-1] > 0x7F:
        return "�"
    if octets[-1] == ESCAPE:
        return " "
    return _EXTENSION.get(octets[-1]) or _DEFAULT[octets[-1]]


def encode_ucs2(text: str) -> bytes:
    """UTF-16, big-endian, which is what handsets take data_coding 8 for: characters beyond the first plane
    are pairs.

    Raises UnicodeEncodeError for a lone surrogate.
    """
    return text.encode("utf_16_be")


def decode_ucs2(data: bytes) -> str:
    """The text of big-endian UTF-16; halves of pairs and a stray last octet become U+FFFD. Never raises."""
    return data.decode("utf_16_be", "replace")


def decode(data_coding: int, data: bytes) -> str:
    """The text of any user data; never raises.

    Codings that are not text, or not known, are read as latin-1, which loses nothing. In the GSM groups 0xF0
    to 0xFF bit 2 tells eight-bit data from the default alphabet (TS 23.038 section 4).
    """
    if data_coding == DataCoding.DEFAULT or data_coding & 0xF4 == 0xF0:
        return decode_gsm7(data)
    return data.decode(_CODECS.get(data_coding, "latin_1"), "replace")  # type: ignore[call-overload]
