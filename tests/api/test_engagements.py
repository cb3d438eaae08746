"""PATCH and ledger of engagements: readiness, states, delivery, cancelation."""

from typing import Any

import httpx
import pytest

from api_client import Client, resource
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import from_wire
from opengage.store import rows
from opengage.store.sqlite import SqliteStore


def problems(answer: httpx.Response) -> list[tuple[int, str]]:
    """Code and pointer of every error."""
    return [(error["code"], error["source"]["pointer"]) for error in answer.json()["errors"]]


async def put(store: SqliteStore, id_: str, **fields: Any) -> None:
    """Write an engagement's fields past the API, as the dispatcher would."""
    engagement_id = from_wire(id_)
    assert engagement_id is not None
    async with store.writing() as tx:
        found = await rows.find(tx, Engagement, 1, engagement_id)
        assert found is not None
        await rows.change(tx, found, **fields)


async def ledger(client: Client, id_: str) -> dict[str, Any]:
    """The ledger's attributes."""
    answer = await client.get(f"/engagements/{id_}/ledger")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["type"], data["id"]) == ("ledgers", id_)
    attributes: dict[str, Any] = data["attributes"]
    return attributes


async def test_scheduling_names_all_that_is_missing(client: Client) -> None:
    """Code 100 for each lack, with the mending, and nothing changed."""
    id_ = await client.engagement()
    answer = await client.change(id_, status="scheduled", delivery_type="immediately")
    assert answer.status_code == 400
    assert problems(answer) == [(100, "/data/attributes/status")] * 2
    told = answer.text
    assert all(word in told for word in ("activity", "text template", "phone number", "envelopes", "POST"))
    assert (await client.get(f"/engagements/{id_}")).json()["data"]["attributes"]["status"] == "pending"


async def test_scheduling_without_envelopes(client: Client) -> None:
    """The only lack is the only error."""
    answer = await client.change(await client.ready(0), status="scheduled")
    assert problems(answer) == [(100, "/data/attributes/status")]
    assert "envelopes" in answer.json()["errors"][0]["detail"]


async def test_counts_tell_the_truth_after_scheduling(client: Client) -> None:
    """The PATCH answer has no total, as recorded; the next GET has the ledger's."""
    id_ = await client.ready(3)
    scheduled = await client.change(id_, status="scheduled")
    assert scheduled.json()["data"]["attributes"]["count-total"] is None
    assert scheduled.json()["data"]["attributes"]["count-pending"] == 3
    found = (await client.get(f"/engagements/{id_}")).json()["data"]["attributes"]
    assert (found["count-total"], found["count-complete"], found["count-pending"]) == (3, 0, 3)


async def test_scheduling_twice_is_one_wish(client: Client) -> None:
    """A client that retries is not refused."""
    id_ = await client.ready()
    assert [(await client.change(id_, status="scheduled")).status_code for _ in range(2)] == [202, 202]


@pytest.mark.parametrize("status", [EngagementStatus.COMPLETED, EngagementStatus.CANCELED])
async def test_what_is_over_cannot_be_changed(client: Client, store: SqliteStore, status: EngagementStatus) -> None:
    """Neither its status nor its name; the error names the status."""
    id_ = await client.ready()
    await put(store, id_, status=status)
    for changes in ({"status": "scheduled"}, {"name": "Another"}):
        answer = await client.change(id_, **changes)
        assert answer.status_code == 400
        assert problems(answer) == [(109, "/data/attributes/status")]
        assert status.value in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("wanted", ["processing", "completed", "nonsense", "paused"])
async def test_illegal_status_writes_name_the_legal_ones(client: Client, wanted: str) -> None:
    """From pending only scheduled and canceled can be written."""
    answer = await client.change(await client.engagement(), status=wanted)
    assert problems(answer) == [(109, "/data/attributes/status")]
    assert "“scheduled”, “canceled”" in answer.json()["errors"][0]["detail"]


async def test_pause_and_resume(client: Client, store: SqliteStore) -> None:
    """Resuming what had begun makes it go on; resuming what waits for its time makes it wait again."""
    id_ = await client.ready()
    await client.change(id_, status="scheduled")
    assert (await client.change(id_, status="paused")).json()["data"]["attributes"]["status"] == "paused"
    assert (await client.change(id_, status="scheduled")).json()["data"]["attributes"]["status"] == "scheduled"
    await put(store, id_, status=EngagementStatus.PROCESSING, started_at=1)
    await client.change(id_, status="paused")
    assert (await client.change(id_, status="scheduled")).json()["data"]["attributes"]["status"] == "processing"


def counts(found: dict[str, Any]) -> dict[str, Any]:
    """The ledger's own numbers."""
    names = ("total", "pending", "processing", "hold", "complete", "incomplete", "reasons")
    return {name: found[name] for name in names}


async def test_canceling_closes_the_waiting_envelopes(client: Client) -> None:
    """Ledger and envelopes move together; canceling again changes nothing."""
    id_ = await client.ready(3)
    await client.change(id_, status="scheduled")
    answer = await client.change(id_, status="canceled")
    assert answer.status_code == 202
    attributes = answer.json()["data"]["attributes"]
    assert (attributes["count-incomplete"], attributes["count-left"]) == (3, 0)
    expected = {"total": 3, "pending": 0, "processing": 0, "hold": 0, "complete": 0, "incomplete": 3}
    assert counts(await ledger(client, id_)) == expected | {"reasons": {"canceled": 3}}
    listed = (await client.get(f"/envelopes?filter[engagement.id]=eq:{id_}")).json()["data"]
    assert {(one["attributes"]["status"], one["attributes"]["reason"]) for one in listed} == {
        ("incomplete", "canceled")
    }
    assert (await client.change(id_, status="canceled")).status_code == 202
    assert (await ledger(client, id_))["incomplete"] == 3


async def test_a_new_ledger_is_all_zeros(client: Client) -> None:
    """Before any envelope."""
    expected = dict.fromkeys(("total", "pending", "processing", "hold", "complete", "incomplete"), 0)
    found = await ledger(client, await client.engagement())
    assert counts(found) == expected | {"reasons": {}}
    assert (found["left"], found["rate"], found["eta"], found["codes"], found["hours"]) == (0, 0.0, None, {}, {})


async def test_plain_attributes_change(client: Client) -> None:
    """Name and batch limit; `data.id` may be left out."""
    id_ = await client.engagement()
    document = resource("engagements", {"name": "Renamed", "queue-batch-limit": 7})
    answer = await client.patch(f"/engagements/{id_}", document)
    attributes = answer.json()["data"]["attributes"]
    assert answer.status_code == 202
    assert (attributes["name"], attributes["queue-batch-limit"]) == ("Renamed", 7)


async def test_another_id_is_a_conflict(client: Client) -> None:
    """The document names another engagement than its address."""
    id_, other = await client.engagement(), await client.engagement()
    document = {"data": {"id": other, "type": "engagements", "attributes": {}}}
    answer = await client.patch(f"/engagements/{id_}", document)
    assert answer.status_code == 409
    assert problems(answer) == [(123, "/data/id")]
    document["data"] |= {"id": id_, "type": "envelopes"}
    assert (await client.patch(f"/engagements/{id_}", document)).status_code == 409


async def test_delivery_at_an_instant(client: Client) -> None:
    """Stored and answered in UTC; immediately takes it away."""
    id_ = await client.engagement()
    answer = await client.change(id_, delivery_type="scheduled", delivery_time="2026-12-01T10:00:00+01:00")
    attributes = answer.json()["data"]["attributes"]
    assert attributes["delivery-type"] == "scheduled"
    assert attributes["delivery-time"] == "2026-12-01T09:00:00.000000+00:00"
    answer = await client.change(id_, delivery_type="immediately")
    assert answer.json()["data"]["attributes"]["delivery-time"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"delivery_type": "local-time", "delivery_time": "2026-12-01T10:00:00+00:00"},
        {"delivery_type": "someday"},
        {"delivery_type": "scheduled"},
        {"delivery_type": "scheduled", "delivery_time": "2026-12-01T10:00:00"},
        {"delivery_time": "2026-12-01T10:00:00+00:00"},
        {"direction": "inbound"},
        {"name": " "},
        {"name": "x" * 256},
        {"name": 7},
        {"queue_batch_limit": 0},
        {"queue_batch_limit": 10**30},
    ],
)
async def test_values_that_are_refused(client: Client, changes: dict[str, Any]) -> None:
    """Each with a pointer and a mending, and nothing changed."""
    id_ = await client.engagement()
    before = (await client.get(f"/engagements/{id_}")).text
    answer = await client.change(id_, **changes)
    assert answer.status_code == 400
    assert problems(answer)[0][1].startswith("/data/attributes/")
    assert (await client.get(f"/engagements/{id_}")).text == before


async def test_delivery_cannot_move_once_it_goes_out(client: Client, store: SqliteStore) -> None:
    """What has begun is paused or canceled, not moved."""
    id_ = await client.ready()
    await put(store, id_, status=EngagementStatus.PROCESSING, started_at=1)
    answer = await client.change(id_, delivery_type="scheduled", delivery_time="2026-12-01T10:00:00+00:00")
    assert answer.status_code == 400
    assert (await client.change(id_, delivery_type="immediately", name="Same")).status_code == 202


@pytest.mark.parametrize("attributes", [{}, {"name": "x", "status": "scheduled"}, {"name": "x", "direction": "up"}])
async def test_creation_that_is_refused(client: Client, attributes: dict[str, Any]) -> None:
    """A name is needed, and a new engagement is pending and outbound."""
    assert (await client.post("/engagements", resource("engagements", attributes))).status_code == 400
    assert (await client.get("/engagements")).json()["meta"]["total"] == 0
