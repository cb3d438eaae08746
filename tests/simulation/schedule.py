"""A schedule: everything that will happen in one simulated blast, drawn from one seed before it begins."""

import random
from collections.abc import Callable
from typing import Any, Final

import msgspec

from opengage.clock import SECOND, Instant
from simulation.network import Mood

NOON: Final = Instant(1_772_640_000 * SECOND)
"""2026-03-04 16:00 UTC, late morning in Washington: texts may go."""
NIGHT: Final = Instant(NOON + 14 * 3600 * SECOND)
LASTS: Final = 8.0
"""Seconds in which trouble begins; after that all is calm, and what can go on does."""


class Fault(msgspec.Struct, frozen=True):
    """Something happens at a second of the schedule."""

    at: float
    what: str
    whom: str = ""
    lasts: float = 0.0


class Blast(msgspec.Struct, frozen=True):
    """One engagement: whom it goes to (places in the list of numbers; twice is twice) and its rules."""

    recipients: list[int]
    body: str
    rules: dict[str, Any]
    lacks: list[int]
    """Places of envelopes without the value that the template needs."""


class Schedule(msgspec.Struct, frozen=True):
    """All that a seed decides, but the dice of the network."""

    seed: int
    workers: int
    lanes: int
    window: int
    rate: float | None
    resends: bool
    has_quiet_hours: bool
    cap: int | None
    database_steps: bool
    has_fallback: bool
    blasts: list[Blast]
    crashes: list[int]
    """At which boundaries, counted from the start, the process that comes by dies."""
    faults: list[Fault]
    mood: Mood


SHORT: Final = "Hello {{first-name}}"
LONG: Final = "{{first-name}} " + "x" * 200


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(seed)
    workers = rng.choice((1, 1, 2))
    return Schedule(
        seed=seed,
        workers=workers,
        lanes=rng.choice((1, 1, 1, 2)),
        window=rng.choice((2, 4, 8, 20)),
        rate=rng.choice((None, None, None, 4.0)),
        resends=rng.random() < 0.15,
        has_quiet_hours=rng.random() < 0.1,
        cap=rng.choice((None,) * 8 + (1,)),
        database_steps=rng.random() < 0.2,
        has_fallback=rng.random() < 0.1,
        blasts=[_blast(rng) for _ in range(rng.choice((1, 1, 1, 2)))],
        crashes=sorted(rng.randint(1, 60) for _ in range(rng.choice((0, 0, 1, 1, 2)))),
        faults=sorted((_fault(rng, workers) for _ in range(rng.randint(0, 5))), key=lambda each: each.at),
        mood=_mood(rng),
    )


def _blast(rng: random.Random) -> Blast:
    size = rng.randint(3, 12)
    recipients = list(range(size))
    if rng.random() < 0.2:
        recipients[-1] = 0
    rules: dict[str, Any] = {}
    if rng.random() < 0.15:
        rules["canary_size"] = rng.randint(1, 3)
        rules["canary_state"] = "waiting"
        rules["canary_wait_seconds"] = 10
    if rng.random() < 0.1:
        rules["queue_throttle_hour_limit"] = rng.randint(2, 4)
    if rng.random() < 0.1:
        rules["validity_seconds"] = rng.choice((3, 4000))
    if rng.random() < 0.1:
        rules["pause_failure_ratio"] = 0.5
    if rng.random() < 0.2:
        rules["queue_batch_limit"] = rng.randint(1, 3)
    lacks = [rng.randrange(size)] if rng.random() < 0.1 else []
    return Blast(recipients, LONG if rng.random() < 0.25 else SHORT, rules, lacks)


_FAULTS: Final = (
    *("kill", "freeze", "clock", "cut", "cut", "down", "database-down", "full", "slow", "lies", "lies"),
    *("pause", "cancel", "suppress", "stop", "stop", "start", "terminate", "change", "off"),
)


def _fault(rng: random.Random, workers: int) -> Fault:
    what, at = rng.choice(_FAULTS), round(rng.random() * LASTS * (0.3 if rng.random() < 0.6 else 1), 3)
    whom = rng.choice("AB"[:workers])
    lasts: dict[str, Callable[[], float]] = {
        "kill": lambda: rng.uniform(0.1, 9.0),
        "terminate": lambda: rng.uniform(0.1, 3.0),
        "freeze": lambda: rng.uniform(0.5, 15.0),
        "clock": lambda: rng.choice((-3600.0, 3600.0)),
        "down": lambda: rng.uniform(0.5, 6.0),
        "database-down": lambda: rng.uniform(0.1, 8.0),
        "full": lambda: rng.uniform(0.1, 4.0),
        "slow": lambda: rng.uniform(0.5, 3.0),
        "lies": lambda: rng.uniform(0.01, 0.3),
        "pause": lambda: rng.uniform(0.2, 5.0),
        "off": lambda: rng.uniform(0.2, 5.0),
        "suppress": lambda: rng.randrange(12),
        "stop": lambda: rng.randrange(12),
        "start": lambda: rng.randrange(12),
    }
    return Fault(at, what, whom, round(lasts[what](), 3) if what in lasts else 0.0)


def _mood(rng: random.Random) -> Mood:
    """Most networks have one vice, some several."""

    def vice(worst: float, often: float = 0.25) -> float:
        return rng.uniform(0.02, worst) if rng.random() < often else 0.0

    return Mood(
        refuses=vice(0.3),
        throttles=vice(0.4),
        fails=vice(0.3),
        says_nothing=vice(0.3),
        cuts_before=vice(0.15),
        cuts_after=vice(0.15),
        repeats_receipts=vice(0.8),
        loses_receipts=vice(0.3, 0.1),
        undelivered=rng.choice((0.0, 0.1, 0.5)),
        slowest=rng.choice((0.01, 0.05, 0.5, 6.0)),
        slowest_receipt=rng.choice((0.005, 0.1, 0.5, 2.0)),
        names_texts=rng.random() < 0.8,
    )
