"""Receipts of a blast: written in two formats with one chain, and nothing can be done to one unseen."""

import csv
import hashlib
import io
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.receipt_chain import Broken, Damage, Envelope, Format, Intact, Writer, verify

FACTS: dict[str, str | int | None] = {
    "engagement-id": "6Xn2",
    "name": "Spring – “sale”",
    "total": 5,
    "completed-at": None,
}


def an_envelope(number: int = 1, **values: str | int | None) -> Envelope:
    """One recipient."""
    plain = {
        "envelope_id": f"e{number}",
        "phone_number": f"+1202555{100 + number:04}",
        "status": "complete",
        "reason": "delivered",
        "text_id": f"t{number}",
        "segments": 1,
    }
    return msgspec.convert(
        {name.replace("_", "-"): value for name, value in (plain | values).items()} | {"kind": "envelope", "number": 0},
        Envelope,
    )


ENVELOPES = (
    an_envelope(1),
    an_envelope(2, status="incomplete", reason="opted-out", text_id=None, segments=None),
    an_envelope(3, code='=cmd|" /C calc"!A1', carrier_refs="'1 2"),
    an_envelope(4, status="incomplete", reason="undelivered", code="UNDELIV:069\r\nx\ry", sent_at="", segments=3),
    an_envelope(5, sender="-1", body_sha256="@\t"),
)


def written(kind: Format, envelopes: Sequence[Envelope] = ENVELOPES, *, plain_numbers: bool = False) -> list[str]:
    """A receipt, one text for each of its lines; a line of CSV may be several of a file."""
    writer = Writer(kind, plain_numbers=plain_numbers)
    lines = [writer.header(FACTS | {"total": len(envelopes)})]
    lines += [writer.envelope(envelope) for envelope in envelopes]
    lines.append(writer.end())
    found = [line.decode() for line in lines]
    if kind is Format.CSV:
        columns, first = found[0].split("\r\n", 1)
        return [f"{columns}\r\n", first, *found[1:]]
    return found


def checked(lines: Sequence[str]) -> Intact | Broken:
    """What is said of a file with these lines."""
    return verify(io.StringIO("".join(lines), newline=""))


def test_the_chain_is_what_its_description_says() -> None:
    """Anybody can compute it: SHA-256 over the hash before and the object without its hash."""
    before = bytes(32)
    for line in written(Format.NDJSON):
        body, _, tail = line.rpartition(',"hash":"')
        before = hashlib.sha256(before + f"{body}}}".encode()).digest()
        assert tail == f'{before.hex()}"}}\n'
    first = '{"kind":"header","number":0,"facts":{"version":1,"engagement-id":"6Xn2","name":"Spring – “sale”",'
    assert written(Format.NDJSON)[0].startswith(first)


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize("plain_numbers", [True, False])
def test_a_receipt_is_intact(kind: Format, plain_numbers: bool) -> None:
    """Both formats, with one final hash; the totals are told."""
    found = checked(written(kind, plain_numbers=plain_numbers))
    assert isinstance(found, Intact)
    assert (found.count, found.reasons) == (5, {"delivered": 3, "opted-out": 1, "undelivered": 1})
    assert found.facts["name"] == FACTS["name"]
    last = msgspec.json.decode(written(Format.NDJSON)[-1])
    assert found.final_hash == last["hash"]
    assert last["facts"] == {"count": 5, "reasons": found.reasons}


def test_the_writer_knows_the_final_hash() -> None:
    """To be kept elsewhere; a blast of nobody has one too."""
    writer = Writer()
    lines = [writer.header({"total": 0}), writer.end()]
    found = checked([line.decode() for line in lines])
    assert isinstance(found, Intact)
    assert found.final_hash == writer.final_hash


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_has_no_formulas(mark: str) -> None:
    """A spreadsheet computes nothing; numbers stay plain by explicit choice alone."""
    rows = [*csv.reader(io.StringIO("".join(written(Format.CSV)), newline=""))]
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r\n")]
    assert checked([mark, *written(Format.CSV)]) == checked(written(Format.CSV))
    plain = [*csv.DictReader(io.StringIO("".join(written(Format.CSV, plain_numbers=True)), newline=""))]
    assert (plain[1]["phone-number"], plain[5]["sender"]) == ("+12025550101", "'-1")
    assert plain[3]["code"].startswith("'=")


def first_line(lines: Sequence[str], place: int) -> int:
    """The line of the file, from 1, at whose last line the line at `place` ends."""
    text = "".join(lines[: place + 1])
    return text.count("\n") + text.count("\r") - text.count("\r\n")


Deed = Callable[[list[str], int, int], tuple[list[str], int]]


def _change(lines: list[str], place: int, _: int) -> tuple[list[str], int]:
    line = lines[place]
    middle = len(line) // 2
    other = "x" if line[middle] != "x" else "y"
    return [*lines[:place], line[:middle] + other + line[middle + 1 :], *lines[place + 1 :]], place


def _remove(lines: list[str], place: int, _: int) -> tuple[list[str], int]:
    return lines[:place] + lines[place + 1 :], place


def _repeat(lines: list[str], place: int, _: int) -> tuple[list[str], int]:
    return lines[: place + 1] + lines[place:], place + 1


def _move(lines: list[str], place: int, to: int) -> tuple[list[str], int]:
    rest = lines[:place] + lines[place + 1 :]
    return [*rest[:to], lines[place], *rest[to:]], min(place, to)


@given(st.sampled_from([_change, _remove, _repeat, _move]), st.sampled_from(Format), st.data())
def test_the_first_line_that_is_not_as_it_was_is_named(deed: Deed, kind: Format, data: st.DataObject) -> None:
    """Whatever is done to any line of either format."""
    lines = written(kind)
    first = 1 if kind is Format.CSV else 0  # the names of the columns say nothing that is chained
    place = data.draw(st.integers(first, len(lines) - 1))
    to = data.draw(st.integers(first, len(lines) - 1).filter(lambda one: one != place))
    done, expected = deed(lines, place, to)
    found = checked(done)
    assert isinstance(found, Broken)
    if expected < len(done):
        assert found.line in (first_line(done, expected), first_line(done, expected - 1) + 1)
    else:
        assert found.damage is Damage.TRUNCATED


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize(
    ("deed", "damage"),
    [
        (lambda lines, at: _change(lines, at, 0)[0], Damage.CHANGED),
        (lambda lines, at: _remove(lines, at, 0)[0], Damage.REMOVED),
        (lambda lines, at: _repeat(lines, at, 0)[0], Damage.INSERTED),
        (lambda lines, at: _move(lines, at, at + 1)[0], Damage.MOVED),
        (lambda lines, at: lines[:at], Damage.TRUNCATED),
        (lambda lines, at: [*lines[:at], "\r\n", *lines[at:]], Damage.INSERTED),
        (lambda lines, at: [*lines, lines[at]], Damage.INSERTED),
        (lambda lines, at: [*lines[:at], "{}\n", *lines[at:]], Damage.INSERTED),
    ],
)
def test_what_was_done_is_told(kind: Format, deed: Callable[[list[str], int], list[str]], damage: Damage) -> None:
    """Changed, removed, inserted, moved and cut off are told apart."""
    found = checked(deed(written(kind), 3))
    assert isinstance(found, Broken)
    assert found.damage is damage
    assert found.detail


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"reason":"opted-out"', '"reason":"delivered"'),
        ('"reason":"opted-out"', '"reason":"delivered","reason":"opted-out"'),
        ('"number":2', '"number": 2'),
        ('"status":"incomplete"', '"status":"incomplete","note":"x"'),
        ('"kind":"envelope","number":2', '"number":2,"kind":"envelope"'),
    ],
)
def test_nothing_hides_in_the_json(old: str, new: str) -> None:
    """Repeated keys, blanks, other members and another order are changes too."""
    lines = written(Format.NDJSON)
    lines[2] = lines[2].replace(old, new)
    found = checked(lines)
    assert isinstance(found, Broken)
    assert (found.line, found.damage) == (3, Damage.CHANGED)


@pytest.mark.parametrize(
    ("old", "new"),
    [("opted-out", "'opted-out"), (",incomplete,", ", incomplete,"), ("envelope,2", "envelope,02"), ("2,e2", "2,e2,")],
)
def test_nothing_hides_in_the_csv(old: str, new: str) -> None:
    """An apostrophe that was not there, a blank, a zero and a column are changes too."""
    lines = written(Format.CSV)
    lines[3] = lines[3].replace(old, new)
    found = checked(lines)
    assert isinstance(found, Broken)
    assert (found.line, found.damage) == (4, Damage.CHANGED)


def test_a_forged_chain_is_seen_by_its_sums_or_by_its_hash() -> None:
    """Whoever computes all hashes anew cannot keep the final one; wrong sums are seen without it."""
    writer = Writer()
    lines = [writer.header({"total": 3}).decode(), writer.envelope(an_envelope()).decode(), writer.end().decode()]
    found = checked(lines)
    assert isinstance(found, Broken)
    assert found.damage is Damage.MISCOUNTED
    forged = checked(written(Format.NDJSON, [an_envelope(9), *ENVELOPES[1:]]))
    assert isinstance(forged, Intact)
    assert forged.final_hash != msgspec.json.decode(written(Format.NDJSON)[-1])["hash"]


@pytest.mark.parametrize(
    "text", ["", "\n", "hello\n", "{}\n", '{"hash":"' + "0" * 64 + '"}\n', "a,b\n1,2\n", "[" * 9999]
)
def test_what_is_no_receipt(text: str) -> None:
    """It is told at its first line."""
    found = checked([text])
    assert isinstance(found, Broken)
    assert found.line == 1


def test_other_versions_are_not_guessed_at() -> None:
    """A receipt of another version is not called damaged for what this one does not know."""
    writer = Writer()
    lines = [writer.header({"version": 2}).decode(), writer.end().decode()]
    found = checked(lines)
    assert isinstance(found, Broken)
    assert found.damage is Damage.UNREADABLE


TEXTS = (
    st.none() | st.text(max_size=8) | st.sampled_from(["=1", "+1", "'", "''x", '"', ",", "\r", "\n", "\0", "\u2028"])
)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.none() | st.integers(1, 10)), max_size=4), st.booleans())
def test_any_value_survives_both_formats(values: list[tuple[str | None, str | None, int | None]], plain: bool) -> None:
    """What was written is intact, with one hash, whatever carriers and people have put into it."""
    envelopes = [an_envelope(code=code, sender=sender, segments=count) for code, sender, count in values]
    csv_found = checked(written(Format.CSV, envelopes, plain_numbers=plain))
    assert csv_found == checked(written(Format.NDJSON, envelopes))
    assert isinstance(csv_found, Intact)
