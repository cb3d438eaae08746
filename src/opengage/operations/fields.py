"""Checks that several intents share: every problem is collected, none raised before the last check."""

from collections.abc import Sequence
from typing import Final

from opengage.domain import budgets
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.phone_numbers import InvalidNumber, parse

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


def word(name: str, text: str, allowed: Sequence[str], problems: list[Problem]) -> None:
    """An attribute that takes one of a closed list."""
    if text not in allowed:
        detail = f"“{name}” is “{text[:40]}”. Use one of {', '.join(allowed)}."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/{name}"))


def label(name: str, text: str, problems: list[Problem]) -> None:
    """A line for people to read."""
    if len(text) > LONGEST_NAME or not text.isprintable():
        detail = f"“{name}” must be at most {LONGEST_NAME} printable characters. Shorten it to such."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/{name}"))


def number(name: str, text: str, problems: list[Problem], at: str = "/data") -> str:
    """The canonical form of a phone number; empty when it is none."""
    try:
        return parse(text)
    except InvalidNumber as error:
        detail = f"{error.reason[:1].upper()}{error.reason[1:]}: {error.fix}."
        problems.append(Problem(Code.INVALID_NUMBER, detail, f"{at}/attributes/{name}"))
        return ""


def budget_list(text: str, problems: list[Problem]) -> None:
    """The JSON of a list of budgets, as `domain.budgets` reads it when texts are sent."""
    try:
        budgets.parse(text)
    except Invalid as error:
        at = "/data/attributes/budgets"
        problems.extend(Problem(each.code, each.detail, f"{at}{each.pointer or ''}") for each in error.problems)


def unknown(relationship: str, noun: str) -> Problem:
    """A relationship that points at nothing of this account."""
    return Problem(Code.UNKNOWN_TARGET, missing(noun), f"/data/relationships/{relationship}")


def illegal(detail: str, pointer: str | None = None) -> Invalid:
    """What the state does not allow, and what to do instead."""
    return Invalid([Problem(Code.ILLEGAL_STATE, detail, pointer)])


def refuse(problems: Sequence[Problem]) -> None:
    """Raise Invalid when there are problems."""
    if problems:
        raise Invalid(problems)


def missing(noun: str) -> str:
    """What is said of an id that is not in this account, whether or not another account has it."""
    return f"There is no {noun} with this id in this account. Check the id; the list shows those that exist."
