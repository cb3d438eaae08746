"""What stands for a phone number that is to be forgotten: the same number always has the same pseudonym, and nobody who
lacks the key gets from one to the other.

Beside a text's path. HMAC-SHA-256 (RFC 2104) under a random key of the account's own, so that two accounts cannot
compare whom they knew. The key lies in `account_keys`, sealed by the key that lies outside the database: every process
of a fleet has the same one, a backup holds it, and a copy of the database alone gives nothing away.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.errors import Unavailable
from opengage.sealing import Sealer, Unsealable
from opengage.store import tables
from opengage.store.contract import Transaction

MARK: Final = "pseudonym:"
"""What every pseudonym begins with, and no phone number. Sorts behind all numbers, which begin with a plus sign."""

PURPOSE: Final = "pseudonyms"
"""The key's place among the keys of an account."""

_BYTES: Final = 20
"""Octets of the hash that are kept: of a billion numbers no two share a pseudonym."""
_KEY_BYTES: Final = 32

_keys: Final = tables.account_keys
_MINE: Final = (_keys.c.account_id == sa.bindparam("account_id"), _keys.c.purpose == PURPOSE)
_READ: Final = sa.select(_keys.c.value).where(*_MINE)
_READ_IF_SUPPRESSED: Final = _READ.where(
    sa.exists().where(
        tables.suppressions.c.account_id == sa.bindparam("account_id"), tables.suppressions.c.phone_number >= MARK
    )
)
# both databases spell it like this; of two that come at once the first one's key stays
_MAKE: Final = sa.text(
    f"INSERT INTO account_keys (account_id, purpose, value) VALUES (:account_id, '{PURPOSE}', :value)"  # noqa: S608
    " ON CONFLICT (account_id, purpose) DO NOTHING"
).bindparams(sa.bindparam("value", type_=sa.LargeBinary))


class Pseudonyms:
    """The pseudonyms of one account."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, number: str) -> str:
        """What stands for a number; a pseudonym stands for itself."""
        if number.startswith(MARK):
            return number
        digest = hmac.digest(self._key, number.encode(), "sha256")[:_BYTES]
        return MARK + base64.b32encode(digest).decode().lower()

    def by_pseudonym(self, numbers: Iterable[str]) -> dict[str, str]:
        """The numbers by what stands for each."""
        return {self.of(number): number for number in numbers}


async def find(tx: Transaction, account_id: int) -> Pseudonyms | None:
    """The account's pseudonyms; None while it has none. Raises Unavailable when their key cannot be opened."""
    return _opened(tx, account_id, await tx.rows(_READ, account_id=account_id))


async def of_suppressed(tx: Transaction, account_id: int) -> Pseudonyms | None:
    """The same, and None too when no suppression of the account stands under a pseudonym: one look at an index."""
    return _opened(tx, account_id, await tx.rows(_READ_IF_SUPPRESSED, account_id=account_id))


async def ensure(tx: Transaction, account_id: int) -> Pseudonyms:
    """The account's pseudonyms, whose key is made when there is none. Raises Unavailable."""
    found = await find(tx, account_id)
    if found is not None:
        return found
    sealed = sealer_of(tx).seal(base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode(), purpose(account_id))
    await tx.run(_MAKE, account_id=account_id, value=sealed.encode())
    made = await find(tx, account_id)
    assert made is not None, "it has just been written"
    return made


def purpose(account_id: int) -> str:
    """What the key of an account is sealed for."""
    return f"pseudonyms:{account_id}"


def _opened(tx: Transaction, account_id: int, found: list[tuple[Any, ...]]) -> Pseudonyms | None:
    """What cannot be opened is refused, not passed over: those who opted out stand behind it."""
    if not found:
        return None
    try:
        return Pseudonyms(base64.b64decode(sealer_of(tx).open(bytes(found[0][0]).decode(), purpose(account_id))))
    except Unsealable as error:
        raise Unavailable(
            "The key of the account's pseudonyms cannot be opened, so nobody can tell who has opted out. Restore the "
            "secret key of its time (secret.key, or OPENGAGE_SECRET_KEY)."
        ) from error


def sealer_of(tx: Transaction) -> Sealer:
    """What opens and seals this database's keys. Raises Unavailable."""
    if tx.seals is None:
        raise Unavailable("Pseudonyms need the secret key, and this process was not given any.")
    return tx.seals()
