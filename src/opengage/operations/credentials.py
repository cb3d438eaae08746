"""Key and secret to actor: one answer for whatever is wrong with them.

Step 3 of a text's path, before any other intent. Secrets have 128 or more random bits, so that SHA-256 without salt
or stretching keeps them; comparison takes the same time whatever was sent.
"""

import hashlib
import secrets
from typing import Final

from opengage.clock import Clock
from opengage.domain.errors import Unauthorized
from opengage.operations.actors import Actor
from opengage.store import tokens
from opengage.store.contract import Store
from opengage.store.tokens import Holder

REFUSED: Final = (
    "The credentials are missing or not valid. Send “Authorization: Basic base64(key:secret)” with an active API "
    "token, or “Bearer” with a token of this server; X-Account-Key, if sent, must be the key of that token's account, "
    "and must be sent when it has several. “opengage init” makes a token."
)
_NOBODY: Final = bytes(32)


def hash_secret(secret: str) -> bytes:
    """What is stored of a token's secret."""
    return hashlib.sha256(secret.encode()).digest()


async def holder_of(store: Store, clock: Clock, key: str, secret: str, account_key: str | None = None) -> Holder:
    """Whom an API token speaks for. `account_key`, when given, must be the key of the token's account.

    Raises Unauthorized, always with the same words.
    """
    async with store.looking() as tx:
        found = await tokens.holder(tx, key)
    known = secrets.compare_digest(found.secret_hash if found else _NOBODY, hash_secret(secret))
    if found is None or not known or found.revoked_at is not None:
        raise Unauthorized(REFUSED)
    if found.expires_at is not None and found.expires_at <= clock.now():
        raise Unauthorized(REFUSED)
    if account_key and account_key != found.account_key:
        raise Unauthorized(REFUSED)
    return found


async def authenticate(store: Store, clock: Clock, key: str, secret: str, account_key: str | None = None) -> Actor:
    """The actor of an API token; see `holder_of`."""
    return actor_of(await holder_of(store, clock, key, secret, account_key))


def actor_of(holder: Holder) -> Actor:
    """A token's holder as whoever asks."""
    return Actor(holder.account_id, holder.account_key, holder.membership_id, holder.role, holder.token_id)
