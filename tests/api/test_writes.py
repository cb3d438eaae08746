"""What holds for writing every resource: roles, types, ids, and that a refused request leaves everything as it was."""

import re
from typing import Any

import pytest

from api_client import Client, resource
from api_samples import one_of_each
from opengage.ids import new_id, to_wire
from opengage.store.sqlite import SqliteStore

USED = re.compile(r'"last-used-at":[^,]*,')
OWNER, WRITER, ANYBODY = "owner", "writer", "anybody"

CREATES: dict[str, tuple[str, dict[str, Any]]] = {
    "text-templates": (WRITER, {"name": "T", "body": "Hi"}),
    "text-messages": (WRITER, {"body": "Hi"}),
    "tags": (WRITER, {"name": "Summer"}),
    "suppressions": (WRITER, {"phone-number": "+12025550177"}),
    "phone-numbers": (OWNER, {"phone-number": "+12025550101"}),
    "service-profiles": (OWNER, {"name": "Second", "kind": "sandbox"}),
    "memberships": (OWNER, {"name": "Ann", "role": "viewer"}),
    "api-tokens": (ANYBODY, {}),
}
"""Who may make one, and with what."""

CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "text-templates": (WRITER, {"name": "New"}),
    "tags": (WRITER, {"name": "New"}),
    "phone-numbers": (OWNER, {"label": "New"}),
    "service-profiles": (OWNER, {"name": "New"}),
    "memberships": (OWNER, {"name": "New"}),
    "accounts": (OWNER, {"name": "New"}),
    "api-tokens": (OWNER, {"expires-at": None}),
}
"""Who may change one of somebody else's, and how."""

DELETES: dict[str, str] = {
    "text-templates": WRITER,
    "tags": WRITER,
    "suppressions": WRITER,
    "phone-numbers": OWNER,
    "api-tokens": OWNER,
}
"""Who may remove one of somebody else's."""


async def everything(client: Client) -> str:
    """All that an owner sees, but for when tokens were used."""
    pages = [(await client.get(f"/{kind}")).text for kind in {**CREATES, **CHANGES}]
    return USED.sub("", "".join([*pages, (await client.get("/audit-events")).text]))


def refused(role: str, who: str) -> bool:
    """Whether a sender or viewer is kept from it."""
    return who == OWNER or (who == WRITER and role == "viewer")


@pytest.mark.parametrize("role", ["sender", "viewer"])
@pytest.mark.parametrize("kind", CREATES)
async def test_who_may_make_one(client: Client, kind: str, role: str) -> None:
    """403 with what role it takes, and nothing made; 201 for everybody else."""
    member = await client.member(role)
    before = await everything(client)
    who, attributes = CREATES[kind]
    answer = await member.post(f"/{kind}", resource(kind, attributes))
    if refused(role, who):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 121)
        assert await everything(client) == before
    else:
        assert answer.status_code == 201


@pytest.mark.parametrize("role", ["sender", "viewer"])
@pytest.mark.parametrize("kind", CHANGES)
async def test_who_may_change_one(client: Client, store: SqliteStore, kind: str, role: str) -> None:
    """403 (404 for a token that is not theirs), and nothing changed; 202 for everybody else."""
    ids = await one_of_each(client, store)
    member = await client.member(role)
    before = await everything(client)
    who, attributes = CHANGES[kind]
    answer = await member.patch(f"/{kind}/{ids[kind]}", resource(kind, attributes))
    if refused(role, who):
        assert answer.status_code == (404 if kind == "api-tokens" else 403)
        assert await everything(client) == before
    else:
        assert answer.status_code == 202


@pytest.mark.parametrize("role", ["sender", "viewer"])
@pytest.mark.parametrize("kind", DELETES)
async def test_who_may_remove_one(client: Client, store: SqliteStore, kind: str, role: str) -> None:
    """403 (404 for a token that is not theirs), and it is still there; 204 for everybody else."""
    ids = await one_of_each(client, store)
    member = await client.member(role)
    before = await everything(client)
    answer = await member.delete(f"/{kind}/{ids[kind]}")
    if refused(role, DELETES[kind]):
        assert answer.status_code == (404 if kind == "api-tokens" else 403)
        assert await everything(client) == before
    else:
        assert answer.status_code == 204


async def test_everybody_reads(client: Client, store: SqliteStore) -> None:
    """A viewer sees every list; only the audit events are an owner's."""
    await one_of_each(client, store)
    viewer = await client.member("viewer")
    for kind in {**CREATES, **CHANGES}:
        assert (await viewer.get(f"/{kind}")).status_code == 200
    events = (await client.get("/audit-events")).json()["data"]
    for path in ("/audit-events", f"/audit-events/{events[0]['id']}"):
        answer = await viewer.get(path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 121)


async def test_a_viewer_sends_nothing(client: Client) -> None:
    """403 for a text, and for taking one back; a sender may do both."""
    message_id = await client.make("text-messages", {"body": "Hi"})
    text = resource("texts", {"to": "+12025550123"}, text_message=("text-messages", message_id))
    viewer, sender = await client.member("viewer"), await client.member("sender")
    assert (await viewer.post("/texts", text)).status_code == 403
    made = await sender.post("/texts", text)
    assert made.status_code == 201
    id_ = made.json()["data"]["id"]
    canceled = resource("texts", {"status": "canceled"})
    assert (await viewer.patch(f"/texts/{id_}", canceled)).status_code == 403
    assert (await sender.patch(f"/texts/{id_}", canceled)).status_code == 202
    draft = await client.make("text-messages", {"body": "Hi", "is-draft": True})
    assert (await viewer.patch(f"/text-messages/{draft}", resource("text-messages", {}))).status_code == 403
    assert (await viewer.delete(f"/text-messages/{draft}")).status_code == 403
    template_id = await client.make("text-templates", {"name": "T", "body": "Hi"})
    for method in ("POST", "PATCH", "DELETE"):
        address = f"/api/v1/text-templates/{template_id}/relationships/tags"
        assert (await viewer.send(method, address, {"data": []})).status_code == 403


@pytest.mark.parametrize("kind", CREATES)
async def test_documents_that_do_not_fit_the_address(client: Client, kind: str) -> None:
    """Another type is 409, an id of the client's own 403, no document 400; nothing is made."""
    before = await everything(client)
    attributes = CREATES[kind][1]
    for document, status, code in (
        ({"data": {"type": "engagements", "attributes": attributes}}, 409, 123),
        ({"data": {"type": kind, "id": to_wire(new_id()), "attributes": attributes}}, 403, 104),
        ({"data": {"attributes": attributes}}, 400, 103),
        ({"data": {"type": kind, "attributes": "all"}}, 400, 102),
        ({"data": "x"}, 400, 102),
        ([], 400, 102),
        (b"{", 400, 101),
        (b"", 400, 101),
    ):
        answer = await client.post(f"/{kind}", document)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code), document
    assert await everything(client) == before


@pytest.mark.parametrize("kind", CHANGES)
async def test_changes_that_do_not_fit_the_address(
    client: Client, other: Client, store: SqliteStore, kind: str
) -> None:
    """Another type or id is 409; an id that is not there, is nobody's or another account's is 404; nothing changes."""
    ids = await one_of_each(client, store)
    before, attributes = await everything(client), CHANGES[kind][1]
    fitting = {"type": kind, "attributes": attributes}
    for document, status, code in (
        (fitting | {"type": "engagements"}, 409, 123),
        (fitting | {"id": to_wire(new_id())}, 409, 123),
        ([fitting], 400, 102),
    ):
        answer = await client.patch(f"/{kind}/{ids[kind]}", {"data": document})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    for asker, id_ in ((client, to_wire(new_id())), (client, "x"), (other, ids[kind])):
        answer = await asker.patch(f"/{kind}/{id_}", {"data": fitting})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 122)
    assert await everything(client) == before


@pytest.mark.parametrize("kind", [*DELETES, "service-profiles", "text-messages"])
async def test_what_is_not_there_is_not_removed(client: Client, other: Client, store: SqliteStore, kind: str) -> None:
    """404 for an id that never was, one that is none, and another account's."""
    ids = await one_of_each(client, store)
    before = await everything(client)
    for asker, id_ in ((client, to_wire(new_id())), (client, "x"), (other, ids[kind])):
        answer = await asker.delete(f"/{kind}/{id_}")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 122)
    assert await everything(client) == before
