"""Caps on how many texts one person gets: all hold, the one that ends last is named."""

import pytest

from opengage.clock import SECOND, Instant
from opengage.domain.frequency import Cap, over
from opengage.domain.legal_clock import Hold

NOW = Instant(1_000_000 * SECOND)


def ago(*seconds: int) -> list[Instant]:
    """Instants so long before now."""
    return [Instant(NOW - each * SECOND) for each in seconds]


HOUR, DAY = Cap("hour", 1, 3600), Cap("day", 3, 86400)


@pytest.mark.parametrize(
    ("caps", "texted", "held"),
    [
        ([], ago(10), None),
        ([HOUR], [], None),
        ([HOUR], ago(3600), None),
        ([HOUR], ago(3599), ("hour", 1)),
        ([HOUR], ago(4000, 600), ("hour", 3000)),
        ([DAY], ago(80000, 600, 500), ("day", 6400)),
        ([DAY], ago(90000, 600, 500), None),
        ([DAY], ago(90000, 80000, 600, 500), ("day", 6400)),
        ([HOUR, DAY], ago(600), ("hour", 3000)),
        ([HOUR, DAY], ago(86000, 5000, 600), ("hour", 3000)),
        ([DAY, HOUR], ago(80000, 5000, 600), ("day", 6400)),
    ],
)
def test_what_holds_and_for_how_long(caps: list[Cap], texted: list[Instant], held: tuple[str, int] | None) -> None:
    """The oldest of the last so many texts must have left the cap's time; times are oldest first."""
    expected = Hold(held[0], Instant(NOW + held[1] * SECOND)) if held else None
    assert over(caps, texted, NOW) == expected
