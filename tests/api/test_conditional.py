"""ETag, If-None-Match and If-Match: nothing is read twice, and nothing is overwritten unseen."""

from typing import Any

import pytest

from api_client import Client, StandingClock, recipients
from api_client import resource as document_of
from opengage.api import etags
from opengage.api.resources.registry import BY_TYPE, RESOURCES
from opengage.api.resources.resource import Resource
from opengage.clock import Instant
from opengage.store.sqlite import SqliteStore


def renamed(id_: str, name: str) -> dict[str, Any]:
    """A PATCH document."""
    return {"data": {"type": "engagements", "id": id_, "attributes": {"name": name}}}


async def test_reading_again(client: Client) -> None:
    """304 without a body while nothing has changed, in each form of the header; else the whole."""
    id_ = await client.engagement()
    first = await client.get(f"/engagements/{id_}")
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = await client.get(f"/engagements/{id_}", if_none_match=known)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        assert answer.headers["access-control-allow-origin"] == "*"
    for unknown in ('"x"', "", etag.strip('"'), etag.replace(".", ".0")):
        assert (await client.get(f"/engagements/{id_}", if_none_match=unknown)).status_code == 200


async def test_counts_are_content(client: Client) -> None:
    """A blast's counts change the answer without an edit: not 304, and still no conflict."""
    id_ = await client.ready(0)
    before = (await client.get(f"/engagements/{id_}")).headers["etag"]
    await client.post("/envelopes", {"data": recipients(id_, 1)})
    after = await client.get(f"/engagements/{id_}", if_none_match=before)
    assert after.status_code == 200
    assert after.headers["etag"] != before
    assert (await client.patch(f"/engagements/{id_}", renamed(id_, "y"), if_match=before)).status_code == 202


async def test_changing_what_was_seen(client: Client, clock: StandingClock) -> None:
    """An edit with the newest tag is made and answers the next one; with an older tag it is refused and not made."""
    id_ = await client.engagement()
    seen = (await client.get(f"/engagements/{id_}")).headers["etag"]
    clock.instant = Instant(clock.instant + 1)
    first = await client.patch(f"/engagements/{id_}", renamed(id_, "first"), if_match=seen)
    assert first.status_code == 202
    late = await client.patch(f"/engagements/{id_}", renamed(id_, "late"), if_match=seen)
    assert (late.status_code, late.json()["errors"][0]["code"]) == (412, 143)
    answer = await client.get(f"/engagements/{id_}")
    assert answer.json()["data"]["attributes"]["name"] == "first"
    assert answer.headers["etag"].partition(".")[0] == first.headers["etag"].partition(".")[0] != seen.partition(".")[0]
    next_ = await client.patch(f"/engagements/{id_}", renamed(id_, "next"), if_match=first.headers["etag"])
    assert next_.status_code == 202


async def test_without_a_condition(client: Client) -> None:
    """If-Match is optional, `*` is anything, and several tags are one of them."""
    id_ = await client.engagement()
    etag = (await client.get(f"/engagements/{id_}")).headers["etag"]
    for headers in ({}, {"if_match": "*"}, {"if_match": f'"1.2", {etag}'}):
        assert (await client.patch(f"/engagements/{id_}", renamed(id_, "x"), **headers)).status_code == 202


async def test_a_condition_on_nothing(client: Client, other: Client) -> None:
    """What is missing, or another's, is missing: 404, whatever the tag."""
    id_ = await client.engagement()
    etag = (await client.get(f"/engagements/{id_}")).headers["etag"]
    for condition in (etag, "*", '"0.0"'):
        answer = await other.patch(f"/engagements/{id_}", renamed(id_, "x"), if_match=condition)
        assert answer.status_code == 404


async def test_a_refused_change_stays_refused(client: Client) -> None:
    """A condition that holds mends nothing else: the document's faults are told as ever."""
    id_ = await client.engagement()
    etag = (await client.get(f"/engagements/{id_}")).headers["etag"]
    answer = await client.patch(f"/engagements/{id_}", renamed(id_, ""), if_match=etag)
    assert answer.status_code == 400


async def test_every_change_can_be_conditional(client: Client, store: SqliteStore) -> None:
    """Each type with a PATCH or a DELETE of one resource has a record whose version is compared."""
    app: Any = client.http._transport.app  # type: ignore[attr-defined]
    changed = {
        route.path.split("/")[3]
        for route in app.routes
        if route.path.startswith("/api/v1/")
        and route.path.count("/") == 4
        and {"PATCH", "DELETE"} & set(getattr(route, "methods", ()))
    }
    assert "engagements" in changed
    assert changed <= set(BY_TYPE)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.type)
def test_versions_come_from_records(resource: Resource[Any, Any]) -> None:
    """Every record says when it was changed, and so does the document that its tag is made of."""
    assert "updated_at" in resource.record.__struct_fields__
    assert "updated_at" in resource.attributes.__struct_fields__


def test_tags() -> None:
    """The version is the time of the change; without one there is only content."""
    version = etags.version_of("2020-07-07T19:36:01.641305+00:00")
    assert version == "20200707193601641305"
    assert etags.tag(None, b"x").startswith('".')
    assert etags.tag(None, b"x") != etags.tag(None, b"y")
    assert not etags.allows(version, '"20200707193601641306.abc"')


async def test_new_resources_have_a_tag(client: Client) -> None:
    """What a POST answers can be the condition of the first PATCH."""
    made = await client.post("/engagements", document_of("engagements", {"name": "x"}))
    id_ = made.json()["data"]["id"]
    answer = await client.patch(f"/engagements/{id_}", renamed(id_, "y"), if_match=made.headers["etag"])
    assert answer.status_code == 202
