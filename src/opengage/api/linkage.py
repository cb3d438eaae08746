"""Relationships as a client sends them, to stored ids.

Step 1 of a text's path.
"""

from collections.abc import Sequence

import msgspec

from opengage.domain.errors import Code, Problem
from opengage.ids import Id, from_wire
from opengage.jsonapi.request import Identifier, ToOne


def target(link: ToOne | None, name: str, kind: str, problems: list[Problem], at: str = "/data") -> Id:
    """The stored id that a required relationship names; what is wrong with it is added to `problems`."""
    pointer = f"{at}/relationships/{name}"
    if link is None or link.data is None:
        detail = f'The relationship “{name}” is missing. Add {{"data": {{"type": "{kind}", "id": …}}}}.'
        problems.append(Problem(Code.REQUIRED, detail, pointer))
        return Id(b"")
    return _stored(link.data, name, kind, pointer, problems)


def maybe_target(
    link: ToOne | msgspec.UnsetType | None, name: str, kind: str, problems: list[Problem]
) -> Id | msgspec.UnsetType | None:
    """The stored id of a relationship that may be left out (unset) or emptied (None)."""
    if link is msgspec.UNSET:
        return msgspec.UNSET
    if link is None or link.data is None:
        return None
    return _stored(link.data, name, kind, f"/data/relationships/{name}", problems)


def targets(identifiers: Sequence[Identifier], name: str, kind: str, problems: list[Problem], pointer: str) -> list[Id]:
    """The stored ids of a relationship to many; `pointer` is where its array stands."""
    found = [_stored(one, name, kind, f"{pointer}/{place}", problems) for place, one in enumerate(identifiers)]
    return list(dict.fromkeys(found))


def _stored(identifier: Identifier, name: str, kind: str, pointer: str, problems: list[Problem]) -> Id:
    if identifier.type != kind:
        detail = f"The relationship “{name}” points at “{identifier.type[:40]}”. Point it at one of “{kind}”."
        problems.append(Problem(Code.WRONG_TYPE, detail, pointer))
        return Id(b"")
    found = from_wire(identifier.id)
    if found is None:
        detail = f"“{identifier.id[:40]}” is no id. Use the id of 22 characters that the {kind} resource has."
        problems.append(Problem(Code.UNKNOWN_TARGET, detail, pointer))
    return found or Id(b"")
