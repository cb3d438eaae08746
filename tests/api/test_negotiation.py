"""What real programs send beyond the specification, each by itself (wire contract, section 2)."""

import pytest

from api_client import Client, linkage, recipients, resource

MERGED = "application/json; charset=utf-8, application/vnd.api+json;ext=bulk"
TEMPLATE = resource("text-templates", {"name": "Text Template", "body": "Sample body"})


@pytest.mark.parametrize("separator", [", ", ","])
async def test_merged_content_type(client: Client, separator: str) -> None:
    """Two media types in one header, with and without a space between them, for one resource and for several."""
    merged = MERGED.replace(", ", separator)
    assert (await client.post("/text-templates", TEMPLATE, content_type=merged)).status_code == 201
    engagement_id = await client.engagement()
    answer = await client.post("/envelopes", {"data": recipients(engagement_id, 2)}, content_type=merged)
    assert (answer.status_code, len(answer.json()["data"])) == (201, 2)
    assert answer.headers["content-type"] == "application/json"


async def test_doubled_content_type(client: Client) -> None:
    """`application/json` twice, as early programs had it."""
    doubled = "application/json; charset=utf-8, application/json"
    assert (await client.post("/text-templates", TEMPLATE, content_type=doubled)).status_code == 201


async def test_bulk_without_its_extension(client: Client) -> None:
    """An array says by itself that it is one."""
    engagement_id = await client.engagement()
    answer = await client.post("/envelopes", {"data": recipients(engagement_id, 2)}, content_type="application/json")
    assert answer.status_code == 201


async def test_no_accept(client: Client) -> None:
    """Plain JSON, as recorded, and without a charset."""
    assert "accept" not in client.http.headers
    answer = await client.get("/engagements")
    assert answer.headers["content-type"] == "application/json"


async def test_included_is_ignored(client: Client) -> None:
    """What a request includes changes nothing, even where it contradicts."""
    engagement_id = await client.engagement()
    attributes = {"name": "other", "status": "canceled"}
    included = [{"type": "engagements", "id": engagement_id, "attributes": attributes}, 1, None, "x"]
    answer = await client.post("/text-templates", TEMPLATE | {"included": included})
    assert answer.status_code == 201
    assert (await client.get(f"/engagements/{engagement_id}")).json()["data"]["attributes"]["status"] == "pending"


async def test_empty_to_many_arrays(client: Client) -> None:
    """They mean nothing, on creation and on update."""
    document = resource("text-templates", {"name": "T", "body": "B"})
    document["data"]["relationships"] = {"uploads": {"data": []}, "files": {"data": []}, "tags": {"data": []}}
    answer = await client.post("/text-templates", document)
    assert answer.status_code == 201
    assert answer.json()["data"]["relationships"]["files"] == {"data": []}
    engagement_id = await client.engagement()
    change = resource("engagements", {"name": "N"})
    change["data"]["relationships"] = {"lists": {"data": []}}
    assert (await client.patch(f"/engagements/{engagement_id}", change)).status_code == 202


async def test_unknown_attributes(client: Client) -> None:
    """Ignored, not echoed, not refused."""
    answer = await client.make("engagements", {"name": "N", "timeout": 5, "dtmf-digit-count": None, "x": {"y": []}})
    found = (await client.get(f"/engagements/{answer}")).json()["data"]["attributes"]
    assert "timeout" not in found


async def test_counted_requests(client: Client) -> None:
    """`test_request_number` on every verb."""
    counted = "test_request_number="
    made = await client.post(f"/engagements?{counted}1", resource("engagements", {"name": "N"}))
    id_ = made.json()["data"]["id"]
    assert (await client.get(f"/engagements/{id_}?{counted}2")).status_code == 200
    change = resource("engagements", {"name": "M"})
    assert (await client.patch(f"/engagements/{id_}?{counted}3", change)).status_code == 202
    assert (await client.get(f"/engagements?{counted}4")).status_code == 200


async def test_an_update_without_an_id(client: Client) -> None:
    """The address names what is changed."""
    id_ = await client.engagement()
    answer = await client.patch(f"/engagements/{id_}", resource("engagements", {"name": "other"}))
    assert (answer.status_code, answer.json()["data"]["attributes"]["name"]) == (202, "other")


async def test_no_account_key(client: Client, other: Client) -> None:
    """The token's account; the right key is the same; another account's is refused."""
    id_ = await client.engagement()
    assert (await client.get(f"/engagements/{id_}")).status_code == 200
    assert (await client.get(f"/engagements/{id_}", x_account_key="firstbank")).status_code == 200
    assert (await client.get(f"/engagements/{id_}", x_account_key="otherbank")).status_code == 401


async def test_relationships_of_no_interest(client: Client) -> None:
    """Relationships that a resource does not take are ignored."""
    document = resource("engagements", {"name": "N"})
    document["data"]["relationships"] = {"nothing": linkage("nothings", "x"), "empty": {}}
    assert (await client.post("/engagements", document)).status_code == 201
