"""`python -m bench --scaling`: the same work by more processes, as ratios, and which of them fills the cores."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import ingest, work
from bench.children import Simulator, simulator
from bench.server import Database
from bench.stage import Stage, stage

WORKERS = (1, 2, 4)
_MOST_WEBS = 2
_ROUNDS = 5
TWICE = 1.3
"""What two workers must reach beside one; on PostgreSQL, where they do not wait for one writer."""


@dataclass
class Row:
    """One number of processes."""

    what: str
    processes: int
    rate: float
    """Texts or envelopes per second, the middle one of `_ROUNDS`."""
    ratio: float
    """Of the rate with one."""
    cores: dict[str, float]
    lanes: list[int]


def run(data: Path, database: Database, counts: Sequence[int], *, texts: int, posts: int, size: int) -> list[Row]:
    """Blasts by so many workers on as many numbers, and ingest by as many webs, up to two.

    Each number of processes has an installation of its own, and they take turns, so that a slow moment is everybody's.
    """
    webs = [count for count in counts if count <= _MOST_WEBS]
    with ExitStack() as stack:
        smsc = stack.enter_context(simulator(data))
        taking = [stack.enter_context(_workers(data, database, smsc, count)) for count in counts]
        taking += [stack.enter_context(_webs(data, database, smsc, count)) for count in webs]
        for turn in range(_ROUNDS):
            print(f"bench: round {turn + 1} of {_ROUNDS}", file=sys.stderr)
            for each in taking:
                each.measure(texts, posts, size)
        rows = [each.row() for each in taking]
    for row in rows:
        row.ratio = row.rate / next(one.rate for one in rows if one.what == row.what)
    return rows


class _Taking:
    """So many processes of one kind, and what was measured of them."""

    def __init__(self, what: str, processes: int, made: Stage) -> None:
        self._what = what
        self._processes = processes
        self._made = made
        self._lanes = made.wait_for_spread() if what == "worker" else []
        self._found: list[tuple[float, dict[str, float]]] = []

    def measure(self, texts: int, posts: int, size: int) -> None:
        """One blast, or one ingest."""
        if self._what == "worker":
            seconds, cores = self._made.blast(texts, "scaling")
            rate = texts // self._processes * self._processes / seconds
        else:
            watch = self._made.watch()
            rate, cores = ingest.run(self._made.accounts[0], posts, size, 2, ports=self._made.ports), watch.cores()
        self._found.append((rate, cores))

    def row(self) -> Row:
        """The middle one."""
        rate, cores = sorted(self._found, key=lambda found: found[0])[len(self._found) // 2]
        return Row(self._what, self._processes, rate, 1.0, cores, self._lanes)


@contextlib.contextmanager
def _workers(data: Path, database: Database, smsc: Simulator, count: int) -> Iterator[_Taking]:
    with stage(data / f"workers-{count}", database, smsc, workers=count, lanes=count) as made:
        yield _Taking("worker", count, made)


@contextlib.contextmanager
def _webs(data: Path, database: Database, smsc: Simulator, count: int) -> Iterator[_Taking]:
    with stage(data / f"webs-{count}", database, smsc, workers=0, webs=count) as made:
        yield _Taking("web", count, made)


def shown(rows: list[Row], database: str, *, is_judged: bool) -> str:
    """The table for people."""
    lines = [f"Scaling on {database}, one machine: each process beside its rate and the cores that each kind kept busy"]
    for row in rows:
        unit = "texts/s" if row.what == "worker" else "envelopes/s"
        name = f"{row.processes} {row.what}{'s' if row.processes > 1 else ''}"
        lines.append(f"  {name:10} {row.rate:>10,.0f} {unit:12} {row.ratio:5.2f}×  {work.shown(row.cores)}")
    two = next((row for row in rows if (row.what, row.processes) == ("worker", 2)), None)
    if two is not None and is_judged:
        met = "met" if two.ratio >= TWICE else "NOT MET"
        lines += [
            "",
            f"  two workers beside one {two.ratio:.2f}, must be ≥ {TWICE:.2f}: {met}",
        ]
    return "\n".join(lines)


def told(rows: list[Row]) -> list[dict[str, object]]:
    """For machines."""
    return [asdict(row) for row in rows]
