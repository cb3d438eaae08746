"""A worker asks for its share of the lanes, and not for more."""

from collections.abc import Mapping

import pytest

from opengage.domain.shares import AT_ONCE, share


@pytest.mark.parametrize(
    ("spread", "room", "expected"),
    [
        ({}, 1000, None),
        ({"one": 1}, 1000, None),
        ({"one": 2}, 1000, ("one", 1)),
        ({"one": 2, "own": 1}, 1000, None),
        ({"one": 3, "own": 1}, 1000, ("one", 1)),
        ({"one": 10, "own": 2}, 1000, ("one", 4)),
        ({"one": 10, "two": 12, "own": 2}, 1000, ("two", 5)),
        ({"one": 10, "two": 1, "own": 1}, 1000, ("one", 3)),
        ({"two": 4, "one": 4, "own": 1}, 1000, ("one", 1)),
        ({"one": 1000}, 1000, ("one", 1)),
        ({"one": 1000, "own": 1}, 1000, ("one", AT_ONCE)),
        ({"one": 10, "own": 2}, 3, ("one", 1)),
        ({"one": 10, "own": 2}, 2, None),
        ({"one": 2, "own": 9}, 1000, None),
    ],
)
def test_a_share(spread: Mapping[str, int], room: int, expected: tuple[str, int] | None) -> None:
    """What is missing, at most half of the difference to the busiest; a single one for who has none."""
    assert expected == share(spread, "own", room)


@pytest.mark.parametrize("workers", range(1, 6))
@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 40])
def test_asking_comes_to_an_end(workers: int, lanes: int) -> None:
    """Whoever comes asks in turn until all are spread evenly, and then nobody moves anything to and fro."""
    spread = {"worker-0": lanes}
    moves = 0
    for round_ in range(2 * lanes * workers):
        own = f"worker-{round_ % workers}"
        if (wanted := share(spread, own, 1000)) is not None:
            spread[wanted[0]] -= wanted[1]
            spread[own] = spread.get(own, 0) + wanted[1]
            moves += wanted[1]
    has = [spread.get(f"worker-{each}", 0) for each in range(workers)]
    assert max(has) - min(has) <= 1
    assert moves <= lanes
