"""Finding one number in all that an account keeps: by the indexes where there are some, else page by page.

Beside a text's path. An erasure is rare and may take its time; each statement is short all the same.
"""

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.erasures import ErasureStatus
from opengage.domain.records import Erasure
from opengage.domain.webhooks import DeliveryStatus
from opengage.ids import Id
from opengage.store import rows, tables
from opengage.store.contract import Rows, Store, Transaction

PAGE: Final = 1_000
_ANSWERS: Final = 50
"""Stored answers of one page: each may be large."""

_engagements: Final = tables.engagements.c
_envelopes: Final = tables.envelopes.c
_contacts: Final = tables.contacts.c
_texts: Final = tables.texts.c
_keys: Final = tables.idempotency_keys.c
_imports: Final = tables.contact_imports.c
_erasures: Final = tables.erasures.c

_ENGAGEMENTS: Final = (
    sa.select(_engagements.id).where(_engagements.account_id == sa.bindparam("account_id")).order_by(_engagements.id)
)
# a range of one number, in order: only the index on an engagement's numbers can give that
_OF_NUMBER: Final = (
    _envelopes.account_id == sa.bindparam("account_id"),
    _envelopes.engagement_id == sa.bindparam("engagement_id"),
    _envelopes.phone_number.between(sa.bindparam("number"), sa.bindparam("number")),
)
_OF_ENGAGEMENT: Final = (
    sa.select(_envelopes.id, _envelopes.reason, _envelopes.text_id, _envelopes.next_at, _texts.status)
    .select_from(
        tables.envelopes.outerjoin(
            tables.texts, sa.and_(_texts.account_id == _envelopes.account_id, _texts.id == _envelopes.text_id)
        )
    )
    .where(*_OF_NUMBER)
    .order_by(_envelopes.phone_number)
)
_HOLD_OF_ENGAGEMENT: Final = (
    sa.select(_envelopes.id).where(*_OF_NUMBER).order_by(_envelopes.phone_number).with_for_update()
)
_CONTACTS: Final = (
    sa.select(_contacts.id)
    .where(_contacts.account_id == sa.bindparam("account_id"), _contacts.phone_number == sa.bindparam("number"))
    .limit(PAGE)
)
_SINGLES: Final = (
    sa.select(_texts.id, _texts.direction, _texts.sender, _texts.recipient, _texts.text_message_id)
    .where(
        _texts.account_id == sa.bindparam("account_id"),
        _texts.engagement_id.is_(None),
        _texts.id > sa.bindparam("after"),
    )
    # to PostgreSQL a column that IS NULL is no constant: its index gives the order only to who asks for it too
    .order_by(_texts.engagement_id, _texts.id)
    .limit(PAGE)
)
_FIRST_ANSWERS: Final = (
    sa.select(_keys.membership_id, _keys.key, _keys.body)
    .where(_keys.account_id == sa.bindparam("account_id"))
    .order_by(_keys.membership_id, _keys.key)
    .limit(_ANSWERS)
)
_MORE_ANSWERS: Final = _FIRST_ANSWERS.where(
    sa.tuple_(_keys.membership_id, _keys.key)
    > sa.tuple_(sa.bindparam("last_id", type_=sa.LargeBinary), sa.bindparam("last_key", type_=sa.Text))
)
_LATELY: Final = sa.delete(tables.recent_texts).where(
    tables.recent_texts.c.account_id == sa.bindparam("account_id"),
    tables.recent_texts.c.phone_number == sa.bindparam("number"),
)
_PARKED: Final = sa.delete(tables.parked_receipts).where(
    tables.parked_receipts.c.account_id == sa.bindparam("account_id"),
    tables.parked_receipts.c.recipient == sa.bindparam("number"),
)
_OPEN_IMPORTS: Final = sa.select(_imports.id).where(
    _imports.account_id == sa.bindparam("account_id"), _imports.completed_at.is_(None)
)
_GIVE_UP: Final = (
    sa.update(tables.webhook_deliveries)
    .where(
        tables.webhook_deliveries.c.account_id == sa.bindparam("key_account_id"),
        tables.webhook_deliveries.c.id == sa.bindparam("key_id"),
        tables.webhook_deliveries.c.next_at.is_not(None),
    )
    .values(status=DeliveryStatus.CANCELED.value, next_at=sa.null())
)
_OPEN: Final = sa.select(*rows.columns(Erasure)).where(_erasures.completed_at.is_(None)).order_by(_erasures.id)
_TAKE: Final = (
    sa.update(tables.erasures)
    .where(
        _erasures.account_id == sa.bindparam("key_account_id"),
        _erasures.id == sa.bindparam("key_id"),
        _erasures.updated_at == sa.bindparam("seen"),
        _erasures.completed_at.is_(None),
    )
    .values(status=ErasureStatus.WAITING.value, updated_at=sa.bindparam("now"))
)


async def unfinished(tx: Transaction) -> list[Erasure]:
    """Every erasure that is not completed."""
    return [rows.from_row(Erasure, row) for row in await tx.rows(_OPEN)]


async def take(tx: Transaction, erasure: Erasure, now: Instant) -> bool:
    """Begin a round of an erasure as it was read; False when somebody else has."""
    key = {"key_account_id": erasure.account_id, "key_id": erasure.id}
    return bool(await tx.run(_TAKE, **key, seen=erasure.updated_at, now=now))


async def engagements(tx: Transaction, account_id: int) -> list[Id]:
    """Every engagement of an account."""
    return [Id(id_) for (id_,) in await tx.rows(_ENGAGEMENTS, account_id=account_id)]


async def of_engagement(tx: Transaction, account_id: int, engagement_id: Id, number: str, *, hold: bool) -> Rows:
    """(id, reason, text id, next at, the text's status) of a number's envelopes in an engagement.

    With `hold` nobody else changes them before this transaction ends.
    """
    key = {"account_id": account_id, "engagement_id": engagement_id, "number": number}
    if not hold:
        return await tx.rows(_OF_ENGAGEMENT, **key)
    held = {id_ for (id_,) in await tx.rows(_HOLD_OF_ENGAGEMENT, **key)}
    # in a statement of its own: whoever was waited for may have written a text, which that one would not see
    return [row for row in await tx.rows(_OF_ENGAGEMENT, **key) if row[0] in held]


async def contacts(tx: Transaction, account_id: int, number: str) -> list[Id]:
    """Contacts whose primary number it is, up to `PAGE`."""
    return [Id(id_) for (id_,) in await tx.rows(_CONTACTS, account_id=account_id, number=number)]


async def singles(store: Store, account_id: int) -> AsyncIterator[Rows]:
    """Pages of (id, direction, sender, recipient, message) of the texts that belong to no blast."""
    after = Id(b"")
    while True:
        async with store.reading() as tx:
            found = await tx.rows(_SINGLES, account_id=account_id, after=after)
        if not found:
            return
        yield found
        after = Id(found[-1][0])


@cache
def _page(table: sa.Table, columns: tuple[str, ...]) -> sa.Select[Any]:
    return (
        sa.select(table.c.id, *(table.c[name] for name in columns))
        .where(table.c.account_id == sa.bindparam("account_id"), table.c.id > sa.bindparam("after"))
        .order_by(table.c.id)
        .limit(PAGE)
    )


async def everything(store: Store, table: sa.Table, columns: tuple[str, ...], account_id: int) -> AsyncIterator[Rows]:
    """Pages of (id, *columns) of all of an account's rows."""
    after = Id(b"")
    while True:
        async with store.reading() as tx:
            found = await tx.rows(_page(table, columns), account_id=account_id, after=after)
        if not found:
            return
        yield found
        after = Id(found[-1][0])


async def answers(store: Store, account_id: int) -> AsyncIterator[Rows]:
    """Pages of (membership, key, compressed body) of an account's stored answers."""
    last: dict[str, Any] = {}
    while True:
        async with store.reading() as tx:
            found = await tx.rows(_MORE_ANSWERS if last else _FIRST_ANSWERS, account_id=account_id, **last)
        if not found:
            return
        yield found
        last = {"last_id": found[-1][0], "last_key": found[-1][1]}


async def give_up(tx: Transaction, account_id: int, ids: Sequence[Id]) -> None:
    """Try these deliveries no more: their addresses are gone."""
    for id_ in ids:
        await tx.run(_GIVE_UP, key_account_id=account_id, key_id=id_)


async def lately(tx: Transaction, account_id: int, number: str) -> int:
    """Forget that a number was texted lately, and receipts for it that nobody has claimed; how many rows those were."""
    key = {"account_id": account_id, "number": number}
    return await tx.run(_LATELY, **key) + await tx.run(_PARKED, **key)


async def open_imports(tx: Transaction, account_id: int) -> set[Id]:
    """Imports of contacts that are not over."""
    return {Id(id_) for (id_,) in await tx.rows(_OPEN_IMPORTS, account_id=account_id)}
