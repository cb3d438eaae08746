"""Two accounts: what belongs to one is not there for the other."""

import pytest

from api_client import Client, linkage, recipients, resource, to_wire_number
from api_samples import FRESH, RESOURCES, one_of_each
from opengage.ids import new_id, to_wire
from opengage.store.sqlite import SqliteStore


async def test_a_foreign_id_is_missing(client: Client, other: Client, store: SqliteStore) -> None:
    """404 on every read of one, the same as for an id that never was; nothing in any list."""
    for kind, id_ in (await one_of_each(client, store)).items():
        assert (await client.get(f"/{kind}/{id_}")).status_code == 200
        foreign, missing = await other.get(f"/{kind}/{id_}"), await other.get(f"/{kind}/{to_wire(new_id())}")
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert foreign.text == missing.text
        own = 1 if kind in FRESH else 0
        assert (await other.get(f"/{kind}")).json()["meta"]["total"] == own


async def test_foreign_writes_change_nothing(client: Client, other: Client, store: SqliteStore) -> None:
    """404 for a PATCH and the ledger, 400 for a relationship, an empty page for a filter."""
    ids = await one_of_each(client, store)
    before = (await client.get(f"/engagements/{ids['engagements']}")).text
    assert (await other.change(ids["engagements"], status="canceled")).status_code == 404
    assert (await other.get(f"/engagements/{ids['engagements']}/ledger")).status_code == 404
    added = await other.post("/envelopes", {"data": recipients(ids["engagements"], 1)})
    assert (added.status_code, added.json()["errors"][0]["code"]) == (400, 107)
    for name in ("engagements", "text-templates", "phone-numbers"):
        own = {
            "engagements": await other.engagement(),
            "text-templates": await other.make("text-templates", {"name": "T", "body": "Hi"}),
            "phone-numbers": to_wire_number(other.account),
        } | {name: ids[name]}
        document = resource("activities", {"name": "A", "kind": "text"})
        document["data"]["relationships"] = {kind[:-1]: linkage(kind, id_) for kind, id_ in own.items()}
        answer = await other.post("/activities", document)
        assert [error["code"] for error in answer.json()["errors"]] == [107]
        assert answer.json()["errors"][0]["source"]["pointer"] == f"/data/relationships/{name[:-1]}"
    for kind in ("envelopes", "activities", "texts"):
        page = await other.get(f"/{kind}?filter[engagement.id]=eq:{ids['engagements']}")
        assert (page.status_code, page.json()["data"]) == (200, [])
    assert (await client.get(f"/engagements/{ids['engagements']}")).text == before


@pytest.mark.parametrize("kind", RESOURCES)
async def test_what_is_no_id_is_missing(client: Client, kind: str) -> None:
    """404, never a failure."""
    for id_ in ("x", "0" * 22, "z" * 22, "%00", "%FF%FE", "a b", "-1"):
        answer = await client.get(f"/{kind}/{id_}")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["code"] == 122


async def test_what_a_text_leads_to(client: Client, store: SqliteStore) -> None:
    """Its message is under its own id with the words sent, its results under the recorded link."""
    ids = await one_of_each(client, store)
    text = (await client.get(f"/texts/{ids['texts']}")).json()["data"]
    assert (text["attributes"]["from"], text["attributes"]["to"]) == ("+12025550100", "+12025550123")
    message_id = text["relationships"]["text-message"]["data"]["id"]
    message = (await client.get(f"/text-messages/{message_id}")).json()["data"]
    assert message["attributes"]["body"] == "Hi Ann"
    assert (await client.get("/text-messages")).json()["data"] == [message]
    link = text["relationships"]["results"]["links"]["related"].removeprefix("https://texts.example.org/api/v1")
    (result,) = (await client.get(link)).json()["data"]
    assert result["id"] == text["relationships"]["result"]["data"]["id"]
    assert result["attributes"]["kind"] == "in-doubt"
