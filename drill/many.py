"""`python -m drill.many`: what `make drill-fleet` runs. Nothing lost, nothing doubled, on many machines."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

from drill.figures import Row, judge
from drill.fleet import Fleet, fleet
from drill.limits import Late, limited
from drill.outage import outage
from drill.rounds import ROUNDS, SHORT, Scene
from drill.senders import ACCOUNTS, NUMBERS, Sender, senders
from postgres import Aside
from processes import Smsc, ended, until

MOVED_WITHIN = 15.0
"""Seconds in which a lost worker's lanes must be others'."""
_END_WITHIN = 180.0


class Report(msgspec.Struct):
    """What came of it."""

    row: Row
    unknown: int
    """Texts whose fate the network never told, or told as unknown."""
    moves: list[float]
    notes: list[str]

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost or doubled, and lanes moved in time."""
        return self.row.is_well and all(seconds <= MOVED_WITHIN for seconds in self.moves)

    def told(self) -> str:
        """The table for people."""
        row = self.row
        cells = {
            "submitted": row.submitted,
            "delivered": row.delivered,
            "unknown": self.unknown,
            "in-doubt": row.in_doubt,
            "lost": row.lost,
            "duplicated": row.duplicated,
        }
        table = {name: f"{count:,}" for name, count in cells.items()}
        table |= {"lanes-moved-s": f"{max(self.moves, default=0):.1f}", "seconds": f"{row.seconds:.0f}"}
        widths = [max(len(name), len(cell)) for name, cell in table.items()]
        lines = (
            "  ".join(each.rjust(width) for each, width in zip(line, widths, strict=True))
            for line in zip(*table.items(), strict=True)
        )
        return "\n".join([*self.notes, "", *lines])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m drill.many", description="Many machines over one PostgreSQL.")
    parser.add_argument(
        "--only", choices=("outage",), help="the database is away for --seconds, in place of all rounds"
    )
    parser.add_argument("--texts", type=int, help="envelopes in all [100000; 20000 of an outage]")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the database is away [300]")
    parser.add_argument("--lease", type=int, default=12, help="seconds of a lease [12]")
    parser.add_argument("--window", type=int, default=100, help="texts in flight of each number [100]")
    parser.add_argument("--delay", type=float, default=1.2, help="seconds that the network takes to answer [1.2]")
    parser.add_argument("--receipts", type=int, default=30, help="seconds that a text waits for its receipt [30]")
    parser.add_argument("--short", action="store_true", help="three rounds only")
    parser.add_argument("--loopback", action="store_true", help="no network namespaces, though they be permitted")
    parser.add_argument("--limit", type=int, default=900, help="seconds until the drill is given up [900]")
    asked = parser.parse_args()
    asked.texts = asked.texts or (20_000 if asked.only else 100_000)
    return asked


def _goes_on(smsc: Smsc, before: int, texts: int) -> int:
    """Wait until texts go out (again); how many have."""
    began = smsc.counts()["submits"]

    def goes() -> int:
        now: int = smsc.counts()["submits"]
        return now if now > began or now - before >= texts else 0

    submits: int = until(goes, 60, "texts to go out")
    return submits - before


_PLACES = """
SELECT e.reason, count(*) FROM envelopes AS e JOIN engagements AS g ON g.account_id = e.account_id
AND g.id = e.engagement_id WHERE g.status <> 'canceled' GROUP BY e.reason
"""


def _places(made: Fleet, aside: Aside) -> Counter[str]:
    """A recount of every envelope of the blasts by its reason, row by row."""
    return Counter(dict(made.look(aside, _PLACES)))


def _blast(made: list[Sender], texts: int) -> int:
    """Start every number's blast; how many texts that is. No two numbers of an account have a recipient in common."""
    each = texts // len(made)
    for place, sender in enumerate(made):
        sender.blast(place % NUMBERS * each, each)
    return each * len(made)


def _rounds(scene: Scene, asked: argparse.Namespace, total: int, before: int) -> list[str]:
    if asked.only == "outage":
        return outage(scene, total, before, asked.seconds)
    notes = []
    for name in SHORT if asked.short else ROUNDS:
        at = _goes_on(scene.fleet.smsc, before, total)
        print(f"drill: {name} (after {at:,} submits)", file=sys.stderr)
        late = " (too late: all had been submitted)" if at >= total else ""
        notes.append(f"{name}{late}: {ROUNDS[name](scene)}".rstrip(": "))
    return notes


def _play(asked: argparse.Namespace, folder: Path, aside: Aside) -> Report:
    smsc = Smsc(folder)
    shape = {"lease": asked.lease, "window": asked.window, "receipts": asked.receipts}
    with ended(smsc), fleet(folder, smsc, are_apart=not asked.loopback, **shape) as made:
        smsc.chaos(answer_delay=asked.delay)
        before, began = smsc.counts(), time.monotonic()
        numbers = senders(made)
        total = _blast(numbers, asked.texts)
        until(lambda: sum(made.lanes(aside).values()) == ACCOUNTS * NUMBERS, what="every lane's owner")
        notes = _rounds(Scene(made, numbers, aside), asked, total, before["submits"])
        smsc.chaos()
        reasons = sum((sender.end(_END_WITHIN) for sender in numbers), Counter[str]())
        places = _places(made, aside)
        row = judge(
            "fleet",
            before=before,
            after=smsc.counts(),
            ledger={"reasons": reasons},
            places=places,
            total=total,
            seconds=time.monotonic() - began,
        )
        for sender in numbers:
            sender.tenant.http.close()
        notes.insert(0, f"nodes: {made.hosts.said}")
        return Report(row, places["unknown"] + places["sent-unconfirmed"], made.moves, notes)


def main() -> int:
    """Play the rounds; 0 if nothing was lost or doubled, and every round went as it must."""
    asked = _arguments()
    aside = Aside()
    try:
        with (
            limited(asked.limit),
            tempfile.TemporaryDirectory(prefix="opengage-fleet-", ignore_cleanup_errors=True) as made,
        ):
            report = _play(asked, Path(made), aside)
    except (Late, AssertionError) as error:
        print(f"drill: {error}", file=sys.stderr)
        return 1
    finally:
        aside.close()
    print(report.told())
    return 0 if report.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
