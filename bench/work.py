"""How full processes keep the cores: what says which of them saturates."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Seconds of processor that a process and all that came from it have taken; those that ended count where known."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    except OSError:
        return 0.0
    own = sum(int(told[place]) for place in (11, 12, 13, 14))  # utime, stime, and both of children that were waited for
    return own / _TICKS + sum(processor_seconds(int(child)) for child in below)


class Watch:
    """What each kind of process takes while something is done."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._pids = pids
        self._before = self._taken()
        self._began = time.monotonic()

    def _taken(self) -> dict[str, float]:
        return {kind: sum(map(processor_seconds, pids)) for kind, pids in self._pids.items()}

    def cores(self) -> dict[str, float]:
        """How many cores each kind has kept busy since then; a kind of two processes can come to 2."""
        took = max(time.monotonic() - self._began, 1e-9)
        return {kind: (taken - self._before[kind]) / took for kind, taken in self._taken().items()}


def shown(cores: Mapping[str, float]) -> str:
    """As words, and how much was left over."""
    rest = max(0.0, (os.cpu_count() or 1) - sum(cores.values()))
    return ", ".join(f"{kind} {busy:.2f}" for kind, busy in cores.items()) + f", the rest {rest:.2f}"
