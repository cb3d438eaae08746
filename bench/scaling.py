"""`python -m bench --scaling`: the same work by more processes, as ratios, and which of them fills the cores."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import ingest, work
from bench.children import Simulator, simulator
from bench.server import Database
from bench.stage import stage

WORKERS = (1, 2, 4)
_MOST_WEBS = 2
TWICE = 1.3
"""What two workers must reach beside one; on PostgreSQL, where they do not wait for one writer."""


@dataclass
class Row:
    """One number of processes."""

    what: str
    processes: int
    rate: float
    """Texts or envelopes per second."""
    ratio: float
    """Of the rate with one."""
    cores: dict[str, float]
    lanes: list[int]


def run(data: Path, database: Database, counts: Sequence[int], *, texts: int, posts: int, size: int) -> list[Row]:
    """Blasts by so many workers on as many numbers, then ingest by as many webs, up to two."""
    rows: list[Row] = []
    with simulator(data) as smsc:
        for workers in counts:
            print(f"bench: blast by {workers} workers", file=sys.stderr)
            rows.append(_blast(data, database, smsc, workers, texts))
        for webs in (count for count in counts if count <= _MOST_WEBS):
            print(f"bench: ingest by {webs} webs", file=sys.stderr)
            rows.append(_ingest(data, database, smsc, webs, posts, size))
    for row in rows:
        row.ratio = row.rate / next(one.rate for one in rows if one.what == row.what)
    return rows


def _blast(data: Path, database: Database, smsc: Simulator, workers: int, texts: int) -> Row:
    with stage(data / f"workers-{workers}", database, smsc, workers=workers, lanes=workers) as made:
        lanes = made.wait_for_spread()
        watch = made.watch()
        took = made.blast(texts, "scaling")
        return Row("worker", workers, texts // workers * workers / took, 1.0, watch.cores(), lanes)


def _ingest(data: Path, database: Database, smsc: Simulator, webs: int, posts: int, size: int) -> Row:
    with stage(data / f"webs-{webs}", database, smsc, workers=0, webs=webs) as made:
        access, *_ = made.accounts
        watch = made.watch()
        rate = ingest.run(access, posts, size, 2, ports=made.ports)
        return Row("web", webs, rate, 1.0, watch.cores(), [])


def shown(rows: list[Row], database: str) -> str:
    """The table for people."""
    lines = [f"Scaling on {database}, one machine: each process beside its rate and the cores that each kind kept busy"]
    for row in rows:
        unit = "texts/s" if row.what == "worker" else "envelopes/s"
        name = f"{row.processes} {row.what}{'s' if row.processes > 1 else ''}"
        lines.append(f"  {name:10} {row.rate:>10,.0f} {unit:12} {row.ratio:5.2f}×  {work.shown(row.cores)}")
    two = next((row for row in rows if (row.what, row.processes) == ("worker", 2)), None)
    if two is not None:
        lines += [
            "",
            f"  two workers beside one {two.ratio:.2f}, must be ≥ 1.30: {'met' if two.ratio >= 1.3 else 'NOT MET'}",
        ]
    return "\n".join(lines)


def told(rows: list[Row]) -> list[dict[str, object]]:
    """For machines."""
    return [asdict(row) for row in rows]
