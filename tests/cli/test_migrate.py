"""`opengage migrate`: safe to run again, clear when it cannot."""

import json
import subprocess
from pathlib import Path

from cli.conftest import Opengage
from running import PATIENCE, arguments, environment


def test_the_second_run_changes_nothing(opengage: Opengage, tmp_path: Path) -> None:
    """The first run tells that the schema was empty, the second that it is where it should be."""
    first, second = (opengage("migrate", "--data", str(tmp_path / "new")) for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert "(was: empty)" in first.out
    assert "was" not in second.out
    assert first.out.split()[5] == second.out.split()[5].rstrip(".")


def test_two_can_start_at_once(tmp_path: Path) -> None:
    """Whoever comes second on a new folder waits for the first, and both have done their work."""
    data = tmp_path / "new"
    commands = [arguments("init", "--data", str(data), "--account", key, "--json") for key in ("first", "second")]
    processes = [
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    said = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert [json.loads(out)["account-key"] for out, _ in said] == ["first", "second"]


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
    assert "cannot be used (file is not a database)." in ended.err
    assert "Traceback" not in ended.err
    assert file.read_text("utf-8") == "no database" * 100
