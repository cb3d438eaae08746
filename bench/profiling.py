"""`python -m bench profile-worker` and `profile-web`: a run with a profiler inside, and what took the time.

The worker is watched from the PATCH to the last receipt of a blast, the web process while the envelopes are posted.
"""

import json
import os
import pstats
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import blast, ingest, law
from bench.children import Child, free_port, init, opengage, running, simulator
from bench.client import Access, Broken, wait_until_ready
from bench.place import HERE
from bench.server import Database

TOP = 40
NOTABLE = 0.03
"""Share of the time from which a function's callers are told too."""

_SETTLE = 0.3
"""Seconds for the signal that starts the profiler to be acted on."""

_ROOTS = (str(HERE.parent / "src") + os.sep, str(HERE.parent) + os.sep)


def profile(data: Path, verb: str, texts: int, kinds: Iterable[str], database: Database, *, has_law: bool) -> None:
    """Run once for each kind of profiler with it in the process of this verb, and print what it saw."""
    for kind in kinds:
        home = data / kind
        home.mkdir()
        environment = database.fresh(kind)
        if has_law:
            environment |= law.setting(home)
        out, seconds = _run(home, verb, texts, kind, environment, has_law=has_law)
        rate = texts / seconds
        print(f"\n{kind} of {verb}: {texts:,} texts in {seconds:.2f} s, {rate:,.0f}/s with the profiler on\n")
        print("\n".join(_sampled(out, texts) if kind == "sample" else _called(out, texts)))


def _run(
    home: Path, verb: str, texts: int, kind: str, environment: dict[str, str], *, has_law: bool
) -> tuple[Path, float]:
    """The profile, and the seconds that what it watched took."""
    out, port = home / "profile", free_port()
    watching = ["-m", "bench.profiled", kind, str(out), "--with-parent"]
    flags = {"web": ["--data", str(home), "--port", str(port)], "worker": ["--data", str(home)]}
    with ExitStack() as stack:
        smsc = stack.enter_context(simulator(home))
        access = Access(init(home, smsc.port, environment, quiet_hours=has_law), port)
        commands = {name: [*watching, name] if name == verb else opengage(name) for name in flags}
        children = {
            name: stack.enter_context(running(Child([*commands[name], *more], home, environment)))
            for name, more in flags.items()
        }
        wait_until_ready(port)
        if verb == "web":
            # no warm-up: see ingest.run for figures
            return out, _watched(children[verb], out, lambda: _post(access, texts))
        engagement_id = blast.prepare(access, texts, "profile")
        blast.wait_for_link(smsc)
        return out, _watched(children[verb], out, lambda: blast.run(access, smsc, engagement_id, texts).last_receipt)


def _post(access: Access, texts: int) -> float:
    size = min(texts, 10_000)
    return texts / ingest.run(access, max(1, texts // size), size, 1)


def _watched(child: Child, out: Path, do: Callable[[], float]) -> float:
    """Do this with the profiler on; the profile is written when it returns."""
    os.kill(child.pid, signal.SIGUSR1)
    time.sleep(_SETTLE)
    took = do()
    os.kill(child.pid, signal.SIGUSR2)
    _wait_for(out)
    return took


def _wait_for(path: Path, within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not path.exists():
        if time.monotonic() > deadline:
            raise Broken("the profiler wrote nothing")
        time.sleep(0.05)


def _sampled(out: Path, texts: int) -> list[str]:
    """Functions by own time, each with its hottest lines, the notable ones with their callers."""
    seen = json.loads(out.read_text("utf-8"))
    within = {tuple(place): took for *place, took in seen["within"]}
    own: Counter[tuple[Any, ...]] = Counter()
    lines: dict[tuple[Any, ...], Counter[int]] = defaultdict(Counter)
    callers: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for *place, line, caller, took in seen["own"]:
        own[tuple(place)] += took
        lines[tuple(place)][line] += took
        callers[tuple(place)][caller] += took
    total = own.total() / 100
    rows = [
        "Wall time of the main thread; what a built-in function takes counts for the line that calls it.",
        "What stands at Runner.run is the event loop itself: waiting, and socket calls.",
        "",
        f"{'own %':>6} {'total %':>8} {'µs/text':>8}  function (its hottest lines: own %)",
    ]
    for place, took in own.most_common(TOP):
        hot = ", ".join(f"{line}: {some / total:.1f}" for line, some in lines[place].most_common(3))
        share, whole = took / total, within.get(place, 0) / total
        rows.append(f"{share:6.1f} {whole:8.1f} {took / 1000 / texts:8.2f}  {_shown(place)} ({hot})")
        if share > 100 * NOTABLE:
            rows += [f"{'':24}  for {name} {some / total:.1f}" for name, some in callers[place].most_common(8)]
    return rows


_Place = tuple[str, int, str]


def _called(out: Path, texts: int) -> list[str]:
    """Functions by own time, the notable ones with their callers."""
    stats: dict[_Place, tuple[int, int, float, float, dict[_Place, tuple[int, int, float, float]]]]
    stats = pstats.Stats(str(out)).stats  # type: ignore[attr-defined]
    total = sum(own for _, _, own, _, _ in stats.values())
    rows = [f"{'own s':>7} {'own %':>6} {'total s':>8} {'calls':>10} {'µs/text':>8}  function"]
    for place, (_, calls, own, whole, callers) in sorted(stats.items(), key=lambda item: -item[1][2])[:TOP]:
        rows.append(
            f"{own:7.3f} {100 * own / total:6.1f} {whole:8.3f} {calls:10,} {own * 1e6 / texts:8.2f}  {_shown(place)}"
        )
        if own > NOTABLE * total:
            most = sorted(callers.items(), key=lambda item: -item[1][2])[:8]
            rows += [f"{'':43}  for {_shown(by)} {100 * some / total:.1f}" for by, (_, _, some, _) in most]
    return rows


def _shown(place: tuple[Any, ...]) -> str:
    file, line, name = place
    for root in _ROOTS:
        file = file.removeprefix(root)
    if "site-packages" in file:
        file = file.partition("site-packages" + os.sep)[2]
    return f"{file}:{line} {name}" if line else name
