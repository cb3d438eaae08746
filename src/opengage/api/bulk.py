"""Arrays of resources: every item read, and every fault of every item told.

Step 1 of a text's path, for whatever comes by the thousand.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from opengage.api.errors import MOST_SHOWN
from opengage.domain.errors import Code, Invalid, Problem
from opengage.jsonapi.faults import DocumentError, Fault
from opengage.jsonapi.request import Reader, Resource

A = TypeVar("A")
SLICE: Final = 250
"""Items after which others get their turn: about a millisecond."""


async def read_all(
    reader: Reader[A, Any], items: Sequence[msgspec.Raw], place: Callable[[int], str], limit: int
) -> list[Resource[A, Any]]:
    """Read every item; `place` gives the JSON pointer of the n-th.

    Raises Invalid when there are none or more than `limit`, DocumentError with the faults of every item.
    """
    if not items:
        raise Invalid([Problem(Code.REQUIRED, "The array is empty. Put at least one resource in it.", "/data")])
    if len(items) > limit:
        detail = f"The array holds {len(items)} resources. Send at most {limit} in one request."
        raise Invalid([Problem(Code.TOO_MANY, detail, "/data")])
    found: list[Resource[A, Any]] = []
    faults: list[Fault] = []
    for number, raw in enumerate(items):
        resource = reader.read(raw)
        if resource is not None:
            found.append(resource)
        elif len(faults) < MOST_SHOWN:
            faults += reader.faults(raw, place(number))
        else:
            faults.append(faults[-1])  # once more are known than are shown, they are only counted
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    if faults:
        raise DocumentError(faults)
    return found
