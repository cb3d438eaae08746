"""Erasures over the API: an owner asks, and no answer tells the number again."""

from pathlib import Path
from typing import Any

import pytest

from api_client import Client, StandingClock, resource
from opengage.dispatch.eraser import Eraser
from opengage.ids import new_id
from opengage.store.blobs import Blobs
from opengage.store.sqlite import SqliteStore

ANN = "+12025550123"


def erasure(number: Any = ANN) -> dict[str, Any]:
    """The document that asks for one."""
    return resource("erasures", {"phone-number": number})


async def test_asked_for_and_carried_out(
    client: Client, store: SqliteStore, clock: StandingClock, tmp_path: Path
) -> None:
    """202, then completed; its list, itself and the audit tell the pseudonym alone; a keyed answer is not kept."""
    await client.make("contacts", {"phone-number": ANN, "first-name": "Ann"})
    keyed = await client.post(
        "/contacts", resource("contacts", {"phone-number": ANN, "first-name": "Ann"}), idempotency_key="once"
    )
    assert keyed.status_code == 201
    answer = await client.post("/erasures", erasure())
    assert answer.status_code == 202
    assert answer.json()["data"]["attributes"]["status"] == "pending"
    assert (await client.post("/erasures", erasure())).status_code == 200
    await Eraser(store, Blobs(tmp_path), clock, new_id).turn()
    found = (await client.get("/erasures")).json()["data"]
    assert [each["attributes"]["status"] for each in found] == ["completed"]
    assert found[0]["attributes"]["count-contacts"] == 2
    for address in ("/erasures", f"/erasures/{found[0]['id']}", "/audit-events", "/contacts"):
        assert ANN[1:] not in (await client.get(address)).text, address
    again = await client.post(
        "/contacts", resource("contacts", {"phone-number": ANN, "first-name": "Ann"}), idempotency_key="once"
    )
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, 142)


@pytest.mark.parametrize("role", ["sender", "viewer"])
async def test_only_owners(client: Client, role: str) -> None:
    """Others neither ask for one nor see any."""
    await client.post("/erasures", erasure())
    member = await client.member(role)
    assert (await member.post("/erasures", erasure())).status_code == 403
    assert (await member.get("/erasures")).status_code == 403


@pytest.mark.parametrize("number", ["nobody", "", "+1202"])
async def test_what_is_no_number(client: Client, number: str) -> None:
    """400 at the attribute, and nothing is begun."""
    answer = await client.post("/erasures", erasure(number))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["source"]["pointer"]) == (400, "/data/attributes/phone-number")
    assert (await client.get("/erasures")).json()["data"] == []


async def test_accounts_are_apart(
    client: Client, other: Client, store: SqliteStore, clock: StandingClock, tmp_path: Path
) -> None:
    """What another account keeps of the same number stays, and its pseudonym is another one."""
    for each in (client, other):
        await each.make("contacts", {"phone-number": ANN, "first-name": "Ann"})
    ours = (await client.post("/erasures", erasure())).json()["data"]
    await Eraser(store, Blobs(tmp_path), clock, new_id).turn()
    assert (await client.get("/contacts")).json()["data"] == []
    assert (await other.get("/contacts")).json()["data"][0]["attributes"]["phone-number"] == ANN
    assert (await other.get("/erasures")).json()["data"] == []
    assert (await other.get(f"/erasures/{ours['id']}")).status_code == 404
    theirs = (await other.post("/erasures", erasure())).json()["data"]
    assert theirs["attributes"]["pseudonym"] != ours["attributes"]["pseudonym"]
