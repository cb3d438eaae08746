"""Long texts: cut into segments on the way out, joined again on the way in.

The user data header is 3GPP TS 23.040 section 9.2.3.24 (elements 00 and 08); the other way to say the same are the
sar_ parameters of SMPP 3.4 sections 5.3.2.22 to 5.3.2.24. One segment holds 140 octets: 160 septets or 70 UCS-2 units.
"""

from collections import OrderedDict
from collections.abc import Callable
from struct import Struct
from typing import Generic, TypeVar

import msgspec

from opengage.smpp import coding, tlv
from opengage.smpp.coding import DataCoding
from opengage.smpp.pdu import EsmClass, Message

SEPTETS = 160
"""Septets of a text in one segment; 153 each in several (152 with a wide reference)."""

UCS2_UNITS = 70
"""UTF-16 units of a text in one segment; 67 each in several (66 with a wide reference)."""

_MOST_SEGMENTS = 255
_NARROW = Struct(">BBBBBB")
_WIDE = Struct(">BBBHBB")


class Segments(msgspec.Struct, frozen=True, gc=False):
    """A text ready for submit_sm: one payload per segment."""

    data_coding: int
    esm_class: int
    payloads: tuple[bytes, ...]


def split(text: str, reference: int, *, wide: bool = False) -> Segments:
    """The segments of a text: GSM alphabet when it can carry all of it, else UCS-2.

    `reference` joins the parts again at the handset and is taken modulo 256, or 65,536 when `wide`; it is unused when
    one segment is enough. An escape pair or a surrogate pair is never cut. Raises ValueError above 255 segments and
    UnicodeEncodeError for a lone surrogate.
    """
    if coding.is_gsm7(text):
        return _split_gsm7(coding.gsm7_units(text), reference, wide)
    return _split_ucs2(coding.encode_ucs2(text), reference, wide)


def _split_gsm7(units: bytes, reference: int, wide: bool) -> Segments:
    septets = coding.widen(units)
    if len(septets) <= SEPTETS:
        return Segments(DataCoding.DEFAULT, 0, (septets,))
    return _with_headers(DataCoding.DEFAULT, _cut_gsm7(septets, 152 if wide else 153), reference, wide)


def _cut_gsm7(septets: bytes, most: int) -> list[bytes]:
    parts, start = [], 0
    while start < len(septets):
        stop = start + most
        # The code behind an escape belongs to it. An escape never follows one: the alphabet has no double escape.
        if stop < len(septets) and septets[stop - 1] == coding.ESCAPE:
            stop -= 1
        parts.append(septets[start:stop])
        start = stop
    return parts


def _split_ucs2(octets: bytes, reference: int, wide: bool) -> Segments:
    if len(octets) <= 2 * UCS2_UNITS:
        return Segments(DataCoding.UCS2, 0, (octets,))
    return _with_headers(DataCoding.UCS2, _cut_ucs2(octets, 132 if wide else 134), reference, wide)


def _cut_ucs2(octets: bytes, most: int) -> list[bytes]:
    parts, start = [], 0
    while start < len(octets):
        stop = start + most
        if stop < len(octets) and octets[stop - 2] & 0xFC == 0xD8:  # a high surrogate keeps its low one
            stop -= 2
        parts.append(octets[start:stop])
        start = stop
    return parts


def _with_headers(data_coding: int, parts: list[bytes], reference: int, wide: bool) -> Segments:
    total = len(parts)
    if total > _MOST_SEGMENTS:
        raise ValueError(f"a text of {total} segments is over the {_MOST_SEGMENTS} that a header can count")
    headers = (header(reference, total, number, wide=wide) for number in range(1, total + 1))
    return Segments(data_coding, EsmClass.UDHI, tuple(map(bytes.__add__, headers, parts)))


def header(reference: int, total: int, number: int, *, wide: bool = False) -> bytes:
    """The user data header of one part; `number` counts from 1."""
    if wide:
        return _WIDE.pack(6, 0x08, 4, reference & 0xFFFF, total, number)
    return _NARROW.pack(5, 0x00, 3, reference & 0xFF, total, number)


def parse_header(payload: bytes) -> tuple[dict[int, bytes], bytes]:
    """The information elements by identifier, and the user data behind the header.

    A header that does not add up has no elements and takes nothing away: a handset shows such a text as it came.
    """
    if not payload or payload[0] + 1 > len(payload):
        return {}, payload
    end = payload[0] + 1
    elements: dict[int, bytes] = {}
    place = 1
    while place < end:
        if place + 2 > end or place + 2 + payload[place + 1] > end:
            return {}, payload
        stop = place + 2 + payload[place + 1]
        elements[payload[place]] = payload[place + 2 : stop]
        place = stop
    return elements, payload[end:]


class Part(msgspec.Struct, frozen=True, gc=False):
    """One message as a part of a text; a whole text is part 1 of 1."""

    payload: bytes
    reference: int = 0
    total: int = 1
    number: int = 1


def part_of(message: Message) -> Part:
    """Which part of which text this is, by its header or its sar_ parameters; never raises.

    Numbers that contradict each other (part 3 of 2, part 0) make it a text of its own.
    """
    payload = message.payload
    if message.esm_class & EsmClass.UDHI:
        elements, payload = parse_header(payload)
        numbers = _numbers_of(elements)
    else:
        numbers = _sar_numbers(message.tlvs) if message.tlvs else None
    if numbers is None or not 1 <= numbers[2] <= numbers[1]:
        return Part(payload)
    return Part(payload, *numbers)


def _numbers_of(elements: dict[int, bytes]) -> tuple[int, int, int] | None:
    wide, narrow = elements.get(0x08, b""), elements.get(0x00, b"")
    if len(wide) == 4:
        return wide[0] << 8 | wide[1], wide[2], wide[3]
    if len(narrow) == 3:
        return narrow[0], narrow[1], narrow[2]
    return None


def _sar_numbers(tlvs: tlv.Tlvs) -> tuple[int, int, int] | None:
    reference = tlv.find_int(tlvs, tlv.Tag.SAR_MSG_REF_NUM)
    total = tlv.find_int(tlvs, tlv.Tag.SAR_TOTAL_SEGMENTS)
    number = tlv.find_int(tlvs, tlv.Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or total is None or number is None or total > _MOST_SEGMENTS:
        return None
    return reference, total, number


T = TypeVar("T")


class Whole(msgspec.Struct, Generic[T], frozen=True):
    """What became of parts: `payload` in the order of the numbers, and the item of every part that went into it.

    `complete` is False for what was given up: its payload is what had come.
    """

    payload: bytes
    items: tuple[T, ...]
    complete: bool


class _Gathering(msgspec.Struct, Generic[T]):
    since: float
    parts: dict[int, tuple[bytes, T]]


class Reassembler(Generic[T]):
    """Joins parts within bounds: at most `limit` unfinished texts, each kept at most `patience` seconds.

    What is pushed out or too old comes back as an incomplete Whole, so that nothing disappears. The item (for example a
    sequence number to answer) travels with its part; a repeated part replaces the earlier payload and both items are
    kept.
    """

    def __init__(self, limit: int = 1_000, patience: float = 300.0) -> None:
        self._limit = limit
        self._patience = patience
        self._texts: OrderedDict[tuple[str, str, int, int], _Gathering[T]] = OrderedDict()
        self._repeats: dict[tuple[str, str, int, int], list[T]] = {}

    def __len__(self) -> int:
        """Unfinished texts at hand."""
        return len(self._texts)

    def add(self, source: str, destination: str, part: Part, item: T, now: float) -> list[Whole[T]]:
        """What this part finishes, and what it pushed out; `now` in monotonic seconds."""
        if part.total == 1:
            return [Whole(part.payload, (item,), complete=True)]
        key = (source, destination, part.reference, part.total)
        gathering = self._texts.get(key)
        if gathering is None:
            gathering = self._texts[key] = _Gathering(now, {})
        self._put(key, gathering, part, item)
        if len(gathering.parts) == part.total:
            return [self._take(key, complete=True)]
        return [self._take(next(iter(self._texts)), complete=False)] if len(self._texts) > self._limit else []

    def expire(self, now: float) -> list[Whole[T]]:
        """What has waited longer than the patience, given up; `now` in monotonic seconds."""
        late = []
        while self._texts:
            key, gathering = next(iter(self._texts.items()))
            if now - gathering.since <= self._patience:
                break
            late.append(self._take(key, complete=False))
        return late

    def discard(self, is_gone: Callable[[T], bool]) -> None:
        """Forget the parts whose items are gone, as those of a lost link are: its peer sends them again."""
        for key, gathering in list(self._texts.items()):
            for number in [number for number, (_, item) in gathering.parts.items() if is_gone(item)]:
                del gathering.parts[number]
            if key in self._repeats:
                self._repeats[key] = [item for item in self._repeats[key] if not is_gone(item)]
            if not gathering.parts:
                del self._texts[key]
                self._repeats.pop(key, None)

    def _put(self, key: tuple[str, str, int, int], gathering: _Gathering[T], part: Part, item: T) -> None:
        repeated = gathering.parts.get(part.number)
        if repeated is not None:
            self._repeats.setdefault(key, []).append(repeated[1])
        gathering.parts[part.number] = (part.payload, item)

    def _take(self, key: tuple[str, str, int, int], *, complete: bool) -> Whole[T]:
        parts = [part for _, part in sorted(self._texts.pop(key).parts.items(), key=lambda numbered: numbered[0])]
        items = [item for _, item in parts] + self._repeats.pop(key, [])
        return Whole(b"".join(payload for payload, _ in parts), tuple(items), complete)
