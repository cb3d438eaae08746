"""JSON:API 1.1, one requirement on servers after the other: each is kept, or its deviation is documented.

The words are ours; the order is the specification's. A deviation's check holds what is done instead, and
docs/reference/json-api.md has a line for it.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from api_client import Client, linkage, recipients, resource
from api_samples import one_of_each
from opengage.api.resources.registry import RESOURCES
from opengage.ids import new_id, to_wire
from opengage.store.sqlite import SqliteStore
from source import ROOT

REFERENCE = ROOT / "docs" / "reference" / "json-api.md"
JSON_API = "application/vnd.api+json"
NAME = re.compile(r"[a-zA-Z0-9]([-_a-zA-Z0-9]*[a-zA-Z0-9])?\Z")


class World(msgspec.Struct, frozen=True):
    """A server with something of everything, and a client of it."""

    client: Client
    ids: dict[str, str]

    async def get(self, path: str, status: int = 200, **headers: str) -> httpx.Response:
        """GET, and the status that it must have."""
        answer = await self.client.get(path, **headers)
        assert answer.status_code == status, answer.text
        return answer

    async def json(self, path: str, status: int = 200) -> Any:
        """The document at an address."""
        return (await self.get(path, status)).json()

    async def post(self, path: str, body: Any, status: int, **headers: str) -> Any:
        """POST, and the status that it must have; the document."""
        answer = await self.client.post(path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def patch(self, body: Any, status: int) -> Any:
        """PATCH the engagement, and the status that it must have; the document."""
        answer = await self.client.patch(f"/engagements/{self.ids['engagements']}", body)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
async def world(client: Client, store: SqliteStore) -> World:
    """A server with something of everything."""
    return World(client, await one_of_each(client, store))


Check = Callable[[World], Awaitable[None]]


class Statement(msgspec.Struct, frozen=True):
    """A requirement, how it is checked, and whether we deviate from it."""

    number: str
    words: str
    check: Check
    deviates: bool = False


STATEMENTS: list[Statement] = []


def must(number: str, words: str, *, deviates: bool = False) -> Callable[[Check], Check]:
    """A requirement of the specification, checked by the function below it."""

    def note(check: Check) -> Check:
        STATEMENTS.append(Statement(number, words, check, deviates))
        return check

    return note


def new(name: str = "N", **more: Any) -> dict[str, Any]:
    """The document of a new engagement."""
    return {"data": {"type": "engagements", "attributes": {"name": name}, **more}}


def all_resources(document: Any) -> list[Any]:
    """The primary and included resources of a document."""
    data = document["data"] if isinstance(document["data"], list) else [document["data"]]
    return [*data, *document.get("included", [])]


def linked(document: Any) -> set[tuple[str, str]]:
    """Everything that linkage in a document names."""
    found = set()
    for one in all_resources(document):
        for relationship in one.get("relationships", {}).values():
            data = relationship.get("data") or []
            found |= {(each["type"], each["id"]) for each in (data if isinstance(data, list) else [data])}
    return found


# Content negotiation


@must("N1", "documents are sent as application/vnd.api+json", deviates=True)
async def n1(world: World) -> None:
    assert (await world.get("/engagements")).headers["content-type"] == "application/json"
    assert (await world.get("/engagements", accept=JSON_API)).headers["content-type"] == JSON_API
    assert (await world.get("/engagements/x", 404, accept=JSON_API)).headers["content-type"] == JSON_API


@must("N2", "the answer's media type has no parameters but ext and profile")
async def n2(world: World) -> None:
    for accept in (JSON_API, f"{JSON_API};ext=bulk", f"{JSON_API};profile=x"):
        found = (await world.get("/engagements", accept=accept)).headers["content-type"]
        assert found in (JSON_API, f"{JSON_API}; ext=bulk")


@must("N3", "a Content-Type with other parameters than ext and profile is refused with 415", deviates=True)
async def n3(world: World) -> None:
    await world.post("/engagements", new(), 201, content_type=f"{JSON_API}; charset=utf-8")


@must("N4", "a Content-Type with an extension that is not supported is refused with 415")
async def n4(world: World) -> None:
    await world.post("/engagements", new(), 415, content_type=f'{JSON_API};ext="https://jsonapi.org/ext/atomic"')


@must("N5", "instances of the media type in Accept with other parameters are passed over")
async def n5(world: World) -> None:
    found = await world.get("/engagements", accept=f"{JSON_API};a=b, {JSON_API};ext=bulk")
    assert found.headers["content-type"] == f"{JSON_API}; ext=bulk"


@must("N6", "406 when every instance of it in Accept has other parameters")
async def n6(world: World) -> None:
    await world.get("/engagements", 406, accept=f"{JSON_API};a=b")


@must("N7", "406 when every instance of it in Accept has an extension that is not supported")
async def n7(world: World) -> None:
    await world.get("/engagements", 406, accept=f"{JSON_API};ext=atomic")


@must("N8", "profiles that are not known are ignored")
async def n8(world: World) -> None:
    await world.post("/engagements", new(), 201, content_type=f"{JSON_API};profile=x")
    await world.get("/engagements", accept=f"{JSON_API};profile=x")


# Documents


@must("D1", "the root of every document is an object with data, errors or meta, and not data beside errors")
async def d1(world: World) -> None:
    for path, member in (
        ("/engagements", "data"),
        ("/engagements/x", "errors"),
        ("/engagements?page[limit]=0", "errors"),
    ):
        found = (await world.client.get(path)).json()
        assert member in found
        assert ("data" in found) is not ("errors" in found)


@must("D2", "included appears only beside data")
async def d2(world: World) -> None:
    assert "data" in await world.json("/texts?include=envelope")
    assert "included" not in await world.json("/texts?include=nothing", 400)


@must("D3", "primary data is one resource, identifier or null, or an array of them")
async def d3(world: World) -> None:
    one = await world.json(f"/engagements/{world.ids['engagements']}")
    assert isinstance(one["data"], dict)
    identifier = await world.json(f"/envelopes/{world.ids['envelopes']}/relationships/engagement")
    assert set(identifier["data"]) == {"type", "id"}
    assert (await world.json(f"/envelopes/{world.ids['envelopes']}/text"))["data"] is None


@must("D4", "a collection is an array, also of one or of none")
async def d4(world: World) -> None:
    assert len((await world.json("/engagements"))["data"]) == 1
    assert (await world.json("/engagements?filter[name]=nobody"))["data"] == []


@must("D5", "every resource has a type and an id, both text")
async def d5(world: World) -> None:
    for kind in world.ids:
        for one in (await world.json(f"/{kind}"))["data"]:
            # a revision is shown as the template that it was
            assert one["type"] == {"text-template-revisions": "text-templates"}.get(kind, kind)
            assert isinstance(one["id"], str)


@must("D6", "type and id name one resource, and no two of a document are the same")
async def d6(world: World) -> None:
    found = await world.json("/texts?include=text-message,result.text,results.text")
    keys = [(one["type"], one["id"]) for one in all_resources(found)]
    assert len(keys) == len(set(keys))


@must("D7", "types and members have names of the allowed characters")
async def d7(world: World) -> None:
    for described in RESOURCES:
        for name in (described.type, *described.members, *described.relationships):
            assert NAME.match(name)


@must("D8", "attributes and relationships share their names with nothing, nor with type and id")
async def d8(world: World) -> None:
    for described in RESOURCES:
        names = [*described.members, *described.relationships, "type", "id"]
        assert len(names) == len(set(names))


@must("D9", "attributes and relationships are objects")
async def d9(world: World) -> None:
    for kind, id_ in world.ids.items():
        one = (await world.json(f"/{kind}/{id_}"))["data"]
        assert isinstance(one["attributes"], dict)
        assert isinstance(one["relationships"], dict)


@must("D10", "a relationship has links, data or meta, and its data is null, an identifier or an array of them")
async def d10(world: World) -> None:
    for kind, id_ in world.ids.items():
        for found in (await world.json(f"/{kind}/{id_}"))["data"]["relationships"].values():
            assert set(found) & {"links", "data"}
            data = found.get("data") or []
            for one in data if isinstance(data, list) else [data]:
                assert set(one) == {"type", "id"}
                assert all(isinstance(value, str) for value in one.values())


@must("D11", "a related link answers, also when nothing is related", deviates=True)
async def d11(world: World) -> None:
    text = (await world.json(f"/texts/{world.ids['texts']}"))["data"]
    address = text["relationships"]["results"]["links"]["related"].partition("/api/v1")[2]
    assert len((await world.json(address))["data"]) == 1
    assert (await world.json(f"/texts/{to_wire(new_id())}/results", 404))["errors"]


@must("D12", "everything included is led to by linkage, from the primary data on")
async def d12(world: World) -> None:
    found = await world.json("/texts?include=results,envelope.engagement.activity.text-template")
    reached = linked(found)
    assert {(one["type"], one["id"]) for one in found["included"]} <= reached


@must("D13", "meta and links are objects, and a link is text or null")
async def d13(world: World) -> None:
    found = await world.json("/engagements")
    assert isinstance(found["meta"], dict)
    assert all(link is None or isinstance(link, str) for link in found["links"].values())


# Fetching


@must("F1", "200 with an array for a collection, empty or not")
async def f1(world: World) -> None:
    for kind in world.ids:
        assert isinstance((await world.json(f"/{kind}"))["data"], list)


@must("F2", "200 with the resource for one, 404 when there is none")
async def f2(world: World) -> None:
    for kind, id_ in world.ids.items():
        assert (await world.json(f"/{kind}/{id_}"))["data"]["id"] == id_
        await world.get(f"/{kind}/{to_wire(new_id())}", 404)


@must("F3", "null where an address leads to one resource or none, and now to none")
async def f3(world: World) -> None:
    assert await world.json(f"/envelopes/{world.ids['envelopes']}/text") == {"data": None}


@must("F4", "a relationship's address answers with its linkage, empty or not")
async def f4(world: World) -> None:
    text = f"/texts/{world.ids['texts']}/relationships"
    shown = (await world.json(f"/texts/{world.ids['texts']}"))["data"]["relationships"]
    for name in ("text-message", "result", "envelope", "phone-number"):
        assert (await world.json(f"{text}/{name}"))["data"] == shown[name]["data"]
    assert len((await world.json(f"{text}/results"))["data"]) == 1
    assert (await world.json(f"/engagements/{await world.client.engagement()}/relationships/phone-numbers"))[
        "data"
    ] == []


@must("F5", "404 for a relationship's address of a resource that there is not")
async def f5(world: World) -> None:
    await world.get(f"/texts/{to_wire(new_id())}/relationships/results", 404)
    await world.get(f"/texts/{world.ids['texts']}/relationships/nothing", 404)


@must("F6", "400 for include where it is not supported")
async def f6(world: World) -> None:
    await world.post("/engagements?include=activity", new(), 400)


@must("F7", "with include, nothing is included that was not asked for; an empty one includes nothing")
async def f7(world: World) -> None:
    found = await world.json("/texts?include=phone-number")
    assert {one["type"] for one in found["included"]} == {"phone-numbers"}
    assert (await world.json("/texts?include="))["included"] == []


@must("F8", "400 for a path of include that is not known or not supported")
async def f8(world: World) -> None:
    for path in ("nothing", "envelope.nothing", "contact.nothing", "phone-number.", "texts"):
        await world.get(f"/texts?include={path}", 400)


@must("F9", "with fields, a type has no other members than those")
async def f9(world: World) -> None:
    found = await world.json("/texts?include=phone-number&fields[texts]=to,phone-number&fields[phone-numbers]=label")
    assert set(found["data"][0]["attributes"]) == {"to"}
    assert set(found["data"][0]["relationships"]) == {"phone-number"}
    assert set(found["included"][0]) == {"type", "id", "attributes"}
    assert set((await world.json("/texts?fields[texts]="))["data"][0]) == {"type", "id"}


@must("F10", "sort orders ascending, with a minus before it descending, by one key after the other")
async def f10(world: World) -> None:
    for name in ("b", "a"):
        await world.client.make("text-templates", {"name": name, "body": "Hi"})
    for sort, expected in (("name", ["Text Template", "a", "b"]), ("-name,id", ["b", "a", "Text Template"])):
        found = await world.json(f"/text-templates?sort={sort}")
        assert [one["attributes"]["name"] for one in found["data"]] == expected


@must("F11", "400 for an order that is not supported")
async def f11(world: World) -> None:
    await world.get("/envelopes?sort=status", 400)
    await world.get(f"/engagements/{world.ids['engagements']}?sort=name", 400)


@must("F12", "pages have links first, last, prev and next, null where there is none")
async def f12(world: World) -> None:
    links = (await world.json("/engagements"))["links"]
    assert set(links) == {"first", "last", "prev", "next", "self"}
    assert links["prev"] is links["next"] is None


@must("F13", "the order of pages is that of the sorting")
async def f13(world: World) -> None:
    made = [await world.client.engagement() for _ in range(2)]
    first = await world.json("/engagements?sort=-id&page[limit]=2")
    second = (await world.json(first["links"]["next"].partition("/api/v1")[2]))["data"]
    assert [one["id"] for one in (*first["data"], *second)] == [*reversed(made), world.ids["engagements"]]


@must("F14", "the links of a relationship's pages page the relationship")
async def f14(world: World) -> None:
    links = (await world.json(f"/texts/{world.ids['texts']}/relationships/results?page[limit]=1"))["links"]
    assert "/relationships/results?" in links["first"]
    assert links["related"].endswith("/results")


# Changing


@must("C1", "a creation holds one resource object with a type as its primary data")
async def c1(world: World) -> None:
    for body in ({"data": None}, {"data": {"attributes": {"name": "N"}}}, {"data": "x"}, {}):
        await world.post("/engagements", body, 400)


@must("C2", "a relationship of a request holds data")
async def c2(world: World) -> None:
    await world.post("/envelopes", {"data": [{**recipients("x", 1)[0], "relationships": {"engagement": {}}}]}, 400)


@must("C3", "403 for an id of the client's, where these are not supported")
async def c3(world: World) -> None:
    await world.post("/engagements", new(id=to_wire(new_id())), 403)


@must("C4", "201 with the resource that was made")
async def c4(world: World) -> None:
    found = await world.post("/engagements", new(), 201)
    assert found["data"]["type"] == "engagements"
    await world.get(f"/engagements/{found['data']['id']}")


@must("C5", "404 for a change that refers to a resource that there is not", deviates=True)
async def c5(world: World) -> None:
    found = await world.post("/envelopes", {"data": recipients(to_wire(new_id()), 1)}, 400)
    assert found["errors"][0]["code"] == 107


@must("C6", "409 for a type that does not belong to the address")
async def c6(world: World) -> None:
    await world.post("/engagements", resource("texts", {"name": "N"}), 409)


@must("C7", "an update holds one resource object with type and id", deviates=True)
async def c7(world: World) -> None:
    await world.patch(new("without an id"), 202)


@must("C8", "attributes and relationships that an update leaves out stay as they are")
async def c8(world: World) -> None:
    before = (await world.json(f"/engagements/{world.ids['engagements']}"))["data"]
    after = (await world.patch(new("other"), 202))["data"]
    assert after["attributes"]["name"] == "other"
    changed = {"name", "updated-at"}
    for name, value in before["attributes"].items():
        assert name in changed or after["attributes"][name] == value
    assert after["relationships"] == before["relationships"]


@must("C9", "200 with the resource when an update changes more than it says", deviates=True)
async def c9(world: World) -> None:
    found = await world.patch(new("other"), 202)
    assert found["data"]["id"] == world.ids["engagements"]


@must("C10", "404 for an update of a resource that there is not")
async def c10(world: World) -> None:
    answer = await world.client.patch(f"/engagements/{to_wire(new_id())}", new())
    assert answer.status_code == 404


@must("C11", "409 for an update whose type or id does not fit the address")
async def c11(world: World) -> None:
    await world.patch(new(id=to_wire(new_id())), 409)
    await world.patch(resource("texts", {}), 409)


@must("C12", "403 for the change of a relationship at its address, where that is not supported")
async def c12(world: World) -> None:
    address = f"/api/v1/engagements/{world.ids['engagements']}/relationships/activity"
    for method in ("POST", "PATCH", "DELETE"):
        body = linkage("activities", world.ids["activities"])
        assert (await world.client.send(method, address, body)).status_code == 403


def _tags(*ids: str) -> dict[str, Any]:
    return {"data": [{"type": "tags", "id": id_} for id_ in ids]}


async def _tagged(world: World, method: str, *ids: str) -> list[str]:
    """Change the tags of the template by their relationship's address; those that it has then."""
    address = f"/text-templates/{world.ids['text-templates']}/relationships/tags"
    answer = await world.client.send(method, f"/api/v1{address}", _tags(*ids))
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in (await world.json(address))["data"]]


@must("C13", "POST to a relationship to many adds what is not there yet, and leaves the rest")
async def c13(world: World) -> None:
    first, second = world.ids["tags"], await world.client.make("tags", {"name": "Second"})
    assert await _tagged(world, "POST", first) == [first]
    assert sorted(await _tagged(world, "POST", first, second)) == sorted([first, second])


@must("C14", "PATCH of a relationship to many replaces all of it, with nothing too")
async def c14(world: World) -> None:
    second = await world.client.make("tags", {"name": "Second"})
    await _tagged(world, "POST", world.ids["tags"])
    assert await _tagged(world, "PATCH", second) == [second]
    assert await _tagged(world, "PATCH") == []


@must("C15", "DELETE from a relationship to many takes away what is there, and succeeds where it is gone already")
async def c15(world: World) -> None:
    second = await world.client.make("tags", {"name": "Second"})
    await _tagged(world, "PATCH", world.ids["tags"], second)
    for _ in range(2):
        assert await _tagged(world, "DELETE", second) == [world.ids["tags"]]


@must("C16", "204 without a body for a deletion that answers nothing; what was deleted is gone")
async def c16(world: World) -> None:
    address = f"/tags/{world.ids['tags']}"
    answer = await world.client.delete(address)
    assert (answer.status_code, answer.content) == (204, b"")
    await world.get(address, 404)


# Query parameters and errors


@must("Q1", "400 for parameters that the specification reserves and the server does not know", deviates=True)
async def q1(world: World) -> None:
    await world.get("/engagements?unknown=1&test_request_number=2&page[size]=3")
    for name in ("filter[nothing]=x", "sort=nothing", "include=nothing", "fields[nothing]=x"):
        await world.get(f"/engagements?{name}", 400)


@must("E1", "errors are an array at the top, each with at least one of its members")
async def e1(world: World) -> None:
    for path in ("/engagements/x", "/nothing", "/engagements?sort=x"):
        found = (await world.client.get(path)).json()["errors"]
        assert all({"status", "title", "detail"} <= set(one) for one in found)


@must("E2", "status is text, and that of the answer")
async def e2(world: World) -> None:
    assert (await world.json("/engagements/x", 404))["errors"][0]["status"] == "404"


@must("E3", "code is text", deviates=True)
async def e3(world: World) -> None:
    assert (await world.json("/engagements/x", 404))["errors"][0]["code"] == 122


@must("E4", "a pointer of an error's source leads to a value that is in the request", deviates=True)
async def e4(world: World) -> None:
    found = await world.post("/engagements", {"data": {"type": "engagements", "attributes": {}}}, 400)
    assert found["errors"][0]["source"]["pointer"] == "/data/attributes/name"
    wrong = await world.post("/engagements", {"data": {"type": "engagements", "attributes": {"name": 1}}}, 400)
    assert wrong["errors"][0]["source"]["pointer"] == "/data/attributes/name"


@must("E5", "a parameter of an error's source names the query parameter")
async def e5(world: World) -> None:
    found = await world.json("/engagements?filter[nothing]=x", 400)
    assert found["errors"][0]["source"] == {"parameter": "filter[nothing]"}


@must("E6", "several faults of one kind of status come in one answer, of different ones under the most general")
async def e6(world: World) -> None:
    found = await world.json("/engagements?sort=x&filter[y]=z", 400)
    assert len(found["errors"]) >= 2
    mixed = {"data": {"type": "engagements", "id": to_wire(new_id()), "attributes": {"name": 1}}}
    await world.post("/engagements", mixed, 400)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.number)
async def test_statement(world: World, statement: Statement) -> None:
    """Each requirement is kept, or what is done instead is."""
    await statement.check(world)


def test_deviations_are_documented() -> None:
    """The reference has a line for each deviation, and for nothing that is kept."""
    text = REFERENCE.read_text("utf-8")
    told = set(re.findall(r"^\| ([A-Z]\d+) \|", text, re.MULTILINE))
    assert told == {statement.number for statement in STATEMENTS if statement.deviates}
    assert len({statement.number for statement in STATEMENTS}) == len(STATEMENTS)
