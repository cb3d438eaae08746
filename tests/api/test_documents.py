"""Includes and sparse fields, over HTTP: what is in a document, and how many statements it takes."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from api_client import PUBLIC_URL, START, Client, to_wire_number
from api_samples import one_of_each
from opengage.api.resources.documents import Reader, document
from opengage.api.resources.registry import BY_TYPE, RESOURCES
from opengage.domain.records import Text, TextResult
from opengage.domain.states import TextStatus
from opengage.ids import Id, from_wire, new_id, to_wire
from opengage.jsonapi.faults import DocumentError
from opengage.store import rows
from opengage.store.sqlite import SqliteStore


@contextlib.contextmanager
def statements(store: SqliteStore) -> Iterator[list[str]]:
    """The statements that the store's readers run in this block, without the marks of transactions."""
    seen: list[str] = []

    def note(statement: str) -> None:
        if statement.startswith("SELECT"):
            seen.append(statement)

    for reader in store._readers:
        reader.set_trace_callback(note)
    yield seen
    for reader in store._readers:
        reader.set_trace_callback(None)


async def texts_with_results(client: Client, store: SqliteStore, count: int) -> str:
    """A blast whose every envelope has a text with two results; its id."""
    engagement_id = await client.ready(count)
    page = await client.get(f"/envelopes?filter[engagement.id]={engagement_id}&page[limit]=1000")
    account = client.account
    times: dict[str, Any] = {"account_id": 1, "created_at": START, "updated_at": START}
    author: dict[str, Any] = {"created_by": account.membership_id, "updated_by": account.membership_id}
    async with store.writing() as tx:
        for one in page.json()["data"]:
            text = Text(
                **times,
                **author,
                id=new_id(),
                sender=account.phone_number,
                recipient="+12025550123",
                direction="outbound",
                status=TextStatus.SENT,
                body="Hi",
                segments=1,
                phone_number_id=account.phone_number_id,
                service_profile_id=account.service_profile_id,
                engagement_id=from_wire(engagement_id),
                envelope_id=from_wire(one["id"]),
            )
            await rows.insert(tx, text)
            for kind in ("sending", "sent"):
                await rows.insert(tx, TextResult(**times, id=new_id(), text_id=text.id, kind=kind))
    return engagement_id


def keys(resources: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Type and id of each."""
    return [(one["type"], one["id"]) for one in resources]


async def test_include_on_one(client: Client) -> None:
    """What an engagement leads to, and what that leads to, each once."""
    engagement_id = await client.ready(0)
    answer = await client.get(f"/engagements/{engagement_id}?include=activity.text-template,activity.phone-number")
    page = answer.json()
    assert list(page) == ["data", "included"]
    kinds = [one["type"] for one in page["included"]]
    assert kinds == ["activities", "text-templates", "phone-numbers"]
    for one in page["included"]:
        assert one == (await client.get(f"/{one['type']}/{one['id']}")).json()["data"]


async def test_nothing_to_include(client: Client) -> None:
    """Asked for, `included` is there; not asked for, it is not."""
    address = f"/engagements/{await client.engagement()}"
    assert (await client.get(f"{address}?include=activity")).json()["included"] == []
    assert (await client.get(f"{address}?include=")).json()["included"] == []
    assert "included" not in (await client.get(address)).json()


async def test_full_linkage(client: Client, store: SqliteStore) -> None:
    """Everything included is named by some linkage; nothing twice, and nothing that is primary already."""
    await texts_with_results(client, store, 3)
    paths = "results.text,envelope.engagement.activity.engagement,engagement,phone-number"
    page = (await client.get(f"/texts?include={paths}")).json()
    assert list(page) == ["data", "included", "links", "meta"]
    both = keys([*page["data"], *page["included"]])
    assert len(both) == len(set(both))
    assert len([kind for kind, _ in both if kind == "text-results"]) == 6
    named = set()
    for one in [*page["data"], *page["included"]]:
        for relationship in one["relationships"].values():
            data = relationship.get("data") or []
            named |= set(keys(data if isinstance(data, list) else [data]))
    assert set(keys(page["included"])) <= named
    results = page["data"][0]["relationships"]["results"]
    assert list(results) == ["links", "data"]
    assert len(results["data"]) == 2
    assert results["links"]["related"].endswith(f"/text-results?filter[text.id]={page['data'][0]['id']}")


async def test_a_page_costs_as_many_statements_as_one(client: Client, store: SqliteStore) -> None:
    """No statement per resource, whatever is included and however long the page is."""
    await texts_with_results(client, store, 40)
    paths = "results,envelope.engagement.activity.text-template,engagement,phone-number,text-message,result"
    counts = []
    for limit in (1, 40):
        with statements(store) as seen:
            page = await client.get(f"/texts?include={paths}&page[limit]={limit}")
        assert len(page.json()["data"]) == limit
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 25


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.type)
async def test_a_list_costs_few_statements(client: Client, store: SqliteStore, resource: Any) -> None:
    """Credentials, the page, what its documents derive, and the total: eight at most."""
    await one_of_each(client, store)
    with statements(store) as seen:
        assert (await client.get(f"/{resource.type}")).status_code == 200
    assert len(seen) <= 8


async def test_sparse_fields(client: Client) -> None:
    """Only the members named, in the usual order, of primary and of included resources."""
    engagement_id = await client.ready(0)
    fields = "fields[engagements]=status,name,activity&fields[activities]=kind"
    page = (await client.get(f"/engagements?include=activity&{fields}")).json()
    activity = page["data"][0]["relationships"]["activity"]["data"]
    assert page["data"] == [
        {
            "type": "engagements",
            "id": engagement_id,
            "attributes": {"name": "Example Text Blast", "status": "pending"},
            "relationships": {"activity": {"data": activity}},
        }
    ]
    assert list(page["data"][0]["attributes"]) == ["name", "status"]
    assert page["included"] == [{**activity, "attributes": {"kind": "text"}}]


async def test_no_fields_at_all(client: Client) -> None:
    """An empty list of members leaves type and id."""
    id_ = await client.engagement()
    answer = await client.get(f"/engagements/{id_}?fields[engagements]=")
    assert answer.json() == {"data": {"type": "engagements", "id": id_}}


async def test_relationships_take_the_grammar_too(client: Client, store: SqliteStore) -> None:
    """What a relationship leads to is a list or one resource like any other."""
    engagement_id = await texts_with_results(client, store, 1)
    text = (await client.get("/texts")).json()["data"][0]["id"]
    page = (await client.get(f"/texts/{text}/results?sort=-id&include=text&filter[kind]=sent")).json()
    assert [one["attributes"]["kind"] for one in page["data"]] == ["sent"]
    assert keys(page["included"]) == [("texts", text)]
    one = (await client.get(f"/texts/{text}/engagement?include=phone-numbers&fields[engagements]=name")).json()
    assert one["data"] == {
        "type": "engagements",
        "id": engagement_id,
        "attributes": {"name": "Example Text Blast"},
    }
    assert keys(one["included"]) == [("phone-numbers", to_wire_number(client.account))]
    few = (await client.get(f"/engagements/{engagement_id}/phone-numbers?filter[is-active]=false")).json()
    assert few["data"] == []


async def test_refused_with_a_change(client: Client) -> None:
    """400 before anything is changed."""
    document_ = {"data": {"type": "engagements", "attributes": {"name": "N"}}}
    answer = await client.post("/engagements?include=activity", document_)
    assert (answer.status_code, answer.json()["errors"][0]["source"]) == (400, {"parameter": "include"})
    assert (await client.get("/engagements")).json()["data"] == []
    assert (await client.post("/engagements?test_request_number=1", document_)).status_code == 201


async def test_a_document_for_a_callback(client: Client, store: SqliteStore) -> None:
    """The worker's document is the API's, to the byte, with the same includes."""
    ids = await one_of_each(client, store)
    envelope = from_wire(ids["envelopes"])
    assert envelope is not None
    reader, resource = Reader(1, f"{PUBLIC_URL}/api/v1"), BY_TYPE["envelopes"]
    async with store.reading() as tx:
        plain = await document(tx, reader, resource, envelope, None)
        more = await document(tx, reader, resource, envelope, "engagement.activity,text")
        assert await document(tx, reader, resource, Id(bytes(16)), None) is None
        with pytest.raises(DocumentError):
            await document(tx, reader, resource, envelope, "nothing")
    address = f"/envelopes/{to_wire(envelope)}"
    assert plain == (await client.get(address)).content
    assert more == (await client.get(f"{address}?include=engagement.activity,text")).content
