"""The processes that are measured: started as a user would, ended whatever happens, and asked how much they took."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.client import Broken
from bench.place import HERE
from bench.recipients import SENDER

_PATIENCE = 30.0
"""Seconds that a process may take to end by itself."""


class Child:
    """One process. It ends with us too: its standard input is a pipe that only we hold."""

    def __init__(self, command: list[str], data: Path, environment: Mapping[str, str] | None = None) -> None:
        self._log = (data / "bench.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, *command],
            env={**_kept(), "OPENGAGE_LOG_LEVEL": "warning", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=HERE.parent,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def line(self) -> dict[str, Any]:
        """The next line of its output, an object. Raises Broken when it has ended instead."""
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if not told:
            raise Broken(f"a process ended at once; its last words:\n{self._last_words()}")
        found: dict[str, Any] = json.loads(told)
        return found

    def _last_words(self) -> str:
        return "\n".join(Path(self._log.name).read_text("utf-8", "replace").splitlines()[-10:])

    def stop(self) -> str:
        """End it in its orderly way, or else at once; the rest of its output."""
        self._process.terminate()
        try:
            rest, _ = self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            rest, _ = self._process.communicate()
        finally:
            self._log.close()
        return rest.decode()


@contextlib.contextmanager
def running(child: Child) -> Iterator[Child]:
    """A process for the length of a block."""
    try:
        yield child
    finally:
        child.stop()


def opengage(*arguments: str) -> list[str]:
    """The arguments of Python that run a verb which ends with us."""
    return ["-m", "opengage", "--with-parent", *arguments]


def _kept() -> dict[str, str]:
    """Our environment without settings of Opengage."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENGAGE_")}


def init(
    data: Path,
    smsc_port: int,
    environment: Mapping[str, str] | None = None,
    *,
    account: str = "bench",
    number: str = SENDER,
    quiet_hours: bool = False,
) -> dict[str, Any]:
    """What `opengage init` tells of a new account that sends to this SMSC."""
    smsc = f"smpp://{account}:bench@127.0.0.1:{smsc_port}"
    flags = ["--data", str(data), "--account", account, "--json", "--smsc", smsc, "--phone-number", number]
    if quiet_hours:
        flags.append("--quiet-hours")
    command = [sys.executable, "-m", "opengage", "init", *flags]
    done = subprocess.run(command, env={**_kept(), **(environment or {})}, capture_output=True, check=False)
    if done.returncode:
        raise Broken(f"opengage init failed: {done.stderr.decode()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def free_port() -> int:
    """A loopback port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Simulator:
    """The SMSC simulator in a process of its own, and its control port."""

    def __init__(self, data: Path) -> None:
        flags = ("--port", "0", "--control", "0", "--json", "--log-level", "warning")
        self.child = Child(opengage("smsc", *flags), data)
        ports = self.child.line()
        self.port: int = ports["port"]
        self._control = socket.create_connection(("127.0.0.1", ports["control"]), timeout=10.0)
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._control.makefile("rb")

    def counts(self) -> dict[str, Any]:
        """All counts as they stand."""
        self._control.sendall(b'{"do":"counts"}\n')
        found: dict[str, Any] = json.loads(self._answers.readline())["ok"]
        return found

    def stop(self) -> None:
        """End it."""
        self._answers.close()
        self._control.close()
        self.child.stop()


@contextlib.contextmanager
def simulator(data: Path) -> Iterator[Simulator]:
    """A simulator for the length of a block."""
    made = Simulator(data)
    try:
        yield made
    finally:
        made.stop()


def peaks(pid: int) -> dict[str, int]:
    """The most memory in bytes that a process and its children ever held (VmHWM), by verb; empty where unknown."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    except OSError:
        return {}
    held = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
    verb = words[words.index(b"--with-parent") + 1].decode() if b"--with-parent" in words else "other"
    found = {verb: held}
    for child in below:
        found |= peaks(int(child))
    return found
