"""Sessions of bearer tokens: the one statement that every request with one runs, and what opens, renews and ends them.

Beside the text's path.
"""

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

INSTALLATION: Final = 0
"""The account of what belongs to no account."""

_SESSIONS: Final = tables.sessions.c
_MEMBERS: Final = tables.memberships.c
_ACCOUNTS: Final = tables.accounts.c
_TOKENS: Final = tables.api_tokens.c
_KEYS: Final = tables.signing_keys.c

_MEMBERS_OF_ACCOUNTS: Final = sa.and_(_MEMBERS.account_id == _ACCOUNTS.account_id, _ACCOUNTS.is_active)

_HELD: Final = (
    sa.select(
        _SESSIONS.account_id,
        _ACCOUNTS.key,
        _MEMBERS.id,
        _MEMBERS.role,
        _SESSIONS.generation,
        _SESSIONS.expires_at,
        _SESSIONS.updated_at,
        _SESSIONS.revoked_at,
        _TOKENS.revoked_at,
        _TOKENS.expires_at,
    )
    .join_from(tables.accounts, tables.sessions, _SESSIONS.account_id == _ACCOUNTS.account_id)
    .join(
        tables.memberships,
        sa.and_(_MEMBERS.account_id == _SESSIONS.account_id, _MEMBERS.id == _SESSIONS.membership_id),
    )
    .outerjoin(
        tables.api_tokens, sa.and_(_TOKENS.account_id == _SESSIONS.account_id, _TOKENS.id == _SESSIONS.api_token_id)
    )
    .where(
        _ACCOUNTS.key == sa.bindparam("account_key"),
        _SESSIONS.id == sa.bindparam("session_id"),
        _MEMBERS.is_active,
        _ACCOUNTS.is_active,
        sa.exists().where(_KEYS.account_id == INSTALLATION, _KEYS.id == sa.bindparam("signing_key_id")),
    )
)
# what waited for somebody else's renewal reads the session as that has left it
_HELD_FOR_RENEWAL: Final = _HELD.with_for_update(key_share=True, of=tables.sessions)
_RENEW: Final = (
    sa.update(tables.sessions)
    .where(
        _SESSIONS.account_id == sa.bindparam("key_account_id"),
        _SESSIONS.id == sa.bindparam("key_id"),
        _SESSIONS.generation == sa.bindparam("spent"),
        _SESSIONS.revoked_at.is_(None),
    )
    .values(
        generation=sa.bindparam("fresh"),
        expires_at=sa.bindparam("until"),
        updated_at=sa.bindparam("now"),
    )
)
_END: Final = (
    sa.update(tables.sessions)
    .where(
        _SESSIONS.account_id.in_(
            sa.select(_ACCOUNTS.account_id).where(_ACCOUNTS.key == sa.bindparam("account_key")).scalar_subquery()
        ),
        _SESSIONS.id == sa.bindparam("key_id"),
        _SESSIONS.revoked_at.is_(None),
    )
    .values(revoked_at=sa.bindparam("now"), updated_at=sa.bindparam("now"))
)
_END_ALL: Final = (
    sa.update(tables.sessions)
    .where(
        _SESSIONS.account_id == sa.bindparam("key_account_id"),
        _SESSIONS.membership_id == sa.bindparam("key_membership_id"),
        _SESSIONS.revoked_at.is_(None),
    )
    .values(revoked_at=sa.bindparam("now"), updated_at=sa.bindparam("now"))
)
_PURGE: Final = sa.delete(tables.sessions).where(
    _SESSIONS.account_id == sa.bindparam("key_account_id"), _SESSIONS.expires_at < sa.bindparam("before")
)
_LOGINS: Final = (
    sa.select(_ACCOUNTS.key, _MEMBERS.account_id, _MEMBERS.id, _MEMBERS.role, _MEMBERS.password_hash)
    .join_from(tables.memberships, tables.accounts, _MEMBERS_OF_ACCOUNTS)
    .where(_MEMBERS.email == sa.bindparam("email"), _MEMBERS.is_active, _MEMBERS.password_hash.is_not(None))
    .order_by(_MEMBERS.id)
)
_NEWEST_KEYS: Final = (
    sa.select(_KEYS.id, _KEYS.secret, _KEYS.created_at)
    .where(_KEYS.account_id == INSTALLATION)
    .order_by(_KEYS.created_at.desc(), _KEYS.id.desc())
)
_OLD_KEYS: Final = sa.delete(tables.signing_keys).where(
    _KEYS.account_id == INSTALLATION, _KEYS.created_at < sa.bindparam("before")
)


class Held(msgspec.Struct, frozen=True):
    """A session in one account, whose account and member are active and whose signing key is known."""

    account_id: int
    account_key: str
    membership_id: Id
    role: str
    generation: int
    expires_at: Instant
    updated_at: Instant
    revoked_at: Instant | None
    token_revoked_at: Instant | None
    token_expires_at: Instant | None

    def is_good(self, now: Instant) -> bool:
        """Whether it, and the API token that it was opened with, still holds."""
        ended = self.revoked_at is not None or self.token_revoked_at is not None
        return not ended and self.expires_at > now and (self.token_expires_at is None or self.token_expires_at > now)


class Login(msgspec.Struct, frozen=True):
    """A membership that can log in with an e-mail address and a password."""

    account_key: str
    account_id: int
    membership_id: Id
    role: str
    password_hash: str


class StoredKey(msgspec.Struct, frozen=True):
    """A key that bearer tokens are signed with."""

    id: Id
    secret: bytes
    created_at: Instant


async def held(tx: Transaction, account_key: str, session_id: Id, signing_key_id: Id) -> Held | None:
    """The session of this id in the account of this key."""
    rows = await tx.rows(_HELD, account_key=account_key, session_id=session_id, signing_key_id=signing_key_id)
    return Held(*rows[0]) if rows else None


async def held_for_renewal(tx: Transaction, account_key: str, session_id: Id, signing_key_id: Id) -> Held | None:
    """The same; nobody else renews or ends it until this transaction has ended."""
    key = {"account_key": account_key, "session_id": session_id, "signing_key_id": signing_key_id}
    rows = await tx.rows(_HELD_FOR_RENEWAL, **key)
    return Held(*rows[0]) if rows else None


async def logins(tx: Transaction, email: str) -> list[Login]:
    """Every active membership with this e-mail address and a password, in active accounts."""
    return [Login(*row) for row in await tx.rows(_LOGINS, email=email)]


async def renew(
    tx: Transaction, account_id: int, session_id: Id, spent: int, fresh: int, until: Instant, now: Instant
) -> bool:
    """Move a session on from one generation; False when somebody else did, or it has ended."""
    changed = await tx.run(
        _RENEW, key_account_id=account_id, key_id=session_id, spent=spent, fresh=fresh, until=until, now=now
    )
    return changed > 0


async def end(tx: Transaction, account_key: str, session_id: Id, now: Instant) -> None:
    """Revoke a session in the account of this key."""
    await tx.run(_END, account_key=account_key, key_id=session_id, now=now)


async def end_all(tx: Transaction, account_id: int, membership_id: Id, now: Instant) -> None:
    """Revoke every session of a member."""
    await tx.run(_END_ALL, key_account_id=account_id, key_membership_id=membership_id, now=now)


async def purge(tx: Transaction, account_id: int, before: Instant) -> None:
    """Remove an account's sessions that ended by themselves before this instant."""
    await tx.run(_PURGE, key_account_id=account_id, before=before)


async def signing_keys(tx: Transaction) -> list[StoredKey]:
    """Every signing key, the newest first."""
    rows: list[Any] = await tx.rows(_NEWEST_KEYS)
    return [StoredKey(*row) for row in rows]


async def remove_signing_keys(tx: Transaction, before: Instant) -> None:
    """Remove the signing keys that were made before this instant: what they have signed is refused from now on."""
    await tx.run(_OLD_KEYS, before=before)
