"""Whether anything still points at a phone number or a service profile: what nothing points at may be removed."""

from typing import Any, Final

import sqlalchemy as sa

from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

MOST_READ: Final = 10_000
"""Texts that are looked through: texts have no index for this question, and an account may have millions."""

_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account_id")
_ID: Final[sa.BindParameter[bytes]] = sa.bindparam("id")


def _any(*places: tuple[sa.Table, sa.Column[Any]]) -> sa.Select[Any]:
    """Whether one of these columns holds the id, in the account."""
    return sa.select(sa.or_(*(sa.exists().where(table.c.account_id == _ACCOUNT, at == _ID) for table, at in places)))


def _texts_since(column: sa.Column[Any]) -> sa.Select[Any]:
    """How many texts are younger than the id, counted up to a limit, and how many of those point at it."""
    texts = tables.texts.c
    some = (
        sa.select(column.label("target"))
        .where(texts.account_id == _ACCOUNT, texts.id > _ID)
        .order_by(texts.id)
        .limit(MOST_READ)
        .subquery()
    )
    pointing: sa.ColumnElement[Any] = sa.func.count(sa.case((some.c.target == _ID, 1)))
    counts: list[sa.ColumnElement[Any]] = [sa.func.count(), pointing]
    return sa.select(*counts).select_from(some)


_NUMBER: Final = _any(
    (tables.activities, tables.activities.c.phone_number_id),
    (tables.engagement_numbers, tables.engagement_numbers.c.phone_number_id),
    (tables.recent_texts, tables.recent_texts.c.phone_number_id),
)
_NUMBER_TEXTS: Final = _texts_since(tables.texts.c.phone_number_id)
_PROFILE: Final = _any(
    (tables.phone_numbers, tables.phone_numbers.c.service_profile_id),
    (tables.text_segments, tables.text_segments.c.service_profile_id),
    (tables.parked_receipts, tables.parked_receipts.c.service_profile_id),
)
_PROFILE_TEXTS: Final = _texts_since(tables.texts.c.service_profile_id)
_LANE: Final = sa.delete(tables.lanes).where(
    tables.lanes.c.account_id == _ACCOUNT, tables.lanes.c.phone_number_id == _ID
)


async def to_number(tx: Transaction, account_id: int, id_: Id) -> bool:
    """Whether an activity, a sender pool or a text has this phone number; True also when that would take long."""
    return await _found(tx, _NUMBER, _NUMBER_TEXTS, account_id, id_)


async def to_profile(tx: Transaction, account_id: int, id_: Id) -> bool:
    """Whether a phone number or a text has this service profile; True also when that would take long."""
    return await _found(tx, _PROFILE, _PROFILE_TEXTS, account_id, id_)


async def _found(tx: Transaction, places: sa.Select[Any], texts: sa.Select[Any], account_id: int, id_: Id) -> bool:
    if (await tx.rows(places, account_id=account_id, id=id_))[0][0]:
        return True
    # ids grow with time: no text that is older than what it would point at has to be read
    read, pointing = (await tx.rows(texts, account_id=account_id, id=id_))[0]
    return bool(pointing) or read >= MOST_READ


async def forget_lane(tx: Transaction, account_id: int, number_id: Id) -> None:
    """Remove the lane of a number that nothing points at; its worker sees that the lease is gone."""
    await tx.run(_LANE, account_id=account_id, id=number_id)
