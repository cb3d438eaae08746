"""Text messages: drafts that change and go, finished ones that stay, bodies from templates."""

from typing import Any

import httpx
import pytest

from api_client import Client, resource
from api_samples import one_of_each
from opengage.ids import new_id, to_wire
from opengage.store.sqlite import SqliteStore

KIND = "text-messages"


async def write(client: Client, id_: str, **attributes: Any) -> httpx.Response:
    """PATCH a message; underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return await client.patch(f"/{KIND}/{id_}", {"data": {"id": id_, "type": KIND, "attributes": named}})


async def test_a_draft(client: Client) -> None:
    """It may be empty, changes, and is finished by `is-draft` false: from then on neither PATCH nor DELETE moves it."""
    id_ = await client.make(KIND, {"is-draft": True})
    assert (await client.get(f"/{KIND}/{id_}")).json()["data"]["attributes"]["body"] == ""
    unfinished = await write(client, id_, is_draft=False)
    assert (unfinished.status_code, unfinished.json()["errors"][0]["code"]) == (400, 103)
    changed = await write(client, id_, body="Hi {{first-name}}", meta={"first-name": "Ann"})
    assert changed.status_code == 202
    assert changed.json()["data"]["attributes"]["meta"] == {"first-name": "Ann"}
    finished = await write(client, id_, is_draft=False)
    assert (finished.status_code, finished.json()["data"]["attributes"]["is-draft"]) == (202, False)
    for answer in (await write(client, id_, body="Hello"), await client.delete(f"/{KIND}/{id_}")):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 109)
    assert (await client.get(f"/{KIND}/{id_}")).json() == finished.json()


async def test_a_draft_goes(client: Client, other: Client) -> None:
    """204 while it is a draft, then it never was; for another account it is not there at all."""
    id_ = await client.make(KIND, {"is-draft": True, "body": "Hi"})
    assert (await other.delete(f"/{KIND}/{id_}")).status_code == 404
    assert (await write(other, id_, body="Hello")).status_code == 404
    assert (await client.delete(f"/{KIND}/{id_}")).status_code == 204
    assert (await client.get(f"/{KIND}/{id_}")).status_code == 404
    assert (await client.delete(f"/{KIND}/{id_}")).status_code == 404


async def test_a_body_and_a_template(client: Client) -> None:
    """The body that is sent stands, and the template is named; a later edit of the template changes no message."""
    template_id = await client.make("text-templates", {"name": "T", "body": "From the template"})
    document = resource(KIND, {"body": "My own"}, text_template=("text-templates", template_id))
    found = (await client.post(f"/{KIND}", document)).json()["data"]
    assert found["attributes"]["body"] == "My own"
    assert found["relationships"]["text-template"]["data"]["id"] == template_id
    draft = await client.make(KIND, {"is-draft": True, "body": "My own"})
    document = resource(KIND, {}, text_template=("text-templates", template_id))
    copied = (await client.patch(f"/{KIND}/{draft}", document)).json()["data"]
    assert copied["attributes"]["body"] == "From the template"
    edit = resource("text-templates", {"body": "Edited"})
    assert (await client.patch(f"/text-templates/{template_id}", edit)).status_code == 202
    assert (await client.get(f"/{KIND}/{draft}")).json()["data"]["attributes"]["body"] == "From the template"


@pytest.mark.parametrize(
    ("attributes", "code", "attribute"),
    [
        ({}, 103, "body"),
        ({"body": "  "}, 103, "body"),
        ({"body": "Hi {{"}, 106, "body"),
        ({"body": "Hi {{", "is-draft": True}, 106, "body"),
        ({"body": 7}, 102, "body"),
        ({"body": "Hi", "is-draft": "no"}, 102, "is-draft"),
        ({"body": "Hi", "meta": []}, 102, "meta"),
        ({"body": "Hi", "meta": {"a": []}}, 102, "meta/a"),
    ],
)
async def test_refused(client: Client, attributes: dict[str, Any], code: int, attribute: str) -> None:
    """400 at the attribute, and nothing is there afterwards."""
    answer = await client.post(f"/{KIND}", resource(KIND, attributes))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["source"]["pointer"] == f"/data/attributes/{attribute}"
    assert (await client.get(f"/{KIND}")).json()["meta"]["total"] == 0


async def test_templates_that_are_not_there(client: Client, other: Client) -> None:
    """Another account's, none, or another type: 400 at the relationship."""
    foreign = await other.make("text-templates", {"name": "T", "body": "Hi"})
    for target, code in (
        (("text-templates", foreign), 107),
        (("text-templates", to_wire(new_id())), 107),
        (("text-templates", "x"), 107),
        (("tags", foreign), 102),
    ):
        answer = await client.post(f"/{KIND}", resource(KIND, {}, text_template=target))
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == "/data/relationships/text-template"


async def test_a_blast_s_message_stays(client: Client, store: SqliteStore) -> None:
    """What a text of a blast carries is no draft: 400 for a change and for deletion."""
    id_ = (await one_of_each(client, store))[KIND]
    for answer in (await write(client, id_, body="Hello"), await client.delete(f"/{KIND}/{id_}")):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 109)
