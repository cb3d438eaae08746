"""The transactional outbox: whoever listens to an event gets a row in the transaction that makes it happen.

Where nobody listens that costs one look at the account's endpoints, which are few and found by the key. The look is
part of the transaction, so that an endpoint made before the commit hears of it. Envelopes are searched for callbacks
only in engagements that are known to have some.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.callback_urls import origin
from opengage.domain.webhooks import EVERYTHING, TEXT_EVENTS, DeliveryStatus, Happening
from opengage.ids import Id, NewId, to_wire
from opengage.store import many, tables
from opengage.store.contract import Result, Step, Transaction

_endpoints: Final = tables.webhook_endpoints
_deliveries: Final = tables.webhook_deliveries

EVENTS: Final = "events"
"""The kind of an endpoint that listens; the other holds the secret of the account's callbacks."""

_MANY: Final = 128
"""Rows written in one statement, at most: a longer one takes long to compile, when it is first needed."""

_OWN: Final = ("id", "target", "endpoint_id", "url", "event", "subject_type", "subject_id", "include")


class Endpoint(msgspec.Struct, frozen=True):
    """An active endpoint, as far as the outbox needs it."""

    id: Id
    events: str
    include: str | None


class Callback(msgspec.Struct, frozen=True):
    """What an envelope or a text wants told about itself."""

    subject_type: str
    subject_id: Id
    url: str
    include: str | None


class Listeners(msgspec.Struct, frozen=True):
    """Who may have to be told of what one account's batch holds."""

    endpoints: list[Endpoint]
    engagements: set[Id]
    """Those of the batch's engagements that have envelopes with callbacks."""


async def announce(tx: Transaction, happenings: Sequence[Happening], now: Instant, new_id: NewId) -> None:
    """Write a delivery for everybody who listens to any of these, in the transaction in which they happen."""
    for account_id in sorted({each.account_id for each in happenings}):
        own = [each for each in happenings if each.account_id == account_id]
        listeners = await _listeners(tx, account_id, {each.engagement_id for each in own if each.envelope_id})
        await _write(tx, account_id, listeners, own, now, new_id)


async def announce_results(
    tx: Transaction, account_id: int, steps: Mapping[Id, Step], results: Sequence[Result], now: Instant, new_id: NewId
) -> None:
    """`announce` for one account's batch of texts: the hot path, on which nothing is made up before it is asked for."""
    listeners = await _listeners(tx, account_id, {step.text.engagement_id for step in steps.values()})
    singles = any(step.text.engagement_id is None for step in steps.values())
    if listeners.endpoints or listeners.engagements or singles:
        await _write(tx, account_id, listeners, list(_happenings(account_id, steps, results)), now, new_id)


async def is_heard(tx: Transaction, account_id: int, engagement_id: Id) -> bool:
    """Whether anybody may listen to what happens to an engagement's envelopes and texts."""
    listeners = await _listeners(tx, account_id, {engagement_id})
    return bool(listeners.endpoints or listeners.engagements)


def _happenings(account_id: int, steps: Mapping[Id, Step], results: Sequence[Result]) -> Iterator[Happening]:
    for result in results:
        event = TEXT_EVENTS.get(result.kind)
        if event is not None:
            text = steps[result.text_id].text
            yield Happening(account_id, event, "texts", result.text_id, text.engagement_id, text.envelope_id)


async def _listeners(tx: Transaction, account_id: int, engagement_ids: set[Id | None]) -> Listeners:
    """One statement for both, since every batch of texts makes it."""
    endpoints: dict[Id, Endpoint] = {}
    engagements: set[Id] = set()
    for some in list(many.parts(id_ for id_ in engagement_ids if id_ is not None)) or [{}]:
        for id_, events, include in await tx.rows(_listening(len(some)), account_id=account_id, **some):
            if events is None:
                engagements.add(id_)
            else:
                endpoints[id_] = Endpoint(id_, events, include)
    return Listeners(list(endpoints.values()), engagements)


@cache
def _listening(count: int) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    endpoints = sa.select(_endpoints.c.id, _endpoints.c.events, _endpoints.c.include).where(
        _endpoints.c.account_id == sa.bindparam("account_id"), _endpoints.c.is_active, _endpoints.c.kind == EVENTS
    )
    if not count:
        return endpoints
    engagements = tables.engagements.c
    nothing = sa.cast(sa.null(), sa.Text)
    return sa.union_all(
        endpoints,
        sa.select(engagements.id, nothing, nothing).where(
            engagements.account_id == sa.bindparam("account_id"),
            engagements.id.in_(many.places(count)),
            engagements.has_callbacks,
        ),
    )


async def _write(
    tx: Transaction,
    account_id: int,
    listeners: Listeners,
    happenings: Sequence[Happening],
    now: Instant,
    new_id: NewId,
) -> None:
    callbacks = await _callbacks(tx, account_id, listeners.engagements, happenings)
    new: list[dict[str, Any]] = []
    for each in happenings:
        hearing = (endpoint for endpoint in listeners.endpoints if _hears(endpoint.events, each.event))
        new += [_to_endpoint(each, endpoint, new_id()) for endpoint in hearing]
        callback = callbacks.get(each.envelope_id or each.subject_id)
        if callback is not None:
            new.append(_to_callback(each, callback, new_id()))
    await _insert(tx, account_id, new, now)


@lru_cache(maxsize=1024)
def _events(text: str) -> frozenset[str]:
    return frozenset(msgspec.json.decode(text, type=list[str]))


def _hears(events: str, event: str) -> bool:
    heard = _events(events)
    return event in heard or EVERYTHING in heard


async def _callbacks(
    tx: Transaction, account_id: int, engagement_ids: set[Id], happenings: Sequence[Happening]
) -> dict[Id, Callback]:
    """The callbacks of the envelopes, and of the texts that are nobody's envelope, by their ids."""
    envelopes = [each.envelope_id for each in happenings if each.envelope_id and each.engagement_id in engagement_ids]
    texts = [each.subject_id for each in happenings if each.subject_type == "texts" and each.envelope_id is None]
    found: dict[Id, Callback] = {}
    for table, kind, ids in ((tables.envelopes, "envelopes", envelopes), (tables.texts, "texts", texts)):
        for some in many.parts(ids):
            statement = _select_callbacks(table, len(some))
            for id_, url, include in await tx.rows(statement, account_id=account_id, **some):
                found[id_] = Callback(kind, id_, url, include)
    return found


@cache
def _select_callbacks(table: sa.Table, count: int) -> sa.Select[Any]:
    return sa.select(table.c.id, table.c.callback, table.c.callback_include).where(
        table.c.account_id == sa.bindparam("account_id"),
        table.c.id.in_(many.places(count)),
        table.c.callback.is_not(None),
    )


def _to_endpoint(what: Happening, endpoint: Endpoint, id_: Id) -> dict[str, Any]:
    return {
        "id": id_,
        "target": to_wire(endpoint.id),
        "endpoint_id": endpoint.id,
        "url": None,
        "event": what.event.value,
        "subject_type": what.subject_type,
        "subject_id": what.subject_id,
        "include": endpoint.include,
    }


def _to_callback(what: Happening, callback: Callback, id_: Id) -> dict[str, Any]:
    return {
        "id": id_,
        "target": origin(callback.url),
        "endpoint_id": None,
        "url": callback.url,
        "event": what.event.value,
        "subject_type": callback.subject_type,
        "subject_id": callback.subject_id,
        "include": callback.include,
    }


async def _insert(tx: Transaction, account_id: int, new: Sequence[Mapping[str, Any]], now: Instant) -> None:
    """Write the rows, by powers of two, so that only a few statements are ever compiled."""
    start = 0
    while start < len(new):
        count = min(_MANY, 1 << ((len(new) - start).bit_length() - 1))
        some = new[start : start + count]
        own = {f"{name}_{place}": row[name] for place, row in enumerate(some) for name in _OWN}
        await tx.run(_insert_some(count), account_id=account_id, now=now, **own)
        start += count


@cache
def _insert_some(count: int) -> sa.Insert:
    now: sa.BindParameter[int] = sa.bindparam("now", type_=sa.BigInteger())
    common = {
        "account_id": sa.bindparam("account_id", type_=sa.BigInteger()),
        "created_at": now,
        "updated_at": now,
        "status": sa.literal_column(f"'{DeliveryStatus.PENDING.value}'"),
        "attempts": sa.literal_column("0"),
        "next_at": now,
    }
    rows = [
        common | {name: sa.bindparam(f"{name}_{place}", type_=_deliveries.c[name].type) for name in _OWN}
        for place in range(count)
    ]
    return sa.insert(_deliveries).values(rows)
