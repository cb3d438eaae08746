"""What keeps a whole engagement, or all that one number sends, waiting: asked by `intent` before each batch.

Its weekly hours, its hour and day limits, its canary; the budgets that the carrier gives its number and its service
profile. A closed gate is written on the engagement, by name and with the time at which it opens: the envelopes behind
it stay as they are, for a million of them cannot each be written twice.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain import budgets, weekly
from opengage.domain.budgets import Budget, Unit
from opengage.domain.records import Engagement, PhoneNumber, ServiceProfile
from opengage.ids import Id
from opengage.store import budget_uses, ledgers
from opengage.store.contract import Transaction

CANARY: Final = "canary"
SCHEDULE: Final = "queue-schedule"
WAITING: Final = "waiting"
CANARY_WAIT_SECONDS: Final = 600
"""How long a canary's receipts are waited for, where the engagement does not say."""

_weekly: Final = lru_cache(1024)(weekly.parse)
_budgets: Final = lru_cache(1024)(budgets.parse)


class Room(NamedTuple):
    """What a budget of segments has left in its period."""

    left: int
    limit: int
    rule: str
    until: Instant

    def lets(self, passed: int, text: int) -> bool:
        """Whether a text of so many segments may follow those that have passed already.

        One that is longer than the whole limit goes as the first of a period: else it could never go.
        """
        return passed + text <= self.left or (passed == 0 and self.left == self.limit)


class Gate(msgspec.Struct, frozen=True):
    """How much may pass now; where that is nothing, which rule says so and until when (None: nobody can tell)."""

    texts: int
    rooms: Sequence[Room] = ()
    """Of every budget of segments: each must let a text pass."""
    rule: str | None = None
    until: Instant | None = None

    @property
    def is_open(self) -> bool:
        """Whether a text may pass, if it is short enough."""
        return self.texts > 0

    def bar(self, passed: int, text: int) -> Room | None:
        """The budget that keeps a text of so many segments back, the one that ends last; None where it may pass."""
        bars = [room for room in self.rooms if not room.lets(passed, text)]
        return max(bars, key=lambda room: room.until, default=None)


_NO_LIMIT: Final = 1_000_000_000


class Limit(msgspec.Struct, frozen=True):
    """One budget and whose it is."""

    scope_id: Id
    budget: Budget


def limits_of(engagement: Engagement | None, number: PhoneNumber, profile: ServiceProfile) -> list[Limit]:
    """Every budget that a batch from this number draws on, in the order of their locks; None: single texts."""
    found: list[Limit] = []
    if engagement:
        own = budgets.of_engagement(engagement.queue_throttle_hour_limit, engagement.queue_throttle_day_limit)
        found += [Limit(engagement.id, each) for each in own]
    found += [Limit(number.id, each) for each in _parsed(number.budgets)]
    found += [Limit(profile.id, each) for each in _parsed(profile.budgets)]
    return sorted(found, key=lambda each: (each.scope_id, each.budget.slot, each.budget.name))


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
        return Gate(0, rule=SCHEDULE, until=opens_at)
    texts, rooms = _NO_LIMIT, []
    if engagement is not None and engagement.canary_state == WAITING:
        counts = await ledgers.read(tx, account_id, engagement.id)
        texts = (engagement.canary_size or 0) - (counts.total - counts.pending)
        if texts <= 0:
            return Gate(0, rule=CANARY, until=_canary_until(engagement, now))
    for limit in limits:
        budget, began_at = limit.budget, limit.budget.began_at(now)
        used = await budget_uses.read(tx, account_id, limit.scope_id, budget.slot, began_at)
        left = budget.limit - used
        if left <= 0:
            return Gate(0, rule=budget.name, until=budget.ends_at(now))
        texts = min(texts, left)
        if budget.unit is Unit.SEGMENTS:
            rooms.append(Room(left, budget.limit, budget.name, budget.ends_at(now)))
    return Gate(texts, rooms)


def _canary_until(engagement: Engagement, now: Instant) -> Instant:
    """When the canary's receipts are no longer waited for: counted from when its last text was written."""
    if engagement.hold_reason == CANARY and engagement.hold_until is not None:
        return engagement.hold_until
    return Instant(now + (engagement.canary_wait_seconds or CANARY_WAIT_SECONDS) * SECOND)


async def spend(
    tx: Transaction, account_id: int, limits: Sequence[Limit], texts: int, segments: int, now: Instant
) -> None:
    """Draw what a batch needs from every budget."""
    drawn: dict[tuple[Id, str], Limit] = {(each.scope_id, each.budget.slot): each for each in limits}
    for limit in drawn.values():
        used = segments if limit.budget.unit is Unit.SEGMENTS else texts
        began_at = limit.budget.began_at(now)
        await budget_uses.add(tx, account_id, limit.scope_id, limit.budget.slot, began_at, used)
