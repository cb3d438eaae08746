"""Statements that ask for many ids at once: few are compiled, because their lists have few lengths."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from opengage.ids import Id

MANY: Final = 512
"""Ids in one statement, at most."""


def places(count: int) -> list[sa.BindParameter[Any]]:
    """The parameters of a list of this length, for `in_`."""
    return [sa.bindparam(f"id_{place}") for place in range(count)]


def parts(ids: Iterable[Id]) -> Iterator[dict[str, Id]]:
    """The ids by statement, as the values of `places`: each part filled up to a power of two with its last id."""
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), MANY):
        some = wanted[start : start + MANY]
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        yield {f"id_{place}": id_ for place, id_ in enumerate(some)}
