"""What a rendered text costs: its segments, just before the pacer and the carrier take it.

GSM-7 when every character is in the alphabet, else UCS-2 (3GPP TS 23.038); one message holds 160 septets or 70
UTF-16 units, a part of a concatenated one 153 or 67, since six octets go to its header (TS 23.040 section
9.2.3.24.1). Neither an extension pair nor a surrogate pair is split between parts, which can cost a part more.
"""

from typing import ClassVar, Literal, NamedTuple

from opengage.smpp.coding import ESCAPE, first_non_gsm7, gsm7_units, widen

MAX_SEGMENTS = 10
"""Parts of one text that handsets and carriers put together dependably."""

GSM7_SINGLE, GSM7_PART = 160, 153
UCS2_SINGLE, UCS2_PART = 70, 67


class Segments(NamedTuple):
    """The cost of a text: `units` are septets of GSM-7 or 16-bit units of UCS-2."""

    encoding: Literal["gsm-7", "ucs-2"]
    units: int
    segments: int


class Culprit(NamedTuple):
    """The first character that makes a text UCS-2, and its position in the text, from 0."""

    position: int
    character: str


class TooManySegments(Exception):
    """The text needs more segments than allowed; `reason` is the envelope's reason."""

    reason: ClassVar[str] = "too-long"

    def __init__(self, counted: Segments, limit: int) -> None:
        super().__init__(f"the text needs {counted.segments} segments: shorten it to {limit}")
        self.counted = counted


_SINGLES = tuple(Segments("gsm-7", units, 1) for units in range(GSM7_SINGLE + 1))


def count(text: str) -> Segments:
    """Encoding, units and segments of a text; an empty one is still a message."""
    try:
        units = gsm7_units(text)
    except UnicodeEncodeError:
        return _count_ucs2(text)
    if units.isascii():
        length = len(units)
        if length <= GSM7_SINGLE:
            return _SINGLES[length]
        return Segments("gsm-7", length, -(-length // GSM7_PART))
    return _count_extended(widen(units))


def check(text: str, limit: int = MAX_SEGMENTS) -> Segments:
    """What count says, for a text that may be sent. Raises TooManySegments."""
    counted = count(text)
    if counted.segments > limit:
        raise TooManySegments(counted, limit)
    return counted


def culprit(text: str) -> Culprit | None:
    """The first character that costs the text its GSM-7 encoding; None when nothing does."""
    found = first_non_gsm7(text)
    return Culprit(*found) if found else None


def _count_extended(septets: bytes) -> Segments:
    length = len(septets)
    if length <= GSM7_SINGLE:
        return _SINGLES[length]
    end = segments = 0
    while end < length:
        end += GSM7_PART
        segments += 1
        if end < length and septets[end - 1] == ESCAPE:
            end -= 1
    return Segments("gsm-7", length, segments)


def _count_ucs2(text: str) -> Segments:
    octets = text.encode("utf-16-be", "surrogatepass")
    length = len(octets) // 2
    if length <= UCS2_SINGLE:
        return Segments("ucs-2", length, 1)
    end = segments = 0
    while end < length:
        end += UCS2_PART
        segments += 1
        if end < length and 0xD8 <= octets[2 * end - 2] <= 0xDB:
            end -= 1
    return Segments("ucs-2", length, segments)
