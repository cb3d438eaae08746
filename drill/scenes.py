"""The scenes: what is done to a running blast."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from drill import limits
from drill.figures import Row
from drill.stage import Blast, Scene, Stage, cluster
from processes import Server, connects, until

_MEBIBYTE: Final = 1 << 20


def killed_at_random(stage: Stage) -> Row:
    """kill -9 of worker, web, their parent or everything, again and again, until the blast is over (bars R1)."""
    rng = random.Random(os.getpid())
    stage.smsc.chaos(answer_delay=0.1, receipt_delay=0.2)
    with stage.served("kills") as server, stage.tenant(server.url, server.data) as tenant:
        blast = Blast("kill -9 at random", stage, tenant)
        blast.under_way(0.05)
        kills = 0
        until_time = time.monotonic() + limits.KILLING
        while time.monotonic() < until_time and not blast.is_settled():
            kills += _kill(server, rng.choice(("worker", "worker", "web", "parent", "all")))
            time.sleep(rng.uniform(0.3, 1.5))
        if not server.process.runs:
            server.start()
        server.ready()
        blast.note = f"{kills} kills"
        return blast.row()


def _kill(server: Server, what: str) -> int:
    """Kill a child, or everything and start it again; how many processes that were."""
    if what == "all":
        server.process.kill_all()
        server.start()
        server.ready()
        return 3
    if what == "parent":
        return _orphan(server)
    with contextlib.suppress(AssertionError):  # it is just being replaced
        return len(server.process.kill(what))
    return 0


def _orphan(server: Server) -> int:
    """Kill the parent alone: its children end by themselves, and it is started again."""
    os.kill(server.process.pid, signal.SIGKILL)
    until(lambda: not server.process.runs and not connects(server.port), limits.ENDED, "the end of the orphans")
    server.start()
    server.ready()
    return 1


def killed_network(stage: Stage) -> Row:
    """The network dies with texts unanswered, stays away, and comes back with a memory of what it took (R2, R7)."""
    stage.smsc.chaos(answer_delay=0.2)
    with stage.served("network") as server, stage.tenant(server.url, server.data) as tenant:
        blast = Blast("carrier killed and down", stage, tenant)
        blast.under_way(0.2)
        blast.network_ends()
        stage.smsc.process.kill_all()
        time.sleep(limits.AWAY)
        stage.smsc.start()
        stage.smsc.chaos()
        return blast.row()


def throttled(stage: Stage) -> Row:
    """The network is asked for more than it takes a second: the lane slows down, and nothing fails (R8)."""
    stage.smsc.ask("chaos", set={"throttle-above": max(100, stage.texts // 8)})
    try:
        with stage.served("throttle") as server, stage.tenant(server.url, server.data) as tenant:
            return Blast("carrier throttles", stage, tenant).row()
    finally:
        stage.smsc.ask("chaos", set={"throttle-above": 0})


def frozen_worker(stage: Stage) -> Row:
    """A worker is stopped past its lease, another takes over, and the first one wakes up (R4)."""
    stage.smsc.chaos(answer_delay=0.2)
    with cluster(stage, "frozen", 2) as made, stage.tenant(made.url, made.data) as tenant:
        blast = Blast("worker frozen past its lease", stage, tenant)
        blast.under_way(0.2)
        frozen = made.owner()
        os.kill(frozen.pid, signal.SIGSTOP)
        until(lambda: made.owner() is not frozen, limits.TAKEN_OVER, "another worker")
        time.sleep(1)
        os.kill(frozen.pid, signal.SIGCONT)
        return blast.row()


def terminated(stage: Stage) -> Row:
    """SIGTERM at full rate: exit 0 in time, and nothing in doubt (R13)."""
    stage.smsc.chaos(answer_delay=0.2)
    with stage.served("term") as server, stage.tenant(server.url, server.data) as tenant:
        blast = Blast("SIGTERM at full rate", stage, tenant)
        blast.under_way(0.3)
        began = time.monotonic()
        code, _ = server.process.stop()
        blast.note = f"exit {code} after {time.monotonic() - began:.1f} s"
        server.start()
        server.ready()
        row = blast.row()
        if code or row.in_doubt:
            raise AssertionError(f"after a SIGTERM the exit code was {code}, and {row.in_doubt} texts are in doubt")
        return row


def full_disk(stage: Stage) -> Row:
    """The disk fills up in the middle of a blast, and is given room again: nothing is restarted (R15)."""
    name = "disk full"
    if "database_url" in stage.settings:
        return Row(name, skipped="the database keeps its files elsewhere")
    with _small_disk(stage.folder / "small") as why_not:
        if why_not:
            return Row(name, skipped=why_not)
        stage.smsc.chaos(answer_delay=0.1)
        with stage.served("small") as server, stage.tenant(server.url, server.data) as tenant:
            blast = Blast(name, stage, tenant)
            blast.under_way(0.2)
            filler = server.data / "filler"
            _fill(filler)
            until(lambda: server.answers("/readyz") == 503, limits.DISK, "a red /readyz")
            blast.note = "red while full, green after"
            filler.unlink()
            until(lambda: server.answers("/readyz") == 200, limits.DISK, "a green /readyz")
            return blast.row()


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[str | None]:
    """A file system of its own in memory; why not, where that is not permitted."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    if mount is None:
        yield "there is no mount command"
        return
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        yield f"mounting is not permitted here ({done.stderr.strip().splitlines()[-1:] or ['no reason given']})"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _fill(path: Path) -> None:
    """Write until the disk takes no more, to the last byte."""
    for size in (_MEBIBYTE, 4096, 1):
        with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
            while file.write(b"\0" * size) == size:
                pass


class Part(NamedTuple):
    """A scene, and how many seconds what it does to the blast may take."""

    play: Scene
    own: float


_RESTART: Final = limits.ENDED + limits.READY
"""Seconds until something has ended and is there again."""

SCENES: Final[dict[str, Part]] = {
    # the last kill may come at the last moment, and what it killed is started once more
    "kills": Part(killed_at_random, limits.KILLING + _RESTART + limits.READY),
    "network": Part(killed_network, limits.AWAY + _RESTART),
    "throttle": Part(throttled, 0),
    # two workers and a web process are started and ended beside it
    "frozen": Part(frozen_worker, limits.OWNED + limits.TAKEN_OVER + limits.READY + 2 * limits.ENDED),
    "term": Part(terminated, _RESTART),
    "disk": Part(full_disk, 2 * limits.DISK),
}


def limit(names: Iterable[str]) -> int:
    """Seconds that these scenes may take together, in which any healthy run is over."""
    return limits.together(SCENES[name].own for name in names)
