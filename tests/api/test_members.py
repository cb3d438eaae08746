"""Memberships, API tokens and the account: who may do what, and with which secret."""

import base64
from typing import Any

import httpx
import pytest

from api_client import START, Client, StandingClock, resource
from opengage.clock import SECOND, Instant
from opengage.ids import new_id, to_wire
from opengage.jsonapi.timestamps import to_text

SOON = to_text(START + 60 * SECOND)


async def write(client: Client, kind: str, id_: str, **attributes: Any) -> httpx.Response:
    """PATCH a resource; underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return await client.patch(f"/{kind}/{id_}", {"data": {"id": id_, "type": kind, "attributes": named}})


def own(client: Client) -> str:
    """The id of the client's membership."""
    return to_wire(client.account.membership_id)


async def test_a_member(client: Client) -> None:
    """Added with a role, changed, switched off: then their tokens are refused at once."""
    sender = await client.member("sender")
    address = f"/memberships/{own(sender)}"
    found = (await client.get(address)).json()["data"]
    assert (found["attributes"]["role"], found["attributes"]["is-active"]) == ("sender", True)
    (account,) = (await client.get("/accounts")).json()["data"]
    assert found["relationships"]["account"]["data"]["id"] == account["id"]
    changed = await write(client, "memberships", own(sender), role="viewer", name="Zoë")
    assert (changed.status_code, changed.json()["data"]["attributes"]["role"]) == (202, "viewer")
    assert (await sender.post("/tags", resource("tags", {"name": "T"}))).status_code == 403
    assert (await write(client, "memberships", own(sender), is_active=False)).status_code == 202
    assert (await sender.get("/tags")).status_code == 401
    assert (await write(client, "memberships", own(sender), is_active=True)).status_code == 202
    assert (await sender.get("/tags")).status_code == 200


@pytest.mark.parametrize("attributes", [{"role": "viewer"}, {"is_active": False}, {"role": "sender", "name": "X"}])
async def test_the_last_owner_stays(client: Client, attributes: dict[str, Any]) -> None:
    """400 until there is another active owner; nothing is changed by the attempt."""
    second = await client.member("sender")
    before = (await client.get(f"/memberships/{own(client)}")).text
    answer = await write(client, "memberships", own(client), **attributes)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 109)
    assert (await client.get(f"/memberships/{own(client)}")).text == before
    assert (await write(client, "memberships", own(second), role="owner")).status_code == 202
    assert (await write(second, "memberships", own(client), **attributes)).status_code == 202


async def test_members_that_cannot_be(client: Client) -> None:
    """No name, no role, a role that is none: 400 at the attribute. Nobody is removed: 405."""
    for attributes, code, at in (
        ({"role": "owner"}, 103, "name"),
        ({"name": "A"}, 103, "role"),
        ({"name": "A", "role": "king"}, 104, "role"),
        ({"name": "", "role": "owner"}, 103, "name"),
    ):
        answer = await client.post("/memberships", resource("memberships", attributes))
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == f"/data/attributes/{at}"
    assert (await client.delete(f"/memberships/{own(client)}")).status_code == 405
    assert (await client.get("/memberships")).json()["meta"]["total"] == 1


def pair(attributes: dict[str, Any]) -> dict[str, str]:
    """The header of a token."""
    encoded = base64.b64encode(f"{attributes['key']}:{attributes['secret']}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


async def test_a_token_s_secret_is_told_once(client: Client, http: httpx.AsyncClient) -> None:
    """In the answer that makes it, which works; in no other answer."""
    answer = await client.post("/api-tokens", resource("api-tokens", {}))
    made = answer.json()["data"]
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert list(made["attributes"])[-1] == "secret"
    assert made["attributes"]["secret"].startswith("ogs_")
    assert made["relationships"]["membership"]["data"]["id"] == own(client)
    assert (await http.get("/api/v1/tags", headers=pair(made["attributes"]))).status_code == 200
    for path in ("/api-tokens", f"/api-tokens/{made['id']}", "/audit-events"):
        text = (await client.get(path)).text
        assert made["attributes"]["secret"] not in text
        assert "hash" not in text


async def test_a_token_ends(client: Client, http: httpx.AsyncClient, clock: StandingClock) -> None:
    """When it expires, or as soon as it is revoked; revoked is for good, and it stays listed."""
    made = (await client.post("/api-tokens", resource("api-tokens", {"expires-at": SOON}))).json()["data"]
    headers = pair(made["attributes"])
    assert made["attributes"]["expires-at"] == SOON
    clock.instant = Instant(START + 60 * SECOND)
    assert (await http.get("/api/v1/tags", headers=headers)).status_code == 401
    assert (await write(client, "api-tokens", made["id"], expires_at=None)).status_code == 202
    assert (await http.get("/api/v1/tags", headers=headers)).status_code == 200
    for _ in range(2):
        assert (await client.delete(f"/api-tokens/{made['id']}")).status_code == 204
        assert (await http.get("/api/v1/tags", headers=headers)).status_code == 401
    found = (await client.get(f"/api-tokens/{made['id']}")).json()["data"]["attributes"]
    assert found["revoked-at"] == to_text(START + 60 * SECOND)
    answer = await write(client, "api-tokens", made["id"], expires_at=None)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 109)


async def test_tokens_that_cannot_be(client: Client, other: Client) -> None:
    """Past, no instant, a member of another account or one that is switched off: 400 with the place."""
    for attributes, code in (({"expires-at": to_text(START)}, 104), ({"expires-at": "tomorrow"}, 104)):
        answer = await client.post("/api-tokens", resource("api-tokens", attributes))
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == "/data/attributes/expires-at"
    off = await client.member("viewer")
    assert (await write(client, "memberships", own(off), is_active=False)).status_code == 202
    for target, code in (
        (("memberships", own(other)), 107),
        (("memberships", to_wire(new_id())), 107),
        (("memberships", own(off)), 109),
        (("accounts", own(client)), 102),
    ):
        answer = await client.post("/api-tokens", resource("api-tokens", {}, membership=target))
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == "/data/relationships/membership"
    assert (await client.get("/api-tokens")).json()["meta"]["total"] == 2


async def test_whose_tokens(client: Client, other: Client) -> None:
    """A member sees, changes and ends their own; an owner everybody's; nobody another account's."""
    viewer = await client.member("viewer")
    (mine,) = (await viewer.get("/api-tokens")).json()["data"]
    assert mine["relationships"]["membership"]["data"]["id"] == own(viewer)
    owners = [one["id"] for one in (await client.get("/api-tokens")).json()["data"]]
    assert len(owners) == 2
    (theirs,) = set(owners) - {mine["id"]}
    for stranger, id_ in ((viewer, theirs), (other, theirs), (other, mine["id"])):
        assert (await stranger.get(f"/api-tokens/{id_}")).status_code == 404
        assert (await write(stranger, "api-tokens", id_, expires_at=None)).status_code == 404
        assert (await stranger.delete(f"/api-tokens/{id_}")).status_code == 404
    named = resource("api-tokens", {}, membership=("memberships", own(client)))
    assert (await viewer.post("/api-tokens", named)).status_code == 403
    assert (await viewer.post("/api-tokens", resource("api-tokens", {}))).status_code == 201
    assert (await write(viewer, "api-tokens", mine["id"], expires_at=SOON)).status_code == 202
    assert (await client.delete(f"/api-tokens/{mine['id']}")).status_code == 204
    assert (await viewer.get("/tags")).status_code == 401


async def the_account(client: Client) -> dict[str, Any]:
    """The client's account, as its list shows it."""
    (found,) = (await client.get("/accounts")).json()["data"]
    assert isinstance(found, dict)
    return found


async def test_the_account(client: Client) -> None:
    """Read by its members, changed by an owner; null and `auto` go back to the defaults, an empty reply is none."""
    account = await the_account(client)
    assert account["attributes"]["key"] == "firstbank"
    assert account["attributes"]["quiet-hours"] == "auto"
    wanted = {
        "name": "First Bank",
        "quiet-hours": "on",
        "frequency-cap": 3,
        "frequency-hours": 48,
        "stop-reply": "",
        "start-reply": "Welcome back.",
        "help-reply": "Call us.",
    }
    document = {"data": {"type": "accounts", "id": account["id"], "attributes": wanted}}
    changed = await client.patch(f"/accounts/{account['id']}", document)
    assert changed.status_code == 202
    attributes = changed.json()["data"]["attributes"]
    assert attributes | wanted == attributes
    assert (await the_account(client))["attributes"] == attributes
    back = {name: None for name in wanted if name != "name"}
    document["data"]["attributes"] = back | {"quiet-hours": "auto"}
    again = (await client.patch(f"/accounts/{account['id']}", document)).json()["data"]["attributes"]
    assert again | back == again | {"quiet-hours": None}
    assert again["quiet-hours"] == "auto"


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("name", "", 103),
        ("name", "a\nb", 104),
        ("name", "n" * 256, 104),
        ("quiet-hours", "sometimes", 104),
        ("frequency-cap", 0, 104),
        ("frequency-hours", 24 * 367, 104),
        ("frequency-cap", 1.5, 102),
        ("stop-reply", "  ", 104),
        ("help-reply", "x" * 1600, 150),
        ("start-reply", 1, 102),
    ],
)
async def test_account_settings_that_cannot_be(client: Client, attribute: str, value: Any, code: int) -> None:
    """400 at the attribute, and the account stays as it is."""
    account = await the_account(client)
    document = {"data": {"type": "accounts", "attributes": {"frequency-hours": 12, attribute: value}}}
    answer = await client.patch(f"/accounts/{account['id']}", document)
    assert answer.status_code == 400
    assert {error["code"] for error in answer.json()["errors"]} == {code}
    assert {error["source"]["pointer"] for error in answer.json()["errors"]} == {f"/data/attributes/{attribute}"}
    assert await the_account(client) == account


async def test_accounts_are_apart(client: Client, other: Client) -> None:
    """Each lists its own, and changes no other."""
    account = await the_account(client)
    assert (await the_account(other))["id"] != account["id"]
    answer = await write(other, "accounts", account["id"], name="Mine")
    assert answer.status_code == 404
    assert await the_account(client) == account
