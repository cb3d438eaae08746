"""Who may: credentials, account keys, roles. One answer for every wrong credential."""

import base64
from typing import Any

import pytest

from api_client import Client, StandingClock, resource
from opengage.domain.records import Account, ApiToken, Membership, Record
from opengage.store import rows
from opengage.store.sqlite import SqliteStore


def basic(pair: str) -> dict[str, str]:
    """An Authorization header."""
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def put(store: SqliteStore, record: type[Record], **fields: Any) -> None:
    """Change the first account's record of this kind."""
    async with store.writing() as tx:
        found = await rows.first(tx, record, account_id=1)
        assert found is not None
        await rows.change(tx, found, **fields)


async def test_every_wrong_credential_gets_the_same_answer(client: Client, other: Client) -> None:
    """401 with the scheme to use, whatever is wrong."""
    key, secret = client.account.token_key, client.account.token_secret
    wrong = [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /w=="},
        {"Authorization": f"Bearer {secret}"},
        basic(""),
        basic(":"),
        basic(key),
        basic(f"{key}:"),
        basic(f"{key}:{secret}x"),
        basic(f"{key}:{other.account.token_secret}"),
        basic(f"{key[:-1]}:{secret}"),
        basic(f"{key}:{secret}") | {"X-Account-Key": "otherbank"},
        basic(f"{key}:{secret}") | {"X-Account-Key": "nobody"},
    ]
    answers = [await client.http.get("/api/v1/engagements", headers=headers) for headers in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Basic realm="opengage"'}
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["errors"][0]["code"] == 120


async def test_account_key_is_optional(client: Client) -> None:
    """Absent, empty or the token's own (wire contract 2.2)."""
    for headers in ({}, {"X_Account_Key": "firstbank"}, {"X_Account_Key": ""}):
        assert (await client.get("/engagements", **headers)).status_code == 200


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (ApiToken, {"revoked_at": 1}),
        (ApiToken, {"expires_at": 1}),
        (Membership, {"is_active": False}),
        (Account, {"is_active": False}),
    ],
)
async def test_what_ends_a_token(client: Client, store: SqliteStore, record: Any, fields: dict[str, Any]) -> None:
    """Revocation, expiry, or an inactive member or account: on the very next request."""
    assert (await client.get("/engagements")).status_code == 200
    await put(store, record, **fields)
    assert (await client.get("/engagements")).status_code == 401


async def test_expiry_is_by_the_clock(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """A token that has not expired yet works."""
    await put(store, ApiToken, expires_at=clock.instant + 1)
    assert (await client.get("/engagements")).status_code == 200


async def test_a_viewer_only_reads(client: Client, store: SqliteStore) -> None:
    """403 for every write, and nothing written."""
    id_ = await client.ready(1)
    await put(store, Membership, role="viewer")
    document = resource("engagements", {"name": "x"})
    envelope = {"phone-number": "+12025550100"}
    answers = [
        await client.post("/engagements", document),
        await client.change(id_, status="scheduled"),
        await client.post("/text-templates", resource("text-templates", {"name": "x", "body": "y"})),
        await client.post("/envelopes", resource("envelopes", envelope, engagement=("engagements", id_))),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["errors"][0]["code"] for answer in answers} == {121}
    assert (await client.get(f"/engagements/{id_}")).json()["data"]["attributes"]["status"] == "pending"
    assert (await client.get("/engagements")).json()["meta"]["total"] == 1


async def test_a_sender_writes(client: Client, store: SqliteStore) -> None:
    """The role between."""
    await put(store, Membership, role="sender")
    assert await client.engagement()
