"""/lists: who is on them, from either side, and which engagements address them."""

from typing import Any

import pytest

from api_client import PUBLIC_URL, Client, Settings, resource
from opengage.ids import new_id, to_wire

A, B, C = "+12025550143", "+12025550144", "+12025550145"


def some(kind: str, *ids: str) -> dict[str, Any]:
    """A document of identifiers."""
    return {"data": [{"type": kind, "id": id_} for id_ in ids]}


async def contacts(client: Client, *numbers: str) -> list[str]:
    """New contacts; their ids."""
    return [await client.make("contacts", {"phone-number": number}) for number in numbers]


async def members(client: Client, list_id: str) -> list[str]:
    """The ids of those on a list."""
    return [one["id"] for one in (await client.get(f"/lists/{list_id}/contacts")).json()["data"]]


async def test_a_list(client: Client) -> None:
    """Made with its people, renamed, read, deleted; `name` is understood too."""
    ids = await contacts(client, A, B)
    document = resource("lists", {"name": "Customers"})
    document["data"]["relationships"] = {"contacts": some("contacts", *ids)}
    answer = await client.post("/lists", document)
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert (made["attributes"]["title"], made["attributes"]["count-contacts"]) == ("Customers", 2)
    link = made["relationships"]["contacts"]["links"]["related"].removeprefix(f"{PUBLIC_URL}/api/v1")
    assert [one["id"] for one in (await client.get(link)).json()["data"]] == ids
    changed = await client.patch(f"/lists/{made['id']}", resource("lists", {"title": "Friends"}))
    assert (changed.status_code, changed.json()["data"]["attributes"]["title"]) == (202, "Friends")
    assert (await client.send("DELETE", f"/api/v1/lists/{made['id']}")).status_code == 204
    assert (await client.get(f"/lists/{made['id']}")).status_code == 404
    assert (await client.get("/contacts")).json()["meta"]["total"] == 2


async def test_a_change_of_a_list_replaces_its_people_where_they_are_named(client: Client) -> None:
    """Whatever is not named stays, an empty array names nobody; a wrong one is refused, and nothing is changed."""
    a, b = await contacts(client, A, B)
    list_id = await client.make("lists", {"title": "L"})
    for ids, title, left in (((a,), "M", [a]), ((b,), None, [b]), (None, "N", [b]), ((), None, [b])):
        document = resource("lists", {} if title is None else {"title": title})
        if ids is not None:
            document["data"]["relationships"] = {"contacts": some("contacts", *ids)}
        answer = await client.patch(f"/lists/{list_id}", document)
        assert answer.status_code == 202, answer.text
        assert await members(client, list_id) == left
    assert answer.json()["data"]["attributes"]["title"] == "N"
    wrong = resource("lists", {"title": "O"})
    wrong["data"]["relationships"] = {"contacts": some("contacts", a, list_id)}
    refused = await client.patch(f"/lists/{list_id}", wrong)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["source"] == {"pointer": "/data/relationships/contacts/data/1"}
    assert (await client.get(f"/lists/{list_id}")).json()["data"]["attributes"]["title"] == "N"
    assert await members(client, list_id) == [b]


@pytest.mark.parametrize("settings", [Settings(bulk_limit=2)], ids=["two at once"])
async def test_no_more_people_at_once_than_in_any_bulk_request(client: Client) -> None:
    """POST and PATCH of a list are refused with the place and the limit, and nothing is changed."""
    ids = await contacts(client, A, B, C)
    list_id = await client.make("lists", {"title": "L"})
    document = resource("lists", {"title": "M"})
    document["data"]["relationships"] = {"contacts": some("contacts", *ids)}
    for answer in (await client.post("/lists", document), await client.patch(f"/lists/{list_id}", document)):
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["source"] == {"pointer": "/data/relationships/contacts/data"}
        assert "at most 2" in error["detail"]
    assert await members(client, list_id) == []


async def test_membership_from_the_list(client: Client) -> None:
    """POST adds, PATCH replaces, DELETE removes; each with 204, and twice is once."""
    a, b, c = await contacts(client, A, B, C)
    list_id = await client.make("lists", {"title": "L"})
    path = f"/api/v1/lists/{list_id}/relationships/contacts"
    for method, ids, left in (
        ("POST", (a, b), [a, b]),
        ("POST", (b, c, c), [a, b, c]),
        ("DELETE", (a, a), [b, c]),
        ("DELETE", (a,), [b, c]),
        ("PATCH", (a, c), [a, c]),
        ("POST", (), [a, c]),
        ("PATCH", (), []),
    ):
        answer = await client.send(method, path, some("contacts", *ids))
        assert (answer.status_code, answer.content) == (204, b"")
        assert await members(client, list_id) == sorted(left, key=[a, b, c].index)
    assert (await client.get(f"/lists/{list_id}/relationships/contacts")).json()["data"] == []


async def test_membership_from_the_contact(client: Client) -> None:
    """The same relationship, seen from its other end."""
    (a,) = await contacts(client, A)
    one, two = await client.make("lists", {"title": "1"}), await client.make("lists", {"title": "2"})
    path = f"/api/v1/contacts/{a}/relationships/lists"
    for method, ids, left in (
        ("POST", (one,), [one]),
        ("PATCH", (two,), [two]),
        ("POST", (one, two), [one, two]),
        ("DELETE", (two,), [one]),
    ):
        assert (await client.send(method, path, some("lists", *ids))).status_code == 204
        told = (await client.get(f"/contacts/{a}")).json()["data"]["relationships"]["lists"]["data"]
        assert [each["id"] for each in told] == left
    assert [each["id"] for each in (await client.get(f"/contacts/{a}/lists")).json()["data"]] == [one]
    assert (await client.get(f"/contacts/{a}/relationships/lists")).json()["data"] == some("lists", one)["data"]


async def test_pages_of_members(client: Client) -> None:
    """Pages with totals and links, and one member by number."""
    ids = await contacts(client, A, B, C)
    document = resource("lists", {"title": "L"})
    document["data"]["relationships"] = {"contacts": some("contacts", *ids)}
    list_id = (await client.post("/lists", document)).json()["data"]["id"]
    page = (await client.get(f"/lists/{list_id}/contacts?page[limit]=2&page[offset]=2")).json()
    assert ([one["id"] for one in page["data"]], page["meta"]) == (ids[2:], {"total": 3})
    linkage = (await client.get(f"/lists/{list_id}/relationships/contacts?page[limit]=1")).json()
    assert (linkage["data"], linkage["meta"]) == ([{"type": "contacts", "id": ids[0]}], {"total": 3})
    assert linkage["links"]["related"] == f"{PUBLIC_URL}/api/v1/lists/{list_id}/contacts"
    one = await client.get(f"/lists/{list_id}/contacts?filter[phone-number]={B.replace('+', '%2B')}")
    assert [each["id"] for each in one.json()["data"]] == ids[1:2]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_what_cannot_join(client: Client, other: Client, settings: Settings, method: str) -> None:
    """Another account's contact, none at all, another type, too many; the list stays as it was."""
    (a,) = await contacts(client, A)
    (foreign,) = await contacts(other, B)
    list_id = await client.make("lists", {"title": "L"})
    path = f"/api/v1/lists/{list_id}/relationships/contacts"
    await client.send("POST", path, some("contacts", a))
    if method != "DELETE":  # what is not there is off the list already
        for id_ in (foreign, to_wire(new_id())):
            answer = await client.send(method, path, some("contacts", a, id_))
            error = answer.json()["errors"][0]
            assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, 107, "/data/1")
    for body in (some("contacts", "x"), some("lists", a), {"data": {"type": "contacts", "id": a}}, {"data": [1]}, b"["):
        assert (await client.send(method, path, body)).status_code == 400
    assert (await other.send(method, path, some("contacts", foreign))).status_code == 404
    settings.bulk_limit = 1
    assert (await client.send(method, path, some("contacts", a, a))).status_code == 400
    assert await members(client, list_id) == [a]


async def test_an_engagement_addresses_lists(client: Client, other: Client) -> None:
    """Written with it or later, told in its document; none given changes nothing, another account's is refused."""
    one, two = await client.make("lists", {"title": "1"}), await client.make("lists", {"title": "2"})
    foreign = await other.make("lists", {"title": "3"})
    document = resource("engagements", {"name": "Blast"})
    document["data"]["relationships"] = {"lists": some("lists", one)}
    made = (await client.post("/engagements", document)).json()["data"]
    assert made["relationships"]["lists"]["data"] == some("lists", one)["data"]
    path = f"/engagements/{made['id']}"
    for ids, status, left in (
        ((), 202, [one]),
        ((two,), 202, [two]),
        ((one, two), 202, [one, two]),
        ((foreign,), 400, [one, two]),
    ):
        document["data"]["relationships"]["lists"] = some("lists", *ids)
        assert (await client.patch(path, document)).status_code == status
        told = (await client.get(path)).json()["data"]["relationships"]["lists"]["data"]
        assert [each["id"] for each in told] == left
    linkage = (await client.get(f"{path}/relationships/lists")).json()["data"]
    assert [each["id"] for each in linkage] == [one, two]
    assert (await client.patch(f"{path}/relationships/lists", some("lists"))).status_code == 204
    assert (await client.get(f"{path}/lists")).json()["data"] == []
    assert (await other.patch(f"{path}/relationships/lists", some("lists"))).status_code == 404


@pytest.mark.parametrize(
    ("attributes", "code"), [({}, 103), ({"title": " "}, 103), ({"title": "x" * 256}, 104), ({"title": 7}, 102)]
)
async def test_bad_titles(client: Client, attributes: dict[str, Any], code: int) -> None:
    """400, and no list."""
    answer = await client.post("/lists", resource("lists", attributes))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert (await client.get("/lists")).json()["meta"]["total"] == 0
