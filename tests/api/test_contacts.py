"""/contacts: one or many, all or none, and one for each number where that is asked for."""

from typing import Any

import pytest

from api_client import Client, Settings, resource
from opengage.ids import new_id, to_wire
from opengage.operations.actors import VIEWER
from opengage.store import tables
from opengage.store.sqlite import SqliteStore

A, B, C = "+12025550143", "+12025550144", "+12025550145"


def contact(number: str = A, **attributes: Any) -> dict[str, Any]:
    """A resource object."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return {"type": "contacts", "attributes": {"phone-number": number, **named}}


async def total(client: Client) -> int:
    """How many contacts there are."""
    found: int = (await client.get("/contacts")).json()["meta"]["total"]
    return found


async def made_viewer(store: SqliteStore) -> None:
    """Let every membership only look."""
    async with store.writing() as tx:
        await tx.run(tables.memberships.update().values(role=VIEWER))


async def test_a_contact(client: Client) -> None:
    """201 with all that was sent, and read again as it was answered."""
    sent = contact(
        "+1 (202) 555-0143",
        first_name="Zoë",
        last_name="Lee",
        phone_numbers=[B, A],
        emails=["zoe@example.org"],
        notes="Likes tea",
        meta={"city": "Oslo", "points": 7},
    )
    answer = await client.post("/contacts", {"data": sent})
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert list(made["attributes"])[:7] == [
        "first-name", "last-name", "phone-number", "phone-numbers", "emails", "notes", "meta"
    ]  # fmt: skip
    assert made["attributes"]["phone-numbers"] == [A, B]
    assert made["attributes"]["meta"] == {"city": "Oslo", "points": 7}
    assert (await client.get(f"/contacts/{made['id']}")).json()["data"] == made
    found = await client.get(f"/contacts?filter[phone-number]={A.replace('+', '%2B')}")
    assert [one["id"] for one in found.json()["data"]] == [made["id"]]


async def test_many_contacts(client: Client) -> None:
    """In request order, onto lists; and deleted together with 204."""
    list_id = await client.make("lists", {"title": "L"})
    sent = [
        contact(number) | {"relationships": {"lists": {"data": [{"type": "lists", "id": list_id}]}}}
        for number in (B, A, C)
    ]
    answer = await client.post("/contacts", {"data": sent})
    made = answer.json()["data"]
    assert [one["attributes"]["phone-number"] for one in made] == [B, A, C]
    assert all(one["relationships"]["lists"]["data"] == [{"type": "lists", "id": list_id}] for one in made)
    assert (await client.get(f"/lists/{list_id}")).json()["data"]["attributes"]["count-contacts"] == 3
    gone = await client.send(
        "DELETE", "/api/v1/contacts", {"data": [{"type": "contacts", "id": one["id"]} for one in made[:2]]}
    )
    assert (gone.status_code, gone.content) == (204, b"")
    assert await total(client) == 1
    assert (await client.get(f"/lists/{list_id}")).json()["data"]["attributes"]["count-contacts"] == 1
    assert (await client.send("DELETE", f"/api/v1/contacts/{made[2]['id']}")).status_code == 204
    assert await total(client) == 0


async def test_one_for_each_number(client: Client) -> None:
    """Asked for, a known number changes its contact; not asked for, it makes another."""
    first = await client.make("contacts", contact(A, first_name="Ann", phone_numbers=[A, B])["attributes"])
    sent = [contact(A, last_name="Lee", unique_primary_phone=True), contact(C), contact(C, notes="twice")]
    made = (await client.post("/contacts", {"data": sent})).json()["data"]
    assert [one["id"] == first for one in made] == [True, False, False]
    assert made[1] == made[2]
    told = (await client.get(f"/contacts/{first}")).json()["data"]["attributes"]
    assert (told["first-name"], told["last-name"], told["phone-numbers"]) == ("Ann", "Lee", [A, B])
    assert await total(client) == 2
    await client.make("contacts", contact(A)["attributes"])
    assert await total(client) == 3


async def test_changes(client: Client) -> None:
    """PATCH changes what it names, keeps the rest, and the primary number leads."""
    id_ = await client.make("contacts", contact(A, first_name="Ann", phone_numbers=[A, B], notes="x")["attributes"])
    document = {"data": {"type": "contacts", "id": id_, "attributes": {"phone-number": C, "notes": None}}}
    answer = await client.patch(f"/contacts/{id_}", document)
    assert answer.status_code == 202
    told = answer.json()["data"]["attributes"]
    assert (told["phone-number"], told["phone-numbers"]) == (C, [C, B])
    assert (told["first-name"], told["notes"]) == ("Ann", None)


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"phone-number": "2025550143"}, 105, "phone-number"),
    ({}, 103, "phone-number"),
    ({"phone-numbers": []}, 103, "phone-number"),
    ({"phone-numbers": [A, "x"]}, 105, "phone-numbers/1"),
    ({"phone-number": A, "emails": ["nobody"]}, 104, "emails/0"),
    ({"phone-number": A, "first-name": "x" * 1001}, 104, "first-name"),
    ({"phone-number": A, "meta": {"a": [1]}}, 102, "meta/a"),
    ({"phone-number": A, "meta": {"a": "x" * 20_000}}, 104, "meta"),
    ({"phone-numbers": [f"+1202555{place:04d}" for place in range(100, 111)]}, 104, "phone-numbers"),
]


@pytest.mark.parametrize(("attributes", "code", "place"), BAD)
async def test_bad_contacts_change_nothing(client: Client, attributes: dict[str, Any], code: int, place: str) -> None:
    """400 at the place, in a bulk at the item; the good one beside it is not made either."""
    bad = {"type": "contacts", "attributes": attributes}
    for data, at in ((bad, "/data"), ([contact(B), bad], "/data/1")):
        answer = await client.post("/contacts", {"data": data})
        error = answer.json()["errors"][0]
        assert (answer.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == f"{at}/attributes/{place}"
    assert await total(client) == 0


async def test_another_accounts_contacts(client: Client, other: Client) -> None:
    """404 alone, 400 in bulk, and nothing changes, not even one's own beside it."""
    theirs, own = (
        await client.make("contacts", contact(A)["attributes"]),
        await other.make("contacts", contact(B)["attributes"]),
    )
    patched = await other.patch(f"/contacts/{theirs}", resource("contacts", {"notes": "x"}))
    assert patched.status_code == 404
    assert (await other.send("DELETE", f"/api/v1/contacts/{theirs}")).status_code == 404
    both = {"data": [{"type": "contacts", "id": own}, {"type": "contacts", "id": theirs}]}
    answer = await other.send("DELETE", "/api/v1/contacts", both)
    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, "/data/1/id")
    assert (await total(client), await total(other)) == (1, 1)
    list_id = await client.make("lists", {"title": "L"})
    joined = await other.post("/contacts", resource("contacts", {"phone-number": A}) | {})
    assert joined.status_code == 201
    document = resource("contacts", {"phone-number": C})
    document["data"]["relationships"] = {"lists": {"data": [{"type": "lists", "id": list_id}]}}
    refused = await other.post("/contacts", document)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 107)
    assert await total(other) == 2


async def test_bulk_limits_and_types(client: Client, settings: Settings) -> None:
    """None, too many, another type, no array."""
    id_ = await client.make("contacts", contact(A)["attributes"])
    settings.bulk_limit = 1
    two = [contact(A), contact(B)]
    for method, body, status in (
        ("POST", {"data": []}, 400),
        ("POST", {"data": two}, 400),
        ("DELETE", {"data": []}, 400),
        ("DELETE", {"data": [{"type": "contacts", "id": id_}] * 2}, 400),
        ("DELETE", {"data": [{"type": "people", "id": id_}]}, 409),
        ("DELETE", {"data": {"type": "contacts", "id": id_}}, 400),
        ("DELETE", {"data": [{"type": "contacts", "id": to_wire(new_id())}]}, 400),
        ("DELETE", {"data": [{"type": "contacts", "id": "x"}]}, 400),
        ("DELETE", {"data": ["x"]}, 400),
        ("DELETE", b"{", 400),
    ):
        assert (await client.send(method, "/api/v1/contacts", body)).status_code == status, body
    assert await total(client) == 1


async def test_a_viewer_changes_nothing(client: Client, store: SqliteStore) -> None:
    """403 for every write."""
    id_ = await client.make("contacts", contact(A)["attributes"])
    list_id = await client.make("lists", {"title": "L"})
    await made_viewer(store)
    members = f"/api/v1/lists/{list_id}/relationships/contacts"
    some = {"data": [{"type": "contacts", "id": id_}]}
    for method, path, body in (
        ("POST", "/api/v1/contacts", {"data": contact(B)}),
        ("PATCH", f"/api/v1/contacts/{id_}", resource("contacts", {})),
        ("DELETE", f"/api/v1/contacts/{id_}", None),
        ("DELETE", "/api/v1/contacts", some),
        ("POST", "/api/v1/lists", resource("lists", {"title": "M"})),
        ("PATCH", f"/api/v1/lists/{list_id}", resource("lists", {"title": "M"})),
        ("DELETE", f"/api/v1/lists/{list_id}", None),
        *((verb, members, some) for verb in ("POST", "PATCH", "DELETE")),
        ("POST", "/api/v1/uploads", {"name": "a.csv"}),
        ("POST", "/api/v1/import-contacts", resource("import-contacts", {}, upload=("uploads", list_id))),
    ):
        answer = await client.send(method, path, body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 121), path
    assert await total(client) == 1
