"""`python -m bench --bloat N --postgres`: what N texts leave of each table, beside a fresh copy with the same rows.

The texts go through their whole life in the store alone, in the dispatcher's batches. Autovacuum works meanwhile as it
would for an operator. How many updates stayed on their page (HOT) needed no new entry in any index.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from bench import raw, server
from bench.client import Broken
from bench.recipients import bulk_bodies
from bench.server import Database
from opengage.assembly.schema import migrate
from opengage.assembly.store import open_store
from opengage.ids import to_wire

TABLES = ("envelopes", "texts", "text_segments", "text_results", "ledger")
_CHUNK = 100_000
"""Envelopes that wait at a time: more would be a longer list in memory, and no other measurement."""

_STATISTICS = """
SELECT relname, n_tup_upd, n_tup_hot_upd, n_dead_tup, autovacuum_count, pg_table_size(relid), pg_indexes_size(relid)
FROM pg_stat_user_tables WHERE relname = ANY ('{%s}')
"""
_SIZES = "SELECT pg_table_size('{0}_copy'), pg_indexes_size('{0}_copy')"


@dataclass
class Row:
    """One table; sizes in bytes."""

    table: str
    updates: int
    hot: int
    dead: int
    """Rows that no vacuum has removed yet."""
    vacuums: int
    heap: int
    indexes: int
    fresh_heap: int = 0
    fresh_indexes: int = 0


def run(data: Path, database: Database, texts: int) -> list[Row]:
    """Let so many texts live, then look. Raises Broken on SQLite, which updates in place."""
    if database.pid is None:
        raise Broken("--bloat is about PostgreSQL: add --postgres")
    home = data / "bloat"
    home.mkdir()
    environment = database.fresh("bloat")
    url = environment["OPENGAGE_DATABASE_URL"]
    migrate(server.settings_of(home, environment))
    print(f"bench: {texts:,} texts through their life", file=sys.stderr)
    uvloop.run(_live(home, environment, texts))
    database.execute("SELECT pg_stat_force_next_flush()", url=url)
    rows = [Row(*found) for found in database.look(_STATISTICS % ",".join(TABLES), url=url)]
    print("bench: a fresh copy of each table", file=sys.stderr)
    for row in rows:
        like = f"CREATE TABLE {row.table}_copy (LIKE {row.table} INCLUDING ALL)"
        # in the order of the key, as they were written first
        columns = "account_id, id" if row.table in ("envelopes", "texts", "text_results") else "account_id"
        fill = f"INSERT INTO {row.table}_copy SELECT * FROM {row.table} ORDER BY {columns}"
        database.execute(like, fill, url=url)
        row.fresh_heap, row.fresh_indexes = database.look(_SIZES.format(row.table), url=url)[0]
        database.execute(f"DROP TABLE {row.table}_copy", url=url)
    return sorted(rows, key=lambda row: TABLES.index(row.table))


async def _live(home: Path, environment: dict[str, str], texts: int) -> None:
    store = open_store(server.settings_of(home, environment))
    try:
        cycle = raw.Cycle(store)
        for first in range(0, texts, _CHUNK):
            some = min(_CHUNK, texts - first)
            bodies = bulk_bodies(to_wire(cycle.engagement_id), some, 10_000)
            await raw.write(store, cycle.engagement_id, [await raw.read(body) for body in bodies])
            while await cycle.turn():
                pass
    finally:
        await store.close()


def shown(rows: Sequence[Row], texts: int) -> str:
    """The table for people."""
    lines = [f"After {texts:,} texts on PostgreSQL: each table and its indexes, beside a fresh copy with the same rows"]
    for row in rows:
        hot = f"{row.hot / row.updates:4.0%} of {row.updates:,} updates HOT" if row.updates else "no updates"
        lines.append(
            f"  {row.table:14} {_beside(row.heap, row.fresh_heap)}  indexes {_beside(row.indexes, row.fresh_indexes)}"
            f"  {hot}, {row.dead:,} dead rows, vacuumed {row.vacuums} times"
        )
    held = sum(row.heap + row.indexes for row in rows)
    fresh = sum(row.fresh_heap + row.fresh_indexes for row in rows)
    return "\n".join([*lines, f"  {'together':14} {_beside(held, fresh)}"])


def _beside(held: int, fresh: int) -> str:
    return f"{held / 1e6:9,.1f} MB ({held / max(fresh, 1):5.0%} of fresh)"


def told(rows: Sequence[Row]) -> list[dict[str, object]]:
    """For machines."""
    return [asdict(row) for row in rows]
