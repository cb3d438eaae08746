"""The rules of conftest.py, seen from outside: pytest runs on a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "mark": "import pytest\n@pytest.mark.skip(reason='no peer')\ndef test_it(): pass\n",
    "call": "import pytest\ndef test_it(): pytest.skip('no peer')\n",
    "module": "import pytest\npytest.importorskip('no_such_peer')\n",
}
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


def run(folder: Path, source: str, ci: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one test file under our conftest."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "test_sample.py").write_text(source, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "--rootdir",
        ".",
    ]
    environment = {**os.environ, "CI": ci}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_fails_in_ci(tmp_path: Path, kind: str) -> None:
    """However a test is skipped, CI turns red and tells the reason."""
    done = run(tmp_path, SKIPS[kind], "true")
    assert done.returncode != 0
    assert "skipped in CI" in done.stdout


def test_a_skip_passes_elsewhere(tmp_path: Path) -> None:
    """A machine without every tool still runs the rest."""
    assert "1 skipped" in run(tmp_path, SKIPS["mark"], "").stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    """xfail keeps its meaning in CI."""
    assert run(tmp_path, EXPECTED_FAILURE, "true").returncode == 0
