"""`opengage worker`: the dispatcher alone, and what it says when it cannot start."""

from pathlib import Path

from cli.conftest import Opengage


def test_a_folder_that_is_not_there_is_told(opengage: Opengage, tmp_path: Path) -> None:
    """It says which folder and how to make it, without a traceback."""
    missing = tmp_path / "missing"
    ended = opengage("worker", "--data", str(missing))
    assert ended.code == 3
    assert f"The data folder {missing} cannot be used" in ended.err
    assert "opengage migrate" in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_without_a_database_is_told(opengage: Opengage, tmp_path: Path) -> None:
    """The folder alone is not enough."""
    ended = opengage("worker", "--data", str(tmp_path))
    assert ended.code == 3
    assert "There is no database" in ended.err
