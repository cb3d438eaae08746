"""The recorded documents, compared as text: every member in its place (wire contract, sections 3 to 5).

What is ours comes after what is recorded, so each comparison takes ours out first. The lengths are those that the
record gives; its host had 28 characters.
"""

import json
from typing import Any

import pytest

from api_client import NUMBER, START, Client, Settings, StandingClock, linkage, resource, to_wire_number
from opengage.clock import Instant
from opengage.ids import to_wire

HOST = "https://" + "h" * 28
BASE = f"{HOST}/api/v1"
T0 = "2020-07-07T19:36:01.641305+00:00"
T1 = "2020-07-07T19:36:02.641305+00:00"

OURS = {
    "engagements": [
        *("count-pending", "count-processing", "scheduled-at", "started-at", "completed-at", "count-left", "starts-at"),
        *("undo-seconds", "validity-seconds", "canary-size", "canary-wait-seconds", "canary-delivery-ratio"),
        *("canary-state", "pause-failure-ratio", "pause-opt-out-ratio", "pause-reason", "hold-reason", "hold-until"),
        *("bodies-purged-at", "numbers-purged-at"),
    ],
    "envelopes": ["reason", "hold-reason", "hold-until"],
    "texts": ["segments", "attempts", "code", "sent-at", "settled-at", "hold-reason", "hold-until"],
}
OUR_RELATIONSHIPS = {
    "engagements": ["copied-from"],
    "envelopes": ["sender"],
    "texts": ["engagement", "revision"],
}


@pytest.fixture
def settings() -> Settings:
    """The public address is as long as the recorded one."""
    return Settings(public_url=HOST)


def recorded(text: str) -> str:
    """A document without what is ours, which must come last where it stands."""
    parsed = json.loads(text)
    found = parsed["data"][0] if isinstance(parsed["data"], list) else parsed["data"]
    ours = OURS.get(found["type"], [])
    if ours:
        assert list(found["attributes"])[-len(ours) :] == ours
    for name in ours:
        del found["attributes"][name]
    relationships = OUR_RELATIONSHIPS.get(found["type"], [])
    if relationships:
        assert list(found["relationships"])[-len(relationships) :] == relationships
    for name in relationships:
        del found["relationships"][name]
    again = json.dumps(parsed, separators=(",", ":"), ensure_ascii=False) + "\n"
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    return again


def one(kind: str, id_: str) -> str:
    """Linkage as text."""
    return f'{{"data":{{"type":"{kind}","id":"{id_}"}}}}'


def engagement(client: Client, id_: str, **changed: str) -> str:
    """An engagement as recorded, its members as JSON text."""
    member = one("memberships", to_wire(client.account.membership_id))
    values = {
        "status": '"pending"',
        "updated": f'"{T0}"',
        "counts": "null",
        "activity": '{"data":null}',
        "numbers": "",
    } | changed
    counts = values["counts"]
    return (
        f'{{"data":{{"type":"engagements","id":"{id_}","attributes":{{"name":"Example Text Blast",'
        f'"status":{values["status"]},"is-archived":false,"direction":"outbound","delivery-type":"immediately",'
        f'"delivery-time":null,"delivery-compliance-is-approved":false,"created-at":"{T0}",'
        f'"updated-at":{values["updated"]},"count-total":null,"count-complete":{counts},"count-incomplete":{counts},'
        f'"count-hold":{counts},"queue-kind":"batch","queue-batch-limit":1000,"queue-progressive-ratio":null,'
        '"queue-throttle-hold-limit":null,"queue-throttle-day-limit":null,"queue-throttle-hour-limit":null,'
        '"queue-schedule-is-enabled":false,"queue-schedule":null,"deleted-at":null},"relationships":{'
        f'"activity":{values["activity"]},"reviews":{{"links":{{"related":"{BASE}/engagements/{id_}/reviews"}}}},'
        '"latest-review":{"data":null},"lists":{"data":[]},"caller-ids":{"data":[]},"email-ids":{"data":[]},'
        f'"phone-numbers":{{"data":[{values["numbers"]}]}},"deleted-by":{{"data":null}},'
        f'"created-by":{member},"updated-by":{member}}}}}}}\n'
    )


async def test_post_engagement(client: Client) -> None:
    """201, pending, counts null, nothing linked; 1152 bytes on record, where the batch limit had two digits less."""
    answer = await client.post(
        "/engagements", resource("engagements", {"name": "Example Text Blast", "direction": "outbound"})
    )
    assert answer.status_code == 201
    assert recorded(answer.text) == engagement(client, answer.json()["data"]["id"])
    assert len(recorded(answer.text)) == 1152 + 2
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "location" not in answer.headers


async def test_post_text_template(client: Client) -> None:
    """201, `primary` itself, `revision` another id, `included` empty; 785 bytes on record."""
    answer = await client.post(
        "/text-templates", resource("text-templates", {"name": "Text Template", "body": "Sample body"})
    )
    made = answer.json()["data"]
    member = one("memberships", to_wire(client.account.membership_id))
    revision = made["relationships"]["revision"]["data"]["id"]
    assert answer.status_code == 201
    assert answer.text == (
        f'{{"data":{{"type":"text-templates","id":"{made["id"]}","attributes":{{"name":"Text Template",'
        f'"body":"Sample body","created-at":"{T0}","updated-at":"{T0}","is-archived":false,"deleted-at":null}},'
        f'"relationships":{{"files":{{"data":[]}},"primary":{one("text-templates", made["id"])},'
        f'"revision":{one("text-templates", revision)},'
        f'"revisions":{{"links":{{"related":"{BASE}/text-templates/{made["id"]}/revisions"}}}},'
        f'"tags":{{"data":[]}},"deleted-by":{{"data":null}},"created-by":{member},"updated-by":{member}}}}},'
        '"included":[]}\n'
    )
    assert revision != made["id"]
    assert len(answer.content) == 785


async def test_post_activity(client: Client) -> None:
    """201 with the relationships of its kind and no authors; 630 bytes on record."""
    engagement_id = await client.engagement()
    template_id = await client.make("text-templates", {"name": "Text Template", "body": "Sample body"})
    number_id = to_wire_number(client.account)
    document_ = resource(
        "activities",
        {"name": "Text Blast", "kind": "text"},
        engagement=("engagements", engagement_id),
        phone_number=("phone-numbers", number_id),
        text_template=("text-templates", template_id),
    )
    included = [{"type": "engagements", "id": engagement_id, "attributes": {"status": "canceled"}}]
    answer = await client.post("/activities", document_ | {"included": included})
    id_ = answer.json()["data"]["id"]
    assert answer.status_code == 201
    assert answer.text == (
        f'{{"data":{{"type":"activities","id":"{id_}","attributes":{{"name":"Text Blast","kind":"text",'
        f'"created-at":"{T0}","updated-at":"{T0}"}},"relationships":{{'
        f'"engagement":{one("engagements", engagement_id)},"transition":{{"data":null}},'
        f'"triggers":{{"links":{{"related":"{BASE}/triggers?filter[activity.id]=eq:{id_}"}},"data":[]}},'
        f'"phone-number":{one("phone-numbers", number_id)},"text-template":{one("text-templates", template_id)}}}}}}}\n'
    )
    assert len(answer.content) == 630


async def test_post_envelopes(client: Client) -> None:
    """201 with an array; kind, direction and activity follow from the engagement."""
    engagement_id = await client.ready(0)
    envelope: dict[str, Any] = {
        "type": "envelopes",
        "attributes": {"phone-number": "+14075550123", "meta": {"first-name": "Zoë", "last-name": 'O"Hara'}},
        "relationships": {"engagement": linkage("engagements", engagement_id)},
    }
    answer = await client.post(
        "/envelopes",
        {"data": [envelope]},
        content_type="application/json; charset=utf-8, application/vnd.api+json;ext=bulk",
    )
    assert answer.status_code == 201
    found = answer.json()["data"][0]
    member = one("memberships", to_wire(client.account.membership_id))
    nothing = '{"data":null}'
    activity = found["relationships"]["activity"]["data"]["id"]
    expected = (
        f'{{"type":"envelopes","id":"{found["id"]}","attributes":{{"email-address":null,'
        '"phone-number":"+14075550123","status":"pending","kind":"text","retry-attempts":0,"direction":"outbound",'
        f'"created-at":"{T0}","updated-at":"{T0}","meta":{{"first-name":"Zoë","last-name":"O\\"Hara"}},'
        '"callback":null,"callback-include":null,"is-priority":false,"delay-in-seconds":null,"scheduled-at":null,'
        f'"processed-at":null,"completed-at":null,"callback-status":[]}},"relationships":{{"created-by":{member},'
        f'"updated-by":{member},"contact":{nothing},"engagement":{one("engagements", engagement_id)},'
        f'"activity":{one("activities", activity)},"call":{nothing},"email":{nothing},"text":{nothing},'
        f'"identity":{nothing},"assigned":{nothing}}}}}'
    )
    assert recorded(answer.text) == f'{{"data":[{expected}]}}\n'
    alone = await client.get(f"/envelopes/{found['id']}")
    assert recorded(alone.text) == f'{{"data":{expected}}}\n'


async def test_patch_engagement_to_scheduled(client: Client, clock: StandingClock) -> None:
    """202; activity and number filled, counts 0 but for the total; 1246 bytes on record, and again two digits more."""
    id_ = await client.ready(1)
    clock.instant = Instant(START + 1_000_000)
    answer = await client.change(id_, name="Example Text Blast", direction="outbound", status="scheduled")
    found = answer.json()["data"]["relationships"]
    assert answer.status_code == 202
    number = f'{{"type":"phone-numbers","id":"{to_wire_number(client.account)}"}}'
    assert recorded(answer.text) == engagement(
        client,
        id_,
        status='"scheduled"',
        updated=f'"{T1}"',
        counts="0",
        activity=one("activities", found["activity"]["data"]["id"]),
        numbers=number,
    )
    assert len(recorded(answer.text)) == 1246 + 2


async def test_post_text_message(client: Client) -> None:
    """201; 490 bytes on record for a message by itself, 541 for one that has its body from a template."""
    own = await client.post("/text-messages", resource("text-messages", {"body": "Sample body", "is-draft": False}))
    assert (own.status_code, len(own.content)) == (201, 490)
    template_id = await client.make("text-templates", {"name": "Text Template", "body": "Sample body"})
    sent = resource("text-messages", {"is-draft": False}, text_template=("text-templates", template_id))
    copied = await client.post("/text-messages", sent)
    assert (copied.status_code, len(copied.content)) == (201, 541)
    found = copied.json()["data"]
    assert list(found["attributes"]) == ["is-draft", "created-at", "updated-at", "meta", "body"]
    assert found["attributes"]["body"] == "Sample body"
    assert list(found["relationships"]) == [
        "contact", "files", "text-template", "envelope", "created-by", "updated-by",
    ]  # fmt: skip


async def test_post_text(client: Client) -> None:
    """201, queued, `from` filled, no result yet; 913 bytes on record, its members in recorded order."""
    message_id = await client.make("text-messages", {"body": "Sample body", "is-draft": False})
    document = resource(
        "texts",
        {"to": "+14075550123"},
        text_message=("text-messages", message_id),
        phone_number=("phone-numbers", to_wire_number(client.account)),
    )
    included = [{"type": "text-messages", "id": message_id, "relationships": {"uploads": {"data": []}}}]
    answer = await client.post("/texts", document | {"included": included})
    assert answer.status_code == 201
    assert len(recorded(answer.text)) == 913
    found = json.loads(recorded(answer.text))["data"]
    assert list(found["attributes"]) == [
        "from", "to", "created-at", "updated-at", "direction", "status", "meta", "callback", "callback-include",
    ]  # fmt: skip
    assert (found["attributes"]["from"], found["attributes"]["status"]) == (NUMBER, "queued")
    assert list(found["relationships"]) == [
        "text-message", "contact", "envelope", "result", "results", "phone-number", "service-profile", "created-by",
        "updated-by",
    ]  # fmt: skip
    assert found["relationships"]["result"] == {"data": None}
    assert found["relationships"]["results"] == {
        "links": {"related": f"{BASE}/text-results?filter[text.id]={found['id']}"}
    }
