"""API tokens: key and secret for HTTP Basic; the secret is told once, when it is made.

Step 3 of a text's path, before it. A member has their own tokens, an owner those of everybody.
"""

import secrets
from typing import Any, Final

import msgspec

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Forbidden, NotFound, Problem
from opengage.domain.records import ApiToken, Membership
from opengage.ids import ALPHABET, LENGTH, Id, NewId
from opengage.operations import audit, fields
from opengage.operations.actors import OWNER, Actor
from opengage.operations.credentials import hash_secret
from opengage.operations.reading import load
from opengage.store import rows
from opengage.store.contract import Store, Transaction

TYPE: Final = "api-tokens"
NOUN: Final = "API token"
SECRET_PREFIX: Final = "ogs_"  # noqa: S105 - what a secret begins with, so that scanners can find leaked ones
_SECRET_BYTES: Final = 24
_EXPIRES: Final = "/data/attributes/expires-at"


class Made(msgspec.Struct, frozen=True):
    """A new token, and its secret, which is nowhere else."""

    token: ApiToken
    secret: str


def mint(common: dict[str, Any], id_: Id, membership_id: Id, expires_at: Instant | None = None) -> Made:
    """A fresh token for a member, not yet stored."""
    secret = SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    key = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    hashed = hash_secret(secret)
    token = ApiToken(**common, id=id_, membership_id=membership_id, key=key, secret_hash=hashed, expires_at=expires_at)
    return Made(token, secret)


async def create(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    *,
    membership_id: Id | None = None,
    expires_at: Instant | None = None,
) -> Made:
    """A token for the actor, or (by an owner) for another member. Raises Invalid, Forbidden."""
    holder_id = membership_id or actor.membership_id
    if holder_id != actor.membership_id and actor.role != OWNER:
        raise Forbidden("Only an owner makes tokens for others. Leave “membership” out to make one of your own.")
    now = clock.now()
    problems: list[Problem] = []
    _check(expires_at, now, problems)
    common = {"account_id": actor.account_id, "created_at": now, "updated_at": now}
    made = mint(common, new_id(), holder_id, expires_at)
    async with store.writing() as tx:
        holder = await rows.find(tx, Membership, actor.account_id, holder_id)
        if holder is None:
            problems.append(fields.unknown("membership", "membership"))
        elif not holder.is_active:
            detail = "The membership is switched off: a token of it would be refused. Switch it on first."
            problems.append(Problem(Code.ILLEGAL_STATE, detail, "/data/relationships/membership"))
        fields.refuse(problems)
        await rows.insert(tx, made.token)
        await audit.note(tx, now, new_id, actor, "create", TYPE, made.token)
    return made


def seen(actor: Actor) -> dict[str, Any]:
    """What the fields of a token equal when the actor sees it: members see their own, owners all."""
    return {} if actor.role == OWNER else {"membership_id": actor.membership_id}


async def update(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None, *, expires_at: Instant | None
) -> ApiToken:
    """Say when a token ends; None: never. Raises NotFound, Invalid (also when it is revoked)."""
    async with store.writing() as tx:
        token = await _load(tx, actor, id_)
        if token.revoked_at is not None:
            raise fields.illegal("The token is revoked, for good. Make a new one.")
        if expires_at == token.expires_at:
            return token
        now = clock.now()
        problems: list[Problem] = []
        _check(expires_at, now, problems)
        fields.refuse(problems)
        await audit.note(tx, now, new_id, actor, "update", TYPE, token, changed=["expires_at"])
        return await rows.change(tx, token, expires_at=expires_at, updated_at=now)


async def revoke(store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None) -> None:
    """End a token at once and for good; again changes nothing. Raises NotFound."""
    async with store.writing() as tx:
        token = await _load(tx, actor, id_)
        if token.revoked_at is None:
            now = clock.now()
            await rows.change(tx, token, revoked_at=now, updated_at=now)
            await audit.note(tx, now, new_id, actor, "revoke", TYPE, token)


async def _load(tx: Transaction, actor: Actor, id_: Id | None) -> ApiToken:
    token = await load(tx, actor, ApiToken, id_, NOUN)
    if actor.role != OWNER and token.membership_id != actor.membership_id:
        raise NotFound(fields.missing(NOUN))
    return token


def _check(expires_at: Instant | None, now: Instant, problems: list[Problem]) -> None:
    if expires_at is not None and expires_at <= now:
        detail = "“expires-at” is past. Give an instant to come, or null for none; DELETE ends a token at once."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, _EXPIRES))
