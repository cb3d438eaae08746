"""`opengage doctor`: each thing that is wrong is named, with its mending."""

import json
import sqlite3
from pathlib import Path

import pytest

from cli.conftest import Opengage
from opengage.cli.options import free_port

Found = dict[str, tuple[bool, str]]


def examined(opengage: Opengage, data: Path, **settings: str) -> tuple[int, Found]:
    """The exit code, and each check's result."""
    ended = opengage("doctor", "--data", str(data), "--json", **settings)
    return ended.code, {each["check"]: (each["ok"], each["detail"]) for each in json.loads(ended.out)}


@pytest.fixture
def data(opengage: Opengage, tmp_path: Path) -> Path:
    """A folder that is well."""
    folder = tmp_path / "data"
    assert opengage("init", "--data", str(folder), "--account", "firstbank").code == 0
    return folder


def change(data: Path, statement: str) -> None:
    """Spoil the database."""
    connection = sqlite3.connect(data / "opengage.db")
    with connection:
        connection.execute(statement)
    connection.close()


def test_all_is_well(opengage: Opengage, data: Path) -> None:
    """Exit code 0, one line for each check."""
    ended = opengage("doctor", "--data", str(data))
    assert ended.code == 0, ended.out
    assert {line.split()[0] for line in ended.out.splitlines()} == {"ok"}
    assert len(ended.out.splitlines()) == 9


def test_a_wrong_setting_is_named(opengage: Opengage, data: Path) -> None:
    """With its name and what is expected."""
    code, found = examined(opengage, data, port="many")
    assert code == 1
    assert "OPENGAGE_PORT" in found["settings"][1]


def test_a_missing_folder_is_named(opengage: Opengage, tmp_path: Path) -> None:
    """And the verb that makes it."""
    code, found = examined(opengage, tmp_path / "nowhere")
    assert code == 1
    assert (found["folder"][0], "opengage migrate" in found["folder"][1]) == (False, True)
    assert not found["database"][0]


def test_a_folder_that_others_can_read_is_named(opengage: Opengage, data: Path) -> None:
    """It holds secrets."""
    data.chmod(0o755)
    assert "chmod 700" in examined(opengage, data)[1]["folder"][1]


def test_a_full_disk_is_named(opengage: Opengage, data: Path) -> None:
    """Below the reserve that the settings name."""
    assert not examined(opengage, data, disk_reserve_bytes=str(1 << 49))[1]["disk"][0]


@pytest.mark.parametrize(("revision", "words"), [("0001", "opengage migrate"), ("9999", "Update Opengage")])
def test_a_wrong_schema_is_named(opengage: Opengage, data: Path, revision: str, words: str) -> None:
    """Too old or too new, each with its mending."""
    change(data, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert words in examined(opengage, data)[1]["schema"][1]


def test_an_interrupted_restore_is_named(opengage: Opengage, data: Path) -> None:
    """It holds every lane, so nothing is sent."""
    change(
        data,
        "INSERT INTO lanes (account_id, phone_number_id, owner, epoch, expires_at) VALUES (9, x'00', 'restore', 1, 1)",
    )
    assert "interrupted" in examined(opengage, data)[1]["restore"][1]


def test_a_carrier_that_cannot_be_reached_is_named(opengage: Opengage, data: Path) -> None:
    """By the name of its profile, without its password."""
    change(
        data,
        f"UPDATE service_profiles SET kind = 'smpp', url = 'smpp://a@127.0.0.1:{free_port()}', password = 'hunter2'",
    )
    code, found = examined(opengage, data)
    (check,) = (name for name in found if name.startswith("carrier"))
    assert (code, found[check][0], "cannot be reached" in found[check][1]) == (1, False, True)
    assert "hunter2" not in str(found)


def test_a_secret_key_that_was_lost(opengage: Opengage, data: Path) -> None:
    """Who has opted out under a pseudonym cannot be told without it, so it is said before a worker refuses to send."""
    number = "+12025550123"
    erased = opengage("erase", number, "--data", str(data), "--account", "firstbank", "--yes")
    assert erased.code == 0, erased.err
    assert opengage("doctor", "--data", str(data)).code == 0
    (data / "secret.key").unlink()
    ended = opengage("doctor", "--data", str(data))
    assert ended.code == 1
    assert any(line.startswith("FAIL  pseudonyms: ") and "secret key" in line for line in ended.out.splitlines())
