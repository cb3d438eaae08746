"""Records as lists and includes read them: from their table, or from what looks like one.

Beside `rows` (which reads and writes what one intent is about) this reads what a client asks to see. Statements are
built once per shape and compiled once per database.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from opengage.domain import records
from opengage.ids import Id
from opengage.store import rows, text_messages
from opengage.store.contract import Transaction

R = TypeVar("R", bound=records.Record)

_ELSEWHERE: Final[Mapping[type[records.Record], sa.FromClause]] = {records.TextMessage: text_messages.ALL}
"""Records that are more than the rows of their own table."""

_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account_id")

Shape = tuple[tuple[str, bool], ...]
"""(field, whether it must have no value), in order: what tells one list's statement from another's."""


def source(record: type[records.Record]) -> sa.FromClause:
    """Where the records of a class are read from."""
    return _ELSEWHERE.get(record, rows.TABLES[record])


async def find_many(tx: Transaction, record: type[R], account_id: int, ids: Sequence[Id]) -> dict[Id, R]:
    """The records of these ids that exist in this account."""
    return await rows.find_many(tx, record, account_id, ids, _select_many)


async def page(
    tx: Transaction, record: type[R], account_id: int, *, limit: int, offset: int, equal: Mapping[str, Any]
) -> list[R]:
    """Up to `limit` of the account's records whose fields equal these, oldest first, the first `offset` left out."""
    found = await tx.rows(
        _select_page(record, _shape(equal)),
        account_id=account_id,
        page_limit=limit,
        page_offset=offset,
        **_bound(equal),
    )
    return [rows.from_row(record, row) for row in found]


async def count(tx: Transaction, record: type[records.Record], account_id: int, equal: Mapping[str, Any]) -> int:
    """How many of the account's records have fields that equal these."""
    found = await tx.rows(_count(record, _shape(equal)), account_id=account_id, **_bound(equal))
    return int(found[0][0])


def _shape(equal: Mapping[str, Any]) -> Shape:
    return tuple(sorted((name, value is None) for name, value in equal.items()))


def _bound(equal: Mapping[str, Any]) -> dict[str, Any]:
    """What is bound: nothing equals NULL, so a missing value is asked for in the statement itself."""
    return {name: value for name, value in equal.items() if value is not None}


def _select(record: type[records.Record]) -> sa.Select[Any]:
    columns = source(record).c
    return sa.select(*(columns[name] for name in record.__struct_fields__)).where(columns.account_id == _ACCOUNT)


def _matches(record: type[records.Record], shape: Shape) -> list[sa.ColumnElement[bool]]:
    columns = source(record).c
    return [columns[name].is_(None) if absent else columns[name] == sa.bindparam(name) for name, absent in shape]


@cache
def _select_many(record: type[records.Record], size: int) -> sa.Select[Any]:
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"id_{place}") for place in range(size)]
    return _select(record).where(source(record).c.id.in_(wanted))


@cache
def _select_page(record: type[records.Record], shape: Shape) -> sa.Select[Any]:
    statement = _select(record).where(*_matches(record, shape)).order_by(source(record).c.id)
    return statement.limit(sa.bindparam("page_limit")).offset(sa.bindparam("page_offset"))


@cache
def _count(record: type[records.Record], shape: Shape) -> sa.Select[Any]:
    read = source(record)
    return sa.select(sa.func.count()).select_from(read).where(read.c.account_id == _ACCOUNT, *_matches(record, shape))
