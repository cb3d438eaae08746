"""Secrets that the database holds for others: carriers' passwords and webhooks' signing secrets, sealed.

Beside a text's path. What an earlier version left in the clear, or an old key has sealed, is sealed anew when a worker
starts; a value that changed meanwhile is left alone, since whoever wrote it has sealed it.
"""

from typing import Final

import msgspec
import sqlalchemy as sa

from opengage import logs
from opengage.domain.records import ServiceProfile, WebhookEndpoint
from opengage.ids import Id, to_wire
from opengage.operations.webhook_endpoints import purpose as endpoint_purpose
from opengage.sealing import Sealer, Unsealable, is_sealed
from opengage.store import pseudonyms, rows, tables
from opengage.store.contract import Store, Transaction


def _replace(table: sa.Table, column: str) -> sa.Update:
    return (
        sa.update(table)
        .where(
            table.c.account_id == sa.bindparam("key_account_id"),
            table.c.id == sa.bindparam("key_id"),
            table.c[column] == sa.bindparam("before"),
        )
        .values({column: sa.bindparam("sealed")})
    )


log = logs.get(__name__)

_REPLACE: Final = {
    "password": _replace(tables.service_profiles, "password"),
    "secret": _replace(tables.webhook_endpoints, "secret"),
    "previous_secret": _replace(tables.webhook_endpoints, "previous_secret"),
}
"""Every column that holds such a secret."""


_KEYS: Final = sa.select(tables.account_keys.c.account_id, tables.account_keys.c.value).where(
    tables.account_keys.c.purpose == pseudonyms.PURPOSE
)
_REPLACE_KEY: Final = (
    sa.update(tables.account_keys)
    .where(
        tables.account_keys.c.account_id == sa.bindparam("key_account_id"),
        tables.account_keys.c.purpose == pseudonyms.PURPOSE,
        tables.account_keys.c.value == sa.bindparam("before"),
    )
    .values(value=sa.bindparam("sealed"))
)


class _Held(msgspec.Struct, frozen=True):
    """A secret where it lies."""

    record: ServiceProfile | WebhookEndpoint
    column: str
    purpose: str

    @property
    def value(self) -> str | None:
        """What is stored."""
        stored: str | None = getattr(self.record, self.column)
        return stored


def seal_password(sealer: Sealer, profile_id: Id, password: str) -> str:
    """A carrier's password as it may be stored in this service profile."""
    return sealer.seal(password, password_purpose(profile_id))


def password_of(sealer: Sealer, profile: ServiceProfile) -> str | None:
    """The password that a service profile holds; one in the clear as it is. Raises Unsealable."""
    if profile.password is None or not is_sealed(profile.password):
        return profile.password
    return sealer.open(profile.password, password_purpose(profile.id))


def password_purpose(profile_id: Id) -> str:
    """What a carrier's password is sealed for."""
    return f"service-profile:{to_wire(profile_id)}"


async def seal_stored(store: Store, sealer: Sealer) -> int:
    """Seal with the current key whatever is not; how many secrets that were.

    What no key here opens is left as it is, and said in the log.
    """
    async with store.reading() as tx:
        held = [_Held(each, "password", password_purpose(each.id)) for each in await rows.every(tx, ServiceProfile)]
        for endpoint in await rows.every(tx, WebhookEndpoint):
            held += [_Held(endpoint, column, endpoint_purpose(endpoint.id)) for column in ("secret", "previous_secret")]
        keys = [(int(account_id), bytes(value).decode()) for account_id, value in await tx.rows(_KEYS)]
    todo = [each for each in held if each.value is not None and not sealer.is_current(each.value)]
    old_keys = [each for each in keys if not sealer.is_current(each[1])]
    if not todo and not old_keys:
        return 0
    async with store.writing() as tx:
        sealed = [await _seal(tx, sealer, each) for each in todo]
        sealed += [await _seal_key(tx, sealer, *each) for each in old_keys]
    if any(sealed):
        log.info("stored secrets are sealed with the current key", action="seal", count=sum(sealed))
    return sum(sealed)


async def _seal_key(tx: Transaction, sealer: Sealer, account_id: int, value: str) -> int:
    """The key of an account's pseudonyms: it stays the same, or nothing that stands under one would be found again."""
    purpose = pseudonyms.purpose(account_id)
    try:
        sealed = sealer.seal(sealer.open(value, purpose), purpose)
    except Unsealable as error:
        log.error("a key of pseudonyms cannot be opened", action="seal", account=account_id, error=str(error))
        return 0
    return await tx.run(_REPLACE_KEY, key_account_id=account_id, before=value.encode(), sealed=sealed.encode())


async def _seal(tx: Transaction, sealer: Sealer, held: _Held) -> int:
    value = held.value or ""
    try:
        secret = sealer.open(value, held.purpose) if is_sealed(value) else value
    except Unsealable as error:
        log.error(
            "a stored secret cannot be opened", action="seal", record_id=to_wire(held.record.id), error=str(error)
        )
        return 0
    return await tx.run(
        _REPLACE[held.column],
        key_account_id=held.record.account_id,
        key_id=held.record.id,
        before=value,
        sealed=sealer.seal(secret, held.purpose),
    )
