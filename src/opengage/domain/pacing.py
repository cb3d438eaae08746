"""How fast a lane may flow: a token bucket of segments, asked by the sender before each window of texts.

Carriers bill and limit segments, not texts. Time is an argument: seconds that never step (Clock.monotonic).
Rates are segments per second; None is unlimited.
"""

import math

PAUSE = 1.0
"""Seconds in which a lane changes its pace once: a window of throttled answers is one complaint, not hundreds."""

SLOWEST = 0.01
"""The share of the configured rate below which throttling answers never push a lane."""

_BURST_SECONDS = 0.1
_DOWN = 0.5
_UP = 0.05
_DUST = 1e-3  # tokens that floating-point sums may lack without a refusal; they are owed, so nothing drifts


class Bucket:
    """Grants whole segments, in any window of t seconds at most rate * t + burst of them.

    `burst` defaults to a tenth of a second's worth and at least one segment, so that a lane of one segment a
    second is even. A text of more segments than the burst goes when the bucket is full and leaves it in debt.
    """

    __slots__ = ("_at", "_ceiling", "_changed", "_tokens", "burst", "configured", "rate")

    def __init__(self, rate: float | None, burst: float | None = None) -> None:
        if rate is not None and not rate > 0:
            raise ValueError("a rate is above zero, or None for no limit")
        self.configured = rate
        self.rate = rate
        self.burst = _burst(rate) if burst is None else max(1.0, burst)
        self._tokens = self.burst
        self._at: float | None = None
        self._changed: float | None = None
        self._ceiling = rate

    def take(self, now: float, wanted: int) -> int:
        """Take up to `wanted` segments; the answer is how many may go now."""
        if self.rate is None:
            return wanted
        self._refill(now)
        granted = max(0, min(wanted, int(self._tokens + _DUST)))
        self._tokens -= granted
        return granted

    def available(self, now: float) -> float:
        """Segments that may go now; below zero while a text longer than the burst is paid off."""
        if self.rate is None:
            return math.inf
        self._refill(now)
        return self._tokens + _DUST

    def spend(self, now: float, segments: int) -> None:
        """These segments go, whatever is available: what they exceed it by is owed."""
        if self.rate is not None:
            self._refill(now)
            self._tokens -= segments

    def take_text(self, now: float, segments: int) -> bool:
        """Take all segments of one text, or none: whether the text may go now."""
        if self.rate is None:
            return True
        self._refill(now)
        if self._tokens + _DUST < min(segments, self.burst):
            return False
        self._tokens -= segments
        return True

    def wait(self, now: float, wanted: int) -> float:
        """Seconds until take_text would let a text of `wanted` segments go, or take grant as many up to the burst."""
        if self.rate is None:
            return 0.0
        self._refill(now)
        return max(0.0, (min(wanted, self.burst) - self._tokens) / self.rate)

    def slow_down(self, now: float, observed: float | None = None) -> None:
        """The carrier throttled: halve the rate, once in PAUSE seconds.

        An unlimited lane starts from the `observed` rate that was too much; without one it stays unlimited.
        """
        start = self.rate or observed
        if not start or self._too_soon(now):
            return
        if self._ceiling is None:
            self._ceiling, self.burst = start, _burst(start)
        self._set(now, max(start * _DOWN, self._ceiling * SLOWEST))
        self._tokens = min(self._tokens, 0.0)

    def speed_up(self, now: float) -> None:
        """The carrier took it: win back a twentieth of the full rate, once in PAUSE seconds, and no more than it."""
        if self.rate is None or self._ceiling is None or self.rate == self.configured or self._too_soon(now):
            return
        faster = self.rate + self._ceiling * _UP
        if faster >= self._ceiling:
            self._ceiling = self.configured
            self._set(now, self.configured)
        else:
            self._set(now, faster)

    def _too_soon(self, now: float) -> bool:
        return self._changed is not None and now - self._changed < PAUSE

    def _set(self, now: float, rate: float | None) -> None:
        self._refill(now)
        self.rate, self._changed = rate, now

    def _refill(self, now: float) -> None:
        """Add what has trickled in; a clock that seems to go back adds nothing."""
        if self._at is None:
            self._at = now
        elapsed = now - self._at
        if elapsed > 0 and self.rate is not None:
            self._tokens = min(self.burst, self._tokens + elapsed * self.rate)
        self._at = max(now, self._at)


def _burst(rate: float | None) -> float:
    return max(1.0, (rate or 0) * _BURST_SECONDS)
