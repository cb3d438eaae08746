"""What the network saw beside what the ledger says: one row a scene."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

OPEN = ("pending", "processing")
"""Statuses that nobody may have once all is quiet."""

_TAKEN = ("delivered", "sent-unconfirmed", "undelivered", "expired", "in-doubt", "sent")
"""Where the envelope of a text may stand that the network took; `sent` waits for a receipt that died with it."""


class Row(msgspec.Struct, frozen=True):
    """One scene's end. `skipped` says why it was not played."""

    scene: str
    submitted: int = 0
    delivered: int = 0
    in_doubt: int = 0
    lost: int = 0
    duplicated: int = 0
    seconds: float = 0.0
    note: str = ""
    skipped: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not (self.lost or self.duplicated)


def judge(
    scene: str,
    *,
    before: Mapping[str, int],
    after: Mapping[str, int],
    ledger: Mapping[str, Any],
    places: Mapping[str, int],
    total: int,
    seconds: float,
    note: str = "",
) -> Row:
    """Compare the simulator's counts with the ledger and with a recount of the envelopes (`places`, by reason).

    Lost is every envelope that the ledger and the recount disagree on, that is missing, that stands where nothing more
    will happen to it, or that the network took though its place denies it.
    """
    unique = after["unique"] - before["unique"]
    kept = sum(places.values())
    mismatched = sum(
        abs(places.get(reason, 0) - ledger["reasons"].get(reason, 0)) for reason in {*places, *ledger["reasons"]}
    )
    stuck = sum(count for reason, count in places.items() if reason in ("", "queued", "sending", "retrying"))
    denied = max(0, unique - sum(places.get(reason, 0) for reason in _TAKEN))
    return Row(
        scene=scene,
        submitted=after["submits"] - before["submits"],
        delivered=places.get("delivered", 0),
        in_doubt=places.get("in-doubt", 0),
        lost=abs(total - kept) + mismatched + stuck + denied,
        duplicated=after["duplicates"] - before["duplicates"],
        seconds=seconds,
        note=note,
    )


_COLUMNS = ("scene", "submitted", "delivered", "in doubt", "lost", "duplicated", "seconds", "")


def table(rows: Sequence[Row]) -> str:
    """The rows for people."""
    lines = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in (0, len(widths) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    if row.skipped is not None:
        return (row.scene, *("-",) * 6, f"skipped: {row.skipped}")
    counts = (row.submitted, row.delivered, row.in_doubt, row.lost, row.duplicated)
    return (row.scene, *(f"{count:,}" for count in counts), f"{row.seconds:.1f}", row.note)
