"""A verb of `opengage` with a profiler inside: SIGUSR1 starts it, SIGUSR2 ends it and writes what it saw.

    python -m bench.profiled sample|cprofile OUT worker --data DIR

`sample` looks every millisecond of wall time at which line the main thread is: it hardly disturbs, and shows waits for
the disk where they happen. `cprofile` counts every call, built-in ones too, and slows all of it down. Neither sees
other threads.
"""

import cProfile
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Protocol

from opengage.cli import main

INTERVAL = 0.001
"""Seconds of wall time between two samples."""


class Profiler(Protocol):
    """Either kind."""

    def start(self) -> None:
        """Look from here on."""
        ...

    def stop(self, out: Path) -> None:
        """Look no more, and write what was seen."""
        ...


class Calls:
    """Every call, by cProfile."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def start(self) -> None:
        """See Profiler.start."""
        self._profile.enable()

    def stop(self, out: Path) -> None:
        """See Profiler.stop."""
        self._profile.disable()
        self._profile.dump_stats(out)


class Samples:
    """Where the main thread is, one look a millisecond.

    A look waits for the end of a built-in function: it counts for the nanoseconds since the one before.
    """

    def __init__(self) -> None:
        self._own: Counter[tuple[CodeType, int, CodeType | None, int]] = Counter()
        self._within: Counter[CodeType] = Counter()
        self._last = 0

    def start(self) -> None:
        """See Profiler.start."""
        signal.signal(signal.SIGALRM, self._look)
        signal.siginterrupt(signal.SIGALRM, False)  # an fsync must not be cut short
        self._last = time.monotonic_ns()
        signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)

    def _look(self, _: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        last, self._last = self._last, time.monotonic_ns()
        took = self._last - last
        by = frame.f_back
        self._own[frame.f_code, frame.f_lineno, by.f_code if by else None, by.f_lineno if by else 0] += took
        seen = set()
        while frame is not None:
            seen.add(frame.f_code)
            frame = frame.f_back
        self._within.update(dict.fromkeys(seen, took))

    def stop(self, out: Path) -> None:
        """See Profiler.stop."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        own = [
            (*_place(code), line, f"{by.co_qualname}:{by_line}" if by else "", took)
            for (code, line, by, by_line), took in self._own.items()
        ]
        within = [(*_place(code), took) for code, took in self._within.items()]
        out.write_text(json.dumps({"own": own, "within": within}), "utf-8")


def _place(code: CodeType) -> tuple[str, int, str]:
    return code.co_filename, code.co_firstlineno, code.co_qualname


def run(kind: str, out: Path, arguments: list[str]) -> None:
    """Run the verb; the profile appears at `out` whole."""
    profiler: Profiler = Samples() if kind == "sample" else Calls()

    def stop(*_: object) -> None:
        part = out.with_suffix(".part")
        profiler.stop(part)
        part.replace(out)

    signal.signal(signal.SIGUSR1, lambda *_: profiler.start())
    signal.signal(signal.SIGUSR2, stop)
    sys.argv = ["opengage", *arguments]
    main()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
