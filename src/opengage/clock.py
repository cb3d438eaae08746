"""Time as an argument: everything that needs an instant is handed a Clock.

Instants are whole microseconds since the Unix epoch, in UTC: one integer that both databases store and
compare alike.
"""

import time
from typing import NewType, Protocol

Instant = NewType("Instant", int)

SECOND = 1_000_000
"""Microseconds in a second, to add to an Instant."""


class Clock(Protocol):
    """Wall time for records and monotonic time for time-outs."""

    def now(self) -> Instant:
        """The wall clock, in microseconds since the epoch (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step, for time-outs and rates."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """See Clock.now."""
        return Instant(time.time_ns() // 1_000)

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return time.monotonic()
