"""Webhook endpoints: who is told of an account's events, and the secrets that sign it.

Beside a text's path. A secret is sealed before it is stored and told once, when it is made or rotated. An account has
one endpoint of kind `callbacks`: it has no URL and holds the secret that signs what envelopes and texts ask for
themselves. It is made by whoever needs it first; rotating it is how its secret is learnt.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import SECOND, Clock, Instant
from opengage.domain.callback_urls import Limits, refusal
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import Membership, WebhookEndpoint
from opengage.domain.webhooks import EVERYTHING, SECRET_BYTES, Event, secret_text
from opengage.ids import Id, NewId, to_wire
from opengage.operations import fields
from opengage.operations.actors import OWNER, Actor, require_writer
from opengage.operations.reading import hold, load
from opengage.sealing import Sealer
from opengage.store import deliveries, rows, tables
from opengage.store.contract import Store, Transaction, Turn
from opengage.store.outbox import EVENTS

NOUN: Final = "webhook endpoint"
CALLBACKS: Final = "callbacks"
MOST: Final = 50
"""Endpoints of one account: every event is held against each of them."""

OVERLAP_SECONDS: Final = 24 * 3600
"""How long after a rotation the old secret signs too."""

_UNSET: Final = msgspec.UNSET
_endpoints: Final = tables.webhook_endpoints

_DELETE: Final = sa.delete(_endpoints).where(
    _endpoints.c.account_id == sa.bindparam("key_account_id"), _endpoints.c.id == sa.bindparam("key_id")
)
_GONE: Final = (
    sa.update(_endpoints)
    .where(
        _endpoints.c.account_id == sa.bindparam("key_account_id"),
        _endpoints.c.id == sa.bindparam("key_id"),
        _endpoints.c.url == sa.bindparam("called"),
        _endpoints.c.is_active,
    )
    .values(is_active=False, disabled_reason="gone", updated_at=sa.bindparam("now"))
)


class Told(msgspec.Struct, frozen=True):
    """An endpoint, and its new secret: told this once."""

    endpoint: WebhookEndpoint
    secret: str


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client writes; what is left unset stays as it is."""

    kind: str | msgspec.UnsetType = _UNSET
    url: str | msgspec.UnsetType | None = _UNSET
    events: Sequence[str] | msgspec.UnsetType = _UNSET
    include: str | msgspec.UnsetType | None = _UNSET
    is_active: bool | msgspec.UnsetType = _UNSET


async def create(
    store: Store, clock: Clock, new_id: NewId, sealer: Sealer, limits: Limits, actor: Actor, changes: Changes
) -> Told:
    """A new endpoint and its secret. Raises Invalid, Forbidden."""
    require_writer(actor)
    kind = EVENTS if changes.kind is _UNSET else changes.kind
    problems: list[Problem] = []
    if kind not in (EVENTS, CALLBACKS):
        problems.append(_not_allowed("kind", f"“kind” is “{kind[:40]}”. Use “{EVENTS}” or “{CALLBACKS}”."))
    values = _values(kind, changes, limits, problems)
    if kind == EVENTS and not values.get("url"):
        detail = "“url” is missing: where the events are posted. Add an https URL."
        problems.append(Problem(Code.REQUIRED, detail, "/data/attributes/url"))
    fields.refuse(problems)
    secret, now = _new_secret(), clock.now()
    made = _record(actor.account_id, actor.membership_id, new_id(), now, kind, values, sealer, secret)
    async with store.writing() as tx:
        await tx.take_turn(Turn.ENDPOINTS, (actor.account_id,))
        existing = await rows.every(tx, WebhookEndpoint, account_id=actor.account_id)
        _refuse_too_many(kind, existing)
        await rows.insert(tx, made)
    return Told(made, secret)


def _refuse_too_many(kind: str, existing: Sequence[WebhookEndpoint]) -> None:
    if kind == CALLBACKS and any(each.kind == CALLBACKS for each in existing):
        detail = "The account's callbacks have a secret already. Rotate that endpoint's secret to get a new one."
        raise Invalid([Problem(Code.ILLEGAL_STATE, detail, "/data/attributes/kind")])
    if len(existing) >= MOST:
        detail = f"The account has {MOST} endpoints, which is the most. Delete one that is no longer needed."
        raise Invalid([Problem(Code.TOO_MANY, detail, "/data")])


async def update(
    store: Store, clock: Clock, limits: Limits, actor: Actor, id_: Id | None, changes: Changes
) -> WebhookEndpoint:
    """Change where an endpoint is, what it hears of, whether it is on.

    Switched off it hears of nothing new, and what it still had coming is canceled.
    Raises NotFound, Invalid, Forbidden.
    """
    require_writer(actor)
    async with store.writing() as tx:
        endpoint = await load(tx, actor, WebhookEndpoint, id_, NOUN)
        now = clock.now()
        problems: list[Problem] = []
        if changes.kind not in (_UNSET, endpoint.kind):
            problems.append(
                _not_allowed("kind", f"The endpoint is of kind “{endpoint.kind}” for good. Make a new one.")
            )
        values = _values(endpoint.kind, changes, limits, problems)
        if endpoint.kind == EVENTS and values.get("url", endpoint.url) is None:
            problems.append(_not_allowed("url", "An endpoint needs its “url”. Leave it out, or send another one."))
        fields.refuse(problems)
        if changes.is_active is not _UNSET:
            values |= {"is_active": changes.is_active, "disabled_reason": None}
        if changes.is_active is False:
            await deliveries.cancel(tx, _target(endpoint), now)
        return await rows.change(tx, endpoint, **values, updated_at=now, updated_by=actor.membership_id)


async def delete(store: Store, clock: Clock, actor: Actor, id_: Id | None) -> None:
    """Remove an endpoint; what it still had coming is canceled, what it got stays on record.

    Raises NotFound, Forbidden.
    """
    require_writer(actor)
    async with store.writing() as tx:
        endpoint = await load(tx, actor, WebhookEndpoint, id_, NOUN)
        await deliveries.cancel(tx, _target(endpoint), clock.now())
        await tx.run(_DELETE, key_account_id=endpoint.account_id, key_id=endpoint.id)


async def rotate(store: Store, clock: Clock, sealer: Sealer, actor: Actor, id_: Id | None) -> Told:
    """A new secret; for a day the old one signs beside it. Raises NotFound, Forbidden."""
    require_writer(actor)
    secret = _new_secret()
    async with store.writing() as tx:
        # held: of two rotations at once the second keeps the first one's secret as the previous one
        endpoint = await hold(tx, actor, WebhookEndpoint, id_, NOUN)
        now = clock.now()
        changed = await rows.change(
            tx,
            endpoint,
            secret=sealer.seal(secret, purpose(endpoint.id)),
            previous_secret=endpoint.secret,
            previous_until=Instant(now + OVERLAP_SECONDS * SECOND),
            updated_at=now,
            updated_by=actor.membership_id,
        )
    return Told(changed, secret)


# what the delivering worker asks


async def callback_key(
    tx: Transaction, sealer: Sealer, now: Instant, new_id: NewId, account_id: int
) -> WebhookEndpoint | None:
    """The account's endpoint of kind `callbacks`; made when there is none."""
    if found := await _oldest_of_callbacks(tx, account_id):
        return found
    await tx.take_turn(Turn.ENDPOINTS, (account_id,))
    if found := await _oldest_of_callbacks(tx, account_id):  # somebody else's, whose turn it was before
        return found
    owner = await rows.first(tx, Membership, account_id=account_id, role=OWNER)
    if owner is None:
        return None
    made = _record(account_id, owner.id, new_id(), now, CALLBACKS, {}, sealer, _new_secret())
    await rows.insert(tx, made)
    return made


async def _oldest_of_callbacks(tx: Transaction, account_id: int) -> WebhookEndpoint | None:
    found = await rows.some(tx, WebhookEndpoint, limit=1, offset=0, account_id=account_id, kind=CALLBACKS)
    return found[0] if found else None


def open_secrets(sealer: Sealer, endpoint: WebhookEndpoint, now: Instant) -> list[str]:
    """The secrets that sign at this moment, the newest first. Raises Unsealable."""
    opened = [sealer.open(endpoint.secret, purpose(endpoint.id))]
    if endpoint.previous_secret is not None and (endpoint.previous_until or 0) > now:
        opened.append(sealer.open(endpoint.previous_secret, purpose(endpoint.id)))
    return opened


async def gone(tx: Transaction, account_id: int, id_: Id, called: str, now: Instant) -> bool:
    """Switch an endpoint off whose receiver is gone, unless it was moved elsewhere meanwhile; whether it was done."""
    return bool(await tx.run(_GONE, key_account_id=account_id, key_id=id_, called=called, now=now))


def purpose(id_: Id) -> str:
    """What an endpoint's secrets are sealed for."""
    return f"webhook-endpoint:{to_wire(id_)}"


def _target(endpoint: WebhookEndpoint) -> deliveries.Target:
    return endpoint.account_id, to_wire(endpoint.id)


def _new_secret() -> str:
    return secret_text(secrets.token_bytes(SECRET_BYTES))


def _record(
    account_id: int, author: Id, id_: Id, now: Instant, kind: str, values: dict[str, Any], sealer: Sealer, secret: str
) -> WebhookEndpoint:
    given = {"url": None, "events": '["*"]' if kind == EVENTS else "[]", "include": None} | values
    return WebhookEndpoint(
        account_id=account_id,
        id=id_,
        created_at=now,
        updated_at=now,
        created_by=author,
        updated_by=author,
        kind=kind,
        secret=sealer.seal(secret, purpose(id_)),
        **given,
    )


def _values(kind: str, changes: Changes, limits: Limits, problems: list[Problem]) -> dict[str, Any]:
    """The columns that the plain attributes write."""
    values: dict[str, Any] = {}
    if kind == CALLBACKS and not all(each in (_UNSET, None) for each in (changes.url, changes.events, changes.include)):
        detail = "An endpoint of kind “callbacks” has a secret and nothing else: envelopes and texts name the URLs."
        problems.append(_not_allowed("kind", f"{detail} Leave “url”, “events” and “include” out."))
        return values
    if changes.url is not _UNSET:
        wrong = refusal(changes.url, limits) if changes.url is not None else None
        if wrong:
            problems.append(_not_allowed("url", wrong))
        values["url"] = changes.url
    if changes.events is not _UNSET:
        values["events"] = _events(changes.events, problems)
    if changes.include is not _UNSET:
        values["include"] = changes.include or None
    return values


def _events(names: Sequence[str], problems: list[Problem]) -> str:
    known = {EVERYTHING, *(event.value for event in Event)}
    for place, name in enumerate(names):
        if name not in known:
            detail = (
                f"“{name[:40]}” is no event. Use “*” for all, or some of {', '.join(sorted(known - {EVERYTHING}))}."
            )
            problems.append(_not_allowed(f"events/{place}", detail))
    if not names:
        problems.append(_not_allowed("events", "“events” is empty. Name some events, or “*” for all of them."))
    return msgspec.json.encode(list(dict.fromkeys(names))).decode()


def _not_allowed(attribute: str, detail: str) -> Problem:
    return Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/{attribute}")
