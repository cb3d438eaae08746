"""Where a scene is played: an installation of real processes on either database, and a network that survives it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from blasts import Tenant, number
from drill import limits
from drill.figures import Row, judge
from processes import Process, Server, Smsc, ended, free_port, until
from source import SRC

WINDOW = 200
_WINDOWS = 20
"""A blast takes at least so many windows: there is time to do something to it, however small it is."""
RECEIPTS_WITHIN = 20
"""Seconds until a text without a receipt is closed as unconfirmed: what died with the network does not hold us up."""


class Stage:
    """What all scenes share: the network, a folder, the database, and how large a blast is."""

    def __init__(self, folder: Path, smsc: Smsc, texts: int, database_url: str | None) -> None:
        self.folder = folder
        self.smsc = smsc
        self.texts = texts
        window = max(1, min(WINDOW, texts // _WINDOWS))
        self.settings = {
            "window": str(window),
            "receipt_window_seconds": str(RECEIPTS_WITHIN),
            "log_format": "json",
        }
        if database_url is not None:
            self.settings["database_url"] = database_url
        self._accounts = 0

    def run(self, *arguments: str) -> str:
        """Run a verb to its end; what it wrote to stdout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENGAGE_")}
        kept |= {"PYTHONPATH": str(SRC)} | {f"OPENGAGE_{key.upper()}": value for key, value in self.settings.items()}
        command = [sys.executable, "-m", "opengage", *arguments]
        return subprocess.run(command, env=kept, capture_output=True, check=True, text=True).stdout

    @contextlib.contextmanager
    def served(self, name: str) -> Iterator[Server]:
        """`opengage serve`, ready, until the block ends."""
        server = Server(self.folder / name, **self.settings)
        with ended(server):
            yield server.ready()

    @contextlib.contextmanager
    def tenant(self, url: str, data: Path) -> Iterator[Tenant]:
        """A new account's client, its number on the network."""
        self._accounts += 1
        key = f"drill-{os.getpid() % 10_000}-{self._accounts}"
        flags = ["--data", str(data), "--account", key, "--smsc", self.smsc.address(key[-15:]), "--json"]
        made = Tenant(url, json.loads(self.run("init", *flags)))
        try:
            yield made
        finally:
            made.http.close()


class Blast:
    """One blast on a stage, from its PATCH to its row."""

    def __init__(self, scene: str, stage: Stage, tenant: Tenant) -> None:
        self.scene = scene
        self.note = ""
        self._stage = stage
        self._tenant = tenant
        self._before = stage.smsc.counts()
        self._began = time.monotonic()
        self._id = tenant.blast([number(each) for each in range(stage.texts)])

    def submitted(self) -> int:
        """How many submits the network has had of it."""
        return self._stage.smsc.counts()["submits"] - self._before["submits"]

    def network_ends(self) -> None:
        """The network is about to be killed: what it counts begins at 0 then, but for what it remembers in its file."""
        self._before["submits"] -= self._stage.smsc.counts()["submits"]

    def under_way(self, share: float) -> None:
        """Wait until so much of it has left."""
        until(lambda: self.submitted() >= self._stage.texts * share, limits.UNDER_WAY, f"{share:.0%} of the blast")

    def ledger(self) -> dict[str, Any] | None:
        """The ledger; None while nobody answers."""
        try:
            return self._tenant.ledger(self._id)
        except (httpx.TransportError, AssertionError):
            return None

    def is_settled(self) -> bool:
        """Whether every envelope is closed, or in doubt."""
        ledger = self.ledger()
        return (
            ledger is not None
            and all(
                reason in ("delivered", "sent-unconfirmed", "in-doubt", "rejected", "undelivered", "expired")
                for reason, count in ledger["reasons"].items()
                if count
            )
            and not ledger["pending"]
        )

    def row(self) -> Row:
        """Wait until all is settled, and count; what does not settle in time counts as lost."""
        with contextlib.suppress(AssertionError):
            until(self.is_settled, limits.SETTLED, "the end of the blast")
        ledger = until(self.ledger, limits.TOLD, "the ledger")
        places = Counter(self._reasons().values())
        return judge(
            self.scene,
            before=self._before,
            after=self._stage.smsc.counts(),
            ledger=ledger,
            places=places,
            total=self._stage.texts,
            seconds=time.monotonic() - self._began,
            note=self.note,
        )

    def _reasons(self) -> Mapping[str, str]:
        found = self._tenant.reasons(self._id)
        return {number: reason or "" for number, reason in found.items()}


class Cluster:
    """`opengage web` and some `opengage worker`, each a process of its own."""

    def __init__(self, stage: Stage, name: str, workers: int) -> None:
        self.data = stage.folder / name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        stage.run("migrate", "--data", str(self.data))
        self._settings = stage.settings | {"lease_seconds": "3", "response_timeout_seconds": "2"}
        self.web = Process("web", "--data", str(self.data), "--port", str(self.port), **self._settings)
        until(self._answers, limits.READY, "the web process")
        self.workers = [Process("worker", "--data", str(self.data), **self._settings) for _ in range(workers)]

    def _answers(self) -> bool:
        assert self.web.runs, self.web.lines[-5:]
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def owner(self) -> Process:
        """The worker that took a lane last."""
        found: Process = until(self._latest, limits.OWNED, "a lane's owner")
        return found

    def _latest(self) -> Process | None:
        takers = [(line["timestamp"], worker) for worker in self.workers for line in worker.logged(action="lane")]
        return max(takers, key=lambda each: each[0])[1] if takers else None

    def stop(self) -> None:
        """End all, the frozen too."""
        for process in (*self.workers, self.web):
            if process.runs:
                os.kill(process.pid, signal.SIGCONT)
                process.stop()


@contextlib.contextmanager
def cluster(stage: Stage, name: str, workers: int) -> Iterator[Cluster]:
    """A cluster for the length of a block."""
    made = Cluster(stage, name, workers)
    try:
        yield made
    finally:
        made.stop()


Scene = Callable[[Stage], Row]
