"""What was taken before is recognised, within bounds."""

from pathlib import Path

import msgspec
import pytest

from opengage.simulator.counts import Counts, Seen, fingerprint, report
from opengage.smpp.concatenation import part_of, split
from opengage.smpp.pdu import SubmitSm

SUBMIT = SubmitSm(source_addr="12025550100", destination_addr="12025550101", short_message=b"Hello")


def mark(submit: SubmitSm) -> int:
    """The fingerprint of a submit_sm."""
    return fingerprint(submit, part_of(submit))


@pytest.mark.parametrize(
    "changes", [{"sequence": 9}, {"tlvs": ((0x0204, b"\0\7"),)}, {"validity_period": "000001000000000R"}]
)
def test_a_repeated_text_is_the_same(changes: dict[str, object]) -> None:
    """What a sender changes when it repeats a text does not make it another."""
    assert mark(msgspec.structs.replace(SUBMIT, **changes)) == mark(SUBMIT)


@pytest.mark.parametrize(
    "changes",
    [{"source_addr": "12025550102"}, {"destination_addr": "12025550102"}, {"short_message": b"Hello!"}],
)
def test_another_text_is_another(changes: dict[str, object]) -> None:
    """Source, destination and content make the text."""
    assert mark(msgspec.structs.replace(SUBMIT, **changes)) != mark(SUBMIT)


def test_parts_are_told_apart_but_not_their_references() -> None:
    """Two equal parts of one text differ by their number; a repetition with another reference is the same."""

    def marks(reference: int) -> list[int]:
        cut = split("a" * 306, reference)
        return [
            mark(msgspec.structs.replace(SUBMIT, esm_class=cut.esm_class, short_message=payload))
            for payload in cut.payloads
        ]

    assert len(set(marks(1))) == 2
    assert marks(1) == marks(2)


def test_memory_is_bounded() -> None:
    """Above its limit a new text counts as untracked; those known are recognised still."""
    seen = Seen(most=2)
    for number in (1, 2, 3, 1, 3):
        seen.add(number)
    assert (seen.unique, seen.duplicates, seen.untracked) == (2, 1, 2)


def test_texts_are_known_after_a_restart(tmp_path: Path) -> None:
    """A file keeps what earlier runs took; a write cut short costs one text, not those behind it."""
    path = tmp_path / "seen"
    path.touch()
    with path.open("r+b", buffering=0) as file:
        first = Seen(file=file)
        for number in (1, 2, 2):
            first.add(number)
        first.flush()
    path.write_bytes(path.read_bytes() + b"cut")
    with path.open("r+b", buffering=0) as file:
        second = Seen(file=file)
        assert (second.unique, second.duplicates) == (2, 1)
        for number in (2, 3):
            second.add(number)
        second.flush()
    with path.open("r+b", buffering=0) as file:
        third = Seen(file=file)
    assert (third.unique, third.duplicates) == (3, 2)


def test_the_report_names_statuses() -> None:
    """Counts by status carry the specification's names, or the number of a private one."""
    counts = Counts(submits=3)
    counts.answers.update([0, 0, 0x58])
    counts.binds.update([0x401])
    found = report(counts, Seen(), links=1)
    assert found["answers"] == {"ESME_ROK": 2, "ESME_RTHROTTLED": 1}
    assert found["binds"] == {"0x00000401": 1}
    assert (found["submits"], found["links"]) == (3, 1)
