"""Time: whole microseconds of UTC, and seconds that never step back."""

import time

from opengage.clock import SECOND, Clock, Instant, SystemClock


class FixedClock:
    """A clock of the kind that tests pass in."""

    def __init__(self, start: Instant) -> None:
        self.at = start

    def now(self) -> Instant:
        """See Clock.now."""
        return self.at

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self.at / SECOND


def test_now_is_microseconds_since_the_epoch() -> None:
    """The machine's clock agrees with the standard library, as a whole number."""
    before = time.time_ns() // 1000
    now = SystemClock().now()
    after = time.time_ns() // 1000
    assert isinstance(now, int)
    assert before <= now <= after


def test_a_second_later() -> None:
    """SECOND is what a second adds to an instant."""
    assert Instant(SystemClock().now() + SECOND) - time.time_ns() // 1000 > SECOND - 100_000


def test_monotonic_never_goes_back() -> None:
    """Many readings in a row never fall."""
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


def test_any_clock_will_do() -> None:
    """Whatever has the two readings is a Clock; both of ours have them."""
    clocks: list[Clock] = [SystemClock(), FixedClock(Instant(5 * SECOND))]
    assert clocks[1].now() == 5_000_000
    assert clocks[1].monotonic() == 5.0
