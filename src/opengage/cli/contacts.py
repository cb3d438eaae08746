"""A list of people as a careful user reads it: what cannot be texted is found before the bulk call refuses it all.

Before the text's path begins. The columns beside `phone-number` become the envelopes' `meta`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import msgspec

from opengage.domain.errors import Invalid
from opengage.domain.phone_numbers import InvalidNumber, parse

NUMBER: Final = "phone-number"
_MOST_READ: Final = 1_000_000


class Contact(msgspec.Struct, frozen=True):
    """A row that can be texted; empty columns are left out of `meta`."""

    line: int
    phone_number: str
    meta: dict[str, str]


class BadRow(msgspec.Struct, frozen=True):
    """A row that cannot: what stands in its number column (None if its columns do not fit), why not, the mending."""

    line: int
    value: str | None
    reason: str
    fix: str


class Contacts(msgspec.Struct, frozen=True):
    """A list, parted."""

    good: list[Contact]
    bad: list[BadRow]


def read(path: Path) -> Contacts:
    """Read a CSV file (UTF-8, first line the header). Lines count from 1, the header's.

    Raises Invalid when the file is no such list, with what to mend.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parted(_rows(file, path))
    except OSError as error:
        raise Invalid(f"{path} cannot be read ({error.strerror}). Name a CSV file with --contacts.") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8. Save it as “CSV UTF-8”.") from error
    except csv.Error as error:
        raise Invalid(f"{path} is no CSV file ({error}). Separate columns by commas; quote what holds one.") from error


def _rows(file: TextIO, path: Path) -> Iterator[tuple[int, dict[str, str] | int]]:
    """Each row by its header's names, or the number of its fields when that does not fit; empty lines are no rows."""
    reader = csv.reader(file, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if NUMBER not in header or len(set(header)) < len(header):
        raise Invalid(f"{path} has no usable header. Its first line names each column once, one of them {NUMBER}.")
    for row in reader:
        if reader.line_num > _MOST_READ:
            raise Invalid(f"{path} has more than {_MOST_READ} lines. Split it.")
        if row:
            yield reader.line_num, dict(zip(header, row, strict=True)) if len(row) == len(header) else len(row)


def _parted(rows: Iterator[tuple[int, dict[str, str] | int]]) -> Contacts:
    contacts = Contacts([], [])
    for line, row in rows:
        if isinstance(row, int):
            contacts.bad.append(BadRow(line, None, f"the row has {row} fields", "give it as many as the header"))
            continue
        value = row.pop(NUMBER)
        try:
            number = parse(value)
        except InvalidNumber as error:
            contacts.bad.append(BadRow(line, value, error.reason, error.fix))
        else:
            contacts.good.append(Contact(line, number, {name: text for name, text in row.items() if text}))
    return contacts
