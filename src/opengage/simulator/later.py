"""What waits: answers and receipts that are due in a while, in slots of a few milliseconds.

One timer of the event loop serves all that waits, however much it is, and one call brings all that is due.
"""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SLOT: Final = 0.005
"""Seconds in a slot: an item comes up to this much late, never early."""


class Later(Generic[T]):
    """Items by the slot in which they are due; those of one slot come in the order in which they were added."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Callable[[list[T]], None]) -> None:
        self._loop = loop
        self._fire = fire
        self._slots: dict[int, list[T]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Items that wait."""
        return sum(map(len, self._slots.values()))

    def add(self, delay: float, item: T) -> None:
        """Bring this item in `delay` seconds."""
        slot = int((self._loop.time() + delay) / SLOT) + 1
        items = self._slots.get(slot)
        if items is not None:
            items.append(item)
            return
        self._slots[slot] = [item]
        heapq.heappush(self._order, slot)
        if self._order[0] == slot:
            self._arm()

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()
        self._order.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._order[0] * SLOT, self._bring)

    def _bring(self) -> None:
        self._timer = None
        now = self._loop.time()
        due: list[T] = []
        while self._order and self._order[0] * SLOT <= now:
            due += self._slots.pop(heapq.heappop(self._order))
        if self._order:
            self._arm()
        if due:
            self._fire(due)
