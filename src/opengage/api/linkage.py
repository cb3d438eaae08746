"""Relationships as a client sends them, to stored ids.

Step 1 of a text's path.
"""

from opengage.domain.errors import Code, Problem
from opengage.ids import Id, from_wire
from opengage.jsonapi.request import ToMany, ToOne


def target(link: ToOne | None, name: str, kind: str, problems: list[Problem], at: str = "/data") -> Id:
    """The stored id that a required relationship names; what is wrong with it is added to `problems`."""
    pointer = f"{at}/relationships/{name}"
    if link is None or link.data is None:
        detail = f'The relationship “{name}” is missing. Add {{"data": {{"type": "{kind}", "id": …}}}}.'
        problems.append(Problem(Code.REQUIRED, detail, pointer))
        return Id(b"")
    if link.data.type != kind:
        detail = f"The relationship “{name}” points at “{link.data.type[:40]}”. Point it at one of “{kind}”."
        problems.append(Problem(Code.WRONG_TYPE, detail, pointer))
        return Id(b"")
    found = from_wire(link.data.id)
    if found is None:
        detail = f"“{link.data.id[:40]}” is no id. Use the id of 22 characters that the {kind} resource has."
        problems.append(Problem(Code.UNKNOWN_TARGET, detail, pointer))
    return found or Id(b"")


def targets(link: ToMany, name: str, kind: str, problems: list[Problem], at: str = "/data") -> list[Id]:
    """The stored ids that a to-many relationship names; what is wrong with them is added to `problems`."""
    found = []
    for place, one in enumerate(link.data):
        pointer = f"{at}/relationships/{name}/data/{place}"
        id_ = from_wire(one.id)
        if one.type != kind:
            detail = f"The relationship “{name}” points at “{one.type[:40]}”. Point it at some of “{kind}”."
            problems.append(Problem(Code.WRONG_TYPE, detail, pointer))
        elif id_ is None:
            detail = f"“{one.id[:40]}” is no id. Use the id of 22 characters that the {kind} resource has."
            problems.append(Problem(Code.UNKNOWN_TARGET, detail, pointer))
        else:
            found.append(id_)
    return found
