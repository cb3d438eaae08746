"""Many machines over one PostgreSQL: two web and three worker processes, each behind a relay of its own.

Every node reaches the database through its own `Proxy`, and every phone number its network through another, so that one
machine can be cut off, stalled or failed over while the others go on.
"""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import sqlalchemy as sa

import postgres
from blasts import Tenant
from drill.proxy import Proxy
from processes import Process, Smsc, free_port, until
from source import SRC

WEBS, WORKERS = 2, 3
KEY = base64.b64encode(bytes(range(32))).decode()
"""What seals secrets: every machine on one database must open what the others have sealed."""
BULK = 10_000


def recipients(count: int) -> list[str]:
    """Fictional numbers of North America: 80,000 there are."""
    return [f"+1{200 + each // 100}55501{each % 100:02d}" for each in range(count)]


class Node:
    """One machine: a process, its data folder, and its way to the database."""

    def __init__(self, verb: str, folder: Path, database: sa.URL, settings: dict[str, str]) -> None:
        self.verb = verb
        self.proxy = Proxy(database.port or 0)
        self.port = free_port()
        self._folder = folder
        self._settings = settings | {"database_url": _at(database, self.proxy.port), "secret_key": KEY}
        self.process = self.start()

    @property
    def url(self) -> str:
        """Where a web node answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Process:
        """Start it, again perhaps."""
        more = ("--port", str(self.port)) if self.verb == "web" else ()
        self.process = Process(self.verb, "--data", str(self._folder), *more, **self._settings)
        return self.process

    def answers(self) -> bool:
        """Whether a web node is ready."""
        assert self.process.runs, self.process.lines[-5:]
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def owner(self) -> str:
        """The name under which a worker holds its lanes."""
        lines = until(lambda: self.process.logged(action="start"), what="a worker's start")
        return str(lines[-1]["owner"])

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.process.pid, signal.SIGKILL)
        until(lambda: not self.process.runs, what="the end of a killed process")

    def close(self) -> None:
        """End it, frozen or not, and its relay."""
        if self.process.runs:
            os.kill(self.process.pid, signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.stop()
        self.proxy.close()


def _at(url: sa.URL, port: int) -> str:
    return url.set(port=port).render_as_string(hide_password=False)


class Fleet:
    """All of them, over one server that can be restarted, and one network that survives everything."""

    def __init__(self, folder: Path, server: postgres.Instance, smsc: Smsc, *, lease: int, window: int) -> None:
        self.server = server
        self.smsc = smsc
        self.lease = lease
        self._folder = folder
        self._settings = {
            "lease_seconds": str(lease),
            "response_timeout_seconds": str(lease - 1),
            "window": str(window),
            "receipt_window_seconds": "30",
            "database_pool_size": "8",
            "log_format": "json",
        }
        self.opengage("migrate")
        self.webs = [Node("web", folder / f"web-{each}", server.url, self._settings) for each in range(WEBS)]
        self.workers = [
            Node("worker", folder / f"worker-{each}", server.url, self._settings) for each in range(WORKERS)
        ]
        self.carriers: list[Proxy] = []
        for web in self.webs:
            until(web.answers, what="a web node")
        for worker in self.workers:
            worker.owner()

    @property
    def nodes(self) -> list[Node]:
        """All of them."""
        return [*self.webs, *self.workers]

    def opengage(self, *arguments: str) -> str:
        """Run a verb to its end, straight on the database; what it wrote to stdout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENGAGE_")}
        url = self.server.url.render_as_string(hide_password=False)
        command = [sys.executable, "-m", "opengage", *arguments, "--data", str(self._folder / "verbs")]
        environment = kept | {"PYTHONPATH": str(SRC), "OPENGAGE_DATABASE_URL": url, "OPENGAGE_SECRET_KEY": KEY}
        return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout

    def tenant(self, at: int) -> Tenant:
        """A client of a new account, whose number reaches the network through a relay of its own."""
        proxy = Proxy(self.smsc.port)
        self.carriers.append(proxy)
        flags = ("--account", f"fleet-{at}", "--phone-number", f"+12025550{150 + at}", "--json")
        smsc = f"smpp://fleet-{at}:secret@127.0.0.1:{proxy.port}"
        return Tenant(self.webs[at % WEBS].url, json.loads(self.opengage("init", *flags, "--smsc", smsc)))

    def look(self, aside: postgres.Aside, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is committed, seen without a relay."""

        async def look() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self.server.url.render_as_string(hide_password=False))
            try:
                return [tuple(row) for row in await connection.fetch(statement, *parameters)]
            finally:
                await connection.close()

        return aside.run(look())

    def lanes(self, aside: postgres.Aside) -> dict[str, int]:
        """How many lanes each owner holds at this moment, by the database's clock."""
        found = self.look(
            aside,
            "SELECT owner, count(*) FROM lanes WHERE expires_at > extract(epoch FROM clock_timestamp()) * 1000000"
            " GROUP BY owner",
        )
        return dict(found)

    def busiest(self, aside: postgres.Aside) -> Node:
        """The worker with the most lanes."""
        held = self.lanes(aside)
        return max(self.workers, key=lambda each: held.get(each.owner(), 0) if each.process.runs else -1)

    def has_moved(self, aside: postgres.Aside, before: str, lanes: int) -> float:
        """Seconds until all lanes are held by others than this owner."""
        began = time.monotonic()

        def moved() -> bool:
            held = self.lanes(aside)
            return sum(count for owner, count in held.items() if owner != before) == lanes

        until(moved, self.lease + 20, "the lanes of a lost worker to move")
        return time.monotonic() - began

    def restart_server(self, number: signal.Signals) -> None:
        """End PostgreSQL, start it at another address, and lead every relay there."""
        self.server.stop(number)
        self.server.start()
        for node in self.nodes:
            node.proxy.switch(self.server.port)

    def close(self) -> None:
        """End everything."""
        for proxy in self.carriers:
            proxy.heal()
        for node in self.nodes:
            node.proxy.heal()
            node.close()
        for proxy in self.carriers:
            proxy.close()


@contextlib.contextmanager
def fleet(folder: Path, smsc: Smsc, *, lease: int, window: int) -> Iterator[Fleet]:
    """A fleet over a server of its own, for the length of a block; it flushes, as an operator's does."""
    with postgres.instance(fsync="on", full_page_writes="on", autovacuum="on", max_connections="100") as server:
        made = Fleet(folder, server, smsc, lease=lease, window=window)
        try:
            yield made
        finally:
            made.close()
