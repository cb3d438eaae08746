"""Keys of requests and the answers that were given: what keeps a retry from doing it twice (IETF draft
Idempotency-Key).

Beside the text's path. A key is claimed in the transaction of the change that it protects, so there is one exactly when
there is the other.
"""

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

_KEYS: Final = tables.idempotency_keys.c
_PURGED_AT_ONCE: Final = 8
"""Expired keys that go for each new one: the table shrinks as long as it is used, and no request waits for long."""

_THIS: Final = (
    _KEYS.account_id == sa.bindparam("key_account_id"),
    _KEYS.membership_id == sa.bindparam("key_membership_id"),
    _KEYS.key == sa.bindparam("key_key"),
)
_FIND: Final = sa.select(_KEYS.fingerprint, _KEYS.status, _KEYS.headers, _KEYS.body).where(
    *_THIS, _KEYS.created_at > sa.bindparam("after")
)
# both databases spell it like this; PostgreSQL waits here for a concurrent claim of the same key to end
_CLAIM: Final = sa.text(
    "INSERT INTO idempotency_keys (account_id, membership_id, key, fingerprint, created_at)"
    " VALUES (:account_id, :membership_id, :key, :fingerprint, :created_at)"
    " ON CONFLICT DO NOTHING"
)
_ANSWER: Final = (
    sa.update(tables.idempotency_keys)
    .where(*_THIS)
    .values(status=sa.bindparam("status"), headers=sa.bindparam("headers"), body=sa.bindparam("body"))
)
_EXPIRED: Final = sa.select(_KEYS.membership_id, _KEYS.key).where(
    _KEYS.account_id == sa.bindparam("account_id"), _KEYS.created_at <= sa.bindparam("before")
)
# those that another request is removing are left to it: no request waits for one with another key
_SOME_EXPIRED: Final = _EXPIRED.order_by(_KEYS.created_at).limit(_PURGED_AT_ONCE).with_for_update(skip_locked=True)
_DELETE: Final = sa.delete(tables.idempotency_keys).where(*_THIS, _KEYS.created_at <= sa.bindparam("before"))


class Key(msgspec.Struct, frozen=True):
    """A key as one member of one account sent it: another's is another key."""

    account_id: int
    membership_id: Id
    key: str


class Kept(msgspec.Struct, frozen=True):
    """What a key stands for; no status when the answer itself was not kept."""

    fingerprint: bytes
    status: int | None
    headers: str | None
    body: bytes | None


def _named(key: Key) -> dict[str, Any]:
    return {"key_account_id": key.account_id, "key_membership_id": key.membership_id, "key_key": key.key}


async def find(tx: Transaction, key: Key, after: Instant) -> Kept | None:
    """What a key claimed after this instant stands for."""
    rows = await tx.rows(_FIND, **_named(key), after=after)
    return Kept(*rows[0]) if rows else None


async def claim(tx: Transaction, key: Key, fingerprint: bytes, now: Instant, expired: Instant) -> bool:
    """Take a key unless somebody has it; keys claimed until `expired` are free again, and some of them are removed."""
    await tx.run(_DELETE, **_named(key), before=expired)
    for membership_id, name in await tx.rows(_SOME_EXPIRED, account_id=key.account_id, before=expired):
        await tx.run(_DELETE, **_named(Key(key.account_id, membership_id, name)), before=expired)
    taken = await tx.run(
        _CLAIM,
        account_id=key.account_id,
        membership_id=key.membership_id,
        key=key.key,
        fingerprint=fingerprint,
        created_at=now,
    )
    return taken > 0


async def answer(tx: Transaction, key: Key, status: int, headers: str, body: bytes) -> None:
    """Keep the answer of a claimed key."""
    await tx.run(_ANSWER, **_named(key), status=status, headers=headers, body=body)
