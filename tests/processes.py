"""Opengage's real processes for the tests of the whole path: started, asked, killed by their pids, ended."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from source import SRC

STOP_WITHIN = 30.0
"""Seconds in which every process ends after a SIGTERM."""


def free_port() -> int:
    """A loopback port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(predicate: Callable[[], Any], within: float = 30.0, what: str = "") -> Any:
    """What `predicate` returns once it is true. Fails when that takes more than `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := predicate()):
        assert time.monotonic() < deadline, f"not within {within} seconds: {what or predicate}"
        time.sleep(0.02)
    return found


class Process:
    """One `opengage` command. Its stderr is read all along, line by line."""

    def __init__(self, *arguments: str, within: Sequence[str] = (), source: str = str(SRC), **settings: str) -> None:
        """Start it, by way of the command `within` if one is named, from the code in `source`."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENGAGE_")}
        environment |= {"PYTHONPATH": source} | {f"OPENGAGE_{key.upper()}": value for key, value in settings.items()}
        self.lines: list[dict[str, Any]] = []
        """Its log, and that of its children."""
        self._process = subprocess.Popen(
            [*within, sys.executable, "-m", "opengage", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": line.decode(errors="replace").rstrip()})

    @property
    def pid(self) -> int:
        """The process itself."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def logged(self, **fields: Any) -> list[dict[str, Any]]:
        """The log's lines that have these fields."""
        return [line for line in list(self.lines) if fields.items() <= line.items()]

    def child(self, verb: str) -> int | None:
        """The pid of the child that runs a verb."""
        # -ww: a command is not cut off at 80 columns, however long the path of the checkout
        command_line = ["ps", "-A", "-ww", "-o", "pid=,ppid=,command="]
        listed = subprocess.run(command_line, capture_output=True, check=True, text=True)
        for line in listed.stdout.splitlines():
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.pid and verb in command.split():
                return int(pid)
        return None

    def kill(self, *verbs: str) -> list[int]:
        """kill -9 the children that run these verbs; their pids."""
        pids = [pid for verb in verbs if (pid := self.child(verb)) is not None]
        assert len(pids) == len(verbs)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def kill_all(self) -> None:
        """kill -9 the process and all of its children, in one go."""
        children = [pid for verb in ("web", "worker", "smsc") if (pid := self.child(verb)) is not None]
        for pid in (self.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        until(lambda: not any(_lives(pid) for pid in children), 5, "the children's end")
        self._close()

    def stop(self) -> tuple[int, str]:
        """SIGTERM; its exit code and what it wrote to stdout."""
        self._process.terminate()
        try:
            code = self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise
        assert self._process.stdout
        return code, self._close()

    def _close(self) -> str:
        assert self._process.stdout
        assert self._process.stderr
        told = self._process.stdout.read().decode()
        self._reader.join(5)
        self._process.stdout.close()
        self._process.stderr.close()
        return told


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Server:
    """`opengage serve` on a data folder of its own; it can be ended and started again."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.control = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self.process = self.start()

    def start(self) -> Process:
        """Start it."""
        arguments = ["--data", str(self.data), "--port", str(self.port), "--smsc-control", str(self.control)]
        self.process = Process("serve", *arguments, **self._settings)
        return self.process

    def ready(self) -> "Server":
        """Wait until requests are served."""
        until(lambda: self.answers("/readyz") == 200 or not self.process.runs, what="readiness")
        assert self.process.runs, self.process.lines[-5:]
        return self

    def answers(self, path: str) -> int | None:
        """The status of a GET; None when nobody answers."""
        try:
            return httpx.get(self.url + path, timeout=10).status_code
        except httpx.TransportError:
            return None

    def end(self) -> None:
        """End it, if it still runs."""
        if self.process.runs:
            self.process.stop()


class Smsc:
    """`opengage smsc` on a port of its own, which remembers texts across its kills."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.control = free_port()
        self._seen = folder / "seen"
        self.process = self.start()

    def start(self) -> Process:
        """Start it, and wait until it listens."""
        arguments = ["--port", str(self.port), "--control", str(self.control), "--seen", str(self._seen), "--json"]
        self.process = Process("smsc", *arguments, "--log-format", "json")
        until(lambda: connects(self.control), what="the simulator's control port")
        return self.process

    def address(self, system_id: str) -> str:
        """What `opengage init --smsc` is told."""
        return f"smpp://{system_id}:secret@127.0.0.1:{self.port}"

    def ask(self, do: str, **more: Any) -> Any:
        """A request to the control port; its answer."""
        return ask(self.control, do, **more)

    def chaos(self, **changes: Any) -> None:
        """Change how it misbehaves; what is not named goes back to its default."""
        calm = {"answer-delay": 0, "receipt-delay": 0, "drop-after": 0, "drop-skip": 0}
        self.ask("chaos", set=calm | {name.replace("_", "-"): value for name, value in changes.items()})

    def counts(self) -> dict[str, int]:
        """What it has seen."""
        found: dict[str, int] = self.ask("counts")
        return found


def connects(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(port: int, do: str, **more: Any) -> Any:
    """A request to a simulator's control port; its answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(json.dumps({"do": do, **more}).encode() + b"\n")
        with connection.makefile("rb") as answers:
            told = json.loads(answers.readline())
    assert "error" not in told, told
    return told["ok"]


@contextlib.contextmanager
def ended(server: Server | Smsc) -> Iterator[None]:
    """End a server's or simulator's process after the block, whatever happens in it."""
    try:
        yield
    finally:
        if server.process.runs:
            server.process.stop()
