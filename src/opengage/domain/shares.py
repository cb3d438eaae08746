"""A worker's share of the lanes: whom it asks for some, and for how many."""

from collections.abc import Mapping
from typing import Final

AT_ONCE: Final = 50
"""Lanes asked for at a time, at most: each is at rest for a moment when it moves."""


def share(spread: Mapping[str, int], own: str, room: int) -> tuple[str, int] | None:
    """The worker with the most lanes and how many to ask it for; None when they are spread evenly.

    A difference of one lane moves nothing: it would only change sides. A worker without any asks for a single one
    first: whether it can serve that one shows whether it is of any use. `room` is how many lanes it may have in all.
    """
    has, workers = spread.get(own, 0), len({own, *spread})
    busiest = max(sorted(spread), key=lambda owner: spread[owner], default=own)
    half = (spread.get(busiest, 0) - has) // 2
    missing = max(1, sum(spread.values()) // workers - has)
    most = min(AT_ONCE if has else 1, half, missing, room - has)
    return (busiest, most) if most > 0 else None
