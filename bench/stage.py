"""Web and worker processes, as many as wanted, over one database and one simulator: what the long measurements use."""

import base64
import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
import uvloop

from bench import blast, server
from bench.children import Child, Simulator, free_port, init, opengage, peaks, running
from bench.client import Access, Broken, Client, wait_until_ready
from bench.server import Database
from bench.work import Watch
from opengage.assembly.store import open_store
from opengage.store import tables

_NO_LIMIT = {"OPENGAGE_TOKEN_RATE_LIMIT": "1000000", "OPENGAGE_ACCOUNT_RATE_LIMIT": "1000000"}
_KEY = base64.b64encode(bytes(range(32))).decode()
"""Every machine on one database must open what the others have sealed."""
_SPREAD_WITHIN = 60.0
"""Seconds in which the lanes come to be spread over the workers."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
"""Seconds between two looks at a blast."""
_SLOWEST = 200
"""Texts per second below which a run is given up as broken."""


class Stage:
    """What runs, and the accounts that use it: each has one number, and so one lane."""

    def __init__(
        self, home: Path, environment: dict[str, str], smsc: Simulator, accounts: Sequence[Access], database: Database
    ) -> None:
        self.home = home
        self.environment = environment
        self.smsc = smsc
        self.accounts = accounts
        self.ports: list[int] = []
        self.webs: list[Child] = []
        self.workers: list[Child] = []
        self._database = database

    def watch(self) -> Watch:
        """Begin to look at how full the cores are."""
        kinds = {"worker": self.workers, "web": self.webs, "SMSC": [self.smsc.child]}
        pids = {kind: [child.pid for child in children] for kind, children in kinds.items()}
        if self._database.pid is not None:
            pids["database"] = [self._database.pid]
        return Watch(pids)

    def peaks(self) -> dict[str, int]:
        """The most memory that one process of each kind held, in bytes."""
        found: dict[str, int] = {}
        for child in (*self.webs, *self.workers):
            for verb, held in peaks(child.pid).items():
                found[verb] = max(held, found.get(verb, 0))
        return found

    def spread(self) -> list[int]:
        """How many lanes each worker has."""

        async def look() -> list[int]:
            store = open_store(server.settings_of(self.home, self.environment))
            try:
                async with store.reading() as tx:
                    held = sa.select(sa.func.count()).where(tables.lanes.c.owner != "").group_by(tables.lanes.c.owner)
                    return sorted(row[0] for row in await tx.rows(held))
            finally:
                await store.close()

        return uvloop.run(look())

    def wait_for_spread(self) -> list[int]:
        """Wait until each worker has as many lanes as the others. Raises Broken when that does not come about."""
        deadline = time.monotonic() + _SPREAD_WITHIN
        while len(spread := self.spread()) < len(self.workers) or sum(spread) < len(self.accounts):
            if time.monotonic() > deadline:
                raise Broken(f"the lanes were not spread over {len(self.workers)} workers: {spread}")
            time.sleep(0.2)
        return spread

    def blast(self, texts: int, name: str) -> tuple[float, dict[str, float]]:
        """Send so many texts in all, from every account at once.

        Seconds from the first PATCH to the last receipt, and how many cores each kind of process kept busy meanwhile.
        """
        each = texts // len(self.accounts)
        made = [blast.prepare(access, each, name) for access in self.accounts]
        clients = [Client(access) for access in self.accounts]
        watch, began = self.watch(), time.monotonic()
        deadline = began + 30 + texts / _SLOWEST
        try:
            for client, engagement_id in zip(clients, made, strict=True):
                client.schedule(engagement_id)
            for client, engagement_id in zip(clients, made, strict=True):
                while left := blast.missing(client, engagement_id, each):
                    if time.monotonic() > deadline:
                        raise Broken(f"the blast did not end in time: {client.ledger(engagement_id)}")
                    time.sleep(_until_next_look(each - left, left, time.monotonic() - began))
            return time.monotonic() - began, watch.cores()
        finally:
            for client in clients:
                client.close()


def _until_next_look(done: int, left: int, took: float) -> float:
    """Seconds: half of what is missing takes at the rate so far.

    A look takes the very cores whose work is measured, about 3% of them where one is taken every 50 ms: so there are
    few, and the last ones are close together.
    """
    return max(_SHORTEST_PAUSE, min(_LONGEST_PAUSE, took * left / done / 2 if done else _LONGEST_PAUSE))


@contextlib.contextmanager
def stage(
    home: Path, database: Database, smsc: Simulator, *, workers: int = 1, webs: int = 1, lanes: int = 1
) -> Iterator[Stage]:
    """So many processes on a fresh database, until the block ends; the accounts use the webs in turn."""
    home.mkdir()
    environment = database.fresh(home.name)
    if environment:
        environment["OPENGAGE_SECRET_KEY"] = _KEY
    ports = [free_port() for _ in range(webs)]
    accounts = []
    for lane in range(lanes):
        key, number = f"{home.name}-{lane}"[-15:], f"+12025550{150 + lane}"
        accounts.append(Access(init(home, smsc.port, environment, account=key, number=number), ports[lane % webs]))
    made = Stage(home, environment, smsc, accounts, database)
    made.ports = ports
    with ExitStack() as stack:

        def start(verb: str, *flags: str, data: Path = home) -> Child:
            child = Child(opengage(verb, "--data", str(data), *flags), home, environment | _NO_LIMIT)
            return stack.enter_context(running(child))

        made.webs = [start("web", "--port", str(port)) for port in ports]
        # the data folder is a worker's name; on SQLite they have to share one
        folders = [home / f"worker-{each}" if environment else home for each in range(workers)]
        made.workers = [start("worker", data=folder) for folder in folders]
        for port in ports:
            wait_until_ready(port)
        yield made
