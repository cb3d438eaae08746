"""What a client writes in a filter or a cursor, as values of the store."""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from opengage.api.resources.resource import Field, Kind
from opengage.ids import from_wire
from opengage.jsonapi.query_filters import Filter, Operator
from opengage.jsonapi.timestamps import from_text

_LARGEST: Final = 2**63
_PLUS_LOST: Final = re.compile(r" (?=\d\d:?\d\d\Z)")
"""A plus sign in a query means a space; where a timestamp has one, its offset's plus sign was sent as it is."""
_ESCAPES_NOTHING: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_PATTERNS: Final = frozenset((Operator.LIKE, Operator.ILIKE))
_EQUALITY: Final = frozenset((Operator.EQ,))
_ORDER: Final = frozenset((Operator.EQ, Operator.GT, Operator.GTE, Operator.LT, Operator.LTE, Operator.RANGE))

OPERATORS: Final[Mapping[Kind, frozenset[Operator]]] = {
    Kind.ID: _EQUALITY,
    Kind.WORD: _EQUALITY,
    Kind.BOOLEAN: _EQUALITY,
    Kind.TEXT: _ORDER | _PATTERNS,
    Kind.PHONE: _EQUALITY | _PATTERNS,
    Kind.WHOLE: _ORDER,
    Kind.NUMBER: _ORDER,
    Kind.INSTANT: _ORDER,
}
"""What each kind can be compared by; `eq` stands for `ne` and `in` too."""


def compared(field: Field, asked: Filter) -> tuple[Any, ...]:
    """The values that a field is compared with. Raises ValueError, saying what is wrong and how to mend it."""
    if asked.operator not in OPERATORS[field.kind]:
        named = ", ".join(sorted(offered(field.kind)))
        raise ValueError(f"“{asked.operator}” does not fit a value of the kind {field.kind}. Use one of {named}.")
    if asked.operator in _PATTERNS:
        return tuple(_pattern(text or "") for text in asked.values)
    return tuple(None if text is None else value(field, text) for text in asked.values)


def offered(kind: Kind) -> set[str]:
    """The operators that a client may write for a kind; each has its negation with a `~` before it."""
    return {operator.value for operator in OPERATORS[kind]} | {"ne", "in"}


def value(field: Field, text: str) -> Any:
    """One value. Raises ValueError, saying what is wrong and how to mend it."""
    return _READ[field.kind](field, text)


def _pattern(text: str) -> str:
    if _ESCAPES_NOTHING.search(text):
        raise ValueError("The pattern ends with a backslash that escapes nothing. Write \\\\ for a backslash.")
    return text


def _id(_: Field, text: str) -> bytes:
    found = from_wire(text)
    if found is None:
        raise ValueError(f"“{text[:40]}” is no id. Send eq:ID with the id of 22 characters.")
    return found


def _word(field: Field, text: str) -> str:
    if text not in field.words:
        raise ValueError(f"“{text[:40]}” is unknown here. Use one of {', '.join(sorted(field.words))}.")
    return text


def _text(_: Field, text: str) -> str:
    if "\0" in text:
        raise ValueError("No stored text holds a NUL character. Remove it.")
    return text


def _phone(field: Field, text: str) -> str:
    """A number in E.164; a plus sign in a query means a space, so a leading space is one."""
    return _text(field, f"+{text[1:]}" if text.startswith(" ") else text)


def _boolean(_: Field, text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"“{text[:40]}” is neither true nor false. Send one of these words.")
    return text == "true"


def _whole(_: Field, text: str) -> int:
    try:
        found = int(text) if len(text) <= len(str(-_LARGEST)) and text.isascii() and "_" not in text else None
    except ValueError:
        found = None
    if found is None or not -_LARGEST <= found < _LARGEST:
        raise ValueError(f"“{text[:40]}” is no whole number. Send digits alone, as in 55.")
    return found


def _number(_: Field, text: str) -> float:
    try:
        found = float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        found = None
    if found is None or not isfinite(found):
        raise ValueError(f"“{text[:40]}” is no number. Send one as in 0.5.")
    return found


def _instant(_: Field, text: str) -> int:
    try:
        return from_text(_PLUS_LOST.sub("+", text))
    except (ValueError, OverflowError) as error:
        detail = f"“{text[:40]}” is no instant. Write date, time and offset, as in 2026-12-01T09:00:00Z."
        raise ValueError(detail) from error


_READ: Final[Mapping[Kind, Callable[[Field, str], Any]]] = {
    Kind.ID: _id,
    Kind.TEXT: _text,
    Kind.WORD: _word,
    Kind.PHONE: _phone,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.INSTANT: _instant,
}
