"""The demo's folder: thrown away only when a demo made it and nobody uses it."""

import fcntl
from pathlib import Path

import pytest

from opengage.cli.sandbox import MARK, Sandbox, fresh_folder
from opengage.domain.errors import Invalid, Unavailable


def test_a_demos_folder_is_replaced(tmp_path: Path) -> None:
    """The first time it is made, the next time emptied, and the caller can say so."""
    folder = tmp_path / "demo"
    assert fresh_folder(folder) is False
    (folder / "old").touch()
    assert fresh_folder(folder) is True
    assert [path.name for path in folder.iterdir()] == [MARK]
    assert folder.stat().st_mode & 0o077 == 0


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    """There is nothing to lose in it."""
    assert fresh_folder(tmp_path) is True


def test_other_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    """A folder with anything in it, a file, and a link to a demo's folder are refused."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    (tmp_path / "file").touch()
    fresh_folder(tmp_path / "demo")
    (tmp_path / "link").symlink_to(tmp_path / "demo")
    for name in ("mine", "file", "link"):
        with pytest.raises(Invalid, match="not the folder of a demo"):
            fresh_folder(tmp_path / name)
    assert (tmp_path / "mine" / "letter").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """While a server runs on it, its database is not pulled away."""
    folder = tmp_path / "demo"
    fresh_folder(folder)
    with (folder / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Invalid, match="A server runs on"):
            fresh_folder(folder)
    assert fresh_folder(folder) is True


def test_a_folder_that_cannot_be_made_is_told() -> None:
    """With the flag that names another one."""
    with pytest.raises(Unavailable, match="--data"):
        fresh_folder(Path("/dev/null/demo"))


def test_a_server_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The demo does not wait for what will not come."""
    (tmp_path / "opengage.db").write_text("no database" * 100, "utf-8")
    with Sandbox(tmp_path, "firstbank") as own, pytest.raises(Unavailable, match="did not get ready") as caught:
        own.wait_until_ready()
    assert "cannot be used" in str(caught.value)
