"""Text templates after they were made: edits and their revisions, deletion, tags."""

from typing import Any

import httpx
import pytest

from api_client import START, Client, StandingClock, linkage, resource, to_wire_number
from opengage.clock import Instant
from opengage.ids import new_id, to_wire

KIND = "text-templates"


async def a_template(client: Client, body: str = "Hi {{first-name}}") -> str:
    """A template; its id."""
    return await client.make(KIND, {"name": "Spring", "body": body})


async def edit(client: Client, id_: str, **attributes: Any) -> httpx.Response:
    """PATCH a template; underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return await client.patch(f"/{KIND}/{id_}", {"data": {"id": id_, "type": KIND, "attributes": named}})


async def tag(client: Client, name: str) -> str:
    """A tag; its id."""
    return await client.make("tags", {"name": name})


def tags(*ids: str) -> dict[str, Any]:
    """Linkage to tags."""
    return {"data": [{"type": "tags", "id": id_} for id_ in ids]}


async def test_an_edit_is_a_revision(client: Client, clock: StandingClock) -> None:
    """202 with the new words and a new revision; the older one keeps its own, and both lead to the template."""
    id_ = await a_template(client)
    first = (await client.get(f"/{KIND}/{id_}")).json()["data"]
    clock.instant = Instant(START + 1)
    answer = await edit(client, id_, body="Hello {{first-name}}", name="Summer")
    assert answer.status_code == 202
    second = answer.json()["data"]
    assert (second["attributes"]["name"], second["attributes"]["body"]) == ("Summer", "Hello {{first-name}}")
    assert second["attributes"]["created-at"] < second["attributes"]["updated-at"]
    ids = [each["relationships"]["revision"]["data"]["id"] for each in (first, second)]
    assert len({*ids, id_}) == 3
    link = second["relationships"]["revisions"]["links"]["related"].removeprefix("https://texts.example.org/api/v1")
    page = (await client.get(link)).json()
    assert ([each["id"] for each in page["data"]], page["meta"]["total"]) == (ids, 2)
    assert [each["attributes"]["body"] for each in page["data"]] == ["Hi {{first-name}}", "Hello {{first-name}}"]
    assert {each["relationships"]["primary"]["data"]["id"] for each in page["data"]} == {id_}
    assert (await client.get(f"/{KIND}/{ids[0]}")).json()["data"] == page["data"][0]
    assert (await client.get(f"/{KIND}/{id_}/revision")).json()["data"] == page["data"][1]
    assert [each["id"] for each in (await client.get(f"/{KIND}")).json()["data"]] == [id_]


async def test_the_same_words_are_no_revision(client: Client) -> None:
    """Nor is filing it away: the newest revision stays the newest."""
    id_ = await a_template(client)
    before = (await client.get(f"/{KIND}/{id_}")).json()["data"]
    assert (await edit(client, id_, body="Hi {{first-name}}", name="Spring")).json()["data"] == before
    archived = (await edit(client, id_, is_archived=True)).json()["data"]
    assert archived["attributes"]["is-archived"] is True
    assert archived["relationships"]["revision"] == before["relationships"]["revision"]
    assert (await edit(client, id_, is_archived=False)).json()["data"]["attributes"]["is-archived"] is False
    assert (await client.get(f"/{KIND}/{id_}/revisions")).json()["meta"]["total"] == 1


@pytest.mark.parametrize(
    ("attributes", "code", "attribute"),
    [
        ({"body": "Hi {{"}, 106, "body"),
        ({"body": " "}, 103, "body"),
        ({"name": ""}, 103, "name"),
        ({"name": "n" * 256}, 104, "name"),
        ({"is_archived": "yes"}, 102, "is-archived"),
        ({"body": None}, 102, "body"),
    ],
)
async def test_a_wrong_edit_changes_nothing(
    client: Client, attributes: dict[str, Any], code: int, attribute: str
) -> None:
    """400 at the attribute, with the mending; the template reads as before."""
    id_ = await a_template(client)
    before = (await client.get(f"/{KIND}/{id_}")).text
    answer = await edit(client, id_, **attributes)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["source"]["pointer"] == f"/data/attributes/{attribute}"
    assert (await client.get(f"/{KIND}/{id_}")).text == before


async def test_a_revision_never_changes(client: Client) -> None:
    """400 that names the template; neither edit nor deletion nor tags reach it."""
    id_ = await a_template(client)
    revision = (await client.get(f"/{KIND}/{id_}")).json()["data"]["relationships"]["revision"]["data"]["id"]
    for answer in (
        await edit(client, revision, body="Hello"),
        await client.delete(f"/{KIND}/{revision}"),
        await client.patch(f"/{KIND}/{revision}/relationships/tags", tags()),
    ):
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, 109)
        assert id_ in error["detail"]


async def test_a_deleted_template(client: Client, clock: StandingClock) -> None:
    """204, again too; it can be read with who and when, is in no list, stays as it is, and nothing new may use it."""
    id_ = await a_template(client)
    clock.instant = Instant(START + 1_000_000)
    assert (await client.delete(f"/{KIND}/{id_}")).status_code == 204
    clock.instant = Instant(START + 2_000_000)
    gone = await client.delete(f"/{KIND}/{id_}")
    assert (gone.status_code, gone.content) == (204, b"")
    found = (await client.get(f"/{KIND}/{id_}")).json()["data"]
    assert found["attributes"]["deleted-at"] == "2020-07-07T19:36:02.641305+00:00"
    assert found["relationships"]["deleted-by"]["data"]["id"] == to_wire(client.account.membership_id)
    assert (await client.get(f"/{KIND}")).json()["data"] == []
    answer = await edit(client, id_, body="Hello")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 109)
    activity = resource(
        "activities",
        {"name": "A", "kind": "text"},
        engagement=("engagements", await client.engagement()),
        phone_number=("phone-numbers", to_wire_number(client.account)),
        text_template=(KIND, id_),
    )
    message = resource("text-messages", {"is-draft": False}, text_template=(KIND, id_))
    for path, document in (("/activities", activity), ("/text-messages", message)):
        refused = await client.post(path, document)
        (error,) = refused.json()["errors"]
        assert (refused.status_code, error["code"]) == (400, 107)
        assert error["source"]["pointer"] == "/data/relationships/text-template"


async def test_tags_at_the_template(client: Client) -> None:
    """Given when it is made, replaced by an edit; an empty array, which clients echo, says nothing."""
    spring, summer = await tag(client, "spring"), await tag(client, "summer")
    document = resource(KIND, {"name": "T", "body": "Hi"})
    document["data"]["relationships"] = {"tags": tags(spring, spring)}
    made = (await client.post(f"/{KIND}", document)).json()["data"]
    assert made["relationships"]["tags"] == tags(spring)
    document = {"data": {"type": KIND, "relationships": {"tags": tags(summer)}}}
    changed = (await client.patch(f"/{KIND}/{made['id']}", document)).json()["data"]
    assert changed["relationships"]["tags"] == tags(summer)
    assert changed["relationships"]["revision"] == made["relationships"]["revision"]
    document["data"]["relationships"] = {"tags": tags()}
    assert (await client.patch(f"/{KIND}/{made['id']}", document)).json()["data"] == changed
    page = (await client.get(f"/{KIND}/{made['id']}/tags")).json()
    assert [each["attributes"]["name"] for each in page["data"]] == ["summer"]


async def test_tags_by_their_relationship(client: Client) -> None:
    """POST adds, DELETE takes out, PATCH replaces; each answers what GET then says."""
    one, two, three = [await tag(client, name) for name in ("one", "two", "three")]
    id_ = await a_template(client)
    address = f"/{KIND}/{id_}/relationships/tags"
    for method, sent, left in (
        ("POST", (one, two), [one, two]),
        ("POST", (two,), [one, two]),
        ("DELETE", (one, three), [two]),
        ("PATCH", (three, one), [one, three]),
        ("PATCH", (), []),
    ):
        answer = await client.send(method, f"/api/v1{address}", tags(*sent))
        assert answer.status_code == 200
        assert answer.json()["data"] == tags(*left)["data"]
        assert answer.json() == (await client.get(address)).json()


async def test_only_tags_are_written_by_themselves(client: Client) -> None:
    """403 for another relationship: it changes with its resource, if at all."""
    id_ = await a_template(client)
    for name in ("created-by", "revisions"):
        answer = await client.patch(f"/{KIND}/{id_}/relationships/{name}", tags())
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 126)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_tags_that_cannot_be(client: Client, other: Client, method: str) -> None:
    """Unknown, another account's, of another type, too many, no array: refused with the place, and none is added."""
    known = await tag(client, "known")
    id_ = await a_template(client)
    address = f"/api/v1/{KIND}/{id_}/relationships/tags"
    foreign = await tag(other, "foreign")
    for body, code, pointer in (
        (tags(known, foreign), 107, "/data/1"),
        (tags(known, to_wire(new_id())), 107, "/data/1"),
        (tags(known, "x"), 107, "/data/1"),
        ({"data": [{"type": KIND, "id": id_}]}, 102, "/data/0"),
        ({"data": [{"type": "tags"}]}, 103, "/data/0/id"),
        ({"data": [7]}, 102, "/data/0"),
        (linkage("tags", known), 102, "/data"),
    ):
        answer = await client.send(method, address, body)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, code, pointer)
    many = await client.send(method, address, tags(*[known, *(to_wire(new_id()) for _ in range(100))]))
    assert {error["code"] for error in many.json()["errors"]} == {107, 110}
    assert (await client.get(f"/{KIND}/{id_}")).json()["data"]["relationships"]["tags"] == tags()


async def test_what_the_guide_never_changes(client: Client, other: Client) -> None:
    """Another account's template is not there for any write."""
    id_ = await a_template(client)
    before = (await client.get(f"/{KIND}/{id_}")).text
    for answer in (
        await edit(other, id_, body="Hello"),
        await other.delete(f"/{KIND}/{id_}"),
        await other.post(f"/{KIND}/{id_}/relationships/tags", tags(await tag(other, "mine"))),
    ):
        assert answer.status_code == 404
    assert (await other.get(f"/{KIND}/{id_}/revisions")).status_code == 404
    assert (await client.get(f"/{KIND}/{id_}")).text == before
