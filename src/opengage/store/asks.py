"""What a list may be asked for, in the store's words: conditions, an order, a page."""

from enum import StrEnum
from typing import Any

import msgspec

from opengage.domain.records import Record

RecordClass = type[Record]


class Compare(StrEnum):
    """How a field compares with the values of a condition; several values mean any of them."""

    EQ = "eq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    LIKE = "like"
    ILIKE = "ilike"
    RANGE = "range"


class Hop(msgspec.Struct, frozen=True):
    """From a record to those that it leads to: the field `mine` holds what `theirs` holds there."""

    mine: str
    record: RecordClass
    theirs: str = "id"


class Condition(msgspec.Struct, frozen=True):
    """What a record, or some record that the hops lead to, must be like; negated, everything else is.

    None among the values of EQ stands for no value.
    """

    column: str
    values: tuple[Any, ...]
    compare: Compare = Compare.EQ
    negated: bool = False
    hops: tuple[Hop, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it says that one field of the record itself has one value, or none."""
        return self.compare is Compare.EQ and not self.negated and not self.hops and len(self.values) == 1


class Order(msgspec.Struct, frozen=True):
    """One key of an order; the hops lead to one record or none, and those that lead to none come first."""

    column: str
    descending: bool = False
    hops: tuple[Hop, ...] = ()


class Among(msgspec.Struct, frozen=True):
    """Those that a table of pairs joins with one id: its column `mine` holds that, its column `theirs` their ids."""

    pairs: str
    mine: str
    theirs: str
    id: Any = None


class Ask(msgspec.Struct, frozen=True):
    """One page of a list. The id is always the last key of its order, in the direction of the one before.

    A large list has no other key, and is walked along an index: once for each value of the conditions that need one.
    """

    limit: int
    offset: int = 0
    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    after: tuple[Any, ...] | None = None
    """The keys after which the page begins, the id last; `offset` counts for nothing then."""
    is_large: bool = False
    among: Among | None = None

    @property
    def keys(self) -> tuple[Order, ...]:
        """Every key of the order, with the id."""
        told = [*self.order, Order("id", bool(self.order) and self.order[-1].descending)]
        first = next(place for place, key in enumerate(told) if key.column == "id" and not key.hops)
        return tuple(told[: first + 1])
