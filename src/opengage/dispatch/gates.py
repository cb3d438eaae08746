"""What keeps a whole engagement, or all that one number sends, waiting: asked by `intent` before each batch.

Its weekly hours, its hour and day limits, its canary; the budgets that the carrier gives its number and its service
profile. A closed gate is written on the engagement, by name and with the time at which it opens: the envelopes behind
it stay as they are, for a million of them cannot each be written twice.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from opengage.clock import Instant
from opengage.domain import budgets, weekly
from opengage.domain.budgets import Budget
from opengage.domain.records import Engagement, PhoneNumber, ServiceProfile
from opengage.ids import Id
from opengage.store import budget_uses, ledgers
from opengage.store.contract import Transaction

CANARY: Final = "canary"
SCHEDULE: Final = "queue-schedule"
WAITING: Final = "waiting"

_weekly: Final = lru_cache(1024)(weekly.parse)
_budgets: Final = lru_cache(1024)(budgets.parse)


class Gate(msgspec.Struct, frozen=True):
    """How much may pass now; where that is nothing, which rule says so and until when (None: nobody can tell)."""

    texts: int
    segments: int
    rule: str | None = None
    until: Instant | None = None

    @property
    def is_open(self) -> bool:
        """Whether at least one text may pass."""
        return self.texts > 0 and self.segments > 0


_NO_LIMIT: Final = 1_000_000_000


class Limit(msgspec.Struct, frozen=True):
    """One budget and whose it is."""

    scope_id: Id
    budget: Budget


def limits_of(engagement: Engagement | None, number: PhoneNumber, profile: ServiceProfile) -> list[Limit]:
    """Every budget that a batch from this number draws on, in the order of their locks; None: single texts."""
    found = [Limit(engagement.id, each) for each in _own(engagement)] if engagement else []
    found += [Limit(number.id, each) for each in _parsed(number.budgets)]
    found += [Limit(profile.id, each) for each in _parsed(profile.budgets)]
    return sorted(found, key=lambda each: (each.scope_id, each.budget.period, each.budget.name))


def _own(engagement: Engagement) -> Iterable[Budget]:
    limits = (
        ("queue-throttle-hour-limit", "hour", engagement.queue_throttle_hour_limit),
        ("queue-throttle-day-limit", "day", engagement.queue_throttle_day_limit),
    )
    for name, period, limit in limits:
        if limit is not None:
            yield Budget(name=name, limit=limit, unit="texts", period=period, time_zone="UTC")


def _parsed(text: str | None) -> Iterable[Budget]:
    return _budgets(text) if text else ()


def closed_hours(engagement: Engagement, now: Instant) -> Instant | None:
    """When the weekly hours of an engagement open again; None while they are open."""
    if not engagement.queue_schedule_is_enabled or not engagement.queue_schedule:
        return None
    hours = _weekly(engagement.queue_schedule)
    return None if hours.is_open(now) else hours.next_open(now)


async def ask(
    tx: Transaction, account_id: int, limits: Sequence[Limit], now: Instant, engagement: Engagement | None = None
) -> Gate:
    """What may pass now. The budgets asked stay locked until the transaction ends."""
    if engagement is not None and (opens_at := closed_hours(engagement, now)) is not None:
        return Gate(0, 0, SCHEDULE, opens_at)
    texts = segments = _NO_LIMIT
    if engagement is not None and engagement.canary_state == WAITING:
        counts = await ledgers.read(tx, account_id, engagement.id)
        texts = (engagement.canary_size or 0) - (counts.total - counts.pending)
        if texts <= 0:
            return Gate(0, 0, CANARY)
    for limit in limits:
        budget, began_at = limit.budget, limit.budget.began_at(now)
        used = await budget_uses.read(tx, account_id, limit.scope_id, _period(budget), began_at)
        room = budget.limit - used
        if room <= 0:
            return Gate(0, 0, budget.name, budget.ends_at(now))
        texts = min(texts, room)
        if budget.unit == "segments":
            segments = min(segments, room)
    return Gate(texts, segments)


async def spend(
    tx: Transaction, account_id: int, limits: Sequence[Limit], texts: int, segments: int, now: Instant
) -> None:
    """Draw what a batch needs from every budget."""
    drawn: dict[tuple[Id, str], Limit] = {(each.scope_id, _period(each.budget)): each for each in limits}
    for limit in drawn.values():
        used = segments if limit.budget.unit == "segments" else texts
        began_at = limit.budget.began_at(now)
        await budget_uses.add(tx, account_id, limit.scope_id, _period(limit.budget), began_at, used)


def _period(budget: Budget) -> str:
    """What tells the uses of one scope apart: budgets that count alike share their count."""
    return f"{budget.period}/{budget.unit}/{budget.time_zone}"
