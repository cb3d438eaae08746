"""`python -m bench --table-sizes 10000,1000000`: what an envelope costs in tables that hold so many already.

The tables are filled with envelopes of an earlier engagement that is over, each with its text, segment and results, by
the store's own way for large amounts. Then the same ingest and the same blast are measured as in an empty one, and what
a page of all these envelopes costs, wherever it is.
"""

import sys
from collections.abc import Sequence
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
    """Of wall time for each envelope."""
    blast_us: float
    cores: dict[str, float]
    """Busy in the blast."""
    peaks: dict[str, int]
    pages: dict[str, pages.Pages]
    """In the list of their engagement and in that of the account."""


def run(data: Path, database: Database, sizes: Sequence[int], *, texts: int, posts: int, size: int) -> list[Row]:
    """The same at each size, on one installation whose tables grow."""
    rows: list[Row] = []
    with simulator(data) as smsc, stage(data / "sizes", database, smsc) as made:
        made.wait_for_spread()
        access, held = made.accounts[0], 0
        ingest.run(access, 1, size, 1)  # the first requests of a process are slower
        made.blast(texts, "warm")
        past = _Past(made)
        for envelopes in sorted(sizes):
            print(f"bench: filling up to {envelopes:,} envelopes", file=sys.stderr)
            past.fill(envelopes - held)
            held = max(held, envelopes)
            _rest(made, database)
            print("bench: ingest and blast", file=sys.stderr)
            rate = ingest.run(access, posts, size, 1)
            watch = made.watch()
            took = made.blast(texts, f"among {envelopes}")
            cores = watch.cores()
            times = pages.run(access, past.engagement_id, past.tenths())
            rows.append(Row(envelopes, 1e6 / rate, 1e6 * took / texts, cores, made.peaks(), times))
    return rows


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
        found["text_segments"].append((_ACCOUNT, who, text.hex(), text, 1, 1))
        found["text_results"] += [(_ACCOUNT, new_id(), now, now, text, kind) for kind in ("sent", "delivered")]
    return found


def _rest(made: Stage, database: Database) -> None:
    """Let the database come to rest: what filling left to be done must not be counted."""
    if made.environment:
        database.execute("VACUUM (ANALYZE)", "CHECKPOINT", url=made.environment["OPENGAGE_DATABASE_URL"])


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
