"""`python -m bench --table-sizes 10000,1000000`: what an envelope costs in tables that hold so many already.

Each size has an installation of its own, whose tables are filled with envelopes of an earlier engagement that is over,
each with its text, segment and results, by the store's own way for large amounts. Then the same ingest and the same
blast are measured on all of them in turn, and what a page of all these envelopes costs, wherever it is.
"""

import contextlib
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import ingest, pages, server, work
from bench.children import simulator
from bench.client import Client
from bench.recipients import SENDER, numbers
from bench.server import Database
from bench.stage import Stage, stage
from opengage.assembly.store import open_store
from opengage.clock import SystemClock
from opengage.domain.ledger import Moves
from opengage.domain.states import Reason
from opengage.ids import Id, from_wire, new_id
from opengage.store import ledgers
from opengage.store.contract import Store

_CHUNK = 10_000
_SEEN = 10
_ROUNDS = 3
_WARM = 20_000
_ACCOUNT = 1
FLAT = 20.0
"""Per cent by which the cost of an envelope may grow."""

_COLUMNS = {
    "envelopes": (
        *("account_id", "id", "created_at", "updated_at", "created_by", "updated_by", "engagement_id", "phone_number"),
        *("status", "reason", "meta", "retry_attempts", "text_id", "is_priority", "processed_at", "completed_at"),
    ),
    "texts": (
        *("account_id", "id", "created_at", "updated_at", "created_by", "updated_by", "sender", "recipient"),
        *("direction", "status", "body", "segments", "phone_number_id", "service_profile_id", "engagement_id"),
        *("envelope_id", "attempts", "sent_at", "settled_at", "meta"),
    ),
    "text_segments": ("account_id", "service_profile_id", "carrier_ref", "text_id", "number", "parts"),
    "text_results": ("account_id", "id", "created_at", "updated_at", "text_id", "kind"),
}


@dataclass
class Row:
    """One size."""

    envelopes: int
    """That the tables held at the beginning."""
    ingest_us: float
    """Of wall time for each envelope, the middle one of `_ROUNDS`; the same for `blast_us`."""
    blast_us: float
    cores: dict[str, float]
    """Busy in the last blast."""
    peaks: dict[str, int]
    pages: dict[str, pages.Pages]
    """In the list of their engagement and in that of the account."""


def run(data: Path, database: Database, sizes: Sequence[int], *, texts: int, posts: int, size: int) -> list[Row]:
    """The same at each size, on an installation for each; they take turns, so that a slow moment is everybody's."""
    with ExitStack() as stack:
        grown = [stack.enter_context(_grown(data / f"size-{held}", database, held)) for held in sorted(sizes)]
        for each in grown:
            each.warm(texts, size)
        for each in grown:
            each.rest(database)
        for turn in range(_ROUNDS):
            print(f"bench: ingest and blast, round {turn + 1} of {_ROUNDS}", file=sys.stderr)
            for each in grown:
                each.measure(texts, posts, size)
        return [each.row() for each in grown]


class _Grown:
    """An installation whose tables hold so many envelopes, and what was measured on it."""

    def __init__(self, made: Stage, held: int) -> None:
        self._made = made
        self._held = held
        self._past = _Past(made)
        self._ingest_us: list[float] = []
        self._blast_us: list[float] = []
        self._cores: dict[str, float] = {}

    def warm(self, texts: int, size: int) -> None:
        """Fill the tables; the first requests and the first texts of a process are slower."""
        print(f"bench: filling up to {self._held:,} envelopes", file=sys.stderr)
        self._past.fill(self._held)
        self._made.wait_for_spread()
        ingest.run(self._made.accounts[0], 1, size, 1)
        self._made.blast(min(texts, _WARM), "warm")

    def rest(self, database: Database) -> None:
        """Let the database come to rest: what filling left to be done must not be counted."""
        if self._made.environment:
            database.execute("VACUUM (ANALYZE)", "CHECKPOINT", url=self._made.environment["OPENGAGE_DATABASE_URL"])

    def measure(self, texts: int, posts: int, size: int) -> None:
        """One ingest and one blast."""
        self._ingest_us.append(1e6 / ingest.run(self._made.accounts[0], posts, size, 1))
        seconds, self._cores = self._made.blast(texts, f"among {self._held}")
        self._blast_us.append(1e6 * seconds / texts)

    def row(self) -> Row:
        """What came of it."""
        times = pages.run(self._made.accounts[0], self._past.engagement_id, self._past.tenths())
        ingest_us, blast_us = statistics.median(self._ingest_us), statistics.median(self._blast_us)
        return Row(self._held, ingest_us, blast_us, self._cores, self._made.peaks(), times)


@contextlib.contextmanager
def _grown(home: Path, database: Database, held: int) -> Iterator[_Grown]:
    with ExitStack() as stack:
        smsc = stack.enter_context(simulator(home.parent))
        yield _Grown(stack.enter_context(stage(home, database, smsc)), held)


class _Past:
    """What is over: one engagement that grows."""

    def __init__(self, made: Stage) -> None:
        self._made = made
        client = Client(made.accounts[0])
        try:
            engagement_id = from_wire(client.make_engagement("of long ago"))
        finally:
            client.close()
        assert engagement_id is not None, "the API's own ids can be read"
        self.engagement_id = engagement_id
        self._seen: list[Id] = []

    def fill(self, count: int) -> None:
        """So many more envelopes."""
        store = open_store(server.settings_of(self._made.home, self._made.environment))
        self._seen += uvloop.run(_load(store, self.engagement_id, max(0, count)))

    def tenths(self) -> list[Id]:
        """Envelopes a tenth of the list apart; neither end is among them."""
        return [self._seen[len(self._seen) * tenth // 10] for tenth in range(1, 10)]


async def _load(store: Store, engagement_id: Id, count: int) -> list[Id]:
    """Write them; the id of one in `_SEEN`, in their order."""
    seen: list[Id] = []
    try:
        for first in range(0, count, _CHUNK):
            chunk = range(first, min(count, first + _CHUNK))
            async with store.writing() as tx:
                found = _rows(engagement_id, chunk)
                for table, rows in found.items():
                    await tx.batches.load(table, _COLUMNS[table], rows)
                seen += [row[1] for row in found["envelopes"][::_SEEN]]
                moves = Moves()
                moves.arrive(_ACCOUNT, engagement_id, Reason.DELIVERED, len(chunk))
                await ledgers.move(tx, moves)
    finally:
        await store.close()
    return seen


_POOL = numbers()


def _rows(engagement_id: Id, chunk: range) -> dict[str, list[tuple[Any, ...]]]:
    """What these envelopes left behind in each table."""
    now, who = SystemClock().now(), new_id()
    found: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}
    for number in chunk:
        envelope, text, to = new_id(), new_id(), _POOL[number % len(_POOL)]
        common = (now, now, who, who)
        found["envelopes"].append(
            (_ACCOUNT, envelope, *common, engagement_id, to, "complete", "delivered", '{"first-name":"Ada"}', 0, text,
             False, now, now)
        )  # fmt: skip
        found["texts"].append(
            (_ACCOUNT, text, *common, SENDER, to, "outbound", "delivered", f"Hello Ada, {number}.", 1, who, who,
             engagement_id, envelope, 1, now, now, "{}")
        )  # fmt: skip
        # as long as the simulator's: a shorter one would find room on each full page, one page for each new text
        found["text_segments"].append((_ACCOUNT, who, f"{number % _CHUNK:05x}", text, 1, 1))
        found["text_results"] += [(_ACCOUNT, new_id(), now, now, text, kind) for kind in ("sent", "delivered")]
    return found


def shown(rows: Sequence[Row], database: str) -> str:
    """The table for people."""
    lines = [f"What an envelope costs on {database}, in tables that hold so many, beside the first size"]
    first = rows[0]
    for row in rows:
        shares = row.ingest_us / first.ingest_us, row.blast_us / first.blast_us
        memory = ", ".join(f"{verb} {held / 1e6:.0f} MB" for verb, held in row.peaks.items())
        lines.append(
            f"  {row.envelopes:>12,}  ingest {row.ingest_us:7.1f} µs ({shares[0]:4.0%})"
            f"  blast {row.blast_us:7.1f} µs ({shares[1]:4.0%})  {memory}  cores: {work.shown(row.cores)}"
        )
        for whose, times in row.pages.items():
            lines.append(
                f"{'':>14}  a page of {pages.LIMIT} of the {whose}: first {times.first:.1f} ms, dearest of nine others"
                f" {max(times.others):.1f} ms ({times.dearest:.0%})"
            )
    most = max(max(row.ingest_us / first.ingest_us, row.blast_us / first.blast_us) for row in rows)
    verdict = "met" if most <= 1 + FLAT / 100 else "NOT MET"
    return "\n".join([*lines, "", f"  the dearest {most:.0%} of the first, must be ≤ {100 + FLAT:.0f}%: {verdict}"])


def told(rows: Sequence[Row]) -> list[dict[str, object]]:
    """For machines."""
    return [asdict(row) for row in rows]
