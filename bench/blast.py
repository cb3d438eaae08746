"""Blast: from the PATCH that lets an engagement go to the last receipt recorded, seen from outside.

The simulator's control port tells when submits arrive, the ledger when everything is recorded. Both are asked every
50 ms, so that asking costs the measured processes next to nothing; times are therefore up to that much too long.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.children import Simulator
from bench.client import Access, Broken, Client
from bench.recipients import bulk_bodies

POLL = 0.05
"""Seconds between two looks."""

_FIRST_POLL = 0.001
"""Seconds between two looks at the simulator until the first text is there."""

_PROBE = 0.02
"""Seconds between two GETs of the probe."""

_BULK = 10_000
_SLOWEST = 500
"""Texts per second below which a run is given up as broken."""


@dataclass
class Blast:
    """What one blast took: seconds from just before the PATCH was sent."""

    texts: int
    first_text: float = 0.0
    last_submit: float = 0.0
    last_receipt: float = 0.0
    get_seconds: list[float] = field(default_factory=list)
    """How long each GET of the engagement took while the blast ran."""


def prepare(access: Access, texts: int, name: str) -> str:
    """An engagement with this many envelopes, ready to be scheduled; its id."""
    client = Client(access)
    try:
        engagement_id = client.make_engagement(name)
        for body in bulk_bodies(engagement_id, texts, _BULK):
            client.send("POST", "/envelopes", body, is_bulk=True)
        return engagement_id
    finally:
        client.close()


def wait_for_link(simulator: Simulator, within: float = 30.0) -> None:
    """Wait until the worker has bound. Raises Broken when it does not."""
    deadline = time.monotonic() + within
    while not simulator.counts()["links"]:
        if time.monotonic() > deadline:
            raise Broken("the worker did not connect to the simulator")
        time.sleep(POLL)


def run(access: Access, simulator: Simulator, engagement_id: str, texts: int) -> Blast:
    """Let a prepared blast go and watch it to its end. Raises Broken unless every text is delivered."""
    blast = Blast(texts)
    client = Client(access)
    before = simulator.counts()["submits"]
    start = time.monotonic()
    deadline = start + 30 + texts / _SLOWEST
    over = threading.Event()
    watch = _Side(lambda: _watch_submits(blast, simulator, before + texts, start, deadline))
    probe = _Side(lambda: _probe(blast, access, engagement_id, over))
    try:
        client.schedule(engagement_id)
        while missing(client, engagement_id, texts):
            if time.monotonic() > deadline:
                raise Broken(f"the blast did not end in time: {client.ledger(engagement_id)}")
            time.sleep(POLL)
        blast.last_receipt = time.monotonic() - start
    finally:
        over.set()
        client.close()
        probe.join()
        watch.join()
    return blast


def missing(client: Client, engagement_id: str, texts: int) -> int:
    """How many receipts are missing. Raises Broken when a text has failed: nothing here makes one fail."""
    ledger = client.ledger(engagement_id)
    if ledger["incomplete"] or ledger["hold"]:
        raise Broken(f"texts failed: {ledger}")
    return int(texts - ledger["complete"])


def _watch_submits(blast: Blast, simulator: Simulator, target: int, start: float, deadline: float) -> None:
    """Note when the first and the last submit have come."""
    before = target - blast.texts
    while time.monotonic() < deadline:
        seen = simulator.counts()["submits"]
        now = time.monotonic() - start
        if seen > before and not blast.first_text:
            blast.first_text = now
        if seen >= target:
            blast.last_submit = now
            return
        time.sleep(POLL if blast.first_text else _FIRST_POLL)
    raise Broken("the last submit did not come in time")


def _probe(blast: Blast, access: Access, engagement_id: str, over: threading.Event) -> None:
    """GET the engagement 50 times a second for as long as the blast runs."""
    client = Client(access)
    try:
        while not over.wait(_PROBE):
            start = time.monotonic()
            client.send("GET", f"/engagements/{engagement_id}")
            blast.get_seconds.append(time.monotonic() - start)
    finally:
        client.close()


class _Side:
    """Something done beside, whose failure is told when it is joined."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._do()
        except Exception as error:
            self._error = error

    def join(self) -> None:
        """Wait for the end. Raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
