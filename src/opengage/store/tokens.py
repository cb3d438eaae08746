"""API tokens: the one statement that every request runs, so it is a single look-up by key."""

from typing import Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

_TOKENS: Final = tables.api_tokens.c
_MEMBERS: Final = tables.memberships.c
_ACCOUNTS: Final = tables.accounts.c

_BY_KEY: Final = (
    sa.select(
        _TOKENS.account_id,
        _ACCOUNTS.key,
        _MEMBERS.id,
        _MEMBERS.role,
        _TOKENS.secret_hash,
        _TOKENS.expires_at,
        _TOKENS.revoked_at,
        _TOKENS.id,
        _TOKENS.last_used_at,
    )
    .join_from(
        tables.api_tokens,
        tables.memberships,
        sa.and_(_MEMBERS.account_id == _TOKENS.account_id, _MEMBERS.id == _TOKENS.membership_id),
    )
    .join(tables.accounts, _ACCOUNTS.account_id == _TOKENS.account_id)
    .where(_TOKENS.key == sa.bindparam("token_key"), _MEMBERS.is_active, _ACCOUNTS.is_active)
)

_USED: Final = (
    sa.update(tables.api_tokens)
    .where(_TOKENS.account_id == sa.bindparam("key_account_id"), _TOKENS.id == sa.bindparam("key_id"))
    .values(last_used_at=sa.bindparam("now"))
)


class Holder(msgspec.Struct, frozen=True):
    """A token with the membership and account that it speaks for; both are active."""

    account_id: int
    account_key: str
    membership_id: Id
    role: str
    secret_hash: bytes
    expires_at: Instant | None
    revoked_at: Instant | None
    token_id: Id
    last_used_at: Instant | None


async def holder(tx: Transaction, key: str) -> Holder | None:
    """Whom the token of this key speaks for, if it exists and its membership and account are active."""
    rows = await tx.rows(_BY_KEY, token_key=key)
    return Holder(*rows[0]) if rows else None


async def mark_used(tx: Transaction, account_id: int, token_id: Id, now: Instant) -> None:
    """Note when a token was last used."""
    await tx.run(_USED, key_account_id=account_id, key_id=token_id, now=now)
