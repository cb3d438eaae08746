"""Sessions and signing keys: what one statement tells of them, and what it takes to move them."""

from typing import Any

import msgspec
import pytest

from opengage.clock import Instant
from opengage.domain.records import Account, ApiToken, Membership, Session, SigningKey
from opengage.ids import Id
from opengage.store import rows, sessions
from opengage.store.contract import Store
from opengage.store.sessions import Held
from store.samples import ACCOUNT, NOW, OTHER_ACCOUNT, id_of

SID, KEY_ID, MEMBER, TOKEN = id_of(70), id_of(71), id_of(72), id_of(73)
BASE: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
LATER = Instant(NOW + 1000)


@pytest.fixture
async def filled(store: Store) -> Store:
    """Two accounts with a member, a token and a session each, under one session id."""
    async with store.writing() as tx:
        await rows.insert(tx, SigningKey(account_id=0, id=KEY_ID, secret=b"s" * 32, **BASE))
        for account_id, key in ((ACCOUNT, "firstbank"), (OTHER_ACCOUNT, "otherbank")):
            common = BASE | {"account_id": account_id}
            await rows.insert(tx, Account(**common, id=id_of(account_id), key=key, name=key))
            await rows.insert(
                tx, Membership(**common, id=MEMBER, name="Ann", role="owner", email="a@b.example", password_hash="h")
            )
            await rows.insert(tx, ApiToken(**common, id=TOKEN, membership_id=MEMBER, key=key, secret_hash=bytes(32)))
            await rows.insert(
                tx, Session(**common, id=SID, membership_id=MEMBER, api_token_id=TOKEN, generation=3, expires_at=LATER)
            )
    return store


async def held(store: Store, account_key: str = "firstbank", sid: Id = SID, key_id: Id = KEY_ID) -> Held | None:
    """The session as a request would find it."""
    async with store.reading() as tx:
        return await sessions.held(tx, account_key, sid, key_id)


async def change(store: Store, record: Any, **fields: Any) -> None:
    """Change the first account's record of this kind."""
    async with store.writing() as tx:
        found: Any = await rows.first(tx, record, account_id=0 if record is SigningKey else ACCOUNT)
        await rows.change(tx, found, **fields)


async def test_a_session_is_found_whole(filled: Store) -> None:
    """With its member, account and token; by account, session and signing key alone."""
    found = await held(filled)
    assert found == Held(ACCOUNT, "firstbank", MEMBER, "owner", 3, LATER, NOW, None, None, None)
    assert found.is_good(NOW)
    assert not found.is_good(LATER)
    assert await held(filled, "nobody") is None
    assert await held(filled, sid=id_of(9)) is None
    assert await held(filled, key_id=id_of(9)) is None


@pytest.mark.parametrize(
    ("record", "fields"),
    [(Membership, {"is_active": False}), (Account, {"is_active": False}), (SigningKey, {"id": id_of(8)})],
)
async def test_what_takes_it_away(filled: Store, record: Any, fields: dict[str, Any]) -> None:
    """An inactive member or account, a signing key that is gone; the other account's session stays, but for the key."""
    await change(filled, record, **fields)
    assert await held(filled) is None
    assert (await held(filled, "otherbank") is None) == (record is SigningKey)


@pytest.mark.parametrize(
    ("record", "fields"), [(Session, {"revoked_at": 1}), (ApiToken, {"revoked_at": 1}), (ApiToken, {"expires_at": NOW})]
)
async def test_what_makes_it_bad(filled: Store, record: Any, fields: dict[str, Any]) -> None:
    """Revoked by itself, or ended with the token that opened it."""
    await change(filled, record, **fields)
    found = await held(filled)
    assert found is not None
    assert not found.is_good(NOW)


async def test_renewing(filled: Store) -> None:
    """From one generation to the next, once."""
    async with filled.writing() as tx:
        assert await sessions.renew(tx, ACCOUNT, SID, 3, 4, Instant(LATER + 1), NOW)
        assert not await sessions.renew(tx, ACCOUNT, SID, 3, 4, Instant(LATER + 1), NOW)
    found = await held(filled)
    assert found is not None
    assert (found.generation, found.expires_at) == (4, LATER + 1)


async def test_ending(filled: Store) -> None:
    """One account's, or all of one member; what has ended is not renewed."""
    async with filled.writing() as tx:
        await sessions.end(tx, "otherbank", SID, NOW)
        assert not await sessions.renew(tx, OTHER_ACCOUNT, SID, 3, 4, LATER, NOW)
    there, here = await held(filled, "otherbank"), await held(filled)
    assert there is not None
    assert here is not None
    assert (there.revoked_at, here.revoked_at) == (NOW, None)
    async with filled.writing() as tx:
        await sessions.end_all(tx, ACCOUNT, MEMBER, NOW)
    here = await held(filled)
    assert here is not None
    assert here.revoked_at == NOW


async def test_what_has_ended_by_itself_goes(filled: Store) -> None:
    """From the account that opens another."""
    async with filled.writing() as tx:
        await sessions.purge(tx, ACCOUNT, Instant(LATER + 1))
    assert await held(filled) is None
    assert await held(filled, "otherbank") is not None


async def test_logins(filled: Store) -> None:
    """Every active membership with the address and a password, in active accounts."""
    async with filled.reading() as tx:
        found = await sessions.logins(tx, "a@b.example")
        assert await sessions.logins(tx, "A@b.example") == []
    assert sorted(each.account_key for each in found) == ["firstbank", "otherbank"]
    await change(filled, Account, is_active=False)
    async with filled.reading() as tx:
        assert [each.account_key for each in await sessions.logins(tx, "a@b.example")] == ["otherbank"]
    await change(filled, Membership, password_hash=None)
    async with filled.reading() as tx:
        assert len(await sessions.logins(tx, "a@b.example")) == 1


async def test_signing_keys(filled: Store) -> None:
    """The newest first; old ones can be removed."""
    newer = SigningKey(account_id=0, id=id_of(80), secret=b"t" * 32, created_at=LATER, updated_at=LATER)
    async with filled.writing() as tx:
        await rows.insert(tx, newer)
        assert [each.id for each in await sessions.signing_keys(tx)] == [newer.id, KEY_ID]
        await sessions.remove_signing_keys(tx, LATER)
        assert [each.id for each in await sessions.signing_keys(tx)] == [newer.id]


async def test_a_locked_read(filled: Store) -> None:
    """Finds the same record; on SQLite a writer is alone anyway."""
    async with filled.writing() as tx:
        locked = await rows.find(tx, Membership, ACCOUNT, MEMBER, lock=True)
        assert locked == await rows.find(tx, Membership, ACCOUNT, MEMBER)
        assert locked is not None
        assert msgspec.structs.asdict(locked)["email"] == "a@b.example"
        assert await rows.find(tx, Membership, ACCOUNT, id_of(99), lock=True) is None
