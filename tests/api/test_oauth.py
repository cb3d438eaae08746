"""Bearer tokens: how they are had, what they open, and what ends them (wire contract 8)."""

import base64
import json
from typing import Any

import httpx
import jwt
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from api.conftest import Shared
from api_client import START, Client, StandingClock
from opengage.api.oauth import PATHS
from opengage.clock import SECOND, Instant
from opengage.domain.records import Account, ApiToken, Membership, Session, SigningKey
from opengage.ids import new_id, to_wire
from opengage.operations import passwords, signing
from opengage.operations.actors import Actor
from opengage.operations.passwords import Passwords
from opengage.operations.sessions import Lifetimes, Sessions
from opengage.store import rows, tables
from opengage.store.sqlite import SqliteStore

EMAIL, PASSWORD = "Ann@Example.org", "correct horse battery"


@pytest.fixture
def shared() -> Shared:
    """An application of its own: what it remembers of guesses must not meet the next test."""
    return Shared()


async def ask(client: Client, path: str = "/identity/v1/oauth2/tokens", **form: str) -> httpx.Response:
    """A form, without any other credentials."""
    headers = {name[2:].replace("_", "-"): form.pop(name) for name in list(form) if name.startswith("h_")}
    return await client.http.post(path, data=form, headers=headers)


async def by_token(client: Client) -> Any:
    """What the account's API token is exchanged for."""
    account = client.account
    answer = await ask(
        client, grant_type="client_credentials", client_id=account.token_key, client_secret=account.token_secret
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def by_password(client: Client, **more: str) -> httpx.Response:
    """A login."""
    return await ask(client, **({"grant_type": "password", "username": EMAIL, "password": PASSWORD} | more))


async def reads(client: Client, token: str, **headers: str) -> int:
    """The status of a read with a bearer token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.http.get("/api/v1/engagements", headers={"Authorization": f"Bearer {token}"} | named)
    return answer.status_code


def sessions(store: SqliteStore, clock: StandingClock) -> Sessions:
    """The operations by themselves."""
    return Sessions(store, clock, new_id, Lifetimes(3600 * SECOND, 86_400 * SECOND), "test")


async def with_password(client: Client, store: SqliteStore, clock: StandingClock, password: str = PASSWORD) -> None:
    """Let the account's owner log in."""
    async with store.reading() as tx:
        account = await rows.first(tx, Account, key=client.account.account_key)
    assert account is not None
    owner = Actor(account.account_id, account.key, client.account.membership_id, "owner")
    await sessions(store, clock).let_log_in(owner, client.account.membership_id, EMAIL, password)


@pytest.mark.parametrize("path", PATHS)
async def test_the_recorded_answer(client: Client, path: str) -> None:
    """The members on record, under both addresses; never cached."""
    account = client.account
    form = {"grant_type": "client_credentials", "client_id": account.token_key, "client_secret": account.token_secret}
    answer = await ask(client, f"{path}/tokens", **form)
    assert list(answer.json()) == ["access_token", "token_type", "expires_in", "refresh_token"]
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["cache-control"] == "no-store"
    assert await reads(client, answer.json()["access_token"]) == 200


async def test_the_header_serves_as_well(client: Client) -> None:
    """RFC 6749 section 2.3.1: key and secret as Basic."""
    answer = await ask(client, grant_type="client_credentials", h_authorization=client.headers["Authorization"])
    assert await reads(client, answer.json()["access_token"]) == 200


async def test_a_login(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """E-mail in any case and the password; only Argon2id is stored."""
    await with_password(client, store, clock)
    answer = await by_password(client, username=EMAIL.upper())
    assert await reads(client, answer.json()["access_token"]) == 200
    async with store.reading() as tx:
        member = await rows.first(tx, Membership, account_id=1)
    assert member is not None
    assert str(member.password_hash).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_refused_grants_look_alike(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """400 invalid_grant for a wrong password, an unknown address, an inactive member: the same bytes."""
    await with_password(client, store, clock)
    answers = [
        await by_password(client, password=PASSWORD + "x"),
        await by_password(client, username="nobody@example.org"),
        await by_password(client, username="no address"),
        await by_password(client, h_x_account_key="otherbank"),
        await ask(client, grant_type="refresh_token", refresh_token="x"),
    ]
    await change(store, Membership, is_active=False)
    answers.append(await by_password(client))
    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(400, "invalid_grant")}
    assert len({answer.content for answer in answers}) == 1


async def test_nobody_s_password_takes_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without a membership costs one try too, at the same parameters."""
    tried: list[str] = []
    monkeypatch.setattr(passwords, "_fits", lambda _, each: tried.append(each))
    await Passwords().matching("x", [])
    assert tried == [passwords.NOBODY]
    assert not passwords.is_outdated(passwords.NOBODY)


async def test_guesses_are_slowed_down(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """After ten wrong ones, 429 and when to come back; right ones do not count."""
    await with_password(client, store, clock)
    for _ in range(3):
        assert (await by_password(client)).status_code == 200
    answers = [await by_password(client, password="x") for _ in range(14)]
    assert {answer.status_code for answer in answers[:9]} == {400}
    slowed = [answer for answer in answers if answer.status_code == 429]
    assert slowed
    assert slowed[0].json()["error"] == "slow_down"
    assert int(slowed[0].headers["retry-after"]) >= 1


async def test_hashes_grow_stronger_at_login(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """A hash of weaker parameters is replaced by one of today's, and the password still fits."""
    await with_password(client, store, clock)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    await change(store, Membership, password_hash=weak)
    assert (await by_password(client)).status_code == 200
    async with store.reading() as tx:
        member = await rows.first(tx, Membership, account_id=1)
    assert member is not None
    assert not passwords.is_outdated(str(member.password_hash))
    assert (await by_password(client)).status_code == 200


async def test_one_login_for_several_accounts(
    client: Client, other: Client, store: SqliteStore, clock: StandingClock
) -> None:
    """With the same password in two, X-Account-Key chooses, and must; a third account stays shut."""
    await with_password(client, store, clock)
    await with_password(other, store, clock)
    token = (await by_password(client)).json()["access_token"]
    assert await reads(client, token) == 401
    assert await reads(client, token, x_account_key="nobody") == 401
    made = {}
    for key in ("firstbank", "otherbank"):
        headers = {"Authorization": f"Bearer {token}", "X-Account-Key": key}
        document = {"data": {"type": "engagements", "attributes": {"name": key}}}
        answer = await client.http.post("/api/v1/engagements", json=document, headers=headers)
        assert answer.status_code == 201
        made[key] = answer.json()["data"]["id"]
    assert (await client.get(f"/engagements/{made['otherbank']}")).status_code == 404
    assert (await other.get(f"/engagements/{made['otherbank']}")).status_code == 200


async def test_a_password_opens_only_its_own_accounts(
    client: Client, other: Client, store: SqliteStore, clock: StandingClock
) -> None:
    """The same address with another password in another account: that account is not reached."""
    await with_password(client, store, clock)
    await with_password(other, store, clock, "quite another password")
    token = (await by_password(client)).json()["access_token"]
    assert await reads(client, token) == 200
    assert await reads(client, token, x_account_key="otherbank") == 401
    narrowed = await by_password(client, password="quite another password", h_x_account_key="otherbank")
    assert await reads(client, narrowed.json()["access_token"], x_account_key="otherbank") == 200


async def change(store: SqliteStore, record: Any, **fields: Any) -> None:
    """Change the first account's record of this kind."""
    async with store.writing() as tx:
        found: Any = await rows.first(tx, record, account_id=1)
        await rows.change(tx, found, **fields)


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (ApiToken, {"revoked_at": 1}),
        (ApiToken, {"expires_at": 1}),
        (Membership, {"is_active": False}),
        (Account, {"is_active": False}),
        (Session, {"revoked_at": 1}),
    ],
)
async def test_what_ends_it(client: Client, store: SqliteStore, record: Any, fields: dict[str, Any]) -> None:
    """Whatever ends the session, its API token, member or account: on the next request, and for refreshing too."""
    issued = await by_token(client)
    assert await reads(client, issued["access_token"]) == 200
    await change(store, record, **fields)
    assert await reads(client, issued["access_token"]) == 401
    answer = await ask(client, grant_type="refresh_token", refresh_token=issued["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_time_ends_it(client: Client, clock: StandingClock) -> None:
    """An access token after its hour, a refresh token after its month."""
    issued = await by_token(client)
    clock.instant = Instant(START + 3599 * SECOND)
    assert await reads(client, issued["access_token"]) == 200
    clock.instant = Instant(START + 3600 * SECOND)
    assert await reads(client, issued["access_token"]) == 401
    clock.instant = Instant(START + 31 * 86_400 * SECOND)
    assert (await ask(client, grant_type="refresh_token", refresh_token=issued["refresh_token"])).status_code == 400


async def test_refreshing(client: Client, clock: StandingClock) -> None:
    """A new pair; the old refresh token may be sent again for a minute, since the answer may have been lost."""
    first = await by_token(client)
    clock.instant = Instant(START + 3600 * SECOND)
    second = (await ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])).json()
    assert await reads(client, second["access_token"]) == 200
    again = await ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again.status_code == 200
    assert await reads(client, again.json()["access_token"]) == 200


async def test_a_spent_refresh_token_ends_the_session(client: Client, clock: StandingClock) -> None:
    """Later than that somebody else has it: both holders must log in again (RFC 9700 section 4.14)."""
    first = await by_token(client)
    second = (await ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])).json()
    clock.instant = Instant(START + 61 * SECOND)
    assert (await ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])).status_code == 400
    assert await reads(client, second["access_token"]) == 401
    assert (await ask(client, grant_type="refresh_token", refresh_token=second["refresh_token"])).status_code == 400


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
async def test_revoking(client: Client, name: str) -> None:
    """Either token ends the session; what is unknown is ended already (RFC 7009)."""
    issued, kept = await by_token(client), await by_token(client)
    for path in PATHS:
        answer = await ask(client, f"{path}/revoke", token=issued[name], token_type_hint=name)
        assert (answer.status_code, answer.json()) == (200, {})
    assert await reads(client, issued["access_token"]) == 401
    assert await reads(client, kept["access_token"]) == 200
    assert (await ask(client, f"{PATHS[0]}/revoke", token="unknown")).status_code == 200
    assert (await ask(client, f"{PATHS[0]}/revoke")).json()["error"] == "invalid_request"


async def test_a_new_password_ends_the_sessions(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """Whoever had the old one is out."""
    await with_password(client, store, clock)
    token = (await by_password(client)).json()["access_token"]
    await with_password(client, store, clock, "a new and better one")
    assert await reads(client, token) == 401
    assert (await by_password(client)).status_code == 400


async def _key(store: SqliteStore) -> SigningKey:
    async with store.reading() as tx:
        found = await rows.first(tx, SigningKey, account_id=0)
    assert found is not None
    return found


async def _resigned(store: SqliteStore, issued: Any, **changes: Any) -> str:
    """The access token with other claims or headers, signed with the real key."""
    key = await _key(store)
    claims = jwt.decode(issued["access_token"], options={"verify_signature": False})
    headers = {"kid": to_wire(key.id), "typ": "at+jwt"} | changes.pop("headers", {})
    algorithm, secret = changes.pop("algorithm", "HS256"), changes.pop("secret", key.secret)
    return jwt.encode(claims | changes, secret, algorithm=algorithm, headers=headers)


async def test_forgeries(client: Client, other: Client, store: SqliteStore) -> None:
    """Another algorithm, none, another key, another use, a session that is not: 401, in the words of all."""
    issued = await by_token(client)
    header, payload, signature = issued["access_token"].split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).decode().rstrip("=")
    forged = [
        "",
        "x",
        "a.b.c",
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        issued["refresh_token"],
        "x" * 10_000,
        await _resigned(store, issued, secret=b"another secret of thirty-two byt"),
        await _resigned(store, issued, algorithm="HS512", secret=b"another secret of thirty-two byt" * 2),
        await _resigned(store, issued, headers={"kid": to_wire(new_id())}),
        await _resigned(store, issued, headers={"kid": "../../etc"}),
        await _resigned(store, issued, headers={"typ": "JWT"}),
        await _resigned(store, issued, sid="guessed"),
        await _resigned(store, issued, accounts=["otherbank"]),
        await _resigned(store, issued, accounts="firstbank"),
        await _resigned(store, issued, gen="x"),
        await _resigned(store, issued, exp=None),
        await _resigned(store, issued, exp=1),
    ]
    answers = [
        await client.http.get("/api/v1/engagements", headers={"Authorization": f"Bearer {token}"}) for token in forged
    ]
    assert [answer.status_code for answer in answers] == [401] * len(forged)
    assert len({answer.content for answer in answers}) == 1
    assert await reads(client, await _resigned(store, issued)) == 200


async def test_a_dump_of_the_database_opens_nothing(client: Client, store: SqliteStore) -> None:
    """The signing key is there, but a token also needs the session's secret, of which only a hash is."""
    issued = await by_token(client)
    claims = jwt.decode(issued["access_token"], options={"verify_signature": False})
    async with store.reading() as tx:
        stored = await rows.every(tx, Session, account_id=1)
        dump = repr([await tx.rows(sa.select(table)) for table in tables.metadata.sorted_tables])
    for secret in (claims["sid"], client.account.token_secret, issued["access_token"], issued["refresh_token"]):
        assert secret not in dump
    for guess in (to_wire(stored[0].id), stored[0].id.hex()):
        assert await reads(client, await _resigned(store, issued, sid=guess)) == 401


async def test_all_servers_share_the_keys(client: Client, store: SqliteStore, settings: Any) -> None:
    """What one node of a database has signed, another one knows, and after a renewal both keys count."""
    issued = await by_token(client)
    clock: Any = StandingClock()
    there = sessions(store, clock)
    assert (await there.authenticate(issued["access_token"], None)).account_key == "firstbank"
    await signing.rotate(store, clock, new_id)
    renewed = await by_token(client)
    kids = {jwt.get_unverified_header(each["access_token"])["kid"] for each in (issued, renewed)}
    assert len(kids) == 2
    for each in (issued, renewed):
        assert (await there.authenticate(each["access_token"], None)).membership_id == client.account.membership_id


async def test_keys_renew_themselves(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """After a month a new one signs; the old one goes when all that it signed has ended."""
    await by_token(client)
    for days, left in ((31, 2), (62, 2), (93, 2)):
        clock.instant = Instant(START + days * 86_400 * SECOND)
        await by_token(client)
        async with store.reading() as tx:
            assert len(await rows.every(tx, SigningKey, account_id=0)) == left, days


async def test_revoking_the_keys(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """Everything that was signed is refused on the next request, wherever its key is still remembered."""
    issued = await by_token(client)
    assert await reads(client, issued["access_token"]) == 200
    await signing.rotate(store, clock, new_id, revoke=True)
    assert await reads(client, issued["access_token"]) == 401
    assert await reads(client, (await by_token(client))["access_token"]) == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"grant_type": "password", "username": "a@b.example"}, "invalid_request"),
        ({"grant_type": "password", "username": "a@b.example", "password": "\x00"}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_client"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "é"}, "invalid_grant"),
    ],
)
async def test_oauth_s_own_errors(client: Client, form: dict[str, str], error: str) -> None:
    """400 with `error` and what to do in `error_description`."""
    answer = await ask(client, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["error_description"].endswith(".")


async def test_a_wrong_header_is_challenged(client: Client) -> None:
    """401 where the client used the header (RFC 6749 section 5.2)."""
    for value in ("Basic eDp5", "Basic !"):
        answer = await ask(client, grant_type="client_credentials", h_authorization=value)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {"Content-Type": "application/json"}),
        (b"a=1&a=2", {}),
        (b"\xff=\xfe", {}),
        (b"&".join(b"a%d=1" % number for number in range(40)), {}),
        (b"grant_type=password&username=a&password=" + b"x" * 70_000, {}),
        (b"\x1f\x8b" + b"\0" * 100, {"Content-Encoding": "gzip"}),
    ],
)
async def test_hostile_forms(client: Client, body: bytes, headers: dict[str, str]) -> None:
    """400 in OAuth's words, never a failure."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    for path in PATHS:
        for verb in ("tokens", "revoke"):
            answer = await client.http.post(f"{path}/{verb}", content=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def login(email: str = EMAIL, password: str = PASSWORD) -> Any:
    """The document that lets a member log in."""
    return {"data": {"type": "logins", "attributes": {"email": email, "password": password}}}


async def test_an_owner_lets_members_log_in(client: Client, store: SqliteStore) -> None:
    """By PUT, again and again; nothing of it is answered."""
    address = f"/api/v1/memberships/{to_wire(client.account.membership_id)}/login"
    for _ in range(2):
        answer = await client.send("PUT", address, login())
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await by_password(client)).status_code == 200


async def test_one_address_is_one_member_s(client: Client, store: SqliteStore) -> None:
    """Two members of an account cannot share it: who logs in must be one of them."""
    await client.send("PUT", f"/api/v1/memberships/{to_wire(client.account.membership_id)}/login", login())
    now = Instant(1)
    ben = Membership(account_id=1, id=new_id(), created_at=now, updated_at=now, name="Ben", role="sender")
    async with store.writing() as tx:
        await rows.insert(tx, ben)
    answer = await client.send("PUT", f"/api/v1/memberships/{to_wire(ben.id)}/login", login())
    assert (answer.status_code, answer.json()["errors"][0]["source"]) == (400, {"pointer": "/data/attributes/email"})


async def test_a_login_that_cannot_be(client: Client) -> None:
    """Each fault is told where it stands; no password is repeated."""
    address = f"/api/v1/memberships/{to_wire(client.account.membership_id)}/login"
    answer = await client.send("PUT", address, login("ann", "short"))
    assert answer.status_code == 400
    assert [error["source"]["pointer"] for error in answer.json()["errors"]] == [
        "/data/attributes/email",
        "/data/attributes/password",
    ]
    assert "short" not in answer.text


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.text(st.characters(codec="latin-1"), max_size=60), place=st.integers(0, 400))
async def test_no_token_makes_it_fail(client: Client, token: str, place: int) -> None:
    """Whatever stands there, or in place of a part of a good one, is refused like any other."""
    if not ISSUED:
        ISSUED.append((await by_token(client))["access_token"])
    for value in (token, ISSUED[0][:place] + token + ISSUED[0][place + 1 :]):
        headers = httpx.Headers([("Authorization", f"Bearer {value}")], encoding="latin-1")
        assert (await client.http.get("/api/v1/engagements", headers=headers)).status_code in (200, 401)


ISSUED: list[str] = []
"""One good token, to be spoilt in many ways."""
