"""The value of one filter: operator, negation, and the values that it compares with.

Part of step 2 of a text's path. `filter[path]=OP:v1,v2`: without an operator it is `eq`; `~` turns any of them round;
several values mean any of them; an empty one means that there is no value; `\\,` is a comma within a value.
"""

import re
from enum import StrEnum
from typing import Final

import msgspec


class Operator(StrEnum):
    """How a filter compares."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    LIKE = "like"
    ILIKE = "ilike"
    IN = "in"
    RANGE = "range"


class Filter(msgspec.Struct, frozen=True):
    """One filter as it was sent. `ne` is `eq` turned round, and `in` is `eq` of several values."""

    path: str
    operator: Operator
    values: tuple[str | None, ...]
    negated: bool = False

    @property
    def parameter(self) -> str:
        """The name of the query parameter."""
        return f"filter[{self.path}]"


MOST_VALUES: Final = 100
_OPERATOR: Final = re.compile(r"(~?)(eq|ne|gt|gte|lt|lte|like|ilike|in|range):", re.DOTALL)
_COMMA: Final = re.compile(r"(?<!\\),")
_PAIR: Final = 2
_SAME: Final = {Operator.NE: Operator.EQ, Operator.IN: Operator.EQ}


def read_filter(path: str, text: str) -> Filter:
    """Read a filter's value. Raises ValueError, saying what is wrong and how to mend it."""
    match = _OPERATOR.match(text)
    operator = Operator(match[2]) if match else Operator.EQ
    negated = bool(match and match[1]) is not (operator is Operator.NE)
    values = tuple(value.replace("\\,", ",") or None for value in _COMMA.split(text[match.end() :] if match else text))
    if len(values) > MOST_VALUES:
        raise ValueError(f"A filter takes at most {MOST_VALUES} values, not {len(values)}. Ask in several requests.")
    if operator is Operator.RANGE and (len(values) != _PAIR or None in values):
        raise ValueError(f"“range” takes two values, the lowest and the highest: filter[{path[:40]}]=range:LOW,HIGH.")
    if None in values and operator not in (Operator.EQ, Operator.NE, Operator.IN):
        raise ValueError(
            f"“{operator}” needs a value: filter[{path[:40]}]={operator}:VALUE. Only eq, ne and in do not."
        )
    return Filter(path, _SAME.get(operator, operator), values, negated)
