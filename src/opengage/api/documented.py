"""What a route says of itself for the OpenAPI document, where that does not follow from its address.

Beside a text's path. It goes into the route's `opt`.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from opengage.jsonapi.request import Reader

KEY: Final = "documented"
Structure = type[msgspec.Struct]


class Documented(msgspec.Struct, frozen=True):
    """All of it may be left out."""

    reader: Reader[Any, Any] | None = None
    """What reads the body."""
    takes: Structure | None = None
    """What the body is, where it is no JSON:API document."""
    points_at: str | None = None
    """The type of the identifiers that the body holds, where nothing is answered."""
    bulk: bool = False
    """Whether the body may hold an array."""
    each_has_id: bool = False
    """Whether the body must be an array of resources that name themselves."""
    may_exist: bool = False
    """Whether 200 is answered for one that is there already."""
    minimal: bool = False
    """Whether counts alone are answered to whoever prefers them (RFC 7240)."""
    linkage: str | None = None
    """The type of the identifiers that the body holds, where the relationship's own are answered."""
    answers: str | tuple[str, Structure] | None = None
    """The type of resource that is answered: one that is described, or one with these attributes."""
    media: tuple[str, ...] = ()
    """The types of an answer that is no document."""
    query: Mapping[str, tuple[str, str]] = {}
    """Parameters of its own: what they mean, and the pattern of their values."""


NOTHING: Final = Documented()


def documented(**said: Any) -> dict[str, Any]:
    """The `opt` of a route that says this."""
    return {KEY: Documented(**said)}


def told(opt: Mapping[str, Any]) -> Documented:
    """What a route with this `opt` says."""
    found: Documented = opt.get(KEY, NOTHING)
    return found
