"""Files of text templates and text messages: attached by uploads or files, shown, included, and never sent."""

from typing import Any

import httpx
import pytest

from api_client import Client, resource
from api_samples import upload
from opengage.ids import new_id, to_wire
from opengage.operations.files import MOST_FILES

TEMPLATES, MESSAGES = "text-templates", "text-messages"
GIF = b"GIF89a\x02\x00\x01\x00;"
WORDS: dict[str, dict[str, Any]] = {TEMPLATES: {"name": "T", "body": "Hi"}, MESSAGES: {"body": "Hi", "is-draft": True}}
BOTH = pytest.mark.parametrize("kind", [TEMPLATES, MESSAGES])


async def picture(client: Client) -> str:
    """A new upload; its id."""
    return await upload(client, "a.gif", "image/gif", GIF)


def document(kind: str, attributes: dict[str, Any] | None = None, **targets: list[str]) -> dict[str, Any]:
    """A request that points at some of `uploads` and `files`."""
    made = resource(kind, WORDS[kind] if attributes is None else attributes)
    for name, ids in targets.items():
        made["data"]["relationships"][name] = {"data": [{"type": name, "id": id_} for id_ in ids]}
    return made


def files(answer: httpx.Response) -> list[str]:
    """The ids of the files that an answer shows."""
    return [one["id"] for one in answer.json()["data"]["relationships"]["files"]["data"]]


async def made(client: Client, kind: str, **targets: list[str]) -> tuple[str, list[str]]:
    """A new template, or draft of a message: its id and its files."""
    answer = await client.post(f"/{kind}", document(kind, None, **targets))
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["id"], files(answer)


@BOTH
async def test_made_with_files(client: Client, kind: str) -> None:
    """An upload becomes a file; the answer, a later read, lists and includes all tell the same."""
    id_, attached = await made(client, kind, uploads=[await picture(client)])
    assert len(attached) == 1
    read = await client.get(f"/{kind}/{id_}?include=files")
    assert files(read) == attached
    (included,) = read.json()["included"]
    assert included == (await client.get(f"/files/{attached[0]}")).json()["data"]
    assert included["attributes"]["width"] == 2
    served = await client.http.get(included["attributes"]["url"])
    assert (served.status_code, served.content) == (200, GIF)
    page = (await client.get(f"/{kind}")).json()["data"][0]
    assert [one["id"] for one in page["relationships"]["files"]["data"]] == attached
    assert [one["id"] for one in (await client.get(f"/{kind}/{id_}/files")).json()["data"]] == attached
    linkage = (await client.get(f"/{kind}/{id_}/relationships/files")).json()["data"]
    assert linkage == [{"type": "files", "id": attached[0]}]
    assert "uploads" not in page["relationships"]


@BOTH
async def test_added_to_those_that_are_there(client: Client, kind: str) -> None:
    """PATCH adds; empty arrays, files that are there and uploads that were sent before change nothing."""
    first = await picture(client)
    id_, before = await made(client, kind, uploads=[first])
    for same in (document(kind), document(kind, uploads=[], files=[]), document(kind, uploads=[first], files=before)):
        answer = await client.patch(f"/{kind}/{id_}", same)
        assert (answer.status_code, files(answer)) == (202, before)
    answer = await client.patch(f"/{kind}/{id_}", document(kind, {}, uploads=[await picture(client)]))
    after = files(answer)
    assert set(before) < set(after)
    assert len(after) == 2
    _, shared = await made(client, kind, files=after)
    assert shared == after


@BOTH
async def test_what_cannot_be_attached(client: Client, other: Client, kind: str) -> None:
    """None, another account's, one whose bytes did not come, another type: 400 at its place, and nothing is changed."""
    id_, _ = await made(client, kind)
    answer = await client.post("/uploads", {"name": "a.gif", "type": "image/gif", "size": 1})
    unsent = answer.json()["data"]["id"]
    foreign = await picture(other)
    _, foreign_files = await made(other, kind, uploads=[foreign])
    good = await picture(client)
    for name, bad in (
        ("uploads", to_wire(new_id())),
        ("uploads", foreign),
        ("uploads", unsent),
        ("files", to_wire(new_id())),
        ("files", foreign_files[0]),
        ("files", "x"),
    ):
        wrong = document(kind, {}, **({"uploads": [good]} | {name: [good, bad] if name == "uploads" else [bad]}))
        answer = await client.patch(f"/{kind}/{id_}", wrong)
        (error,) = answer.json()["errors"]
        place = 1 if name == "uploads" else 0
        assert (answer.status_code, error["code"]) == (400, 107)
        assert error["source"]["pointer"] == f"/data/relationships/{name}/data/{place}"
    wrong = document(kind)
    wrong["data"]["relationships"]["uploads"] = {"data": [{"type": "files", "id": good}]}
    answer = await client.post(f"/{kind}", wrong)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 102)
    assert files(await client.get(f"/{kind}/{id_}")) == []
    assert (await client.get("/files")).json()["data"] == []
    assert (await client.get(f"/{kind}")).json()["meta"]["total"] == 1


@BOTH
async def test_too_many(client: Client, kind: str) -> None:
    """The eleventh is refused, however they come; a flood is refused unread."""
    _, some = await made(client, kind, uploads=[await picture(client) for _ in range(MOST_FILES)])
    id_, _ = await made(client, kind, files=some)
    more = await picture(client)
    flood = [to_wire(new_id()) for _ in range(MOST_FILES + 1)]
    for targets in ({"uploads": [more]}, {"files": some, "uploads": [more]}, {"uploads": flood}, {"files": flood}):
        answer = await client.patch(f"/{kind}/{id_}", document(kind, {}, **targets))
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert f"at most {MOST_FILES}" in error["detail"]
    assert files(await client.get(f"/{kind}/{id_}")) == some


async def test_a_template_s_files_are_no_new_words(client: Client) -> None:
    """Attaching moves `updated-at` alone: there is no new revision, and revisions tell no files."""
    id_, _ = await made(client, TEMPLATES)
    before = (await client.get(f"/{TEMPLATES}/{id_}")).json()["data"]
    answer = await client.patch(f"/{TEMPLATES}/{id_}", document(TEMPLATES, {}, uploads=[await picture(client)]))
    assert answer.json()["data"]["relationships"]["revision"] == before["relationships"]["revision"]
    (revision,) = (await client.get(f"/{TEMPLATES}/{id_}/revisions")).json()["data"]
    assert revision["relationships"]["files"]["data"] == []


def from_template(template_id: str, attributes: dict[str, Any], **targets: list[str]) -> dict[str, Any]:
    """A message that is made from a template."""
    written = document(MESSAGES, attributes, **targets)
    written["data"]["relationships"]["text-template"] = {"data": {"type": TEMPLATES, "id": template_id}}
    return written


async def test_a_message_takes_its_template_s_files(client: Client) -> None:
    """When it has none of its own and none are sent, by POST and by PATCH; what the template gets later stays there."""
    template_id, theirs = await made(client, TEMPLATES, uploads=[await picture(client)])
    copied = await client.post(f"/{MESSAGES}", from_template(template_id, {}))
    assert files(copied) == theirs
    with_own = await client.post(f"/{MESSAGES}", from_template(template_id, {}, uploads=[await picture(client)]))
    assert len(files(with_own)) == 1
    assert files(with_own) != theirs
    bare, _ = await made(client, MESSAGES)
    assert files(await client.patch(f"/{MESSAGES}/{bare}", from_template(template_id, {}))) == theirs
    draft, own = await made(client, MESSAGES, uploads=[await picture(client)])
    assert files(await client.patch(f"/{MESSAGES}/{draft}", from_template(template_id, {}))) == own
    more = document(TEMPLATES, {}, uploads=[await picture(client)])
    assert (await client.patch(f"/{TEMPLATES}/{template_id}", more)).status_code == 202
    assert files(await client.get(f"/{MESSAGES}/{copied.json()['data']['id']}")) == theirs


async def test_a_finished_message_takes_none(client: Client) -> None:
    """400 once it is no draft; a draft that goes leaves the file, which others may have."""
    draft, attached = await made(client, MESSAGES, uploads=[await picture(client)])
    assert (await client.delete(f"/{MESSAGES}/{draft}")).status_code == 204
    assert (await client.get(f"/files/{attached[0]}")).status_code == 200
    answer = await client.post(f"/{MESSAGES}", document(MESSAGES, {"body": "Hi"}, files=attached))
    finished = answer.json()["data"]["id"]
    more = document(MESSAGES, {}, uploads=[await picture(client)])
    answer = await client.patch(f"/{MESSAGES}/{finished}", more)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 109)
    assert files(await client.get(f"/{MESSAGES}/{finished}")) == attached
    text = resource("texts", {"to": "+12025550123"}, text_message=(MESSAGES, finished))
    assert (await client.post("/texts", text)).status_code == 201


async def test_viewers_attach_nothing(client: Client) -> None:
    """403, and the upload is still free."""
    viewer = await client.member("viewer")
    id_, _ = await made(client, TEMPLATES)
    answer = await viewer.patch(f"/{TEMPLATES}/{id_}", document(TEMPLATES, {}, uploads=[await picture(client)]))
    assert answer.status_code == 403
    assert (await client.get("/files")).json()["data"] == []


async def test_described(client: Client) -> None:
    """The API's own description names both relationships of both requests."""
    described = (await client.get("/openapi.json")).json()
    for kind in (TEMPLATES, MESSAGES):
        for path, method in ((f"/{kind}", "post"), (f"/{kind}/{{id}}", "patch")):
            text = str(described["paths"][path][method]["requestBody"])
            assert "'uploads'" in text
            assert "'files'" in text
