"""`python -m drill`: what `make drill` runs after its thousands of simulated schedules."""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import postgres
from drill.figures import Row, table
from drill.limits import Late, limited
from drill.scenes import SCENES, limit
from drill.stage import Stage
from processes import Smsc, ended

DATABASES = ("sqlite", "postgres")
BOTH = "both"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drill", description="Kill, freeze and starve a running blast, and ask the network what it got."
    )
    parser.add_argument("--database", choices=(*DATABASES, BOTH), default=BOTH, help="which store [both]")
    parser.add_argument("--texts", type=int, default=5000, help="envelopes of each blast [5000]")
    parser.add_argument("--only", choices=tuple(SCENES), action="append", help="play this scene; may be repeated [all]")
    parser.add_argument("--limit", type=int, help="seconds until it is given up [what its scenes may take together]")
    return parser.parse_args()


@contextlib.contextmanager
def _database(kind: str) -> Iterator[str | None]:
    """The address of the database for this run; None for the file in the data folder.

    PostgreSQL is the server that OPENGAGE_TEST_DATABASE_URL names, or one that is started for the drill.
    """
    if kind == "sqlite":
        yield None
        return
    with postgres.server() as server, server.database() as url:
        yield url


def _play(asked: argparse.Namespace, kind: str) -> list[Row]:
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="opengage-drill-", ignore_cleanup_errors=True) as made,
        _database(kind) as url,
    ):
        folder = Path(made)
        smsc = Smsc(folder)
        with ended(smsc):
            stage = Stage(folder, smsc, asked.texts, url)
            for name in asked.only or SCENES:
                print(f"drill: {name} on {kind}", file=sys.stderr)
                try:
                    rows.append(SCENES[name].play(stage))
                except AssertionError as error:
                    rows.append(Row(name, lost=asked.texts, note=f"broke: {error}"))
                smsc.chaos()
    return rows


def main() -> int:
    """Play the scenes on each database; 0 if nothing was lost or doubled in any."""
    asked = _arguments()
    kinds = DATABASES if asked.database == BOTH else (asked.database,)
    seconds = asked.limit or limit(asked.only or SCENES) * len(kinds)
    tables: dict[str, list[Row]] = {}
    try:
        with limited(seconds):
            for kind in kinds:
                tables[kind] = _play(asked, kind)
    except Late as error:
        print(f"drill: {error}", file=sys.stderr)
        return 1
    finally:
        print("\n\n".join(f"{kind}\n{table(rows)}" for kind, rows in tables.items()))
    return 0 if all(row.is_well for rows in tables.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
