"""Bulk requests: where each item stands, how many there may be, and that they are of one type.

Step 1 of a text's path.
"""

from collections.abc import Callable, Sequence
from typing import Final

from opengage.api.errors import MOST_SHOWN
from opengage.domain.errors import Code, Invalid, Problem
from opengage.jsonapi.faults import DocumentError, Fault, FaultKind
from opengage.jsonapi.request import Identifier

Place = Callable[[int], str]
"""From the number of an item to its JSON pointer."""

MOST_FAULTS: Final = MOST_SHOWN
"""Unreadable items that are explained; more are only counted."""


def in_array(number: int) -> str:
    """The place of an item of an array."""
    return f"/data/{number}"


def only(_: int) -> str:
    """The place of the one item that there is."""
    return "/data"


def check_size(count: int, limit: int, noun: str, at: str = "/data") -> None:
    """Raises Invalid when the array at this place has nothing in it, or too much."""
    if count == 0:
        raise Invalid([Problem(Code.REQUIRED, f"The array is empty. Put at least one of your {noun} in it.", at)])
    if count > limit:
        detail = f"The array holds {count} {noun}. Send at most {limit} in one request."
        raise Invalid([Problem(Code.TOO_MANY, detail, at)])


def check_types(some: Sequence[Identifier], kind: str) -> None:
    """Raises DocumentError for identifiers of another type than the address takes."""
    faults = [
        Fault(
            FaultKind.CONFLICT,
            f"The type is “{one.type[:40]}”, but this address takes “{kind}”. Change the type or the address.",
            f"{in_array(number)}/type",
        )
        for number, one in enumerate(some)
        if one.type != kind
    ]
    if faults:
        raise DocumentError(faults)


def refuse_faults(faults: Sequence[Fault], problems: Sequence[Problem]) -> None:
    """Raises DocumentError when items cannot be read, and none has a meaning that is wrong as well."""
    if faults and not problems:
        raise DocumentError(faults)
