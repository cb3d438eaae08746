"""Forgetting what was said, and to whom, a batch at a time: short statements by the keys that the tables have anyway.

Beside a text's path, behind its end. Rows are walked in the order of their ids, which hold the time, so that no index
exists for this alone and none of the statements that send texts has another one to keep. What is gone through here has
come to its end: nothing moves it any more.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.callback_urls import origin
from opengage.domain.states import EngagementStatus
from opengage.ids import Id
from opengage.store import many, suppressions, tables
from opengage.store.contacts import chunks, named, placed
from opengage.store.contract import Rows, Transaction, Turn
from opengage.store.pseudonyms import MARK, Pseudonyms

BATCH: Final = 500
"""Rows of one transaction: some milliseconds."""
_RENAMED: Final = 32
"""Rows of one statement that gives each its own value."""

_engagements: Final = tables.engagements.c

BLANK: Final[Mapping[str, Mapping[str, Any]]] = {
    "envelopes": {"meta": "{}"},
    "texts": {"body": "", "meta": "{}"},
    "text_messages": {"body": "", "meta": "{}"},
    "webhook_attempts": {"body": None},
}
"""What is left where something was said."""


class Step(msgspec.Struct, frozen=True):
    """One kind of row to be gone through: which, what of it is needed, and what is done with a batch of them."""

    name: str
    table: sa.Table
    columns: tuple[str, ...]
    where: tuple[sa.ColumnElement[bool], ...]
    act: Callable[[Transaction, int, Rows, Pseudonyms | None, Instant], Awaitable[None]]
    walks_singles: bool = False
    """By the index on a text's engagement, where those of none stand together."""


async def page(tx: Transaction, step: Step, account_id: int, after: Id, before: Id, **values: Any) -> Rows:
    """The step's next rows after an id and made before another: (id, *columns)."""
    key = {"account_id": account_id, "after": after, "before": before}
    return await tx.rows(_page(step.table, step.columns, step.where, step.walks_singles), **key, **values)


@cache
def _page(
    table: sa.Table, columns: tuple[str, ...], where: tuple[sa.ColumnElement[bool], ...], singles: bool
) -> sa.Select[Any]:
    found = sa.select(table.c.id, *(table.c[name] for name in columns)).where(
        table.c.account_id == sa.bindparam("account_id"),
        table.c.id > sa.bindparam("after"),
        table.c.id < sa.bindparam("before"),
        *where,
    )
    # to PostgreSQL a column that IS NULL is no constant: the index gives the order only to who asks for that one's too
    order = (table.c.engagement_id, table.c.id) if singles else (table.c.id,)
    return found.order_by(*order).limit(BATCH)


@cache
def _of_engagement(table: sa.Table, column: str) -> sa.Select[Any]:
    return (
        sa.select(table.c.id, table.c[column])
        .where(
            table.c.account_id == sa.bindparam("account_id"),
            table.c.engagement_id == sa.bindparam("engagement_id"),
            table.c.id > sa.bindparam("after"),
        )
        .order_by(table.c.id)
        .limit(BATCH)
    )


@cache
def _over(column: str) -> sa.Select[Any]:
    ended = sa.func.coalesce(_engagements.completed_at, _engagements.updated_at)
    return (
        sa.select(_engagements.id)
        .where(
            _engagements.account_id == sa.bindparam("account_id"),
            sa.or_(
                _engagements.status == EngagementStatus.COMPLETED.value,
                _engagements.status == EngagementStatus.CANCELED.value,
            ),
            _engagements[column].is_(None),
            ended < sa.bindparam("before"),
        )
        .order_by(_engagements.id)
    )


async def over(tx: Transaction, account_id: int, mark: str, before: Instant) -> list[Id]:
    """Engagements that ended before an instant and that do not bear this mark (`bodies_purged_at`, ...) yet."""
    return [Id(id_) for (id_,) in await tx.rows(_over(mark), account_id=account_id, before=before)]


async def mark(tx: Transaction, account_id: int, engagement_id: Id, name: str, now: Instant) -> None:
    """Say on an engagement that this is forgotten."""
    await tx.run(_mark(name), key_account_id=account_id, key_id=engagement_id, now=now)


@cache
def _mark(name: str) -> sa.Update:
    return (
        sa.update(tables.engagements)
        .where(_engagements.account_id == sa.bindparam("key_account_id"), _engagements.id == sa.bindparam("key_id"))
        .values({name: sa.bindparam("now")})
    )


async def of_engagement(
    tx: Transaction, table: sa.Table, account_id: int, engagement_id: Id, after: Id, known: Pseudonyms | None
) -> Id | None:
    """Forget a batch of an engagement's envelopes or texts: their words, or with pseudonyms their numbers.

    The last id that was gone through, None when there was none left.
    """
    column = "phone_number" if table is tables.envelopes else "recipient"
    key = {"account_id": account_id, "engagement_id": engagement_id}
    found = await tx.rows(_of_engagement(table, column), **key, after=after)
    if not found:
        return None
    if known is None:
        await blank(tx, table, account_id, [id_ for id_, _ in found])
    else:
        await rename(tx, table, column, account_id, hidden(found, known), callback=None)
    return Id(found[-1][0])


def hidden(found: Sequence[tuple[Any, ...]], known: Pseudonyms) -> dict[Id, str]:
    """(id, number) pairs as ids with what is to stand in the number's place; those that are hidden are left out."""
    return {Id(id_): known.of(number) for id_, number in found if not number.startswith(MARK)}


async def blank(tx: Transaction, table: sa.Table, account_id: int, ids: Sequence[Id], **others: Any) -> None:
    """Take away what was said in these rows."""
    values = tuple(sorted((dict(BLANK.get(table.name, {})) | others).items()))
    for some in many.parts(ids):
        await tx.run(_blank(table, values, len(some)), key_account_id=account_id, **some)


@cache
def _blank(table: sa.Table, values: tuple[tuple[str, Any], ...], count: int) -> sa.Update:
    return (
        sa.update(table)
        .where(table.c.account_id == sa.bindparam("key_account_id"), table.c.id.in_(many.places(count)))
        .values({name: sa.null() if value is None else sa.literal_column(f"'{value}'") for name, value in values})
    )


async def rename(
    tx: Transaction, table: sa.Table, column: str, account_id: int, values: Mapping[Id, str], **nulls: None
) -> None:
    """Write each row's own value into a column; the columns of `nulls` are emptied with it."""
    pairs = sorted(values.items())
    for start in range(0, len(pairs), _RENAMED):
        some = pairs[start : start + _RENAMED]
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        given = {f"id_{place}": id_ for place, (id_, _) in enumerate(some)}
        given |= {f"value_{place}": value for place, (_, value) in enumerate(some)}  # type: ignore[misc]
        await tx.run(_rename(table, column, tuple(nulls), len(some)), key_account_id=account_id, **given)


@cache
def _rename(table: sa.Table, column: str, nulls: tuple[str, ...], count: int) -> sa.Update:
    ids = [sa.bindparam(f"id_{place}", type_=sa.LargeBinary) for place in range(count)]
    whens = [(table.c.id == id_, sa.bindparam(f"value_{place}", type_=sa.Text)) for place, id_ in enumerate(ids)]
    return (
        sa.update(table)
        .where(table.c.account_id == sa.bindparam("key_account_id"), table.c.id.in_(ids))
        .values({column: sa.case(*whens), **dict.fromkeys(nulls, sa.null())})
    )


async def delete(tx: Transaction, table: sa.Table, account_id: int, ids: Sequence[Id]) -> None:
    """Delete these rows."""
    for some in chunks(ids):
        await tx.run(_delete(table, len(some)), key_account_id=account_id, **named(some))


@cache
def _delete(table: sa.Table, count: int) -> sa.Delete:
    return sa.delete(table).where(table.c.account_id == sa.bindparam("key_account_id"), table.c.id.in_(placed(count)))


# what is done with a batch of each kind


def _blanked(table: sa.Table) -> Callable[..., Awaitable[None]]:
    async def act(tx: Transaction, account_id: int, found: Rows, _: Pseudonyms | None, __: Instant) -> None:
        await blank(tx, table, account_id, [Id(row[0]) for row in found])

    return act


def _deleted(table: sa.Table) -> Callable[..., Awaitable[None]]:
    async def act(tx: Transaction, account_id: int, found: Rows, _: Pseudonyms | None, __: Instant) -> None:
        await delete(tx, table, account_id, [Id(row[0]) for row in found])

    return act


async def _hide_singles(tx: Transaction, account_id: int, found: Rows, known: Pseudonyms | None, _: Instant) -> None:
    """The person at the other end: whoever a text went to, or came from."""
    assert known is not None
    for direction, column, place in (("outbound", "recipient", 3), ("inbound", "sender", 2)):
        theirs = [(row[0], row[place]) for row in found if row[1] == direction]
        await rename(tx, tables.texts, column, account_id, hidden(theirs, known), callback=None)


async def _hide_suppressed(tx: Transaction, account_id: int, found: Rows, _: Pseudonyms | None, now: Instant) -> None:
    await tx.take_turn(Turn.CONSENT, (account_id,))
    await suppressions.hide(tx, account_id, [number for _, number in found], now)


async def _hide_in_audit(tx: Transaction, account_id: int, found: Rows, known: Pseudonyms | None, _: Instant) -> None:
    assert known is not None
    told = {Id(id_): msgspec.json.decode(detail, type=dict[str, Any]) for id_, detail in found}
    changed = {
        id_: msgspec.json.encode(detail | {"phone-number": known.of(str(detail["phone-number"]))}).decode()
        for id_, detail in told.items()
        if detail.get("phone-number")
    }
    await rename(tx, tables.audit_events, "detail", account_id, changed)


def _shortened(table: sa.Table) -> Callable[..., Awaitable[None]]:
    """A callback's address may name whom it is about: its host alone stays."""

    async def act(tx: Transaction, account_id: int, found: Rows, _: Pseudonyms | None, __: Instant) -> None:
        await rename(tx, table, "url", account_id, {Id(id_): f"{origin(url)}/" for id_, url in found})

    return act


_texts, _messages = tables.texts.c, tables.text_messages.c
_SETTLED: Final = (_texts.engagement_id.is_(None), _texts.settled_at < sa.bindparam("ended"))
_errors: Final = Step("import-errors", tables.contact_import_errors, (), (), _deleted(tables.contact_import_errors))

BODIES: Final = (
    Step("texts", tables.texts, (), (*_SETTLED, _texts.body != ""), _blanked(tables.texts), walks_singles=True),
    Step(
        "text-messages",
        tables.text_messages,
        (),
        (sa.not_(_messages.is_draft), _messages.body != "", _messages.updated_at < sa.bindparam("ended")),
        _blanked(tables.text_messages),
    ),
    Step(
        "webhook-attempts",
        tables.webhook_attempts,
        (),
        (tables.webhook_attempts.c.body.is_not(None),),
        _blanked(tables.webhook_attempts),
    ),
    _errors,
)
"""Where something was said, beside blasts."""

NUMBERS: Final = (
    Step("texts", tables.texts, ("direction", "sender", "recipient"), _SETTLED, _hide_singles, walks_singles=True),
    Step(
        "suppressions",
        tables.suppressions,
        ("phone_number",),
        (tables.suppressions.c.phone_number.not_like(f"{MARK}%"),),
        _hide_suppressed,
    ),
    Step("audit-events", tables.audit_events, ("detail",), (), _hide_in_audit),
    Step(
        "webhook-deliveries",
        tables.webhook_deliveries,
        ("url",),
        (tables.webhook_deliveries.c.url.is_not(None), tables.webhook_deliveries.c.next_at.is_(None)),
        _shortened(tables.webhook_deliveries),
    ),
    Step("webhook-attempts", tables.webhook_attempts, ("url",), (), _shortened(tables.webhook_attempts)),
    _errors,
)
"""Where numbers stand, beside blasts."""
