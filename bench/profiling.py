"""`python -m bench profile-worker`: a blast with a profiler in the worker, and the functions that took the time."""

import json
import os
import pstats
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import blast
from bench.children import Child, free_port, init, opengage, running, simulator
from bench.client import Access, Broken, wait_until_ready
from bench.place import HERE
from bench.profiled import INTERVAL

TOP = 40
_SETTLE = 0.3
"""Seconds for the signal that starts the profiler to be acted on."""

_ROOTS = (str(HERE.parent / "src") + os.sep, str(HERE.parent) + os.sep)


def profile_worker(data: Path, texts: int, kinds: Iterable[str]) -> None:
    """Run one blast for each kind of profiler, and print what it saw."""
    for number, kind in enumerate(kinds):
        home = data / str(number)
        home.mkdir()
        out, took = _blast(home, texts, kind)
        seconds = took.last_receipt
        print(f"\n{kind}: {texts:,} texts in {seconds:.2f} s ({texts / seconds:,.0f} texts/s with the profiler on)\n")
        rows = _sampled(out, texts) if kind == "sample" else _called(out, texts)
        print("\n".join(rows))


def _blast(home: Path, texts: int, kind: str) -> tuple[Path, blast.Blast]:
    out, port = home / "profile", free_port()
    with ExitStack() as stack:
        smsc = stack.enter_context(simulator(home))
        access = Access(init(home, smsc.port), port)
        stack.enter_context(running(Child(opengage("web", "--data", str(home), "--port", str(port)), home)))
        verb = ["--with-parent", "worker", "--data", str(home)]
        worker = stack.enter_context(running(Child(["-m", "bench.profiled", kind, str(out), *verb], home)))
        wait_until_ready(port)
        engagement_id = blast.prepare(access, texts, f"profile {kind}")
        blast.wait_for_link(smsc)
        os.kill(worker.pid, signal.SIGUSR1)
        time.sleep(_SETTLE)
        took = blast.run(access, smsc, engagement_id, texts)
        os.kill(worker.pid, signal.SIGUSR2)
        _wait_for(out)
    return out, took


def _wait_for(path: Path, within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not path.exists():
        if time.monotonic() > deadline:
            raise Broken("the profiler wrote nothing")
        time.sleep(0.05)


def _sampled(out: Path, texts: int) -> list[str]:
    """Functions by own samples, each with its hottest lines."""
    seen = json.loads(out.read_text("utf-8"))
    within = {tuple(place): count for *place, count in seen["within"]}
    own: Counter[tuple[Any, ...]] = Counter()
    lines: dict[tuple[Any, ...], list[tuple[int, int]]] = defaultdict(list)
    for *place, line, count in seen["own"]:
        own[tuple(place)] += count
        lines[tuple(place)].append((count, line))
    total = own.total()
    rows = ["wall time of the main thread; the time of built-in functions counts for the line that calls them", ""]
    rows.append(f"{'own %':>6} {'total %':>8} {'µs/text':>8}  function, and its hottest lines")
    for place, count in own.most_common(TOP):
        hot = ", ".join(f"{line}: {100 * some / total:.1f}" for some, line in sorted(lines[place], reverse=True)[:3])
        cost = count * INTERVAL * 1e6 / texts
        rows.append(
            f"{100 * count / total:6.1f} {100 * within.get(place, 0) / total:8.1f} {cost:8.2f}  {_shown(place)} ({hot})"
        )
    return rows


def _called(out: Path, texts: int) -> list[str]:
    """Functions by own time."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = pstats.Stats(str(out)).stats  # type: ignore[attr-defined]
    total = sum(own for _, _, own, _, _ in stats.values())
    rows = [f"{'own s':>7} {'own %':>6} {'total s':>8} {'calls':>10} {'µs/text':>8}  function"]
    for place, (_, calls, own, whole, _) in sorted(stats.items(), key=lambda item: -item[1][2])[:TOP]:
        rows.append(
            f"{own:7.3f} {100 * own / total:6.1f} {whole:8.3f} {calls:10,} {own * 1e6 / texts:8.2f}  {_shown(place)}"
        )
    return rows


def _shown(place: tuple[Any, ...]) -> str:
    file, line, name = place
    for root in _ROOTS:
        file = file.removeprefix(root)
    if "site-packages" in file:
        file = file.partition("site-packages" + os.sep)[2]
    return f"{file}:{line} {name}" if line else name
