"""How a batch travels to a database: ids packed, and what its rows have in common told once."""

from collections.abc import Callable, ItemsView, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from opengage.domain.states import CLOSED, STATUS_OF
from opengage.store.contract import Step

_Row = TypeVar("_Row")
_Shared = Callable[[_Row], tuple[Any, ...]]


def packed(ids: Iterable[bytes]) -> bytes:
    """All ids in a row, 16 bytes each."""
    return b"".join(ids)


def spelled(values: Iterable[str] | Iterable[int]) -> str:
    """The same values as one JSON array."""
    return msgspec.json.encode(list(values)).decode()


def alike(rows: Iterable[_Row], shared: _Shared[_Row]) -> ItemsView[tuple[Any, ...], list[_Row]]:
    """The rows by what they share."""
    found: dict[tuple[Any, ...], list[_Row]] = {}
    for row in rows:
        found.setdefault(shared(row), []).append(row)
    return found.items()


def kinds(rows: Iterable[_Row], shared: _Shared[_Row], width: int) -> tuple[list[int], list[list[Any]]]:
    """For each row, in order, the place (from 1) of what it shares with others; and that, as one list for each of its
    `width` values."""
    found: dict[tuple[Any, ...], int] = {}
    places = [found.setdefault(shared(row), len(found) + 1) for row in rows]
    return places, [list(column) for column in zip(*found, strict=True)] or [[] for _ in range(width)]


def fate(step: Step) -> tuple[Any, ...]:
    """Where a text goes, and from where: status, code, attempts, accepted, settled, status and attempts before."""
    is_settled = STATUS_OF[step.reason] in CLOSED
    before = step.text.status, step.text.attempts
    return step.status, step.code, step.attempts, step.was_accepted, is_settled, *before


def place(step: Step) -> tuple[Any, ...]:
    """Where an envelope goes: status, reason, retry attempts."""
    return STATUS_OF[step.reason], step.reason, max(step.attempts - 1, 0)


def segment(ref: Sequence[Any]) -> tuple[int, int]:
    """Of a carrier's id, its text, the number of its part and of all parts: the latter two."""
    return ref[2], ref[3]
