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

REFUSED: Final = (
    "The credentials are missing or not valid. Send “Authorization: Basic base64(key:secret)” with an active API "
    "token; X-Account-Key, if sent, must be the key of that token's account. “opengage init” makes a token."
)
_NOBODY: Final = bytes(32)


def hash_secret(secret: str) -> bytes:
    """What is stored of a token's secret."""
    return hashlib.sha256(secret.encode()).digest()


async def authenticate(store: Store, clock: Clock, key: str, secret: str, account_key: str | None = None) -> Actor:
    """The actor of an API token. `account_key`, when given, must be the key of the token's account.

    Raises Unauthorized, always with the same words.
    """
    async with store.reading() as tx:
        found = await tokens.holder(tx, key)
    known = secrets.compare_digest(found.secret_hash if found else _NOBODY, hash_secret(secret))
    if found is None or not known or found.revoked_at is not None:
        raise Unauthorized(REFUSED)
    if found.expires_at is not None and found.expires_at <= clock.now():
        raise Unauthorized(REFUSED)
    if account_key and account_key != found.account_key:
        raise Unauthorized(REFUSED)
    return Actor(found.account_id, found.account_key, found.membership_id, found.role)
