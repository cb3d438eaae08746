"""Secrets that the database holds: sealed at the first start, sealed anew after a rotation, opened by their owner."""

import msgspec
import pytest

from api_client import StandingClock
from opengage.domain.callback_urls import Limits
from opengage.domain.records import ServiceProfile, WebhookEndpoint
from opengage.ids import new_id
from opengage.operations import webhook_endpoints
from opengage.operations.accounts import create_account
from opengage.operations.actors import OWNER, Actor
from opengage.operations.sealed_secrets import password_of, seal_password, seal_stored
from opengage.operations.webhook_endpoints import Changes, open_secrets
from opengage.sealing import Sealer, Unsealable, is_sealed
from opengage.store import pseudonyms, rows
from opengage.store.sqlite import SqliteStore

OLD, NEW = Sealer([b"o" * 32]), Sealer([b"n" * 32])
BOTH = Sealer([b"n" * 32, b"o" * 32])


async def profile_of(store: SqliteStore) -> ServiceProfile:
    """The one profile."""
    async with store.reading() as tx:
        found = await rows.first(tx, ServiceProfile, account_id=1)
    assert found
    return found


async def test_clear_passwords_are_sealed_at_the_first_start(store: SqliteStore, clock: StandingClock) -> None:
    """Once; from then on they open with the key alone, for their own profile alone."""
    await create_account(
        store, clock, new_id, key="firstbank", phone_number="+12025550100", smsc="smpp://me:hunter2@smsc.example.org"
    )
    await create_account(store, clock, new_id, key="sandboxed", phone_number="+12025550101")
    clear = await profile_of(store)
    assert password_of(NEW, clear) == "hunter2"
    assert await seal_stored(store, NEW) == 1
    sealed = await profile_of(store)
    assert sealed.password
    assert is_sealed(sealed.password)
    assert password_of(NEW, sealed) == "hunter2"
    assert await seal_stored(store, NEW) == 0
    with pytest.raises(Unsealable):
        password_of(NEW, msgspec.structs.replace(sealed, id=new_id()))


async def test_a_rotation_seals_everything_anew(store: SqliteStore, clock: StandingClock) -> None:
    """With both keys there is a way over; afterwards the old one can go. With the new one alone nothing is touched."""
    made = await create_account(
        store, clock, new_id, key="firstbank", phone_number="+12025550100", smsc="smpp://me:x@smsc.example.org"
    )
    actor = Actor(1, "firstbank", made.membership_id, OWNER)
    changes = Changes(url="https://example.com/")
    told = await webhook_endpoints.create(store, clock, new_id, OLD, Limits(), actor, changes)
    await webhook_endpoints.rotate(store, clock, OLD, actor, told.endpoint.id)
    await seal_stored(store, OLD)
    before = await profile_of(store)
    assert await seal_stored(store, NEW) == 0
    assert await profile_of(store) == before
    assert await seal_stored(store, BOTH) == 3
    assert password_of(NEW, await profile_of(store)) == "x"
    async with store.reading() as tx:
        endpoint = await rows.first(tx, WebhookEndpoint, account_id=1)
    assert endpoint
    assert open_secrets(NEW, endpoint, clock.now())[1] == told.secret


async def test_a_rotation_keeps_the_pseudonyms(store: SqliteStore) -> None:
    """The key is sealed anew and stays the same; one that no key here opens is left as it is."""
    store._seals = lambda: OLD
    async with store.writing() as tx:
        before = (await pseudonyms.ensure(tx, 1)).of("+12025550123")
    assert await seal_stored(store, NEW) == 0
    assert await seal_stored(store, BOTH) == 1
    assert await seal_stored(store, BOTH) == 0
    store._seals = lambda: NEW
    async with store.reading() as tx:
        after = await pseudonyms.find(tx, 1)
    assert after is not None
    assert after.of("+12025550123") == before


def test_a_password_is_sealed_as_it_is_written() -> None:
    """What is stored opens for this profile."""
    id_ = new_id()
    stored = seal_password(NEW, id_, "hunter2")
    profile = ServiceProfile(
        account_id=1, id=id_, created_at=StandingClock().now(), updated_at=StandingClock().now(), name="SMSC",
        kind="smpp", password=stored,
    )  # fmt: skip
    assert "hunter2" not in stored
    assert password_of(NEW, profile) == "hunter2"
