"""New tenants: what they get, what is refused, and that their secret is not kept."""

import re
from pathlib import Path
from typing import Any

import pytest

from api_client import NUMBER, StandingClock
from opengage.carriers.smpp import RefForm
from opengage.domain.errors import Invalid, Unauthorized
from opengage.domain.records import ApiToken, PhoneNumber, ServiceProfile
from opengage.ids import new_id
from opengage.operations.accounts import Created, create_account
from opengage.operations.credentials import authenticate
from opengage.operations.smsc_address import ID_FORMS
from opengage.store import rows
from opengage.store.sqlite import SqliteStore


async def make(store: SqliteStore, clock: StandingClock, key: str = "firstbank", **changes: Any) -> Created:
    """An account, with all that a test does not care about."""
    return await create_account(store, clock, new_id, **{"key": key, "phone_number": NUMBER} | changes)


def everything(folder: Path) -> bytes:
    """The bytes of every file: the database and its write-ahead log."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_the_token_speaks_for_its_account(store: SqliteStore, clock: StandingClock) -> None:
    """Key and secret authenticate as the owner; each account has a number of its own."""
    first, second = await make(store, clock), await make(store, clock, "otherbank")
    for made, account_id in ((first, 1), (second, 2)):
        actor = await authenticate(store, clock, made.token_key, made.token_secret)
        assert (actor.account_id, actor.account_key, actor.role) == (account_id, made.account_key, "owner")
        assert actor.membership_id == made.membership_id
    with pytest.raises(Unauthorized):
        await authenticate(store, clock, first.token_key, second.token_secret)


async def test_tokens_are_long_and_recognisable(store: SqliteStore, clock: StandingClock) -> None:
    """A key of 22 characters, a prefixed secret of 192 bits; no two alike."""
    first, second = await make(store, clock), await make(store, clock, "otherbank")
    assert len(first.token_key) == 22
    assert re.fullmatch(r"ogs_[\w-]{32}", first.token_secret)
    assert first.token_secret != second.token_secret


async def test_the_secret_is_not_kept(store: SqliteStore, clock: StandingClock, tmp_path: Path) -> None:
    """Only its hash is in the database's files."""
    made = await make(store, clock)
    async with store.reading() as tx:
        token = await rows.first(tx, ApiToken, key=made.token_key)
    assert token is not None
    assert len(token.secret_hash) == 32
    kept = everything(tmp_path)
    assert made.token_key.encode() in kept
    assert made.token_secret.encode() not in kept


async def test_sandbox_and_smsc(store: SqliteStore, clock: StandingClock) -> None:
    """Without an SMSC the number is on the sandbox; with one, its password is kept apart from its address."""
    sandbox = await make(store, clock)
    other = await make(store, clock, "otherbank", smsc="smpp://me:p%40ss@smsc.example.org:2776", rate=5.0)
    async with store.reading() as tx:
        profiles = [await rows.first(tx, ServiceProfile, id=made.service_profile_id) for made in (sandbox, other)]
        number = await rows.first(tx, PhoneNumber, id=other.phone_number_id)
    assert [profile and (profile.kind, profile.url, profile.password) for profile in profiles] == [
        ("sandbox", None, None),
        ("smpp", "smpp://me@smsc.example.org:2776", "p@ss"),
    ]
    assert number is not None
    assert (number.phone_number, number.rate) == (NUMBER, 5.0)


@pytest.mark.parametrize("form", RefForm)
async def test_the_form_of_the_networks_ids(store: SqliteStore, clock: StandingClock, form: RefForm) -> None:
    """It is kept with the address, for every form that the carrier knows."""
    made = await make(store, clock, smsc=f"smpp://me:x@example.org?ids={form}")
    async with store.reading() as tx:
        profile = await rows.first(tx, ServiceProfile, id=made.service_profile_id)
    assert profile is not None
    assert profile.url == f"smpp://me@example.org:2775?ids={form}"
    assert set(ID_FORMS) == set(RefForm)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ""},
        {"key": "First Bank"},
        {"key": "-x"},
        {"key": "x" * 64},
        {"key": "bank\n"},
        {"phone_number": "12"},
        {"smsc": "http://example.org"},
        {"smsc": "smpp://nobody-named.example.org"},
        {"smsc": "smpp://me:x@example.org:port"},
        {"smsc": "smpp://sixteen-letters-:x@example.org"},
        {"smsc": "smpp://me:nineteen-letters-@example.org"},
        {"smsc": "smpp://me:x@example.org:0"},
        {"smsc": "smpp://me:x@example org"},
        {"smsc": "smpp://me:x@" + "h" * 254},
        {"smsc": "smpp://m%00e:x@example.org"},
        {"smsc": "smpp://m\u00e9:x@example.org"},
        {"smsc": "smpp://me:%ff@example.org"},
        {"name": "\udcff"},
        {"name": "two\nlines"},
        {"name": "n" * 256},
        {"smsc": "smpp://me:x@example.org?ids=octal"},
        {"smsc": "smpp://me:x@example.org?ids"},
        {"smsc": "smpp://me:x@example.org?colour=red"},
        {"rate": 0.0},
        {"rate": float("nan")},
    ],
)
async def test_refused(store: SqliteStore, clock: StandingClock, changes: dict[str, Any]) -> None:
    """Each with words on how to mend it."""
    with pytest.raises(Invalid, match=r"\."):
        await make(store, clock, **changes)
    assert await make(store, clock)


async def test_every_problem_is_told(store: SqliteStore, clock: StandingClock) -> None:
    """At once."""
    with pytest.raises(Invalid) as caught:
        await make(store, clock, "No Slug", phone_number="x", smsc="x", rate=-1.0)
    assert len(caught.value.problems) == 4


async def test_a_key_is_taken_once(store: SqliteStore, clock: StandingClock) -> None:
    """The second account of a name is refused and leaves nothing."""
    await make(store, clock)
    with pytest.raises(Invalid, match="exists already"):
        await make(store, clock, phone_number="+12025550101")
    async with store.reading() as tx:
        assert len(await rows.every(tx, PhoneNumber)) == 1
