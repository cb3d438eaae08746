"""`opengage erase`: asks, forgets, and says what it came to."""

import io
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Opengage

ANN = "+12025550123"


@pytest.fixture
def data(opengage: Opengage, tmp_path: Path) -> Path:
    """A folder with an account that has suppressed Ann."""
    assert opengage("init", "--data", str(tmp_path), "--account", "firstbank").code == 0
    with sqlite3.connect(tmp_path / "opengage.db") as connection:
        row = (1, bytes(16), 0, 0, ANN, "manual")
        connection.execute("INSERT INTO suppressions VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()
    return tmp_path


def suppressed(data: Path) -> list[Any]:
    """What stands in the suppressions."""
    connection = sqlite3.connect(data / "opengage.db")
    try:
        return [number for (number,) in connection.execute("SELECT phone_number FROM suppressions")]
    finally:
        connection.close()


def test_it_forgets(opengage: Opengage, data: Path) -> None:
    """With what it found; the number is not told again."""
    ended = opengage("erase", ANN, "--data", str(data), "--account", "firstbank", "--yes", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert (told["status"], told["count-others"]) == ("completed", 1)
    assert suppressed(data) == [told["pseudonym"]]
    assert ANN not in ended.out + ended.err


def test_it_reads_the_number(opengage: Opengage, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From standard input, so that it is in no list of processes."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{ANN}\n"))
    ended = opengage("erase", "-", "--data", str(data), "--account", "firstbank", "--yes")
    assert ended.code == 0, ended.err
    assert "completed" in ended.out
    assert suppressed(data) != [ANN]


def test_it_asks_first(opengage: Opengage, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not say yes keeps everything."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    ended = opengage("erase", ANN, "--data", str(data), "--account", "firstbank")
    assert ended.code != 0
    assert suppressed(data) == [ANN]


def test_what_cannot_be(opengage: Opengage, data: Path) -> None:
    """No number, no such account: words, no traceback, and nothing is begun."""
    for number, account in (("nobody", "firstbank"), (ANN, "nobody")):
        ended = opengage("erase", number, "--data", str(data), "--account", account, "--yes")
        assert ended.code == 3
        assert "Traceback" not in ended.err
    assert suppressed(data) == [ANN]
