"""Text messages: those written by themselves, and those that a blast's texts carry under their own id."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.records import TextMessage
from opengage.ids import Id
from opengage.store import rows, tables
from opengage.store.contract import Transaction

_TEXTS: Final = tables.texts.c
_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account_id")


def _own() -> sa.Select[Any]:
    return sa.select(*rows.columns(TextMessage)).where(tables.text_messages.c.account_id == _ACCOUNT)


def _carried() -> sa.Select[Any]:
    """The same columns, out of the texts that have no message of their own."""
    return sa.select(
        _TEXTS.account_id,
        _TEXTS.id,
        _TEXTS.created_at,
        _TEXTS.created_at.label("updated_at"),
        _TEXTS.created_by,
        _TEXTS.updated_by,
        _TEXTS.body,
        sa.false().label("is_draft"),
        sa.literal_column("'{}'").label("meta"),
        sa.null().label("text_template_id"),
        _TEXTS.envelope_id,
    ).where(_TEXTS.account_id == _ACCOUNT, _TEXTS.text_message_id.is_(None))


def _both(*, one: bool) -> sa.CompoundSelect[Any]:
    own, carried = _own(), _carried()
    if one:
        own = own.where(tables.text_messages.c.id == sa.bindparam("id"))
        carried = carried.where(_TEXTS.id == sa.bindparam("id"))
    return sa.union_all(own, carried)


_FIND: Final = _both(one=True)
_PAGE: Final = _both(one=False).order_by("id").limit(sa.bindparam("page_limit")).offset(sa.bindparam("page_offset"))
_COUNT: Final = sa.select(sa.func.count()).select_from(_both(one=False).subquery())


def _message(row: Sequence[Any]) -> TextMessage:
    return rows.from_row(TextMessage, row)


async def find(tx: Transaction, account_id: int, id_: Id) -> TextMessage | None:
    """The message of this id in this account."""
    found = await tx.rows(_FIND, account_id=account_id, id=id_)
    return _message(found[0]) if found else None


async def page(tx: Transaction, account_id: int, *, limit: int, offset: int) -> rows.Page:
    """One page of this account's messages, oldest first."""
    found = await tx.rows(_PAGE, account_id=account_id, page_limit=limit, page_offset=offset)
    total = await tx.rows(_COUNT, account_id=account_id)
    return rows.Page([_message(row) for row in found], total[0][0])
