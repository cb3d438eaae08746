"""The proof that no text is lost or doubled: thousands of schedules of crashes, drops and mishaps, each from a seed.

`OPENGAGE_SIMULATION_SEED=7 pytest tests/simulation` replays one; `OPENGAGE_SIMULATION_SCHEDULES=10000` runs more.
"""

import asyncio
import os
from collections import Counter

import msgspec
import pytest

from simulation.disk import Disk
from simulation.loop import Process, VirtualLoop
from simulation.network import Mood
from simulation.proof import broken, report, shrunk
from simulation.run import run
from simulation.schedule import Blast, Fault, Schedule, draw

SEED = os.environ.get("OPENGAGE_SIMULATION_SEED")
SCHEDULES = int(os.environ.get("OPENGAGE_SIMULATION_SCHEDULES", "2000"))
_SHARES = 8

CALM = Schedule(
    seed=0, workers=1, lanes=1, window=2, rate=None, resends=False, has_quiet_hours=False, cap=None,
    database_steps=False, has_fallback=False, blasts=[Blast(list(range(5)), "Hello {{first-name}}", {}, [])],
    crashes=[], faults=[], mood=Mood(),
)  # fmt: skip


def seeds(share: int) -> range:
    """Which schedules one test item carries out."""
    if SEED is not None:
        return range(int(SEED), int(SEED) + 1) if share == 0 else range(0)
    return range(share, SCHEDULES, _SHARES)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("share", range(_SHARES))
def test_no_schedule_loses_or_doubles_a_text(disk: Disk, share: int) -> None:
    """Whatever fails and whoever dies: each envelope ends in one place, the network has seen its text at most once."""
    found = next(broken(seeds(share), disk), None)
    if found is not None:
        pytest.fail(report(found, disk), pytrace=False)


def test_the_replay_tells_what_happened(disk: Disk) -> None:
    """The event log names every text's way, line by line with the second."""
    log = run(CALM, disk).log
    assert any("text +12025550150 - -> sending" in line for line in log)
    assert any("network: +12025550150 #1 taken r1" in line for line in log)
    assert any("text +12025550150 sent -> delivered" in line for line in log)


def test_a_crash_at_every_boundary(disk: Disk) -> None:
    """One blast, as often as it has transactions, commits and submits: each time the worker dies at another of them."""
    calm = run(CALM, disk)
    assert not calm.monitor.violations, calm.monitor.violations
    assert calm.boundaries > 30
    for boundary in range(1, calm.boundaries + 1):
        made = run(CALM, disk, crash_at=boundary.__eq__)
        assert not made.monitor.violations, (boundary, *made.monitor.violations, *made.log)
        assert made.crashes == 1
        doubtful = sum(each.reason == "in-doubt" for each in made.monitor.state.envelopes.values())
        assert doubtful <= CALM.window


def test_the_schedules_reach_what_they_are_about(disk: Disk) -> None:
    """They are no idle runs: every fault, doubt, retry, crash and closing comes up among a hundred of them."""
    happened: Counter[str] = Counter()
    for seed in range(150):
        made = run(draw(seed), disk)
        happened.update(fault.what for fault in made.schedule.faults)
        happened.update({"crash": made.crashes})
        happened.update(each.reason for each in made.monitor.state.envelopes.values())
        happened.update(arrival.fate for some in made.network.arrivals.values() for arrival in some)
        happened.update("again" for some in made.network.arrivals.values() if len(some) > 1)
    wanted = {
        *("kill", "freeze", "clock", "cut", "down", "database-down", "full", "slow", "lies", "pause", "cancel"),
        *("suppress", "stop", "start", "terminate", "crash", "again", "taken", "refused", "throttled", "temporary"),
        *("delivered", "sent-unconfirmed", "undelivered", "rejected", "in-doubt", "opted-out", "duplicate", "canceled"),
        *("missing-variable", "expired"),
    }
    assert wanted <= set(+happened)


@pytest.mark.parametrize("seed", [3, 14, 159])
def test_a_seed_is_a_schedule(disk: Disk, seed: int) -> None:
    """The same seed does the same again, to the microsecond: what it found can be looked at."""
    assert run(draw(seed), disk).log == run(draw(seed), disk).log


def test_a_frozen_process_does_nothing_until_it_goes_on() -> None:
    """Its steps and timers are laid aside while time goes by, and none is forgotten."""
    loop = VirtualLoop()
    done: list[str] = []
    process = Process("A", loop)

    async def whole() -> None:
        process.later(1.0, done.append, "A")
        process.freeze()
        loop.call_later(2.0, done.append, "other")
        loop.call_later(3.0, process.thaw)
        loop.call_later(4.0, done.append, "late")
        while len(done) < 3:
            await asyncio.sleep(0.5)

    loop.run_until_complete(whole())
    loop.close()
    assert done == ["other", "A", "late"]
    assert loop.seconds == 1004.0


def test_the_least_schedule_is_found(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrinking leaves out every trouble that a violation does not need, and tells the rest line by line."""
    monkeypatch.setattr("opengage.store.sqlite.batches.SqliteBatches.suppressed", _nobody)
    faults = [Fault(0.0, "slow", "A", 1.0), Fault(0.005, "suppress", "A", 1.0), Fault(3.0, "cut", "A")]
    made = run(_with(faults), disk)
    least = shrunk(made.schedule, disk)
    assert [fault.what for fault in least.schedule.faults] == ["suppress"]
    assert "OPENGAGE_SIMULATION_SEED=0 " in report(made, disk)


def _with(faults: list[Fault]) -> Schedule:
    return msgspec.structs.replace(CALM, faults=faults)


async def _nobody(*_: object) -> set[str]:
    return set()
