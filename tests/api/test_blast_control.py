"""How a blast is told when to go, how fast, when to stop; how it is copied, and how its doubts end."""

from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from api_client import START, Client, Settings, StandingClock, resource
from opengage.clock import SECOND, Instant
from opengage.domain.receipt_chain import Intact, verify
from opengage.ids import from_wire
from opengage.store.sqlite import SqliteStore

HOURS = {"time-zone": "America/New_York", "windows": [{"days": ["mon"], "from": "09:00", "to": "17:30"}]}


def attributes(answer: httpx.Response) -> dict[str, Any]:
    """The attributes of an answer that is fine."""
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()["data"]["attributes"]
    return found


def problems(answer: httpx.Response) -> list[str]:
    """Where the faults of a refusal are."""
    assert answer.status_code == 400, answer.text
    return [one["source"]["pointer"] for one in answer.json()["errors"]]


async def test_what_was_scheduled_can_be_taken_back(client: Client, clock: StandingClock, settings: Settings) -> None:
    """The undo window of the engagement comes before the server's; the answer says when it starts."""
    settings.undo_seconds = 30
    one, other = await client.ready(), await client.ready()
    assert attributes(await client.change(one, status="scheduled"))["starts-at"] == "2020-07-07T19:36:31.641305+00:00"
    assert attributes(await client.change(other, status="scheduled", undo_seconds=0))["starts-at"] is None
    clock.instant = Instant(START + 10 * SECOND)
    found = attributes(await client.change(one, status="canceled"))
    assert (found["count-left"], found["count-incomplete"]) == (0, 1)


async def test_undo_does_not_bring_a_delivery_forward(client: Client) -> None:
    """A time that is later than the undo window stays."""
    id_ = await client.ready()
    found = attributes(
        await client.change(
            id_,
            status="scheduled",
            delivery_type="scheduled",
            delivery_time="2020-07-08T09:00:00+02:00",
            undo_seconds=60,
        )
    )
    assert found["starts-at"] == found["delivery-time"] == "2020-07-08T07:00:00.000000+00:00"


async def test_local_time(client: Client) -> None:
    """A wall-clock time without offset; it begins where that hour comes first."""
    id_ = await client.ready()
    found = attributes(
        await client.change(id_, status="scheduled", delivery_type="local-time", delivery_time="2020-07-09T09:00")
    )
    assert (found["delivery-type"], found["delivery-time"]) == ("local-time", "2020-07-09T09:00:00")
    assert found["starts-at"] == "2020-07-08T19:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"delivery_type": "local-time"}, "delivery-time"),
        ({"delivery_type": "local-time", "delivery_time": "2020-07-09T09:00:00+00:00"}, "delivery-time"),
        ({"delivery_type": "scheduled", "delivery_time": "2020-07-09T09:00:00"}, "delivery-time"),
        ({"delivery_type": "someday"}, "delivery-type"),
        ({"canary_size": 0}, "canary-size"),
        ({"queue_throttle_hour_limit": 0}, "queue-throttle-hour-limit"),
        ({"queue_batch_limit": 0}, "queue-batch-limit"),
        ({"pause_failure_ratio": 1.5}, "pause-failure-ratio"),
        ({"canary_delivery_ratio": 1.01}, "canary-delivery-ratio"),
        ({"canary_delivery_ratio": -0.1}, "canary-delivery-ratio"),
        ({"canary_delivery_ratio": "most"}, "canary-delivery-ratio"),
        ({"undo_seconds": -1}, "undo-seconds"),
        ({"queue_schedule": {"time-zone": "Mars", "windows": []}}, "queue-schedule/time-zone"),
        ({"canary_size": "many"}, "canary-size"),
    ],
    ids=str,
)
async def test_values_that_cannot_be(client: Client, sent: dict[str, Any], pointer: str) -> None:
    """Each is refused at its place with its mending, and nothing changes."""
    id_ = await client.engagement()
    before = (await client.get(f"/engagements/{id_}")).json()
    answer = await client.change(id_, **sent)
    assert f"/data/attributes/{pointer}" in problems(answer)
    assert all(len(error["detail"]) > 20 for error in answer.json()["errors"])
    assert (await client.get(f"/engagements/{id_}")).json() == before


async def test_limits_are_shown_and_taken_away(client: Client) -> None:
    """What was set is told, and null takes it away."""
    id_ = await client.engagement()
    sent = {
        "queue_throttle_hour_limit": 100,
        "queue_throttle_day_limit": 500,
        "queue_schedule_is_enabled": True,
        "queue_schedule": HOURS,
        "validity_seconds": 3600,
        "canary_size": 20,
        "canary_wait_seconds": 300,
        "canary_delivery_ratio": 0.95,
        "pause_failure_ratio": 0.2,
        "pause_opt_out_ratio": 0.01,
    }
    found = attributes(await client.change(id_, **sent))
    assert {name: found[name.replace("_", "-")] for name in sent} == sent
    assert found["canary-state"] == "waiting"
    gone = {"canary_size": None, "canary_delivery_ratio": None, "queue_schedule": None}
    found = attributes(await client.change(id_, **gone))
    assert {name: found[name.replace("_", "-")] for name in gone} == gone
    assert found["canary-state"] is None


async def test_a_backlog_that_would_expire_is_not_scheduled(client: Client, store: SqliteStore) -> None:
    """Three texts at one in ten seconds would outlast a minute's validity; the refusal says by how much."""
    async with store.writing() as tx:
        from opengage.domain.records import PhoneNumber
        from opengage.store import rows

        number = await rows.first(tx, PhoneNumber, id=client.account.phone_number_id)
        assert number
        await rows.change(tx, number, rate=0.01)
    id_ = await client.ready(3)
    answer = await client.change(id_, status="scheduled", validity_seconds=60)
    assert answer.status_code == 400
    assert "expire" in answer.json()["errors"][0]["detail"]
    attributes(await client.change(id_, status="scheduled", validity_seconds=3600))


async def test_a_sender_pool(client: Client, other: Client) -> None:
    """Phone numbers are named as a relationship; another account's cannot be."""
    id_ = await client.engagement()
    mine = (await client.get("/phone-numbers")).json()["data"][0]["id"]
    theirs = (await other.get("/phone-numbers")).json()["data"][0]["id"]

    def document(*numbers: str) -> dict[str, Any]:
        links = [{"type": "phone-numbers", "id": number} for number in numbers]
        return {"data": {"type": "engagements", "id": id_, "relationships": {"phone-numbers": {"data": links}}}}

    answer = await client.patch(f"/engagements/{id_}", document(mine, theirs))
    assert problems(answer) == ["/data/relationships/phone-numbers/data/1"]
    answer = await client.patch(f"/engagements/{id_}", document(mine))
    assert answer.json()["data"]["relationships"]["phone-numbers"]["data"] == [{"type": "phone-numbers", "id": mine}]
    answer = await client.patch(f"/engagements/{id_}", document())
    assert answer.json()["data"]["relationships"]["phone-numbers"]["data"] == [{"type": "phone-numbers", "id": mine}]


async def copied(client: Client, id_: str, **sent: Any) -> httpx.Response:
    """POST a copy."""
    return await client.post(f"/engagements/{id_}/copies", resource("engagements", sent))


async def test_a_copy_has_everything_but_a_past(client: Client, other: Client) -> None:
    """Settings and activity, for nobody or for everybody; it is pending and says where it came from."""
    id_ = await client.ready(3)
    await client.change(id_, canary_size=2, canary_delivery_ratio=0.5, queue_throttle_hour_limit=9)
    await client.change(id_, status="scheduled")
    await client.change(id_, status="canceled")
    answer = await copied(client, id_, name="Again")
    found = attributes(answer)
    assert (found["name"], found["status"], found["count-total"], found["canary-state"]) == (
        "Again",
        "pending",
        0,
        "waiting",
    )
    assert (found["queue-throttle-hour-limit"], found["canary-delivery-ratio"]) == (9, 0.5)
    relationships = answer.json()["data"]["relationships"]
    assert relationships["copied-from"]["data"]["id"] == id_
    assert relationships["activity"]["data"] is not None
    full = await copied(client, id_, envelopes="everybody")
    assert attributes(full)["count-total"] == 3
    attributes(await client.change(full.json()["data"]["id"], status="scheduled"))
    assert (await copied(other, id_)).status_code == 404
    assert problems(await copied(client, id_, envelopes="some")) == ["/data/attributes/envelopes"]
    assert problems(await copied(client, id_, reasons=["opted-out", "rejected"])) == ["/data/attributes/reasons/0"]


async def test_only_those_whom_it_failed_are_picked_up(client: Client, store: SqliteStore) -> None:
    """By the reasons that were chosen, and the old engagement stays as it is."""
    id_ = await client.ready(4)
    ids = await envelope_ids(client, id_)
    engagement = from_wire(id_)
    for envelope_id, (status, reason) in zip(
        ids,
        [
            ("incomplete", "undelivered"),
            ("incomplete", "rejected"),
            ("complete", "delivered"),
            ("incomplete", "expired"),
        ],
        strict=True,
    ):
        await settle(store, engagement, envelope_id, status, reason)
    answer = await copied(client, id_, reasons=["undelivered", "expired"])
    new_id = answer.json()["data"]["id"]
    assert attributes(answer)["count-total"] == 2
    listed = (await client.get(f"/envelopes?filter[engagement.id]={new_id}")).json()["data"]
    old = {one["id"]: one for one in (await client.get(f"/envelopes?filter[engagement.id]={id_}")).json()["data"]}
    assert [one["attributes"]["meta"] for one in listed] == [old[ids[place]]["attributes"]["meta"] for place in (0, 3)]
    assert len(old) == 4


async def envelope_ids(client: Client, id_: str) -> list[str]:
    """The engagement's envelopes, in order."""
    listed = (await client.get(f"/envelopes?filter[engagement.id]={id_}")).json()["data"]
    return [one["id"] for one in listed]


async def settle(store: SqliteStore, engagement: Any, envelope_id: str, status: str, reason: str) -> None:
    """Bring an envelope to its end, and the ledger with it."""
    async with store.writing() as tx:
        await tx.run(
            sa.text("UPDATE envelopes SET status = :status, reason = :reason, next_at = NULL WHERE id = :id"),
            status=status,
            reason=reason,
            id=from_wire(envelope_id),
        )
        for place, difference in (("", -1), (reason, 1)):
            await tx.run(
                sa.text(
                    "INSERT INTO ledger VALUES (1, :engagement, :reason, :n) ON CONFLICT (account_id, engagement_id,"
                    " reason) DO UPDATE SET count = ledger.count + excluded.count"
                ),
                engagement=engagement,
                reason=place,
                n=difference,
            )


async def test_a_receipt_is_for_what_is_over(client: Client, other: Client, store: SqliteStore) -> None:
    """Until then it says what is missing; then every envelope has its line, and the chain holds."""
    id_ = await client.ready(3)
    assert (await client.get(f"/engagements/{id_}/receipt")).status_code == 400
    await client.change(id_, status="scheduled")
    await client.change(id_, status="canceled")
    answer = await client.get(f"/engagements/{id_}/receipt")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    verdict = verify(answer.text.splitlines(keepends=True))
    assert isinstance(verdict, Intact), verdict
    lines = [msgspec.json.decode(line) for line in answer.text.splitlines()]
    assert [line["reason"] for line in lines[1:-1]] == ["canceled"] * 3
    csv = await client.get(f"/engagements/{id_}/receipt?format=csv")
    assert isinstance(verify(csv.text.splitlines(keepends=True)), Intact)
    broken = answer.text.replace('"reason":"canceled"', '"reason":"delivered"', 1)
    assert not isinstance(verify(broken.splitlines(keepends=True)), Intact)
    assert (await other.get(f"/engagements/{id_}/receipt")).status_code == 404
    assert (await client.get(f"/engagements/{id_}/receipt?format=pdf")).status_code == 400


async def test_doubts_are_resolved_only_by_somebody(client: Client, other: Client) -> None:
    """A verb that is none is refused; without doubts nothing moves; another account's engagement is not there."""
    id_ = await client.ready(1)

    async def resolved(who: Client, verb: str) -> httpx.Response:
        return await who.post(f"/engagements/{id_}/resolutions", resource("resolutions", {"verb": verb}))

    assert problems(await resolved(client, "forget")) == ["/data/attributes/verb"]
    found = attributes(await resolved(client, "give-up"))
    assert (found["count"], found["left-in-doubt"]) == (0, 0)
    assert (await resolved(other, "give-up")).status_code == 404


async def test_nothing_canceled_is_sent_again(client: Client) -> None:
    """A doubt of a canceled engagement would end as canceled, though its text may have arrived."""
    id_ = await client.ready(1)
    await client.change(id_, status="scheduled")
    await client.change(id_, status="canceled")

    async def resolved(verb: str) -> httpx.Response:
        return await client.post(f"/engagements/{id_}/resolutions", resource("resolutions", {"verb": verb}))

    assert problems(await resolved("resend")) == ["/data/attributes/verb"]
    assert attributes(await resolved("give-up"))["count"] == 0


async def test_what_waits_is_found_by_its_rule_and_time(client: Client, store: SqliteStore) -> None:
    """Of engagements and of envelopes."""
    held, free = await client.ready(1), await client.ready(1)
    async with store.writing() as tx:
        for table, column in (("engagements", "id"), ("envelopes", "engagement_id")):
            statement = f"UPDATE {table} SET hold_reason = 'carrier', hold_until = :until WHERE {column} = :id"
            await tx.run(sa.text(statement), until=START, id=from_wire(held))
    before, after = "2020-07-07T00:00:00%2B00:00", "2020-07-08T00:00:00%2B00:00"

    async def found(path: str, **filters: str) -> list[str]:
        asked = "&".join(f"filter[{name.replace('_', '-')}]={value}" for name, value in filters.items())
        answer = await client.get(f"/{path}?{asked}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["data"]]

    assert await found("engagements", hold_reason="carrier") == [held]
    assert await found("engagements", hold_until=f"lt:{after}") == [held]
    assert await found("engagements", hold_until=f"lt:{before}") == []
    for id_, count in ((held, 1), (free, 0)):
        mine = {"engagement.id": id_}
        assert len(await found("envelopes", **mine, hold_reason="carrier")) == count
        assert len(await found("envelopes", **mine, hold_until=f"lt:{after}")) == count
        assert await found("envelopes", **mine, hold_until=f"lt:{before}") == []


async def test_the_writes_of_a_viewer_are_refused(client: Client, store: SqliteStore) -> None:
    """Copies and resolutions are writes."""
    id_ = await client.ready(1)
    async with store.writing() as tx:
        await tx.run(sa.text("UPDATE memberships SET role = 'viewer'"))
    assert (await copied(client, id_)).status_code == 403
    answer = await client.post(f"/engagements/{id_}/resolutions", resource("resolutions", {"verb": "resend"}))
    assert answer.status_code == 403
    assert (await client.get(f"/engagements/{id_}/ledger")).status_code == 200
