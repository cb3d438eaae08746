"""The receipt of a finished blast: one line for each envelope, each chained to the line before it by SHA-256.

Written by `operations` as the answer to an export, line by line; read by `opengage verify`, by whoever was given the
file. A receipt says where every envelope ended; the last line's hash stands for all of it. Whoever keeps that hash
elsewhere can tell later that the file is the same, to the byte.

The chain. A line's canonical bytes are compact JSON in UTF-8 without its hash: an object of `kind` (`header`,
`envelope`, `end`), `number` (0, 1, 2, ...) and its fields in fixed order. Its hash is SHA-256 over the hash of the line
before it (32 octets; zeros before the first) and these bytes. The header's `facts` are about the engagement; the end's
are the count of envelopes and the totals by reason.

Two formats, one chain: as NDJSON a line is its canonical object with `hash` as last member; as CSV the fields are
columns. In CSV a value that a spreadsheet would take for a formula, and one that begins with an apostrophe, is written
after an apostrophe. The hashes are those of the values, so they are the same in both.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import chain
from typing import Final

import msgspec

VERSION: Final = 1
Facts = dict[str, str | int | dict[str, int] | None]

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""How values begin that are written after an apostrophe in CSV."""

_START: Final = bytes(32)
_TAIL: Final = re.compile(r',"hash":"([0-9a-f]{64})"\}\Z', re.ASCII)
_PHONES: Final = frozenset(("phone-number", "sender"))


class _Line(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True, tag_field="kind", kw_only=True):
    number: int


class Header(_Line, frozen=True, tag="header", kw_only=True):
    """The first line: what the engagement was."""

    facts: Facts


class Envelope(_Line, frozen=True, tag="envelope", kw_only=True):
    """One recipient and where it ended. Instants are wire timestamps; an empty text is written as null."""

    number: int = 0
    """Given by the Writer."""
    envelope_id: str
    phone_number: str
    status: str
    reason: str
    text_id: str | None = None
    sender: str | None = None
    segments: int | None = None
    carrier_refs: str | None = None
    """The carrier's ids of the segments, separated by spaces."""
    code: str | None = None
    sent_at: str | None = None
    completed_at: str | None = None
    body_sha256: str | None = None
    """What was said, without saying it: SHA-256 of the text in UTF-8."""


class End(_Line, frozen=True, tag="end", kw_only=True):
    """The last line: `count` and `reasons`."""

    facts: Facts


Line = Header | Envelope | End

_COLUMNS: Final = tuple(field for field in msgspec.structs.fields(Envelope) if field.name != "number")
_OPTIONAL: Final = tuple(field.name for field in _COLUMNS if field.default is None)
CSV_COLUMNS: Final = ("kind", "number", *(field.encode_name for field in _COLUMNS), "facts", "hash")
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Line)
_facts: Final = msgspec.json.Decoder(Facts)


class Format(StrEnum):
    """How a receipt is written."""

    NDJSON = "ndjson"
    CSV = "csv"


class Writer:
    """Writes a receipt line by line; it holds no more than the totals.

    `plain_numbers` leaves phone numbers in CSV without their apostrophe: a spreadsheet then takes +12025550100 for a
    sum, so that is for other readers, by explicit choice.
    """

    def __init__(self, kind: Format = Format.NDJSON, *, plain_numbers: bool = False) -> None:
        self._kind = kind
        self._plain = _PHONES if plain_numbers else frozenset[str]()
        self._hash = _START
        self._number = 0
        self._reasons: Counter[str] = Counter()

    @property
    def final_hash(self) -> str:
        """The hash of the last line written."""
        return self._hash.hex()

    def header(self, facts: Mapping[str, str | int | None]) -> bytes:
        """The first line (in CSV after the names of the columns). `total`, if given, is how many envelopes follow."""
        first = self._write(Header(number=0, facts={"version": VERSION, **facts}))
        return first if self._kind is Format.NDJSON else _csv(CSV_COLUMNS) + first

    def envelope(self, line: Envelope) -> bytes:
        """The next line; its `number` is given here."""
        self._reasons[line.reason or line.status] += 1
        empty = {name: None for name in _OPTIONAL if getattr(line, name) == ""}
        return self._write(msgspec.structs.replace(line, number=self._number, **empty))

    def end(self) -> bytes:
        """The last line."""
        facts: Facts = {"count": self._number - 1, "reasons": dict(sorted(self._reasons.items()))}
        return self._write(End(number=self._number, facts=facts))

    def _write(self, line: Line) -> bytes:
        canonical = _encoder.encode(line)
        self._hash = _chained(self._hash, canonical)
        self._number += 1
        if self._kind is Format.CSV:
            return _csv(_cells(line, self._hash.hex(), self._plain))
        return b'%s,"hash":"%s"}\n' % (canonical[:-1], self._hash.hex().encode())


class Damage(StrEnum):
    """What happened to a receipt that is not as it was written."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    MOVED = "moved"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    """It is of a version that this Opengage does not know."""
    MISCOUNTED = "miscounted"
    """The chain holds, but the sums are not those of its lines: it was not written by Opengage."""


class Intact(msgspec.Struct, frozen=True):
    """Every line is as it was written, and none is missing."""

    facts: Facts
    count: int
    reasons: dict[str, int]
    final_hash: str


class Broken(msgspec.Struct, frozen=True):
    """The first place where it is not: the line of the file, counted from 1, and what is wrong there in words."""

    line: int
    damage: Damage
    detail: str


class _Read(msgspec.Struct, frozen=True):
    """A line of a file: None where it is no line of a receipt."""

    place: int
    line: Line | None
    canonical: bytes = b""
    hash: bytes = b""

    def follows(self, number: int, before: bytes) -> bool:
        """Whether this is the line of that number after the line of that hash."""
        return self.line is not None and self.line.number == number and _chained(before, self.canonical) == self.hash


def verify(lines: Iterable[str]) -> Intact | Broken:
    """Check a receipt in either format, line by line: it may be longer than memory."""
    reader = _read(lines)
    header: Header | None = None
    reasons: Counter[str] = Counter()
    number, before, place = 0, _START, 0
    for found in reader:
        place = found.place
        if not found.follows(number, before) or (number == 0) is not isinstance(found.line, Header):
            return _diagnose(found, next(reader, None), number, before)
        if isinstance(found.line, End):
            return _close(header, found, reasons, next(reader, None))
        if isinstance(found.line, Envelope):
            reasons[found.line.reason or found.line.status] += 1
        elif isinstance(found.line, Header):
            header = found.line
            if header.facts.get("version") != VERSION:
                return Broken(place, Damage.UNREADABLE, f"only version {VERSION} of receipts is known here")
        number, before = number + 1, found.hash
    return Broken(place + 1, Damage.TRUNCATED, f"the receipt ends here, before its line number {number} and its end")


def _close(header: Header | None, found: _Read, reasons: Counter[str], more: _Read | None) -> Intact | Broken:
    """The end has come: nothing may follow it, and its sums must be those of the lines."""
    assert header is not None
    assert found.line is not None
    if more is not None:
        return Broken(more.place, Damage.INSERTED, "it stands after the receipt's end")
    count = sum(reasons.values())
    facts: Facts = {"count": count, "reasons": dict(sorted(reasons.items()))}
    if not isinstance(found.line, End) or found.line.facts != facts or header.facts.get("total", count) != count:
        return Broken(found.place, Damage.MISCOUNTED, f"there are {count:,} envelopes, and other sums are told")
    return Intact(header.facts, count, dict(sorted(reasons.items())), found.hash.hex())


def _diagnose(found: _Read, following: _Read | None, number: int, before: bytes) -> Broken:
    """What happened, as far as the line that does not fit and the one after it tell."""
    if following is not None and following.follows(number, before):
        if found.line is not None and found.line.number > number:
            detail = f"it is number {found.line.number} and stands before number {number}"
            return Broken(found.place, Damage.MOVED, detail)
        return Broken(found.place, Damage.INSERTED, "the line after it is the one that belongs here")
    if found.line is None:
        return Broken(found.place, Damage.CHANGED, "it is no longer a line of a receipt")
    if found.line.number > number:
        return Broken(found.place, Damage.REMOVED, f"before it, number {number} is missing")
    if found.line.number < number:
        return Broken(found.place, Damage.INSERTED, f"number {found.line.number} has been there already")
    detail = "its hash does not follow from what it says and from the line before it"
    return Broken(found.place, Damage.CHANGED, detail)


def _chained(before: bytes, canonical: bytes) -> bytes:
    return hashlib.sha256(before + canonical).digest()


def _read(lines: Iterable[str]) -> Iterator[_Read]:
    """The lines of a file in either format, with their places in it."""
    rest = iter(lines)
    first = next(rest, "")
    if first.removeprefix("\ufeff").rstrip("\r\n") == ",".join(CSV_COLUMNS):
        yield from _read_csv(rest)
        return
    for place, line in enumerate(chain([first] if first else [], rest), start=1):
        yield _read_json(line.rstrip("\r\n"), place)


def _read_json(text: str, place: int) -> _Read:
    tail = _TAIL.search(text)
    if tail is None:
        return _Read(place, None)
    return _decoded(f"{text[: tail.start()]}}}".encode("utf-8", "surrogateescape"), tail.group(1), place)


def _decoded(canonical: bytes, hash_: str, place: int) -> _Read:
    """Only the very bytes that would be written count: nothing can hide in a repeated key or a blank."""
    try:
        line = _decoder.decode(canonical)
        is_canonical = _encoder.encode(line) == canonical
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _Read(place, None)
    return _Read(place, line if is_canonical else None, canonical, bytes.fromhex(hash_))


def _read_csv(lines: Iterable[str]) -> Iterator[_Read]:
    reader = csv.reader(lines, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            yield _Read(reader.line_num + 1, None)
            continue
        if cells is None:
            return
        yield _from_cells(cells, reader.line_num + 1)


def _from_cells(cells: list[str], place: int) -> _Read:
    if len(cells) != len(CSV_COLUMNS) or not re.fullmatch(r"[0-9a-f]{64}", cells[-1]):
        return _Read(place, None)
    values = dict(zip(CSV_COLUMNS, (cell.removeprefix("'") for cell in cells), strict=True))
    try:
        line = _from_values(values)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _Read(place, None)
    again = (_cells(line, cells[-1], plain) for plain in (frozenset[str](), _PHONES))
    return _decoded(_encoder.encode(line), cells[-1], place) if cells in again else _Read(place, None)


def _from_values(values: Mapping[str, str]) -> Line:
    number = int(values["number"])
    if values["kind"] != "envelope":
        kind = Header if values["kind"] == "header" else End
        return kind(number=number, facts=_facts.decode(values["facts"]))
    found = {field.name: values[field.encode_name] or None for field in _COLUMNS}
    found |= {name: values[name] for name in ("status", "reason")}
    segments = int(values["segments"]) if values["segments"] else None
    return msgspec.convert({**_kebab(found), "kind": "envelope", "number": number, "segments": segments}, Envelope)


def _kebab(values: Mapping[str, object]) -> dict[str, object]:
    return {name.replace("_", "-"): value for name, value in values.items()}


def _cells(line: Line, hash_: str, plain: frozenset[str]) -> list[str]:
    """A line as a row of CSV_COLUMNS."""
    values: dict[str, object] = {"kind": line.__struct_config__.tag, "number": line.number, "hash": hash_}
    if isinstance(line, Envelope):
        values |= {field.encode_name: getattr(line, field.name) for field in _COLUMNS}
    else:
        values["facts"] = _encoder.encode(line.facts).decode()
    return [_cell(name, values.get(name), plain) for name in CSV_COLUMNS]


def _cell(name: str, value: object, plain: frozenset[str]) -> str:
    text = "" if value is None else str(value)
    is_plain = name in plain and text.startswith("+")
    return f"'{text}" if text.startswith(FORMULA) and not is_plain else text


def _csv(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(cells)  # lines end as in RFC 4180, so that both characters of a line end are quoted
    return out.getvalue().encode()
