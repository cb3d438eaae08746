"""`python -m bench`: what `make bench` runs."""

import argparse
import json
import os
import platform
import signal
import sys
import time
import types
from contextlib import ExitStack
from pathlib import Path

from bench import api, blast, bloat, figures, ingest, law, place, profiling, raw, scaling, server, table_sizes
from bench.children import Child, Simulator, free_port, init, opengage, peaks, running, simulator
from bench.client import Access, Broken, wait_until_ready
from bench.figures import BOUNDS, Bounds, Limits, Run
from bench.server import Database

PROFILES = {"profile-worker": "worker", "profile-web": "web"}
"""What else can be asked for: the verb that gets a profiler."""

_INSIST = 1.0
"""Seconds between reminders that the time is up."""

_ACKNOWLEDGED = 5.0
"""Seconds that the last receipts may take to be acknowledged once they are recorded."""

_BRIEFLY, _AT_LENGTH = 0.4, 4.0
"""Seconds of each figure of single requests: among all the others, and by itself."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Benchmarks, each figure beside the raw limit of the same run."
    )
    parser.add_argument("what", nargs="?", default="all", choices=("all", "api", *PROFILES))
    parser.add_argument("--texts", type=int, default=50_000, help="envelopes of the blast [50000]")
    parser.add_argument("--posts", type=int, default=5, help="bulk POSTs of each ingest figure [5]")
    parser.add_argument("--post-size", type=int, default=10_000, help="envelopes of each POST [10000]")
    parser.add_argument(
        "--law", action="store_true", help="with the legal clock on, and a frequency cap that looks at everybody"
    )
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL: a server of the run's own")
    away = "with --postgres: milliseconds that every word to the database takes, and every answer [0]"
    parser.add_argument("--away", type=int, default=0, metavar="MS", help=away)
    ratios = "only this: blasts by so many workers, ingest by up to two of as many webs [1,2,4]"
    parser.add_argument("--scaling", type=_counts, nargs="?", const=scaling.WORKERS, metavar="N,N", help=ratios)
    sizes = "only this: what an envelope costs in tables that hold so many, such as 10000,1000000"
    parser.add_argument("--table-sizes", type=_counts, metavar="N,N", help=sizes)
    parser.add_argument("--bloat", type=int, metavar="N", help="only this, on PostgreSQL: the tables after N texts")
    parser.add_argument("--seconds", type=float, help="of each figure of single requests [4; 0.4 among all]")
    parser.add_argument("--kind", choices=("sample", "cprofile", "both"), default="both", help="which profiler [both]")
    parser.add_argument("--dir", type=Path, help="where to keep the data while it runs [the temporary folder]")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds until the run is given up [180]")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write everything to this file too, as one line")
    return parser.parse_args()


def _counts(words: str) -> tuple[int, ...]:
    """10000,1000000 as numbers."""
    return tuple(int(word) for word in words.split(","))


def _limits(data: Path, asked: argparse.Namespace, database: Database) -> Limits:
    """The raw limits, while nothing else of ours runs."""
    posts, size, texts = asked.posts, asked.post_size, asked.texts
    with simulator(data) as smsc:
        alone = raw.smpp(smsc, texts)
    return Limits(
        plain_decode=raw.plain_decode(posts, size),
        decode=raw.decode(posts, size),
        insert=raw.insert(server.migrated(data / "insert", database.fresh("insert")), posts, size),
        store_cycle=raw.store_cycle(server.migrated(data / "cycle", database.fresh("cycle")), texts),
        smpp=alone.rate,
        smpp_processor_seconds=alone.processor_seconds,
    )


def _measure(data: Path, asked: argparse.Namespace, database: Database) -> Run:
    """Raw limits first, then ingest and blast on one `opengage serve`."""
    print(f"bench: data in {data} ({place.file_system(data)}); measuring raw limits", file=sys.stderr)
    limits = _limits(data, asked, database)
    with ExitStack() as stack:
        smsc = stack.enter_context(simulator(data))
        port = free_port()
        environment = database.fresh("run")
        access = Access(init(data, smsc.port, environment, quiet_hours=asked.law), port)
        environment["OPENGAGE_SANDBOX_SMSC"] = f"smpp://bench:bench@127.0.0.1:{smsc.port}"  # no second simulator
        if asked.law:
            environment |= law.setting(data)
        flags = ("--data", str(data), "--port", str(port))
        served = stack.enter_context(running(Child(opengage("serve", *flags), data, environment)))
        wait_until_ready(port)
        return _drive(access, smsc, served, asked, limits)


def _drive(access: Access, smsc: Simulator, served: Child, asked: argparse.Namespace, limits: Limits) -> Run:
    print("bench: ingest", file=sys.stderr)
    rates = {connections: ingest.run(access, asked.posts, asked.post_size, connections) for connections in (1, 2)}
    print("bench: blast", file=sys.stderr)
    engagement_id = blast.prepare(access, asked.texts, "blast")
    blast.wait_for_link(smsc)
    took = blast.run(access, smsc, engagement_id, asked.texts)
    _check(smsc, asked.texts)
    gets = sorted(took.get_seconds)
    return Run(
        limits=limits,
        ingest=rates,
        texts=took.texts,
        submit_rate=took.texts / took.last_submit,
        receipt_rate=took.texts / took.last_receipt,
        first_text_ms=1000 * took.first_text,
        get_p99_ms=1000 * gets[int(0.99 * len(gets))] if gets else 0.0,
        gets=len(gets),
        peaks=peaks(served.pid) | peaks(smsc.child.pid),
    )


def _check(smsc: Simulator, texts: int) -> None:
    """Raises Broken unless the network took each text exactly once and has all its receipts acknowledged."""
    deadline = time.monotonic() + _ACKNOWLEDGED
    while (seen := _seen(smsc)) != [texts] * 3 and time.monotonic() < deadline:
        time.sleep(blast.POLL)  # receipts are acknowledged after the commit that the ledger shows
    if seen != [texts] * 3:
        raise Broken(f"{texts} texts, but the network has submits, unique and receipts {seen}")


def _seen(smsc: Simulator) -> list[int]:
    counts = smsc.counts()
    return [counts[name] for name in ("submits", "unique", "receipts")]


def _all(data: Path, asked: argparse.Namespace, database: Database) -> None:
    run = _measure(data, asked, database)
    run.bounds = Bounds() if asked.away else BOUNDS[database.name]
    run.place = {
        "Python": platform.python_version(),
        database.name: database.version,
        "cores": str(os.cpu_count()),
        "file system": place.file_system(data),
        "posts": f"{asked.posts} of {asked.post_size:,} envelopes",
        "legal clock and caps": "on" if asked.law else "off",
    }
    if asked.away:
        run.place["to the database and back"] = f"{2 * asked.away} ms"
    if not asked.postgres:
        singles = api.run(data, asked.seconds or _BRIEFLY)
        run.api = api.told(singles)
        print(api.shown(singles), end="\n\n")
    print(figures.shown(run))
    if asked.json:
        asked.json.write_text(run.as_json() + "\n", "utf-8")


def _api(data: Path, asked: argparse.Namespace) -> None:
    found = api.run(data, asked.seconds or _AT_LENGTH)
    print(api.shown(found))
    if asked.json:
        asked.json.write_text(json.dumps(api.told(found)) + "\n", "utf-8")


def _at_length(data: Path, asked: argparse.Namespace, database: Database) -> None:
    """What takes longer than the usual run; each by itself, one after the other where several are asked for."""
    found: dict[str, object] = {"database": database.name}
    if asked.scaling:
        ratios = scaling.run(data, database, asked.scaling, texts=asked.texts, posts=asked.posts, size=asked.post_size)
        found["scaling"] = scaling.told(ratios)
        print(scaling.shown(ratios, database.name, is_judged=not asked.away), end="\n\n")
    if asked.table_sizes:
        at = {"texts": asked.texts, "posts": asked.posts, "size": asked.post_size}
        costs = table_sizes.run(data, database, asked.table_sizes, **at)
        found["table-sizes"] = table_sizes.told(costs)
        print(table_sizes.shown(costs, database.name), end="\n\n")
    if asked.bloat:
        grown = bloat.run(data, database, asked.bloat)
        found["bloat"] = bloat.told(grown)
        print(bloat.shown(grown, asked.bloat))
    if asked.json:
        asked.json.write_text(json.dumps(found) + "\n", "utf-8")


class _Ending:
    """Ends the run on a signal, and knows why: whatever else breaks on the way out is only a consequence."""

    def __init__(self) -> None:
        self.why: str | None = None

    def __call__(self, number: int, _: types.FrameType | None) -> None:
        """The signal handler."""
        self.why = "the run took too long" if number == signal.SIGALRM else "stopped"
        raise Broken(self.why)


def _carry_out(data: Path, asked: argparse.Namespace) -> None:
    if asked.away and not asked.postgres:
        raise Broken("--away is about PostgreSQL: add --postgres")
    try:
        with server.database(data, is_postgres=asked.postgres, away=asked.away) as database:
            if asked.scaling or asked.table_sizes or asked.bloat:
                _at_length(data, asked, database)
            elif asked.what == "all":
                _all(data, asked, database)
            elif asked.what == "api":
                _api(data, asked)
            else:
                kinds = ("sample", "cprofile") if asked.kind == "both" else (asked.kind,)
                profiling.profile(data, PROFILES[asked.what], asked.texts, kinds, database, has_law=asked.law)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)  # nothing must interrupt the tidying up


def main() -> int:
    """Run what is asked for; 0 unless the run broke: how fast it was is for people to judge."""
    asked = _arguments()
    ending = _Ending()
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, ending)
    # again and again: an event loop may swallow what is raised inside one of its callbacks
    signal.setitimer(signal.ITIMER_REAL, asked.limit, _INSIST)
    try:
        with place.folder(asked.dir) as data:
            _carry_out(data, asked)
    except Broken as error:
        print(f"bench: {ending.why or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
