"""Attributes as a client sends them, to what operations take.

Step 1 of a text's path.
"""

from typing import Any, TypeVar

import msgspec

from opengage.clock import Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.jsonapi.timestamps import from_text

T = TypeVar("T")

MergeValue = str | int | float | bool
"""What a merge field may be filled with."""


def instant(text: str | msgspec.UnsetType | None, name: str) -> Instant | msgspec.UnsetType | None:
    """An instant: wall-clock time without an offset names another one in every zone. Raises Invalid."""
    if not isinstance(text, str):
        return text
    try:
        return Instant(from_text(text))
    except (ValueError, OverflowError) as error:
        detail = f"“{text[:40]}” is no instant. Write date, time and offset, as in 2026-12-01T09:00:00+00:00."
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/{name}")]) from error


def json_text(value: Any) -> Any:
    """The JSON of an object or array as it is kept; unset and null stay what they are."""
    return value if value is None or value is msgspec.UNSET else msgspec.json.encode(value).decode()


def or_unset(value: T | msgspec.UnsetType | None) -> T | msgspec.UnsetType:
    """For attributes without a default to go back to: null says the same as nothing."""
    return msgspec.UNSET if value is None else value
