"""`opengage init`: the contract that scripts rely on, and its refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Opengage

KEYS = ["account-key", "token-key", "token-secret", "phone-number-id", "phone-number", "api-url"]


def init(opengage: Opengage, data: Path, key: str, *flags: str) -> dict[str, Any]:
    """Make an account; what was printed, as the one JSON object that it must be."""
    ended = opengage("init", "--data", str(data), "--account", key, "--json", *flags)
    assert ended.code == 0, ended.err
    told: dict[str, Any] = json.loads(ended.out)
    return told


def test_it_prints_the_contract(opengage: Opengage, tmp_path: Path) -> None:
    """One JSON object with exactly these keys, on a folder that did not exist."""
    told = init(opengage, tmp_path / "new", "firstbank", "--phone-number", "+12025550123")
    assert list(told) == KEYS
    assert (told["account-key"], told["phone-number"]) == ("firstbank", "+12025550123")
    assert told["api-url"] == "http://127.0.0.1:8080/api/v1"
    assert len(told["phone-number-id"]) == 22


def test_without_json_it_tells_people(opengage: Opengage, tmp_path: Path) -> None:
    """The same keys one a line, and the advice to keep the secret beside them."""
    ended = opengage("init", "--data", str(tmp_path), "--account", "firstbank")
    assert [line.split()[0] for line in ended.out.splitlines()] == KEYS
    assert "Keep the secret" in ended.err


def test_another_key_adds_a_tenant(opengage: Opengage, tmp_path: Path) -> None:
    """Two accounts share a folder, with tokens of their own."""
    first, second = (init(opengage, tmp_path, key) for key in ("firstbank", "secondbank"))
    for name in ("account-key", "token-key", "token-secret", "phone-number-id"):
        assert first[name] != second[name]


def test_the_same_key_again_is_refused(opengage: Opengage, tmp_path: Path) -> None:
    """It says that the account exists and what to do, prints no object and no traceback."""
    init(opengage, tmp_path, "firstbank")
    ended = opengage("init", "--data", str(tmp_path), "--account", "firstbank", "--json")
    assert ended.code != 0
    assert ended.out == ""
    assert "The account “firstbank” exists already. Choose another key" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--phone-number", "12025550100"], "the country code is missing"),
        (["--smsc", "http://carrier.example"], "smpp://SYSTEM_ID:PASSWORD@HOST:PORT"),
        (["--rate", "0"], "segments per second"),
        (["--name", "\udcff"], "printable characters"),
        (["--smsc", "smpp://%00me:x@carrier.example"], "printable ASCII"),
    ],
)
def test_wrong_values_are_told(opengage: Opengage, tmp_path: Path, flags: list[str], told: str) -> None:
    """Each refusal says what would do."""
    ended = opengage("init", "--data", str(tmp_path), "--account", "firstbank", *flags)
    assert ended.code != 0
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_a_carriers_password_is_not_shown(opengage: Opengage, tmp_path: Path) -> None:
    """It is stored for the worker, and nothing prints it."""
    flags = ["--smsc", "smpp://me:hunter2@carrier.example:2775", "--account", "firstbank"]
    ended = opengage("init", "--data", str(tmp_path), *flags)
    assert ended.code == 0
    assert "hunter2" not in ended.out + ended.err


def test_a_file_is_no_data_folder(opengage: Opengage, tmp_path: Path) -> None:
    """It says so, and what to name instead."""
    file = tmp_path / "file"
    file.touch()
    ended = opengage("init", "--data", str(file), "--account", "firstbank")
    assert ended.code != 0
    assert f"The data folder {file} cannot be used" in ended.err
    assert "--data" in ended.err
    assert "Traceback" not in ended.err
