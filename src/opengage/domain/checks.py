"""What readers of JSON settings share (`domain.weekly`, `domain.budgets`): every fault named, with its mending."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from opengage.domain.errors import Code, Invalid, Problem


def decoded(value: object, noun: str, example: str) -> object:
    """JSON text decoded; what is no text is taken for decoded already. Raises Invalid."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Invalid([fault("", f"The {noun} is no JSON", f"Write it as {example}")]) from error


def fault(pointer: str, said: str, fix: str) -> Problem:
    """What is wrong with a value and how to mend it; the pointer begins at the setting itself."""
    return Problem(Code.NOT_ALLOWED_VALUE, f"{said}. {fix}.", pointer)


def no_others(value: Mapping[Any, Any], known: Sequence[str], pointer: str, problems: list[Problem]) -> None:
    """A misspelt key would be a limit that silently does not hold."""
    for key in [key for key in value if key not in known][:10]:
        names = ", ".join(f"“{name}”" for name in known)
        problems.append(fault(pointer, f"“{str(key)[:40]}” is not known here", f"Use {names} alone"))
