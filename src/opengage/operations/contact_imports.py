"""Imports of contacts: asked for here, carried out by a worker, watched and explained here (wire contract 5.15).

Before a text's path begins.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock, Instant
from opengage.domain import media
from opengage.domain.errors import Code, Problem
from opengage.domain.imports import ImportStatus, check_mapping
from opengage.domain.phone_numbers import is_region
from opengage.domain.records import ContactImport, ContactImportError, ContactList, Upload
from opengage.ids import Id, NewId
from opengage.operations import fields, uploads
from opengage.operations.actors import Actor, require_writer
from opengage.operations.reading import load
from opengage.store import rows, tables
from opengage.store.contract import Store

NOUN: Final = "import"
MOST_ERRORS: Final = 1000
"""Of one import that are kept; all are counted."""
ROW_OCTETS: Final = 64
"""What a row of a file takes, for the limit of what may be sent in bulk: how many there are is not known yet."""
_PAGE: Final = 500
_encode: Final = msgspec.json.Encoder().encode

_ERRORS_AFTER: Final = (
    sa.select(*rows.columns(ContactImportError))
    .where(
        tables.contact_import_errors.c.account_id == sa.bindparam("account_id"),
        tables.contact_import_errors.c.import_id == sa.bindparam("import_id"),
        tables.contact_import_errors.c.id > sa.bindparam("after"),
    )
    .order_by(tables.contact_import_errors.c.id)
    .limit(sa.bindparam("most"))
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for."""

    upload_id: Id
    list_id: Id | None = None
    unique_primary_phone: bool = True
    mapping: Mapping[str, str] | None = None
    default_region: str | None = None
    status: str | None = None


async def create(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, wanted: Wanted, charge: Callable[[int], None]
) -> ContactImport:
    """Queue an import; `charge` counts its rows as far as the file's size tells, and may refuse.

    Raises Invalid with every problem, Forbidden, TooMany.
    """
    require_writer(actor)
    problems = _problems(wanted)
    now: Instant = clock.now()
    async with store.writing() as tx:
        if wanted.list_id is not None and await rows.find(tx, ContactList, actor.account_id, wanted.list_id) is None:
            problems.append(Problem(Code.UNKNOWN_TARGET, fields.missing("list"), "/data/relationships/list"))
        upload = await uploads.use(tx, actor, wanted.upload_id, now)
        if isinstance(upload, str):
            problems.append(Problem(Code.UNKNOWN_TARGET, upload, "/data/relationships/upload"))
        elif not media.may_hold_rows(upload.content_type):
            detail = f"The upload is {upload.content_type}, not a list of people. Upload a CSV or XLSX file."
            problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/relationships/upload"))
        fields.refuse(problems)
        if isinstance(upload, Upload):
            charge(-(-(upload.size_in_bytes or 0) // ROW_OCTETS))
        made = ContactImport(
            account_id=actor.account_id,
            id=new_id(),
            created_at=now,
            updated_at=now,
            created_by=actor.membership_id,
            updated_by=actor.membership_id,
            unique_primary_phone=wanted.unique_primary_phone,
            upload_id=wanted.upload_id,
            list_id=wanted.list_id,
            mapping=_encode(dict(wanted.mapping)).decode() if wanted.mapping else None,
            default_region=wanted.default_region,
        )
        await rows.insert(tx, made)
    return made


def _problems(wanted: Wanted) -> list[Problem]:
    problems: list[Problem] = []
    if wanted.status not in (None, ImportStatus.QUEUED):
        detail = f"A new import is queued, not “{str(wanted.status)[:40]}”. Leave “status” out, or send “queued”."
        problems.append(Problem(Code.ILLEGAL_STATE, detail, "/data/attributes/status"))
    mapping = check_mapping(wanted.mapping) if wanted.mapping else None
    if mapping is not None:
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, mapping, "/data/attributes/mapping"))
    if wanted.default_region is not None and not is_region(wanted.default_region):
        detail = (
            f"“{wanted.default_region[:40]}” is no region. Send the two capitals of a country as ISO 3166 has them, "
            "such as US or GB, or leave “default-region” out."
        )
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/default-region"))
    return problems


async def find(store: Store, actor: Actor, id_: Id | None) -> ContactImport:
    """An import. Raises NotFound."""
    async with store.reading() as tx:
        return await load(tx, actor, ContactImport, id_, NOUN)


_FORMULA: Final = re.compile(r"[=+\-@\t\r\n|%]")


async def errors_csv(store: Store, found: ContactImport) -> AsyncIterator[bytes]:
    """What is wrong with a file, as CSV for a spreadsheet: no cell of it can be taken for a formula."""
    yield "\ufeff".encode() + _line(("row", "column", "value", "what", "fix"))
    after = Id(bytes(16))
    while True:
        named: dict[str, Any] = {"account_id": found.account_id, "import_id": found.id, "after": after, "most": _PAGE}
        async with store.reading() as tx:
            page = [rows.from_row(ContactImportError, row) for row in await tx.rows(_ERRORS_AFTER, **named)]
        if not page:
            return
        after = page[-1].id
        yield b"".join(_line((str(each.line), each.field or "", each.value, each.detail, each.fix)) for each in page)


def _line(cells: tuple[str, ...]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([neutral(cell) for cell in cells])
    return text.getvalue().encode()


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection): an apostrophe makes it text."""
    return f"'{cell}" if _FORMULA.match(cell.lstrip(" \u00a0\ufeff")) or _FORMULA.match(cell) else cell
