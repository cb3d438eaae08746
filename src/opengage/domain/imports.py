"""A row of somebody's spreadsheet becomes a contact, or a list of what to mend.

Before the text's path begins. Columns are known by their names, in the words that address books and shops use; every
column that is none of those becomes a merge value under its own name in dashes: “Policy No.” is `{{policy-no}}`.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from opengage.domain.phone_numbers import InvalidNumber, parse_written


class ImportStatus(StrEnum):
    """The life of an import."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class Target(StrEnum):
    """What a column can hold, beside a merge value."""

    PHONE_NUMBER = "phone-number"
    FIRST_NAME = "first-name"
    LAST_NAME = "last-name"
    EMAIL = "email"
    NOTES = "notes"
    IGNORE = "ignore"


META: Final = "meta."
"""What the name of a merge value begins with in a mapping: `meta.city`."""

_NAMES: Final[Mapping[str, Target]] = {
    **dict.fromkeys(
        (
            *("phone", "phone-number", "phone-no", "phone-1", "phone-1-value", "phone-2", "phone-2-value"),
            *("primary-phone", "home-phone", "other-phone", "telephone", "tel", "mobile", "mobile-phone"),
            *("mobile-number", "cell", "cell-phone", "cellphone", "cell-number", "number", "msisdn", "sms"),
            *("sms-number", "text-number", "contact-number"),
        ),
        Target.PHONE_NUMBER,
    ),
    **dict.fromkeys(("first-name", "firstname", "given-name", "first", "forename"), Target.FIRST_NAME),
    **dict.fromkeys(("last-name", "lastname", "family-name", "surname", "last"), Target.LAST_NAME),
    **dict.fromkeys(("email", "e-mail", "email-address", "e-mail-address", "mail", "e-mail-1-value"), Target.EMAIL),
    **dict.fromkeys(("notes", "note", "comment", "comments"), Target.NOTES),
}
"""Column names that need no mapping, as `dashed` writes them."""

LONGEST_VALUE: Final = 1000
"""Characters of a name or a merge value: no text would have room for more."""
LONGEST_NOTES: Final = 10_000
_LONGEST_SHOWN: Final = 80
_MOST_COLUMNS: Final = 256
_LONGEST_META: Final = 16_000
_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,253}\Z")
_ROUNDED: Final = re.compile(r"\d[.,]\d+E\+?\d+\Z", re.IGNORECASE)
_SEVERAL: Final = re.compile(r"\s*(?:;|\||:::|\n)\s*")
"""What stands between two numbers or addresses in one cell."""


class Unusable(Exception):
    """A header or a mapping that no row can be read by."""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one cell, and how to mend it; `field` is the column's name."""

    field: str | None
    value: str
    detail: str
    fix: str


class Person(msgspec.Struct, frozen=True):
    """A row that can be a contact; the first number is the primary one."""

    phone_numbers: list[str]
    first_name: str | None
    last_name: str | None
    emails: list[str]
    notes: str | None
    meta: dict[str, str]


class Column(msgspec.Struct, frozen=True):
    """Where one column of a file goes: a target, or the name of a merge value."""

    name: str
    target: Target | None
    key: str = ""


def dashed(name: str) -> str:
    """A column's name as a merge field's: lower case, words joined by dashes, no punctuation."""
    letters = unicodedata.normalize("NFC", name).lower()
    return "-".join(re.findall(r"[^\W_]+", letters))


def check_mapping(mapping: Mapping[str, str]) -> str | None:
    """What is wrong with a mapping of column names to what they hold, with the mending; None when nothing is."""
    if len(mapping) > _MOST_COLUMNS:
        return f"The mapping names {len(mapping)} columns. Name at most {_MOST_COLUMNS}."
    for name, target in mapping.items():
        if target in set(Target) or (target.startswith(META) and dashed(target.removeprefix(META))):
            continue
        known = ", ".join(f"“{each}”" for each in Target)
        return f"Column “{name[:40]}” is mapped to “{target[:40]}”. Map it to one of {known}, or to “meta.NAME”."
    return None


def columns(header: Sequence[str], mapping: Mapping[str, str] | None) -> list[Column]:
    """Where each column of a file goes. A mapping wins over the names; a column that it leaves out keeps its own.

    Raises Unusable: no column holds phone numbers, two have one name, or the mapping names a column that is not there.
    """
    names = [name.strip() for name in header]
    if len(names) > _MOST_COLUMNS:
        raise Unusable(f"The file has {len(names)} columns. Keep at most {_MOST_COLUMNS}.")
    twice = next((name for place, name in enumerate(names) if name and name in names[:place]), None)
    if twice is not None:
        raise Unusable(f"Two columns are called “{twice[:40]}”. Give each its own name in the first line.")
    absent = next((name for name in mapping or () if name.strip() not in names), None)
    if absent is not None:
        there = ", ".join(f"“{name[:40]}”" for name in names if name)[:500]
        raise Unusable(f"The mapping names a column “{absent[:40]}”, which the file does not have. It has {there}.")
    wanted = {name.strip(): target for name, target in (mapping or {}).items()}
    found = [_column(name, wanted.get(name)) for name in names]
    if not any(column.target is Target.PHONE_NUMBER for column in found):
        raise Unusable(
            "No column holds phone numbers. Name one “phone-number” in the file's first line, or say which one it is "
            "by the attribute “mapping”."
        )
    return found


def _column(name: str, wanted: str | None) -> Column:
    if wanted is None:
        plain = dashed(name)
        target = _NAMES.get(plain) or (None if plain else Target.IGNORE)
        return Column(name, target, plain)
    if wanted.startswith(META):
        return Column(name, None, dashed(wanted.removeprefix(META)))
    return Column(name, Target(wanted))


def read_row(columns: Sequence[Column], cells: Sequence[str], region: str | None) -> Person | list[Fault]:
    """A row as a person, or every fault of it. Missing cells at its end are empty ones.

    `region` is the country of numbers that are written without one.
    """
    faults: list[Fault] = []
    if any(cell.strip() for cell in cells[len(columns) :]):
        detail = f"the row has {len(cells)} cells, the header {len(columns)}"
        return [Fault(None, "", detail, "put cells that hold the separator in quotes")]
    numbers: list[str] = []
    emails: list[str] = []
    plain: dict[Target, str] = {}
    meta: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=False):
        value = cell.strip()
        if not value or column.target is Target.IGNORE:
            continue
        if "\x00" in value:
            faults.append(_fault(column, value, "it holds a NUL character", "remove it"))
        elif column.target is Target.PHONE_NUMBER:
            _take_numbers(column, value, region, numbers, faults)
        elif column.target is Target.EMAIL:
            _take_emails(column, value, emails, faults)
        else:
            _take_words(column, value, plain, meta, faults)
    if not numbers and not faults:
        column = next(each for each in columns if each.target is Target.PHONE_NUMBER)
        faults.append(_fault(column, "", "the phone number is missing", "write one, as in +12025550100"))
    if faults:
        return faults
    first, last, notes = (plain.get(each) for each in (Target.FIRST_NAME, Target.LAST_NAME, Target.NOTES))
    return Person(list(dict.fromkeys(numbers)), first, last, list(dict.fromkeys(emails)), notes, meta)


def _take_numbers(column: Column, value: str, region: str | None, numbers: list[str], faults: list[Fault]) -> None:
    for each in _SEVERAL.split(value):
        if _ROUNDED.match(each):
            detail = "the spreadsheet has rounded it and its last digits are gone"
            faults.append(_fault(column, each, detail, "format the column as text there, and export it again"))
            continue
        try:
            numbers.append(parse_written(each, region))
        except InvalidNumber as error:
            fix = error.fix
            if region is None and not each.startswith("+"):
                fix = f"{fix}; or set “default-region” to the country of such numbers"
            faults.append(_fault(column, each, error.reason, fix))


def _take_emails(column: Column, value: str, emails: list[str], faults: list[Fault]) -> None:
    for each in _SEVERAL.split(value):
        if _EMAIL.match(each):
            emails.append(each)
        else:
            faults.append(_fault(column, each, "this is no e-mail address", "write one, as in ann@example.org"))


def _take_words(
    column: Column, value: str, plain: dict[Target, str], meta: dict[str, str], faults: list[Fault]
) -> None:
    longest = LONGEST_NOTES if column.target is Target.NOTES else LONGEST_VALUE
    if len(value) > longest:
        faults.append(_fault(column, value, f"it has {len(value)} characters", f"use at most {longest}"))
    elif column.target is not None:
        plain.setdefault(column.target, value)
    else:
        meta[column.key] = value
        if len(meta) > 8 and len(json.dumps(meta)) > _LONGEST_META:
            faults.append(_fault(column, value, "the row holds too much in all", "shorten its values"))


def _fault(column: Column, value: str, detail: str, fix: str) -> Fault:
    return Fault(column.name, value.replace("\x00", "�")[:_LONGEST_SHOWN], detail, fix)
