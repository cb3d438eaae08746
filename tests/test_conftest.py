"""The rules of conftest.py, seen from outside: pytest runs on a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SKIPS = {
    "mark": "import pytest\n@pytest.mark.skip(reason='no peer')\ndef test_it(): pass\n",
    "call": "import pytest\ndef test_it(): pytest.skip('no peer')\n",
    "module": "import pytest\npytest.importorskip('no_such_peer')\n",
}
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


def run(folder: Path, sources: dict[str, str], ci: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on these test files under our conftest."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    for name, source in sources.items():
        (folder / f"test_{name}.py").write_text(source, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--rootdir", "."]
    tests = str(Path(__file__).parent)
    environment = {**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": tests}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_skip_fails_in_ci(tmp_path: Path) -> None:
    """However a test is skipped, CI turns red and tells the reason."""
    done = run(tmp_path, {"mark": SKIPS["mark"], "call": SKIPS["call"]}, "true")
    assert done.returncode == 1
    assert "1 failed, 1 error" in done.stdout
    assert "skipped in CI, where every tool must be there: Skipped: no peer" in done.stdout


def test_a_module_that_skips_itself_fails_in_ci(tmp_path: Path) -> None:
    """importorskip at the top of a file is a skip too."""
    done = run(tmp_path, {"module": SKIPS["module"]}, "true")
    assert done.returncode != 0
    assert "skipped in CI" in done.stdout


def test_a_skip_passes_elsewhere(tmp_path: Path) -> None:
    """A machine without every tool still runs the rest."""
    done = run(tmp_path, SKIPS, "")
    assert "3 skipped" in done.stdout
    assert "failed" not in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    """xfail keeps its meaning in CI."""
    assert run(tmp_path, {"expected": EXPECTED_FAILURE}, "true").returncode == 0
