"""What a callback's document may include: looked at when it is written, and again when it is rendered.

The same paths as a GET of the resource takes in `include`.
"""

from collections.abc import Sequence
from functools import lru_cache

from opengage.api.resources.asking import shown
from opengage.api.resources.registry import BY_TYPE
from opengage.jsonapi.faults import DocumentError
from opengage.jsonapi.query import Selection, include_paths

LONGEST = 500
"""Characters, at most."""
SUBJECTS = ("texts", "envelopes", "engagements", "suppressions")
"""What events are about."""


@lru_cache(maxsize=1024)
def refusal(types: tuple[str, ...], include: str) -> str | None:
    """What is wrong with include paths that go for several types of resources; None when each is offered by one."""
    if len(include) > LONGEST:
        return f"The include has {len(include)} characters. Name fewer paths, in at most {LONGEST}."
    for path in _paths(include):
        wrong = [_wrong(kind, path) for kind in types if kind in BY_TYPE]
        if all(wrong):
            return wrong[0]
    return None


def offered(kind: str, include: str) -> str | None:
    """Those of the paths that a type of resource has; None when it has none of them."""
    return ",".join(path for path in _paths(include) if _wrong(kind, path) is None) or None


def _paths(include: str) -> Sequence[str]:
    return [path for each in include.split(",") if (path := each.strip())]


def _wrong(kind: str, path: str) -> str | None:
    try:
        shown(BY_TYPE[kind], Selection(include_paths(path)))
    except DocumentError as error:
        return error.faults[0].detail
    return None
