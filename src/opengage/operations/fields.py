"""Checks that several intents share: every problem is collected, none raised before the last check."""

from collections.abc import Sequence
from typing import Final

from opengage.domain.errors import Code, Invalid, Problem

LONGEST_NAME: Final = 255
"""Characters."""
OUTBOUND: Final = "outbound"


def name(text: str, problems: list[Problem], pointer: str = "/data/attributes/name") -> None:
    """A name must say something and fit a line."""
    if not text.strip():
        problems.append(Problem(Code.REQUIRED, "“name” is empty. Give it at least one character.", pointer))
    elif len(text) > LONGEST_NAME:
        detail = f"“name” has {len(text)} characters. Use at most {LONGEST_NAME}."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, pointer))


def account_name(text: str, problems: list[Problem]) -> None:
    """An account's name is shown to people: it fits a line, and is text that can be stored."""
    if len(text) > LONGEST_NAME or not text.isprintable():
        detail = f"The account's name must be at most {LONGEST_NAME} printable characters. Choose such a name."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail))


def direction(text: str, problems: list[Problem], pointer: str = "/data/attributes/direction") -> None:
    """Only outbound engagements exist."""
    if text != OUTBOUND:
        detail = f"“direction” is “{text[:40]}”. Only “{OUTBOUND}” is supported: send that, or leave it out."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, pointer))


def refuse(problems: Sequence[Problem]) -> None:
    """Raise Invalid when there are problems."""
    if problems:
        raise Invalid(problems)


def missing(noun: str) -> str:
    """What is said of an id that is not in this account, whether or not another account has it."""
    return f"There is no {noun} with this id in this account. Check the id; the list shows those that exist."
