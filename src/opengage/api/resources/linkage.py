"""Relationships of stored ids in their wire form."""

from collections.abc import Sequence
from functools import lru_cache

from opengage.ids import Id, to_wire
from opengage.jsonapi.document import NONE_OF_THEM, NOTHING, Many, One
from opengage.jsonapi.request import Identifier


@lru_cache(maxsize=2048)
def to_one(kind: str, id_: Id | None) -> One:
    """Linkage to the resource of a stored id, or null; kept, because a page names the same few again and again."""
    return NOTHING if id_ is None else One(Identifier(kind, to_wire(id_)))


def to_many(kind: str, ids: Sequence[Id]) -> Many:
    """Linkage to the resources of stored ids."""
    return Many(tuple(Identifier(kind, to_wire(id_)) for id_ in ids)) if ids else NONE_OF_THEM
