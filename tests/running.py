"""The program as a user runs it: as processes, for the tests that need one."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengage.cli.options import free_port
from opengage.settings import PREFIX
from source import SRC

PATIENCE = 60
"""Seconds that a process may take; a limit for what hangs, not a measure."""


def environment(**settings: str) -> dict[str, str]:
    """This environment without its own settings of Opengage, and with these (by their names in lower case)."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = {PREFIX + name.upper(): value for name, value in settings.items()}
    return {**clean, **ours, "PYTHONPATH": str(SRC), "NO_COLOR": "1"}


def arguments(*verb: str) -> list[str]:
    """A command line of the program."""
    return [sys.executable, "-m", "opengage", *verb]


def run(*verb: str, cwd: Path | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        arguments(*verb), cwd=cwd, env=environment(**settings), capture_output=True, text=True, timeout=PATIENCE
    )


@dataclass
class Served:
    """A running `opengage serve`."""

    process: subprocess.Popen[str]
    data: Path
    port: int
    lines: list[str] = field(default_factory=list)
    """What it logged so far."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, action: str) -> dict[str, Any]:
        """The first log line with this action. Fails with the log when the process ends before."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("{") and json.loads(line).get("action") == action:
                found: dict[str, Any] = json.loads(line)
                return found
        raise AssertionError(f"it ended without “{action}”:\n{''.join(self.lines)}")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr
        self.lines += self.process.stderr.readlines()
        return self.process.wait(PATIENCE)

    def children(self) -> set[int]:
        """The processes that it has started and that live."""
        return {pid for pid, parent, state in _processes() if parent == self.process.pid and state != "Z"}


def _processes() -> Iterator[tuple[int, int, str]]:
    """Each process of this machine: its id, its parent's, and its state's letter."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may just have ended
            state, parent, *_ = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            yield int(path.parent.name), int(parent), state


@contextmanager
def watching(pids: Iterable[int]) -> Iterator[Callable[[], bool]]:
    """Something to call that waits until all these processes have ended; False when they take too long."""
    descriptors = [os.pidfd_open(pid) for pid in pids]

    def all_end() -> bool:
        return all(select.select([descriptor], [], [], PATIENCE)[0] for descriptor in descriptors)

    try:
        yield all_end
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@contextmanager
def serving(data: Path, *flags: str, **settings: str) -> Iterator[Served]:
    """`opengage serve` on a folder and a free port, until the block ends; ready when the block begins.

    `settings` come from its environment, by their names in lower case.
    """
    port = free_port()
    command = arguments("serve", "--data", str(data), "--port", str(port), *flags)
    with subprocess.Popen(
        command, env=environment(**settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        served = Served(process, data, port)
        try:
            served.wait_for("ready")
            yield served
        finally:
            if process.poll() is None:
                served.stop()
