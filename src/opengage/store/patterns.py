"""LIKE that means the same on both databases: `%` is anything, `_` one character, a backslash takes either literally.

SQLite's own LIKE does not tell a from A; its GLOB does, with other signs.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_SIGNS: Final = (
    ("\\\\", "\x01"), ("\\%", "\x02"), ("\\_", "\x03"),  # taken literally: out of the way
    ("[", "[[]"), ("*", "[*]"), ("?", "[?]"),  # signs of GLOB
    ("%", "*"), ("_", "?"), ("\\", ""),
    ("\x01", "\\"), ("\x02", "%"), ("\x03", "_"),
)  # fmt: skip
"""What each sign of a LIKE pattern becomes for GLOB, in this order."""


class matches(FunctionElement[bool]):  # noqa: N801 - it reads as the SQL function that it is
    """Whether a text matches a pattern, capital letters told from small ones."""

    name = "matches"
    type = sa.Boolean()
    inherit_cache = True


@compiles(matches)
def _like(element: matches, compiler: Any, **options: Any) -> str:
    column, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} LIKE {pattern} ESCAPE '\\')"


@compiles(matches, "sqlite")
def _glob(element: matches, compiler: Any, **options: Any) -> str:
    column, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    for sign, meaning in _SIGNS:
        pattern = f"replace({pattern}, {_quoted(sign)}, {_quoted(meaning)})"
    return f"({column} GLOB {pattern})"


def _quoted(text: str) -> str:
    """A text in SQL; control characters by their number, so that statements can be read in a log."""
    return f"char({ord(text)})" if text and text < " " else f"'{text}'"
