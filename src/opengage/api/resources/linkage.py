"""Relationships of stored ids in their wire form."""

from opengage.ids import Id, to_wire
from opengage.jsonapi.document import NOTHING, One
from opengage.jsonapi.request import Identifier


def to_one(kind: str, id_: Id | None) -> One:
    """Linkage to the resource of a stored id, or null."""
    return NOTHING if id_ is None else One(Identifier(kind, to_wire(id_)))
