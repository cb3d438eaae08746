"""Engagements that lists fill: once, as they are scheduled, one envelope for each number."""

from typing import Any

import httpx

from api_client import Client, linkage
from opengage.ids import new_id, to_wire

A, B, C, D = (f"+1202555014{digit}" for digit in range(3, 7))


async def a_list(client: Client, title: str, *numbers: str) -> str:
    """A new list of the contacts with these numbers, made where they are not yet; its id."""
    list_id = await client.make("lists", {"title": title})
    for number in numbers:
        attributes = {"phone-number": number, "unique-primary-phone": True, "first-name": "Ann"}
        written = {"type": "contacts", "attributes": attributes, "relationships": _lists(list_id)}
        answer = await client.post("/contacts", {"data": written})
        assert answer.status_code in (200, 201), answer.text
    return list_id


def _lists(*ids: str) -> dict[str, Any]:
    return {"lists": {"data": [{"type": "lists", "id": id_} for id_ in ids]}}


async def address(client: Client, engagement_id: str, *list_ids: str, **attributes: str) -> httpx.Response:
    """PATCH the lists of an engagement, and perhaps more."""
    written = {"type": "engagements", "id": engagement_id, "attributes": attributes, "relationships": _lists(*list_ids)}
    return await client.patch(f"/engagements/{engagement_id}", {"data": written})


async def numbers(client: Client, engagement_id: str) -> list[str]:
    """Whom its envelopes are for."""
    page = (await client.get(f"/envelopes?filter[engagement.id]={engagement_id}")).json()
    assert page["meta"]["total"] == len(page["data"])
    return sorted(one["attributes"]["phone-number"] for one in page["data"])


async def test_two_lists_that_overlap(client: Client) -> None:
    """Whoever is on both, or has an envelope already, gets one; the one that was there keeps its own values."""
    engagement_id = await client.ready(0)
    own = {
        "type": "envelopes",
        "attributes": {"phone-number": C, "meta": {"first-name": "Own"}},
        "relationships": {"engagement": linkage("engagements", engagement_id)},
    }
    assert (await client.post("/envelopes", {"data": own})).status_code == 201
    one, two = await a_list(client, "1", A, B), await a_list(client, "2", B, C, D)
    assert (await address(client, engagement_id, one, two)).status_code == 202
    assert await numbers(client, engagement_id) == [C]
    assert (await client.change(engagement_id, status="scheduled")).status_code == 202
    assert await numbers(client, engagement_id) == [A, B, C, D]
    page = (await client.get(f"/envelopes?filter[engagement.id]={engagement_id}")).json()["data"]
    names = {one["attributes"]["phone-number"]: one["attributes"]["meta"]["first-name"] for one in page}
    assert names == {A: "Ann", B: "Ann", C: "Own", D: "Ann"}
    ledger = (await client.get(f"/engagements/{engagement_id}/ledger")).json()["data"]["attributes"]
    assert (ledger["total"], ledger["pending"]) == (4, 4)


async def test_named_and_scheduled_at_once(client: Client) -> None:
    """Lists that come with the PATCH that schedules fill it too."""
    engagement_id = await client.ready(0)
    list_id = await a_list(client, "1", A)
    assert (await address(client, engagement_id, list_id, status="scheduled")).status_code == 202
    assert await numbers(client, engagement_id) == [A]


async def test_empty_lists(client: Client) -> None:
    """With nobody on any of them it is not scheduled, and the refusal names them; one person is enough."""
    engagement_id = await client.ready(0)
    empty, hollow = await a_list(client, "Customers"), await a_list(client, "Friends")
    refused = await address(client, engagement_id, empty, hollow, status="scheduled")
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["code"]) == (400, 100)
    assert "“Customers”, “Friends”" in error["detail"]
    assert (await client.get(f"/engagements/{engagement_id}")).json()["data"]["attributes"]["status"] == "pending"
    some = await a_list(client, "Some", A)
    assert (await address(client, engagement_id, empty, some, status="scheduled")).status_code == 202
    assert await numbers(client, engagement_id) == [A]


async def test_many_empty_lists(client: Client) -> None:
    """The refusal names five, and counts the others."""
    engagement_id = await client.ready(0)
    ids = [await a_list(client, f"L{place}") for place in range(7)]
    (error,) = (await address(client, engagement_id, *ids, status="scheduled")).json()["errors"]
    assert "“L4” and 2 more" in error["detail"]
    assert "L5" not in error["detail"]


async def test_a_refused_schedule_fills_nothing(client: Client) -> None:
    """Without an activity it stays pending and empty, though its list has somebody."""
    engagement_id = await client.engagement()
    list_id = await a_list(client, "1", A)
    assert (await address(client, engagement_id, list_id, status="scheduled")).status_code == 400
    assert await numbers(client, engagement_id) == []


async def test_filled_once(client: Client) -> None:
    """Scheduled again, or paused and resumed, it takes in nobody who joined later; its lists stay as they are."""
    engagement_id = await client.ready(0)
    list_id = await a_list(client, "1", A, B)
    assert (await address(client, engagement_id, list_id, status="scheduled")).status_code == 202
    later = (await client.post("/contacts", {"data": {"type": "contacts", "attributes": {"phone-number": C}}})).json()
    joined = {"data": [{"type": "contacts", "id": later["data"]["id"]}]}
    assert (await client.post(f"/lists/{list_id}/relationships/contacts", joined)).status_code == 204
    for status in ("scheduled", "paused", "scheduled"):
        changed = await address(client, engagement_id, list_id, status=status)
        assert changed.status_code == 202, changed.text
        assert await numbers(client, engagement_id) == [A, B]
    other_list = await a_list(client, "2", D)
    refused = await address(client, engagement_id, other_list)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 109)
    assert await numbers(client, engagement_id) == [A, B]


async def test_lists_of_others(client: Client, other: Client) -> None:
    """Another account's list is like one that never was: 400 where it is named, and the engagement stays as it was."""
    foreign = await a_list(other, "Theirs", A)
    engagement_id = await client.ready(1)
    before = await numbers(client, engagement_id)
    path = f"/engagements/{engagement_id}/relationships/lists"
    for list_id in (foreign, to_wire(new_id())):
        by_itself = await client.patch(path, _lists(list_id)["lists"])
        for refused in (await address(client, engagement_id, list_id, status="scheduled"), by_itself):
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 107)
    data = (await client.get(f"/engagements/{engagement_id}")).json()["data"]
    assert (data["attributes"]["status"], data["relationships"]["lists"]["data"]) == ("pending", [])
    assert await numbers(client, engagement_id) == before
    assert (await client.get(f"/lists/{foreign}")).status_code == 404
