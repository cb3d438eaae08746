"""`opengage verify`: what it says of a receipt, and how it ends."""

import io
import json
import sys
from pathlib import Path

import pytest

from cli.conftest import Opengage
from opengage.domain.receipt_chain import Envelope, Format, Writer


def a_receipt(folder: Path, kind: Format = Format.NDJSON) -> tuple[Path, str]:
    """A receipt of two envelopes in a file, and its final hash."""
    writer = Writer(kind)
    text = writer.header({"engagement-id": "6Xn2", "total": 2})
    text += writer.envelope(
        Envelope(envelope_id="a", phone_number="+12025550101", status="complete", reason="delivered")
    )
    text += writer.envelope(Envelope(envelope_id="b", phone_number="+12025550102", status="hold", reason="in-doubt"))
    path = folder / f"receipt.{kind}"
    path.write_bytes(text + writer.end())
    return path, writer.final_hash


@pytest.mark.parametrize("kind", list(Format))
def test_an_intact_receipt(tmp_path: Path, opengage: Opengage, kind: Format) -> None:
    """Code 0; the totals and the final hash on stdout."""
    path, final = a_receipt(tmp_path, kind)
    ended = opengage("verify", str(path), "--expect", final.upper())
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Intact: 2 envelopes")
    assert final in ended.out
    assert "in-doubt" in ended.out


def test_as_json(tmp_path: Path, opengage: Opengage) -> None:
    """One object with everything."""
    path, final = a_receipt(tmp_path)
    ended = opengage("verify", str(path), "--json")
    assert ended.code == 0
    assert json.loads(ended.out) == {
        "intact": True,
        "count": 2,
        "reasons": {"delivered": 1, "in-doubt": 1},
        "final-hash": final,
        "facts": {"version": 1, "engagement-id": "6Xn2", "total": 2},
    }


def test_a_changed_line_is_named(tmp_path: Path, opengage: Opengage) -> None:
    """Code 1; the words on stderr, or the object on stdout."""
    path, _ = a_receipt(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"in-doubt"', b'"delivered"', 1))
    ended = opengage("verify", str(path))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("Not intact: line 3 was changed: ")
    as_json = opengage("verify", str(path), "--json")
    told = json.loads(as_json.out)
    assert (as_json.code, told["intact"], told["line"], told["damage"]) == (1, False, 3, "changed")


def test_bytes_that_are_no_text_are_a_change(tmp_path: Path, opengage: Opengage) -> None:
    """No traceback, and the line is named."""
    path, _ = a_receipt(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"delivered"', b'"deliver\xffd"', 1))
    assert "line 2 was changed" in opengage("verify", str(path)).err


@pytest.mark.parametrize("as_json", [True, False])
def test_another_receipt(tmp_path: Path, opengage: Opengage, as_json: bool) -> None:
    """A whole receipt that is not the one expected is told from it."""
    path, final = a_receipt(tmp_path)
    ended = opengage("verify", str(path), "--expect", "0" * 64, *(["--json"] if as_json else []))
    assert ended.code == 1
    assert final in (ended.out if as_json else ended.err)
    assert "another receipt" in ended.out + ended.err


def test_standard_input(tmp_path: Path, opengage: Opengage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads it."""
    path, _ = a_receipt(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert opengage("verify", "-").out.startswith("Intact: 2 envelopes")


@pytest.mark.parametrize("name", ["none.ndjson", "."])
def test_no_file(tmp_path: Path, opengage: Opengage, name: str) -> None:
    """It is told what to name instead."""
    ended = opengage("verify", str(tmp_path / name))
    assert (ended.code, ended.out) == (3, "")
    assert "cannot be read" in ended.err
