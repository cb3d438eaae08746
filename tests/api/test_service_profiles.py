"""Service profiles: carrier connections whose addresses and passwords are written and never read."""

from typing import Any

import httpx
import pytest

from api_client import SEALER, Client, resource, to_wire_number
from opengage.domain.records import ServiceProfile
from opengage.ids import from_wire, new_id, to_wire
from opengage.operations.sealed_secrets import password_of
from opengage.sealing import is_sealed
from opengage.store import rows
from opengage.store.contract import Store
from opengage.store.sqlite import SqliteStore

KIND = "service-profiles"
SMSC = "smpp://shop:s3cret@smsc.example.com:2775?ids=padded"
SMPP: dict[str, Any] = {"name": "Carrier", "kind": "smpp", "url": SMSC}


def opened(profile: ServiceProfile) -> str | None:
    """The password, which is never stored in the clear."""
    assert profile.password is None or is_sealed(profile.password)
    return password_of(SEALER, profile)


async def change(client: Client, id_: str, **attributes: Any) -> httpx.Response:
    """PATCH a profile; underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return await client.patch(f"/{KIND}/{id_}", {"data": {"id": id_, "type": KIND, "attributes": named}})


async def stored(store: Store, id_: str) -> ServiceProfile:
    """A profile as it is kept."""
    known = from_wire(id_)
    assert known is not None
    async with store.reading() as tx:
        found = await rows.find(tx, ServiceProfile, 1, known)
    assert found is not None
    return found


async def test_a_carrier_s_connection(client: Client, store: SqliteStore) -> None:
    """201 with what can be told; address and password are kept apart, and are in no answer and no audit event."""
    budgets = [{"preset": "att-10dlc-class-c"}]
    told = {"window": 10, "binds": 2, "receipt-window-seconds": 600, "in-doubt-policy": "resend", "budgets": budgets}
    answer = await client.post(f"/{KIND}", resource(KIND, SMPP | told))
    found = answer.json()["data"]
    assert answer.status_code == 201
    assert found["attributes"] | told == found["attributes"]
    assert found["relationships"] == {"fallback": {"data": None}}
    kept = await stored(store, found["id"])
    assert kept.url == "smpp://shop@smsc.example.com:2775?ids=padded"
    assert opened(kept) == "s3cret"
    everything = answer.text
    for path in (f"/{KIND}", f"/{KIND}/{found['id']}", "/audit-events"):
        everything += (await client.get(path)).text
    for secret in ("s3cret", "smsc.example.com", "url", "password"):
        assert secret not in everything


async def test_a_new_address_and_a_new_password(client: Client, store: SqliteStore) -> None:
    """An address without a password keeps the one that is there; a password may come by itself."""
    id_ = await client.make(KIND, SMPP)
    assert (await change(client, id_, url="smpp://shop@other.example.com")).status_code == 202
    kept = await stored(store, id_)
    assert (kept.url, opened(kept)) == ("smpp://shop@other.example.com:2775", "s3cret")
    assert (await change(client, id_, password="newone")).status_code == 202
    assert opened(await stored(store, id_)) == "newone"
    assert (await change(client, id_, password=None)).status_code == 202
    assert (await stored(store, id_)).password == ""


async def test_back_to_the_defaults(client: Client) -> None:
    """Null, where there is a default; `hold` is the policy of those that have none."""
    id_ = await client.make(KIND, SMPP | {"window": 5, "binds": 2, "in-doubt-policy": "resend"})
    answer = await change(client, id_, window=None, binds=None, in_doubt_policy=None, name="Other", is_active=False)
    attributes = answer.json()["data"]["attributes"]
    assert [attributes[name] for name in ("window", "binds", "in-doubt-policy")] == [None, None, "hold"]
    assert (attributes["name"], attributes["is-active"]) == ("Other", False)
    assert (await change(client, id_, in_doubt_policy="hold")).status_code == 202


@pytest.mark.parametrize(
    ("attributes", "code", "at"),
    [
        ({"kind": "sandbox"}, 103, "name"),
        ({"name": "A"}, 104, "kind"),
        ({"name": "A", "kind": "pigeon"}, 104, "kind"),
        ({"name": "A", "kind": "smpp"}, 103, "url"),
        ({"name": "A", "kind": "sandbox", "url": SMSC}, 104, "url"),
        ({"name": "A", "kind": "sandbox", "password": "p"}, 104, "password"),
        (SMPP | {"url": "http://example.com"}, 104, "url"),
        (SMPP | {"url": "smpp://shop:much-too-long@example.com"}, 104, "url"),
        (SMPP | {"url": "smpp://shop:pass@example.com?ids=odd"}, 104, "url"),
        (SMPP | {"password": "much-too-long"}, 104, "password"),
        (SMPP | {"window": 0}, 102, "window"),
        (SMPP | {"binds": 101}, 102, "binds"),
        (SMPP | {"receipt-window-seconds": "long"}, 102, "receipt-window-seconds"),
        (SMPP | {"in-doubt-policy": "guess"}, 104, "in-doubt-policy"),
        (SMPP | {"budgets": [{"preset": "none"}]}, 104, "budgets/0/preset"),
    ],
)
async def test_refused(client: Client, attributes: dict[str, Any], code: int, at: str) -> None:
    """400 at the attribute; no profile is added, and no detail repeats a secret."""
    answer = await client.post(f"/{KIND}", resource(KIND, attributes))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["source"]["pointer"] == f"/data/attributes/{at}"
    assert "much-too-long" not in answer.text
    assert (await client.get(f"/{KIND}")).json()["meta"]["total"] == 1


async def test_changes_that_cannot_be(client: Client) -> None:
    """Its kind, no address at all, an address for the sandbox: 400, and everything stays."""
    smpp, sandbox = await client.make(KIND, SMPP), to_wire(client.account.service_profile_id)
    before = (await client.get(f"/{KIND}")).text
    for id_, attributes, code in (
        (smpp, {"kind": "sandbox", "name": "New"}, 104),
        (smpp, {"url": None, "name": "New"}, 103),
        (sandbox, {"url": SMSC, "name": "New"}, 104),
        (sandbox, {"name": ""}, 103),
    ):
        answer = await change(client, id_, **attributes)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert (await change(client, smpp, kind="smpp")).status_code == 202
    assert (await client.get(f"/{KIND}")).text == before


async def test_the_fallback(client: Client, other: Client) -> None:
    """Another profile of the account, or none; never itself."""
    id_, second = await client.make(KIND, SMPP), await client.make(KIND, SMPP | {"name": "Second"})
    answer = await client.patch(f"/{KIND}/{id_}", resource(KIND, {}, fallback=(KIND, second)))
    assert answer.json()["data"]["relationships"]["fallback"]["data"] == {"type": KIND, "id": second}
    assert (await client.get(f"/{KIND}/{id_}/fallback")).json()["data"]["id"] == second
    for target, code in (
        ((KIND, id_), 104),
        ((KIND, to_wire(other.account.service_profile_id)), 107),
        ((KIND, to_wire(new_id())), 107),
        (("tags", second), 102),
    ):
        refused = await client.patch(f"/{KIND}/{id_}", resource(KIND, {}, fallback=target))
        (error,) = refused.json()["errors"]
        assert (refused.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == "/data/relationships/fallback"
    in_use = await client.delete(f"/{KIND}/{second}")
    assert (in_use.status_code, in_use.json()["errors"][0]["code"]) == (400, 109)
    none = {"data": {"type": KIND, "relationships": {"fallback": {"data": None}}}}
    assert (await client.patch(f"/{KIND}/{id_}", none)).json()["data"]["relationships"]["fallback"] == {"data": None}
    assert (await client.delete(f"/{KIND}/{second}")).status_code == 204


async def test_removed_or_switched_off(client: Client) -> None:
    """Gone when nothing has it; refused while an active number is on it; switched off when only a memory is."""
    spare = await client.make(KIND, SMPP)
    assert (await client.delete(f"/{KIND}/{spare}")).status_code == 204
    assert (await client.get(f"/{KIND}/{spare}")).status_code == 404
    own = to_wire(client.account.service_profile_id)
    answer = await client.delete(f"/{KIND}/{own}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, 109)
    assert client.account.phone_number in error["detail"]
    off = {"data": {"type": "phone-numbers", "attributes": {"is-active": False}}}
    assert (await client.patch(f"/phone-numbers/{to_wire_number(client.account)}", off)).status_code == 202
    assert (await client.delete(f"/{KIND}/{own}")).status_code == 204
    assert (await client.get(f"/{KIND}/{own}")).json()["data"]["attributes"]["is-active"] is False
