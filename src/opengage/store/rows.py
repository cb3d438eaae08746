"""Records in and out of their tables: the few statements that every noun needs.

Statements are built once per record class and compiled once per database; a list's statement is built once per
combination of filters.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar, get_type_hints

import msgspec
import sqlalchemy as sa

from opengage.domain import records
from opengage.domain.erasures import ErasureStatus
from opengage.domain.imports import ImportStatus
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason, TextStatus
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

R = TypeVar("R", bound=records.Record)

TABLES: Final[Mapping[type[records.Record], sa.Table]] = {
    records.Account: tables.accounts,
    records.Membership: tables.memberships,
    records.ApiToken: tables.api_tokens,
    records.Session: tables.sessions,
    records.SigningKey: tables.signing_keys,
    records.ServiceProfile: tables.service_profiles,
    records.PhoneNumber: tables.phone_numbers,
    records.TextTemplate: tables.text_templates,
    records.TextTemplateRevision: tables.text_template_revisions,
    records.Tag: tables.tags,
    records.Engagement: tables.engagements,
    records.Activity: tables.activities,
    records.Envelope: tables.envelopes,
    records.TextMessage: tables.text_messages,
    records.Text: tables.texts,
    records.TextResult: tables.text_results,
    records.Suppression: tables.suppressions,
    records.AuditEvent: tables.audit_events,
    records.WebhookEndpoint: tables.webhook_endpoints,
    records.WebhookDelivery: tables.webhook_deliveries,
    records.WebhookAttempt: tables.webhook_attempts,
    records.Contact: tables.contacts,
    records.ContactList: tables.lists,
    records.ContactImport: tables.contact_imports,
    records.ContactImportError: tables.contact_import_errors,
    records.Upload: tables.uploads,
    records.File: tables.files,
    records.Erasure: tables.erasures,
}


class Page(msgspec.Struct, frozen=True):
    """A slice of a list: the records asked for, and how many there are in all."""

    records: list[Any]
    total: int


_MANY: Final = 512
"""Ids asked for in one statement, at most."""

_CONVERTERS: Final[dict[Any, Callable[[Any], Any]]] = {
    bool: bool,
    bool | None: lambda value: None if value is None else bool(value),
    # by look-up: half the time of a call of the enumeration, for every row that is read
    **{
        words: {word.value: word for word in words}.__getitem__
        for words in (EngagementStatus, EnvelopeStatus, Reason, TextStatus, ImportStatus, ErasureStatus)
    },
}


@cache
def _conversions(record: type[records.Record]) -> list[tuple[str, Callable[[Any], Any]]]:
    """The fields that a database gives back in a plainer type than the record's (booleans, enumerations)."""
    hints = get_type_hints(record)
    return [(name, _CONVERTERS[hints[name]]) for name in record.__struct_fields__ if hints[name] in _CONVERTERS]


def columns(record: type[records.Record]) -> list[sa.Column[Any]]:
    """The columns of a record's table in the order of its fields."""
    table = TABLES[record]
    return [table.c[name] for name in record.__struct_fields__]


def from_row(record: type[R], row: Sequence[Any]) -> R:
    """A record from one row of `columns(record)`."""
    fields = dict(zip(record.__struct_fields__, row, strict=True))
    for name, convert in _conversions(record):
        fields[name] = convert(fields[name])
    return record(**fields)


@cache
def _insert(record: type[records.Record]) -> sa.Insert:
    table = TABLES[record]
    return sa.insert(table).values({name: sa.bindparam(name) for name in record.__struct_fields__})


Filters = tuple[tuple[str, bool], ...]
"""(field, whether it must have no value), in order: what tells one list's statement from another's."""


def _filters(equal: Mapping[str, Any]) -> Filters:
    return tuple(sorted((name, value is None) for name, value in equal.items()))


def _values(equal: Mapping[str, Any]) -> dict[str, Any]:
    """What is bound: nothing equals NULL, so a missing value is asked for in the statement itself."""
    return {name: value for name, value in equal.items() if value is not None}


def _matches(table: sa.Table, filters: Filters) -> list[sa.ColumnElement[bool]]:
    return [table.c[name].is_(None) if absent else table.c[name] == sa.bindparam(name) for name, absent in filters]


@cache
def _select(record: type[records.Record], filters: Filters) -> sa.Select[Any]:
    return sa.select(*columns(record)).where(*_matches(TABLES[record], filters))


@cache
def _select_locked(record: type[records.Record]) -> sa.Select[Any]:
    return _select(record, (("account_id", False), ("id", False))).with_for_update()


@cache
def _select_page(record: type[records.Record], filters: Filters) -> sa.Select[Any]:
    statement = _select(record, filters).order_by(TABLES[record].c.id)
    return statement.limit(sa.bindparam("page_limit")).offset(sa.bindparam("page_offset"))


@cache
def _count(record: type[records.Record], filters: Filters) -> sa.Select[Any]:
    table = TABLES[record]
    return sa.select(sa.func.count()).select_from(table).where(*_matches(table, filters))


@cache
def _update(record: type[records.Record], changed: tuple[str, ...]) -> sa.Update:
    table = TABLES[record]
    return (
        sa.update(table)
        .where(table.c.account_id == sa.bindparam("key_account_id"), table.c.id == sa.bindparam("key_id"))
        .values({name: sa.bindparam(name) for name in changed})
    )


@cache
def _delete(record: type[records.Record]) -> sa.Delete:
    table = TABLES[record]
    return sa.delete(table).where(
        table.c.account_id == sa.bindparam("key_account_id"), table.c.id == sa.bindparam("key_id")
    )


@cache
def _select_many(record: type[records.Record], count: int) -> sa.Select[Any]:
    table = TABLES[record]
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"id_{place}") for place in range(count)]
    return sa.select(*columns(record)).where(table.c.account_id == sa.bindparam("account_id"), table.c.id.in_(wanted))


SelectMany = Callable[[type[records.Record], int], sa.Select[Any]]
"""(record, how many) to the statement that reads so many by id."""


@cache
def _hold(record: type[records.Record], count: int) -> sa.Select[Any]:
    return _select_many(record, count).order_by(TABLES[record].c.id).with_for_update(key_share=True)


@cache
def _hold_shared(record: type[records.Record], count: int) -> sa.Select[Any]:
    return _select_many(record, count).order_by(TABLES[record].c.id).with_for_update(read=True)


@cache
def _hold_free(record: type[records.Record], count: int) -> sa.Select[Any]:
    return _select_many(record, count).order_by(TABLES[record].c.id).with_for_update(read=True, skip_locked=True)


async def insert(tx: Transaction, record: records.Record) -> None:
    """Write a new record."""
    await tx.run(_insert(type(record)), **msgspec.structs.asdict(record))


@cache
def _insert_many(record: type[records.Record], count: int) -> sa.Insert:
    names = record.__struct_fields__
    placed: list[dict[str, Any]] = [{name: sa.bindparam(f"{name}_{place}") for name in names} for place in range(count)]
    return sa.insert(TABLES[record]).values(placed)


async def insert_many(tx: Transaction, new: Sequence[records.Record]) -> None:
    """Write new records of one class, many in a statement: few round trips, and few statements to compile."""
    start = 0
    while start < len(new):
        # in powers of two; not more, because SQLite looks for each parameter's name among all of them
        count = min(32, 1 << (len(new) - start).bit_length() - 1)
        values = {
            f"{name}_{place}": value
            for place, record in enumerate(new[start : start + count])
            for name, value in msgspec.structs.asdict(record).items()
        }
        await tx.run(_insert_many(type(new[0]), count), **values)
        start += count


async def find(tx: Transaction, record: type[R], account_id: int, id_: Id, *, lock: bool = False) -> R | None:
    """The record of this id in this account; with `lock`, nobody else changes it until the transaction has ended."""
    if not lock:
        return await first(tx, record, account_id=account_id, id=id_)
    found = await tx.rows(_select_locked(record), account_id=account_id, id=id_)
    return from_row(record, found[0]) if found else None


async def first(tx: Transaction, record: type[R], **equal: Any) -> R | None:
    """Some record whose fields equal these; None finds what has no value."""
    rows = await tx.rows(_select(record, _filters(equal)), **_values(equal))
    return from_row(record, rows[0]) if rows else None


async def every(tx: Transaction, record: type[R], **equal: Any) -> list[R]:
    """All records whose fields equal these: for lists known to be short."""
    rows = await tx.rows(_select(record, _filters(equal)), **_values(equal))
    return [from_row(record, row) for row in rows]


async def find_many(
    tx: Transaction, record: type[R], account_id: int, ids: Sequence[Id], select: SelectMany = _select_many
) -> dict[Id, R]:
    """The records of these ids that exist in this account."""
    found: dict[Id, R] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _MANY):
        some = wanted[start : start + _MANY]
        # padded to a power of two, so that only a few statements are ever compiled
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        named = {f"id_{place}": id_ for place, id_ in enumerate(some)}
        for row in await tx.rows(select(record, len(some)), account_id=account_id, **named):
            one = from_row(record, row)
            found[one.id] = one
    return found


async def some(tx: Transaction, record: type[R], *, limit: int, offset: int, **equal: Any) -> list[R]:
    """Up to `limit` of the records whose fields equal these, oldest first, the first `offset` left out."""
    statement = _select_page(record, _filters(equal))
    found = await tx.rows(statement, page_limit=limit, page_offset=offset, **_values(equal))
    return [from_row(record, row) for row in found]


async def page(tx: Transaction, record: type[R], *, limit: int, offset: int, **equal: Any) -> Page:
    """One page of the records whose fields equal these, oldest first."""
    found = await some(tx, record, limit=limit, offset=offset, **equal)
    total = await tx.rows(_count(record, _filters(equal)), **_values(equal))
    return Page(found, total[0][0])


async def find_locked(tx: Transaction, record: type[R], account_id: int, id_: Id) -> R | None:
    """The record of this id in this account, for whoever writes it next: others wait until this transaction ends.

    SQLite has one writer anyway.
    """
    rows = await tx.rows(_select_locked(record), account_id=account_id, id=id_)
    return from_row(record, rows[0]) if rows else None


async def hold(
    tx: Transaction, record: type[R], account_id: int, ids: Sequence[Id], *, shared: bool = False
) -> dict[Id, R]:
    """The records of these ids as they are now; they stay so until this transaction ends, but for its own changes.

    For whoever decides on them. `shared` when nothing of them will be changed: others may hold them in that way too.
    """
    return await find_many(tx, record, account_id, sorted(ids), _hold_shared if shared else _hold)


async def hold_free(tx: Transaction, record: type[R], account_id: int, ids: Sequence[Id]) -> dict[Id, R]:
    """The same, shared, for whoever must not wait: those that somebody is changing are left out."""
    return await find_many(tx, record, account_id, sorted(ids), _hold_free)


async def change(tx: Transaction, record: R, **fields: Any) -> R:
    """Write these fields of an existing record; the record as it is now."""
    statement = _update(type(record), tuple(sorted(fields)))
    await tx.run(statement, key_account_id=record.account_id, key_id=record.id, **fields)
    return msgspec.structs.replace(record, **fields)


async def delete(tx: Transaction, record: records.Record) -> None:
    """Remove a record; one that is gone already stays gone."""
    await tx.run(_delete(type(record)), key_account_id=record.account_id, key_id=record.id)
