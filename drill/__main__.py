"""`python -m drill`: what `make drill` runs after its thousands of simulated schedules."""

import argparse
import contextlib
import signal
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

import postgres
from drill.figures import Row, table
from drill.scenes import SCENES
from drill.stage import Stage
from processes import Smsc, ended


class Late(Exception):
    """The drill took too long, or was asked to end."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drill", description="Kill, freeze and starve a running blast, and ask the network what it got."
    )
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite", help="which store [sqlite]")
    parser.add_argument("--texts", type=int, default=5000, help="envelopes of each blast [5000]")
    parser.add_argument("--only", choices=tuple(SCENES), action="append", help="play this scene; may be repeated [all]")
    parser.add_argument("--limit", type=int, default=600, help="seconds until the drill is given up [600]")
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


def _play(asked: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="opengage-drill-", ignore_cleanup_errors=True) as made,
        _database(asked.database) as url,
    ):
        folder = Path(made)
        smsc = Smsc(folder)
        with ended(smsc):
            stage = Stage(folder, smsc, asked.texts, url)
            for name in asked.only or SCENES:
                print(f"drill: {name}", file=sys.stderr)
                try:
                    rows.append(SCENES[name](stage))
                except AssertionError as error:
                    rows.append(Row(name, lost=asked.texts, note=f"broke: {error}"))
                smsc.chaos()
    return rows


def _end(number: int, _: types.FrameType | None) -> None:
    raise Late("the drill took too long" if number == signal.SIGALRM else "stopped")


def main() -> int:
    """Play the scenes; 0 if nothing was lost or doubled in any."""
    asked = _arguments()
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, _end)
    signal.alarm(asked.limit)
    try:
        rows = _play(asked)
    except Late as error:
        print(f"drill: {error}", file=sys.stderr)
        return 1
    finally:
        signal.alarm(0)
    print(table(rows))
    return 0 if all(row.is_well for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
