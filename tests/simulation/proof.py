"""What is asked of schedules: that none breaks the promise; and of one that does, what is the least that breaks it."""

from collections.abc import Iterable, Iterator

import msgspec

from simulation.disk import Disk
from simulation.run import Run, run
from simulation.schedule import Schedule, draw


def broken(seeds: Iterable[int], disk: Disk) -> Iterator[Run]:
    """The runs of those seeds that violate the promise."""
    for seed in seeds:
        made = run(draw(seed), disk)
        if made.monitor.violations:
            yield made


def shrunk(schedule: Schedule, disk: Disk) -> Run:
    """The same violation with as few troubles as possible: each is left out once, and stays out if it is not needed."""
    best = run(schedule, disk)
    for smaller in _smaller(best):
        made = run(smaller, disk)
        if made.monitor.violations:
            return shrunk(smaller, disk)
    return best


def _smaller(made: Run) -> Iterator[Schedule]:
    schedule, change = made.schedule, msgspec.structs.replace
    for place in range(len(schedule.faults)):
        yield change(schedule, faults=schedule.faults[:place] + schedule.faults[place + 1 :])
    for place in range(len(schedule.crashes)):
        yield change(schedule, crashes=schedule.crashes[:place] + schedule.crashes[place + 1 :])
    if len(schedule.blasts) > 1:
        yield change(schedule, blasts=schedule.blasts[:1])
    for place, blast in enumerate(schedule.blasts):
        if len(blast.recipients) > 1:
            fewer = change(blast, recipients=blast.recipients[:-1])
            yield change(schedule, blasts=[*schedule.blasts[:place], fewer, *schedule.blasts[place + 1 :]])
    for vice in ("refuses", "throttles", "fails", "says_nothing", "cuts_before", "cuts_after", "repeats_receipts"):
        if getattr(schedule.mood, vice):
            yield change(schedule, mood=change(schedule.mood, **{vice: 0.0}))


def report(made: Run, disk: Disk) -> str:
    """What a person needs to find the mistake: the seed, the least schedule, and what happened in it, line by line."""
    least = shrunk(made.schedule, disk)
    return "\n".join(
        (
            *made.monitor.violations,
            f"replay: OPENGAGE_SIMULATION_SEED={made.schedule.seed} pytest tests/simulation",
            "",
            "the least schedule that still breaks it:",
            str(least.schedule),
            *least.log,
        )
    )
