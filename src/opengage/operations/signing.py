"""What bearer tokens are signed with: HMAC-SHA256 under keys that all web nodes of a database share (RFC 7519, 8725).

Beside the text's path. A key by itself opens nothing: a token also needs the secret of a session, of which only a hash
is stored, so that a dump of the database lets nobody in. Keys are renewed by themselves; what an older one has signed
stays good until it has ended anyway.
"""

import secrets
from typing import Any, Final

import jwt
import msgspec

from opengage.clock import SECOND, Clock, Instant
from opengage.domain.errors import Unauthorized
from opengage.domain.records import SigningKey
from opengage.ids import Id, NewId, from_wire, to_wire
from opengage.store import rows, sessions
from opengage.store.contract import Store, Transaction
from opengage.store.sessions import INSTALLATION, StoredKey

ALGORITHM: Final = "HS256"
_TYPE: Final = "at+jwt"
_SECRET_BYTES: Final = 32
_RENEWED_AFTER: Final = 30 * 24 * 3600 * SECOND
_LONGEST_TOKEN: Final = 8192
_OPTIONS: Final[Any] = {
    "require": ["sid", "use", "exp", "iat", "accounts", "gen"],
    # these go by the clock that is passed in, or are not ours to judge
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
}


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says; `sid` is the session's secret, `accounts` the keys of those that it reaches."""

    iss: str
    sub: str
    sid: str
    use: str
    """`access` or `refresh`."""
    gen: int
    accounts: list[str]
    iat: int
    exp: int


class Signed(msgspec.Struct, frozen=True):
    """Claims whose signature is right, and the key that made it. Nothing else is checked."""

    claims: Claims
    key_id: Id


class SigningKeys:
    """Signs tokens, and reads what was signed. Known keys are remembered: a key of an id never changes, and whether
    it still counts is asked of the database with every session."""

    def __init__(self) -> None:
        self._secrets: dict[Id, bytes] = {}

    async def current(self, tx: Transaction, new_id: NewId, now: Instant, keep: int) -> StoredKey:
        """The key that signs now: the newest, or a fresh one when that has grown old (in a writing transaction).

        `keep` is how long the oldest token lives, in microseconds: keys that have outlived all they signed go.
        """
        known = await sessions.signing_keys(tx)
        if known and known[0].created_at > now - _RENEWED_AFTER:
            return known[0]
        await sessions.remove_signing_keys(tx, Instant(now - _RENEWED_AFTER - keep))
        return await fresh_key(tx, new_id, now)

    async def read(self, store: Store, token: str) -> Signed:
        """What a token says. Raises Unauthorized when it is no token that this installation has signed."""
        if len(token) > _LONGEST_TOKEN:
            raise Unauthorized("too long")
        try:
            header = jwt.get_unverified_header(token)
            key_id = from_wire(str(header.get("kid", "")))
            secret = await self._secret(store, key_id) if key_id else None
            if secret is None or key_id is None or header.get("typ") != _TYPE:
                raise Unauthorized("unknown key")
            claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options=_OPTIONS)
            return Signed(msgspec.convert(claims, Claims), key_id)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError) as error:
            raise Unauthorized("not ours") from error

    async def _secret(self, store: Store, key_id: Id) -> bytes | None:
        if key_id not in self._secrets:
            async with store.reading() as tx:
                self._secrets = {each.id: each.secret for each in await sessions.signing_keys(tx)}
        return self._secrets.get(key_id)


def sign(key: StoredKey, claims: Claims) -> str:
    """Claims as a token."""
    return jwt.encode(
        msgspec.structs.asdict(claims),
        key.secret,
        algorithm=ALGORITHM,
        headers={"kid": to_wire(key.id), "typ": _TYPE},
    )


async def fresh_key(tx: Transaction, new_id: NewId, now: Instant) -> StoredKey:
    """A new key, which signs from now on."""
    made = SigningKey(
        account_id=INSTALLATION,
        id=new_id(),
        created_at=now,
        updated_at=now,
        secret=secrets.token_bytes(_SECRET_BYTES),
    )
    await rows.insert(tx, made)
    return StoredKey(made.id, made.secret, now)


async def rotate(store: Store, clock: Clock, new_id: NewId, *, revoke: bool = False) -> None:
    """Sign with a new key from now on; with `revoke`, all that was signed before is refused at once."""
    async with store.writing() as tx:
        if revoke:
            await sessions.remove_signing_keys(tx, Instant(clock.now() + 1))
        await fresh_key(tx, new_id, clock.now())
