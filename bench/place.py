"""Where a run keeps its data: a temporary folder on a real disk, because an fsync to memory proves nothing."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent

_MEMORY = frozenset(("tmpfs", "ramfs"))


def file_system(path: Path) -> str:
    """The type of the file system that a path is on, such as `ext4`; `unknown` where the system does not tell."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return "unknown"
    found = [(len(mount[1]), mount[2]) for mount in mounts if path.resolve().is_relative_to(mount[1])]
    # of mounts on one place the last one counts
    return max(reversed(found), key=lambda one: one[0])[1] if found else "unknown"


@contextlib.contextmanager
def folder(wanted: Path | None) -> Iterator[Path]:
    """A fresh folder in `wanted`, or else in the first usual place that is no memory; removed at the end."""
    places = [wanted] if wanted else [Path(tempfile.gettempdir()), Path("/var/tmp"), HERE / "results"]
    parent = next((place for place in places if file_system(place) not in _MEMORY), places[-1])
    made = Path(tempfile.mkdtemp(prefix="opengage-bench-", dir=parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
