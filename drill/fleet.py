"""Many machines over one PostgreSQL: two web and three worker processes, each with a way to the database of its own.

Every node reaches the database through its own `Proxy`, and every phone number its network through another, so that one
machine can be cut off, stalled or failed over while the others go on. Where it is permitted each node has a network
namespace as well (`drill.hosts`), in which what it sends can vanish without a word.
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
from drill.hosts import Hosts, hosts
from drill.proxy import Proxy
from processes import Process, Smsc, free_port, until
from source import SRC

WEBS = ("web-0", "web-1")
WORKERS = ("worker-0", "worker-1", "worker-2")
FLAGS = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "max_connections": "100"}
"""How the database server of a fleet is run."""
KEY = base64.b64encode(bytes(range(32))).decode()
"""What seals secrets: every machine on one database must open what the others have sealed."""


class Node:
    """One machine: a process, its data folder, and its way to the database."""

    def __init__(self, verb: str, folder: Path, database: sa.URL, settings: dict[str, str], made: Hosts) -> None:
        self.verb = verb
        self.source = SRC
        self.name = folder.name
        self._hosts = made
        self.proxy = Proxy(database.port or 0, made.database)
        self.port = free_port()
        self._folder = folder
        there = database.set(host=self.proxy.host, port=self.proxy.port)
        self._settings = settings | {
            "database_url": there.render_as_string(hide_password=False),
            "secret_key": KEY,
        }
        self.process = self.start()

    @property
    def host(self) -> str:
        """The machine's address."""
        return self._hosts.address(self.name)

    @property
    def url(self) -> str:
        """Where a web node answers."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> Process:
        """Start it, again perhaps, from `source`."""
        more = ("--host", self.host, "--port", str(self.port)) if self.verb == "web" else ()
        arguments = (self.verb, "--data", str(self._folder), *more)
        within = self._hosts.within(self.name)
        self.process = Process(*arguments, within=within, source=str(self.source), **self._settings)
        return self.process

    def lose_database(self) -> str:
        """Cut it off from the database, until `regain`; how."""
        if self._hosts.hide(self.name, self._hosts.database):
            return "its packets vanished"
        self.proxy.cut()
        return "its connections were reset"

    def lose_carrier(self) -> bool:
        """Let what it sends to any carrier vanish, until `regain`; False when that cannot be done."""
        return self._hosts.hide(self.name, self._hosts.carrier)

    def regain(self) -> None:
        """End all that cuts it off."""
        self.proxy.heal()
        for address in (self._hosts.database, self._hosts.carrier):
            self._hosts.show(self.name, address)

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


class Fleet:
    """All of them, over one server that can be restarted, and one network that survives everything."""

    def __init__(
        self,
        folder: Path,
        server: postgres.Instance,
        smsc: Smsc,
        made: Hosts,
        *,
        lease: int,
        window: int,
        receipts: int,
    ) -> None:
        self.server = server
        self.smsc = smsc
        self.lease = lease
        self.folder = folder
        self.hosts = made
        settings = {
            "lease_seconds": str(lease),
            "response_timeout_seconds": str(lease - 1),
            "window": str(window),
            "receipt_window_seconds": str(receipts),
            "database_pool_size": "8",
            "log_format": "json",
        }
        self.opengage("migrate")
        self.webs = [Node("web", folder / name, server.url, settings, made) for name in WEBS]
        self.workers = [Node("worker", folder / name, server.url, settings, made) for name in WORKERS]
        self.carriers: list[Proxy] = []
        self.moves: list[float] = []
        """Seconds in which lanes moved from a lost worker to others, each time."""
        self.left_over = contextlib.ExitStack()
        """What rounds have made and must last until the end."""

    def ready(self) -> None:
        """Wait until every node is at work."""
        for web in self.webs:
            until(web.answers, what="a web node")
        for worker in self.workers:
            worker.owner()

    @property
    def nodes(self) -> list[Node]:
        """All of them."""
        return [*self.webs, *self.workers]

    def opengage(self, *arguments: str, source: Path = SRC) -> str:
        """Run a verb to its end, straight on the database; what it wrote to stdout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENGAGE_")}
        url = self.server.url.render_as_string(hide_password=False)
        command = [sys.executable, "-m", "opengage", *arguments, "--data", str(self.folder / "verbs")]
        environment = kept | {"PYTHONPATH": str(source), "OPENGAGE_DATABASE_URL": url, "OPENGAGE_SECRET_KEY": KEY}
        done = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def relay(self) -> Proxy:
        """A way to the network, for one phone number."""
        self.carriers.append(Proxy(self.smsc.port, self.hosts.carrier))
        return self.carriers[-1]

    def tenant(self, at: int, phone_number: str, smsc: str) -> Tenant:
        """A client of a new account, at one of the web nodes."""
        flags = ("--account", f"fleet-{at}", "--phone-number", phone_number, "--json")
        return Tenant(self.webs[at % len(WEBS)].url, json.loads(self.opengage("init", *flags, "--smsc", smsc)))

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

    def numbers_of(self, aside: postgres.Aside, owner: str) -> set[str]:
        """The phone numbers whose lanes this owner holds."""
        found = self.look(
            aside,
            "SELECT n.phone_number FROM lanes AS l JOIN phone_numbers AS n"
            " ON n.account_id = l.account_id AND n.id = l.phone_number_id WHERE l.owner = $1",
            owner,
        )
        return {row[0] for row in found}

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
        self.moves.append(time.monotonic() - began)
        return self.moves[-1]

    def restart_server(self) -> None:
        """A fast shutdown of PostgreSQL, and a start at another address."""
        self.server.stop(signal.SIGINT)
        self.server.start()
        self.lead_to(self.server)

    def lead_to(self, server: postgres.Instance) -> None:
        """Lead every relay to this server from now on."""
        self.server = server
        for node in self.nodes:
            node.proxy.switch(server.port)

    def close(self) -> None:
        """End everything."""
        for proxy in self.carriers:
            proxy.heal()
        for node in self.nodes:
            node.regain()
            node.close()
        for proxy in self.carriers:
            proxy.close()
        self.left_over.close()


@contextlib.contextmanager
def fleet(folder: Path, smsc: Smsc, *, are_apart: bool = True, **shape: int) -> Iterator[Fleet]:
    """A fleet over a server of its own, for the length of a block; it flushes, as an operator's does.

    Its shape is that of `Fleet`: `lease`, `window` and `receipts`, how long a text waits for its receipt.
    """
    with (
        postgres.instance(**FLAGS) as server,
        hosts([*WEBS, *WORKERS], are_apart=are_apart) as where,
    ):
        print(f"drill: {len(WEBS)} web and {len(WORKERS)} worker nodes: {where.said}", file=sys.stderr)
        made = Fleet(folder, server, smsc, where, **shape)
        try:
            made.ready()
            yield made
        finally:
            made.close()
