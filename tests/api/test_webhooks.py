"""/webhook-endpoints and /webhook-deliveries: made, changed, rotated, looked at, sent again."""

from typing import Any

import pytest

from api_client import SEALER, START, Client, StandingClock, recipients
from opengage.clock import SECOND, Instant
from opengage.domain.records import Engagement, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from opengage.domain.webhooks import Event, Happening
from opengage.ids import Id, from_wire, new_id, to_wire
from opengage.operations import webhook_endpoints
from opengage.store import outbox, rows
from opengage.store.sqlite import SqliteStore

URL = "https://hooks.example.com/opengage"


def endpoint(**attributes: Any) -> dict[str, Any]:
    """The document of an endpoint; underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return {"data": {"type": "webhook-endpoints", "attributes": named}}


async def change(client: Client, id_: str, **attributes: Any) -> Any:
    """PATCH an endpoint."""
    document = endpoint(**attributes)
    document["data"]["id"] = id_
    return await client.patch(f"/webhook-endpoints/{id_}", document)


async def happen(store: SqliteStore, event: Event = Event.TEXT_SENT) -> Id:
    """An event about a text; its id."""
    subject = new_id()
    async with store.writing() as tx:
        await outbox.announce(tx, [Happening(1, event, "texts", subject)], START, new_id)
    return subject


async def test_an_endpoint_is_made_and_its_secret_told_once(client: Client) -> None:
    """201 with the secret; every later answer has null in its place."""
    made = await client.post("/webhook-endpoints", endpoint(url=URL, events=["text.delivered"], include="text-message"))
    assert made.status_code == 201
    data = made.json()["data"]
    attributes = data["attributes"]
    assert attributes["secret"].startswith("whsec_")
    assert (attributes["url"], attributes["events"], attributes["kind"]) == (URL, ["text.delivered"], "events")
    assert (attributes["is-active"], attributes["include"]) == (True, "text-message")
    for answer in (
        await client.get(f"/webhook-endpoints/{data['id']}"),
        await change(client, data["id"], url=URL + "/2"),
    ):
        assert answer.json()["data"]["attributes"]["secret"] is None
    (listed,) = (await client.get("/webhook-endpoints")).json()["data"]
    assert listed["attributes"]["secret"] is None
    assert listed["attributes"]["url"] == URL + "/2"
    assert attributes["secret"] not in (await client.get("/webhook-endpoints")).text


async def test_an_endpoint_hears_everything_unless_told(client: Client) -> None:
    """Without `events` all of them."""
    made = await client.post("/webhook-endpoints", endpoint(url=URL))
    assert made.json()["data"]["attributes"]["events"] == ["*"]


@pytest.mark.parametrize(
    ("attributes", "pointer", "code"),
    [
        ({}, "url", 103),
        ({"url": None}, "url", 103),
        ({"url": "http://127.0.0.1/"}, "url", 104),
        ({"url": "http://2130706433/"}, "url", 104),
        ({"url": "ftp://example.com/"}, "url", 104),
        ({"url": URL, "events": []}, "events", 104),
        ({"url": URL, "events": ["text.sent", "text.sending"]}, "events/1", 104),
        ({"url": URL, "kind": "mail"}, "kind", 104),
        ({"kind": "callbacks", "url": URL}, "kind", 104),
        ({"url": URL, "include": "text-message,nothing"}, "include", 104),
    ],
)
async def test_what_cannot_be_told_is_refused(
    client: Client, attributes: dict[str, Any], pointer: str, code: int
) -> None:
    """400 with the place; nothing is made."""
    answer = await client.post("/webhook-endpoints", endpoint(**attributes))
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["source"]["pointer"], error["code"]) == (f"/data/attributes/{pointer}", code)
    assert (await client.get("/webhook-endpoints")).json()["data"] == []


async def test_changes_are_held_to_the_same_rules(client: Client) -> None:
    """A bad URL, no URL, another kind: 400, and all stays as it was."""
    id_ = await client.make("webhook-endpoints", {"url": URL})
    for attributes in ({"url": "http://169.254.169.254/"}, {"url": None}, {"kind": "callbacks"}, {"events": ["x"]}):
        assert (await change(client, id_, **attributes)).status_code == 400
    assert (await client.get(f"/webhook-endpoints/{id_}")).json()["data"]["attributes"]["url"] == URL


async def test_an_account_has_so_many_endpoints(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than the most is refused."""
    monkeypatch.setattr(webhook_endpoints, "MOST", 2)
    for _ in range(2):
        await client.make("webhook-endpoints", {"url": URL})
    answer = await client.post("/webhook-endpoints", endpoint(url=URL))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 110)


async def test_callbacks_have_one_secret(client: Client) -> None:
    """An endpoint of kind `callbacks` is made once and rotated from then on."""
    made = await client.post("/webhook-endpoints", endpoint(kind="callbacks"))
    assert made.status_code == 201
    assert made.json()["data"]["attributes"]["url"] is None
    again = await client.post("/webhook-endpoints", endpoint(kind="callbacks"))
    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, 109)


async def test_a_secret_is_rotated(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """The new one is told once; the old one signs beside it for a day."""
    made = (await client.post("/webhook-endpoints", endpoint(url=URL))).json()["data"]
    rotated = await client.post(f"/webhook-endpoints/{made['id']}/rotate-secret", b"")
    assert rotated.status_code == 200
    attributes = rotated.json()["data"]["attributes"]
    assert attributes["secret"] != made["attributes"]["secret"]
    assert attributes["previous-secret-until"] is not None
    id_ = from_wire(made["id"])
    assert id_
    async with store.reading() as tx:
        record = await rows.find(tx, WebhookEndpoint, 1, id_)
    assert record
    both = [attributes["secret"], made["attributes"]["secret"]]
    assert webhook_endpoints.open_secrets(SEALER, record, clock.now()) == both
    later = Instant(clock.now() + 24 * 3600 * SECOND)
    assert webhook_endpoints.open_secrets(SEALER, record, later) == both[:1]


async def test_an_endpoint_switched_off_or_deleted_gets_nothing(client: Client, store: SqliteStore) -> None:
    """What it still had coming is canceled, and stays on record."""
    off, gone = [await client.make("webhook-endpoints", {"url": URL}) for _ in range(2)]
    await happen(store)
    assert (await change(client, off, is_active=False)).json()["data"]["attributes"]["is-active"] is False
    assert (await client.send("DELETE", f"/api/v1/webhook-endpoints/{gone}")).status_code == 204
    await happen(store)
    found = (await client.get("/webhook-deliveries")).json()["data"]
    assert [one["attributes"]["status"] for one in found] == ["canceled", "canceled"]
    assert (await client.get(f"/webhook-endpoints/{gone}")).status_code == 404
    assert (await client.send("DELETE", f"/api/v1/webhook-endpoints/{gone}")).status_code == 404
    for one in found:
        assert (await client.post(f"/webhook-deliveries/{one['id']}/resend", b"")).status_code == 400


async def test_deliveries_are_listed_with_their_attempts(client: Client, store: SqliteStore) -> None:
    """By endpoint, status and subject; one shows each attempt's code, body and time."""
    id_ = await client.make("webhook-endpoints", {"url": URL})
    subject = await happen(store)
    (listed,) = (await client.get(f"/webhook-deliveries?filter[endpoint.id]=eq:{id_}")).json()["data"]
    async with store.writing() as tx:
        attempt = WebhookAttempt(
            account_id=1,
            id=new_id(),
            created_at=START,
            updated_at=START,
            delivery_id=from_wire(listed["id"]) or Id(b""),
            number=1,
            url=URL,
            code=500,
            error=None,
            body="broken",
            duration_ms=12,
        )
        await rows.insert(tx, attempt)
    shown = (await client.get(f"/webhook-deliveries/{listed['id']}")).json()["data"]["attributes"]
    assert shown["attempts"] == [
        {
            "number": 1,
            "attempted-at": "2020-07-07T19:36:01.641305+00:00",
            "url": URL,
            "code": 500,
            "error": None,
            "body": "broken",
            "duration-ms": 12,
        }
    ]
    assert (shown["event"], shown["status"], shown["subject-id"]) == ("text.sent", "pending", to_wire(subject))
    for query, count in (
        (f"filter[subject-id]=eq:{to_wire(subject)}", 1),
        (f"filter[subject-id]=eq:{to_wire(new_id())}", 0),
        (f"filter[endpoint.id]=eq:{id_}&filter[status]=pending", 1),
        (f"filter[endpoint.id]=eq:{id_}&filter[status]=failed", 0),
    ):
        assert (await client.get(f"/webhook-deliveries?{query}")).json()["meta"]["total"] == count


async def test_a_delivery_is_sent_again_by_hand(client: Client, store: SqliteStore) -> None:
    """Once it has ended: due at once under its own id; not while attempts are still to come."""
    await client.make("webhook-endpoints", {"url": URL})
    await happen(store)
    (one,) = (await client.get("/webhook-deliveries")).json()["data"]
    waiting = await client.post(f"/webhook-deliveries/{one['id']}/resend", b"")
    assert (waiting.status_code, waiting.json()["errors"][0]["code"]) == (400, 109)
    async with store.writing() as tx:
        record = await rows.first(tx, WebhookDelivery, account_id=1)
        assert record
        await rows.change(tx, record, status="failed", attempts=10, next_at=None)
    again = await client.post(f"/webhook-deliveries/{one['id']}/resend", b"")
    assert again.status_code == 202
    assert again.json()["data"]["id"] == one["id"]
    assert again.json()["data"]["attributes"]["status"] == "pending"
    assert again.json()["data"]["attributes"]["next-attempt-at"] is not None


async def test_a_foreign_endpoint_or_delivery_is_missing(client: Client, other: Client, store: SqliteStore) -> None:
    """404 to every write, and nothing changes."""
    id_ = await client.make("webhook-endpoints", {"url": URL})
    await happen(store)
    (delivery,) = (await client.get("/webhook-deliveries")).json()["data"]
    before = (await client.get("/webhook-endpoints")).text
    assert (await change(other, id_, is_active=False)).status_code == 404
    assert (await other.send("DELETE", f"/api/v1/webhook-endpoints/{id_}")).status_code == 404
    assert (await other.post(f"/webhook-endpoints/{id_}/rotate-secret", b"")).status_code == 404
    assert (await other.post(f"/webhook-deliveries/{delivery['id']}/resend", b"")).status_code == 404
    assert (await client.get("/webhook-endpoints")).text == before


async def test_callbacks_are_checked_when_they_are_written(client: Client) -> None:
    """One that leads to this machine or to a cloud's metadata is refused with its place in the array."""
    engagement_id = await client.engagement()
    bad = ["http://127.0.0.1/", "http://0x7f.1/", "http://[::ffff:169.254.169.254]/", "https://a:b@example.com/"]
    items = recipients(engagement_id, len(bad) + 1)
    for item, url in zip(items, [URL, *bad], strict=True):
        item["attributes"]["callback"] = url
    answer = await client.post("/envelopes", {"data": items})
    assert answer.status_code == 400
    pointers = [error["source"]["pointer"] for error in answer.json()["errors"]]
    assert pointers == [f"/data/{place}/attributes/callback" for place in range(1, 5)]


async def test_a_callbacks_includes_are_checked_when_they_are_written(client: Client) -> None:
    """Paths that an envelope does not have are refused, with their place."""
    engagement_id = await client.engagement()
    items = recipients(engagement_id, 3)
    for item, include in zip(items, ["text,engagement.activity", "text,nothing", "x" * 501], strict=True):
        item["attributes"] |= {"callback": URL, "callback-include": include}
    answer = await client.post("/envelopes", {"data": items})
    assert answer.status_code == 400
    pointers = [error["source"]["pointer"] for error in answer.json()["errors"]]
    assert pointers == [f"/data/{place}/attributes/callback-include" for place in (1, 2)]
    assert (await client.post("/envelopes", {"data": items[:1]})).status_code == 201


async def test_an_engagement_knows_that_it_has_callbacks(client: Client, store: SqliteStore) -> None:
    """From the first envelope with one; what came of it is listed at the envelope."""
    engagement_id = await client.engagement()
    plain, calling = recipients(engagement_id, 2)
    calling["attributes"] |= {"callback": URL, "callback-include": "text"}
    await client.post("/envelopes", {"data": [plain]})
    assert await callbacks_of(store) == [None]
    made = (await client.post("/envelopes", {"data": [calling]})).json()["data"][0]
    assert await callbacks_of(store) == [True]
    envelope_id, blast_id = from_wire(made["id"]), from_wire(engagement_id)
    async with store.writing() as tx:
        what = Happening(1, Event.TEXT_SENT, "texts", new_id(), blast_id, envelope_id)
        await outbox.announce(tx, [what], START, new_id)
        delivery = await rows.first(tx, WebhookDelivery, account_id=1)
        assert delivery
        attempt = WebhookAttempt(
            account_id=1,
            id=new_id(),
            created_at=START,
            updated_at=START,
            delivery_id=delivery.id,
            number=1,
            url=URL,
            code=None,
            error="timeout",
            body=None,
            duration_ms=15000,
        )
        await rows.insert(tx, attempt)
    shown = (await client.get(f"/envelopes/{made['id']}")).json()["data"]["attributes"]
    assert shown["callback-status"] == [
        {
            "event": "text.sent",
            "code": None,
            "error": "timeout",
            "attempted-at": "2020-07-07T19:36:01.641305+00:00",
            "duration-ms": 15000,
            "webhook-delivery-id": to_wire(delivery.id),
        }
    ]


async def callbacks_of(store: SqliteStore) -> list[bool | None]:
    """What the engagements know of callbacks."""
    async with store.reading() as tx:
        return [one.has_callbacks for one in await rows.every(tx, Engagement, account_id=1)]


async def test_what_members_do_to_an_engagement_is_told(client: Client, store: SqliteStore) -> None:
    """Scheduled, paused, resumed, canceled, each in the PATCH that does it; and whom a cancellation leaves without."""
    await client.make("webhook-endpoints", {"url": URL})
    engagement_id = await client.ready(1)
    for status in ("scheduled", "paused", "scheduled", "canceled"):
        assert (await client.change(engagement_id, status=status)).status_code == 202
    assert (await client.change(engagement_id, status="paused")).status_code == 400
    found = (await client.get("/webhook-deliveries")).json()["data"]
    told = [(one["attributes"]["event"], one["attributes"]["subject-type"]) for one in found]
    assert told == [
        ("engagement.scheduled", "engagements"),
        ("engagement.paused", "engagements"),
        ("engagement.scheduled", "engagements"),
        ("envelope.incomplete", "envelopes"),
        ("engagement.canceled", "engagements"),
    ]
