"""`opengage migrate`: safe to run again, clear when it cannot."""

from pathlib import Path

from cli.conftest import Opengage


def test_the_second_run_changes_nothing(opengage: Opengage, tmp_path: Path) -> None:
    """The first run tells that the schema was empty, the second that it is where it should be."""
    first, second = (opengage("migrate", "--data", str(tmp_path / "new")) for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert "(was: empty)" in first.out
    assert "was" not in second.out
    assert first.out.split()[5] == second.out.split()[5].rstrip(".")


def test_a_folder_that_cannot_be_written_is_told(opengage: Opengage) -> None:
    """Not even root can make a folder there."""
    ended = opengage("migrate", "--data", "/dev/null/data")
    assert ended.code != 0
    assert "The data folder /dev/null/data cannot be used" in ended.err
    assert "Traceback" not in ended.err


def test_a_database_of_something_else_is_told(opengage: Opengage, tmp_path: Path) -> None:
    """A file that is no database is left as it is."""
    file = tmp_path / "opengage.db"
    file.write_text("no database" * 100, "utf-8")
    ended = opengage("migrate", "--data", str(tmp_path))
    assert ended.code != 0
    assert "cannot be used" in ended.err
    assert "Traceback" not in ended.err
    assert file.read_text("utf-8") == "no database" * 100
