"""Single texts: queued for whoever sends them, refused at once when they cannot be sent, and taken back in time."""

from typing import Any

import httpx
import pytest

from api_client import NUMBER, START, Client, Settings, resource, to_wire_number
from opengage.domain.records import PhoneNumber, Text, TextResult
from opengage.domain.states import TextStatus
from opengage.ids import from_wire, new_id, to_wire
from opengage.jsonapi.timestamps import to_text
from opengage.store import rows, singles, suppressions
from opengage.store.contract import Store
from opengage.store.sqlite import SqliteStore

TO = "+12025550123"


async def message(client: Client, body: str = "Hi", **attributes: Any) -> str:
    """A finished message; its id."""
    return await client.make("text-messages", {"body": body, "is-draft": False, **attributes})


async def send(
    client: Client, message_id: str, attributes: dict[str, Any], **targets: tuple[str, str]
) -> httpx.Response:
    """POST a text with this message."""
    return await client.post(
        "/texts", resource("texts", attributes, text_message=("text-messages", message_id), **targets)
    )


async def stored(store: Store, id_: str) -> Text:
    """A text as it is kept."""
    known = from_wire(id_)
    assert known is not None
    async with store.reading() as tx:
        found = await rows.find(tx, Text, 1, known)
    assert found is not None
    return found


async def cancel(client: Client, id_: str, status: str = "canceled") -> httpx.Response:
    """PATCH a text's status."""
    return await client.patch(f"/texts/{id_}", {"data": {"id": id_, "type": "texts", "attributes": {"status": status}}})


async def move(store: Store, id_: str, **fields: Any) -> None:
    """Change a text as the dispatcher would."""
    found = await stored(store, id_)
    async with store.writing() as tx:
        await rows.change(tx, found, **fields)


async def test_it_is_due_at_once(client: Client, store: SqliteStore) -> None:
    """The row that the dispatcher takes: queued, due now, rendered, nobody's envelope; one result says so."""
    message_id = await message(client, "Hi {{first-name}}, {{offer | default: 'hello'}}")
    sent = {
        "to": "+1 (202) 555-0123",
        "from": "+12025550199",
        "meta": {"first-name": "Zoë"},
        "callback": "https://example.com/hook",
        "callback-include": "result",
    }
    answer = await send(client, message_id, sent)
    found = answer.json()["data"]
    assert answer.status_code == 201
    assert found["attributes"] | {"from": NUMBER, "to": TO, "status": "queued"} == found["attributes"]
    assert found["attributes"]["meta"] == {"first-name": "Zoë"}
    text = await stored(store, found["id"])
    assert (text.body, text.segments, text.next_at) == ("Hi Zoë, hello", 1, START)
    assert (text.engagement_id, text.envelope_id, text.epoch, text.attempts) == (None, None, None, 0)
    assert (text.phone_number_id, text.callback_include) == (client.account.phone_number_id, "result")
    assert to_wire(text.text_message_id or b"") == message_id
    (result,) = (await client.get(f"/texts/{found['id']}/results")).json()["data"]
    assert result["attributes"]["kind"] == "queued"
    again = (await client.get(f"/texts/{found['id']}")).json()["data"]
    assert again["relationships"]["result"]["data"]["id"] == result["id"]


async def test_the_message_s_own_values(client: Client, store: SqliteStore) -> None:
    """Merge fields are filled from the text's meta first, then from the message's."""
    message_id = await message(client, "{{a}} {{b}}", meta={"a": "1", "b": "2"})
    id_ = (await send(client, message_id, {"to": TO, "meta": {"b": "3"}})).json()["data"]["id"]
    assert (await stored(store, id_)).body == "1 3"


async def test_what_another_text_carried(client: Client, store: SqliteStore) -> None:
    """Words that were filled in already are sent as they stand."""
    first = (await send(client, await message(client), {"to": TO})).json()["data"]["id"]
    await move(store, first, text_message_id=None, body="Hi {{ Ann")
    answer = await send(client, first, {"to": TO})
    assert answer.status_code == 201
    assert (await stored(store, answer.json()["data"]["id"])).body == "Hi {{ Ann"


@pytest.mark.parametrize(
    ("attributes", "code", "pointer"),
    [
        ({}, 103, "/data/attributes/to"),
        ({"to": "555"}, 105, "/data/attributes/to"),
        ({"to": 12025550123}, 102, "/data/attributes/to"),
        ({"to": TO, "meta": {"a": {}}}, 102, "/data/attributes/meta/a"),
        ({"to": TO, "callback": "ftp://example.com"}, 104, "/data/attributes/callback"),
    ],
)
async def test_refused(client: Client, attributes: dict[str, Any], code: int, pointer: str) -> None:
    """400 at the attribute, and nothing is queued."""
    answer = await send(client, await message(client), attributes)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, code, pointer)
    assert (await client.get("/texts")).json()["meta"]["total"] == 0


async def test_suppressed(client: Client) -> None:
    """400 with a code of its own, until the suppression goes."""
    message_id = await message(client)
    suppression_id = await client.make("suppressions", {"phone-number": TO})
    answer = await send(client, message_id, {"to": TO})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, 151, "/data/attributes/to")
    assert (await client.delete(f"/suppressions/{suppression_id}")).status_code == 204
    assert (await send(client, message_id, {"to": TO})).status_code == 201


async def test_suppressed_and_forgotten(client: Client, store: SqliteStore) -> None:
    """The same, though nothing but a pseudonym is left of the number; to suppress it again tells no more."""
    message_id = await message(client)
    suppression_id = await client.make("suppressions", {"phone-number": TO})
    async with store.writing() as tx:
        assert await suppressions.hide(tx, 1, [TO], START) == 1
    assert (await send(client, message_id, {"to": TO})).json()["errors"][0]["code"] == 151
    again = await client.post("/suppressions", resource("suppressions", {"phone-number": TO}))
    assert (again.status_code, again.json()["data"]["id"]) == (200, suppression_id)
    assert TO not in again.text
    assert (await client.delete(f"/suppressions/{suppression_id}")).status_code == 204
    assert (await send(client, message_id, {"to": TO})).status_code == 201


@pytest.mark.parametrize(
    ("body", "meta", "code"),
    [
        ("Hi {{first-name}}", {}, 153),
        ("Hi {{first-name}}", {"first-name": "  "}, 153),
        ("{% if a %}Hi{% endif %}", {}, 153),
        ("{{a}}", {"a": "x" * 1700}, 150),
        ("{{a}}", {"a": "👍" * 100}, 150),
    ],
)
async def test_words_that_cannot_be_sent(
    client: Client, settings: Settings, body: str, meta: dict[str, str], code: int
) -> None:
    """A hole, nothing at all, or more than the most segments: 400 at the message."""
    settings.max_segments = 2
    answer = await send(client, await message(client, body), {"to": TO, "meta": meta})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["source"]["pointer"] == "/data/relationships/text-message"
    assert (await client.get("/texts")).json()["meta"]["total"] == 0


async def test_messages_that_cannot_be_sent(client: Client, other: Client) -> None:
    """None, a draft, another account's, another type."""
    draft = await client.make("text-messages", {"body": "Hi", "is-draft": True})
    missing = await client.post("/texts", resource("texts", {"to": TO}))
    assert missing.json()["errors"][0]["code"] == 103
    for target, code in (
        (("text-messages", draft), 109),
        (("text-messages", await message(other)), 107),
        (("text-messages", to_wire(new_id())), 107),
        (("text-templates", draft), 102),
    ):
        answer = await client.post("/texts", resource("texts", {"to": TO}, text_message=target))
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == "/data/relationships/text-message"


async def test_the_sender(client: Client, other: Client) -> None:
    """Named or the only active one; 400 for one that is switched off, another account's, or a choice among two."""
    message_id, number_id = await message(client), to_wire_number(client.account)
    foreign = await send(client, message_id, {"to": TO}, phone_number=("phone-numbers", to_wire_number(other.account)))
    assert foreign.json()["errors"][0]["code"] == 107
    second = await client.make("phone-numbers", {"phone-number": "+12025550101"})
    unclear = await send(client, message_id, {"to": TO})
    assert (unclear.status_code, unclear.json()["errors"][0]["code"]) == (400, 103)
    assert unclear.json()["errors"][0]["source"]["pointer"] == "/data/relationships/phone-number"
    named = await send(client, message_id, {"to": TO}, phone_number=("phone-numbers", second))
    assert named.json()["data"]["attributes"]["from"] == "+12025550101"
    off = {"data": {"type": "phone-numbers", "attributes": {"is-active": False}}}
    assert (await client.patch(f"/phone-numbers/{second}", off)).status_code == 202
    refused = await send(client, message_id, {"to": TO}, phone_number=("phone-numbers", second))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 152)
    assert (await send(client, message_id, {"to": TO})).json()["data"]["attributes"]["from"] == NUMBER
    assert (await client.patch(f"/phone-numbers/{number_id}", off)).status_code == 202
    nobody = await send(client, message_id, {"to": TO})
    assert (nobody.status_code, nobody.json()["errors"][0]["code"]) == (400, 103)


async def test_a_profile_that_is_switched_off(client: Client) -> None:
    """Its numbers cannot send."""
    profile_id = to_wire(client.account.service_profile_id)
    off = {"data": {"type": "service-profiles", "attributes": {"is-active": False}}}
    assert (await client.patch(f"/service-profiles/{profile_id}", off)).status_code == 202
    answer = await send(client, await message(client), {"to": TO})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 152)


async def test_taken_back(client: Client, store: SqliteStore) -> None:
    """202, canceled, no longer due, with a result that says so; once more changes nothing."""
    id_ = (await send(client, await message(client), {"to": TO})).json()["data"]["id"]
    assert (await cancel(client, id_, "queued")).json()["data"]["attributes"]["status"] == "queued"
    answer = await cancel(client, id_)
    assert (answer.status_code, answer.json()["data"]["attributes"]["status"]) == (202, "canceled")
    text = await stored(store, id_)
    assert (text.status, text.next_at, text.settled_at) == (TextStatus.CANCELED, None, START)
    assert (await client.get(f"/texts/{id_}")).json() == answer.json()
    kinds = [one["attributes"]["kind"] for one in (await client.get(f"/texts/{id_}/results")).json()["data"]]
    assert kinds == ["queued", "canceled"]
    assert (await cancel(client, id_)).json() == answer.json()


async def test_too_late(client: Client, other: Client, store: SqliteStore) -> None:
    """Once it is on its way nothing takes it back: 400; nor does another account, or any other status."""
    id_ = (await send(client, await message(client), {"to": TO})).json()["data"]["id"]
    assert (await cancel(other, id_)).status_code == 404
    for status in ("sent", "delivered", ""):
        wrong = await cancel(client, id_, status)
        assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, 104)
    for status in (TextStatus.SENDING, TextStatus.SENT, TextStatus.IN_DOUBT, TextStatus.DELIVERED):
        await move(store, id_, status=status, next_at=None)
        before = await stored(store, id_)
        answer = await cancel(client, id_)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, 109)
        assert await stored(store, id_) == before
    async with store.reading() as tx:
        assert len(await rows.every(tx, TextResult, account_id=1)) == 1


async def test_a_blast_s_text_is_not_taken_back_alone(client: Client, store: SqliteStore) -> None:
    """Its envelope would not know: 400 that names the engagement as what to cancel."""
    id_ = (await send(client, await message(client), {"to": TO})).json()["data"]["id"]
    await move(store, id_, engagement_id=new_id())
    answer = await cancel(client, id_)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, 109)
    assert "engagement" in error["detail"]


async def test_a_doubt_ends_by_a_word(client: Client, other: Client, store: SqliteStore) -> None:
    """201 with what was done, kept in the audit; refused where there is no doubt, and to whoever may not."""
    id_ = (await send(client, await message(client), {"to": TO})).json()["data"]["id"]

    async def say(who: Client, verb: str) -> tuple[int, Any]:
        answer = await who.post(f"/texts/{id_}/resolutions", resource("resolutions", {"verb": verb}))
        return answer.status_code, answer.json()

    status, document = await say(client, "give-up")
    assert (status, document["errors"][0]["code"]) == (400, 109)
    await move(store, id_, status=TextStatus.IN_DOUBT, next_at=None, epoch=1)
    assert (await say(other, "delivered"))[0] == 404
    status, document = await say(client, "guess")
    assert (status, document["errors"][0]["code"]) == (400, 104)
    assert document["errors"][0]["source"]["pointer"] == "/data/attributes/verb"
    assert (await stored(store, id_)).status is TextStatus.IN_DOUBT
    status, document = await say(client, "delivered")
    done = document["data"]["attributes"]
    assert (status, done["verb"], done["count"], done["left-in-doubt"]) == (201, "delivered", 1, 0)
    assert (await client.get(f"/texts/{id_}")).json()["data"]["attributes"]["status"] == "delivered"
    (event,) = (await client.get(f"/audit-events?filter[subject-id]={id_}")).json()["data"]
    assert (event["id"], event["attributes"]["action"]) == (document["data"]["id"], "in-doubt.delivered")
    assert (await say(client, "delivered"))[0] == 400


async def test_what_waits_is_found_by_its_rule_and_time(client: Client, other: Client, store: SqliteStore) -> None:
    """Among the single texts; one that no longer waits is under no rule."""
    message_id = await message(client)
    held, free = [(await send(client, message_id, {"to": TO})).json()["data"]["id"] for _ in range(2)]
    async with store.writing() as tx:
        await singles.hold(tx, await stored(store, held), "us-federal", START)
    before, after = "2020-07-07T00:00:00%2B00:00", "2020-07-08T00:00:00%2B00:00"

    async def found(who: Client, asked: str) -> list[str]:
        answer = await who.get(f"/texts?filter[engagement.id]=&{asked}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["data"]]

    shown = (await client.get(f"/texts/{held}")).json()["data"]["attributes"]
    assert (shown["hold-reason"], shown["hold-until"]) == ("us-federal", to_text(START))
    assert await found(client, "filter[hold-reason]=us-federal") == [held]
    assert await found(other, "filter[hold-reason]=us-federal") == []
    assert await found(client, "filter[hold-reason]=") == [free]
    assert await found(client, f"filter[hold-until]=lt:{after}") == [held]
    assert await found(client, f"filter[hold-until]=lt:{before}") == []
    assert (await client.get("/texts?filter[hold-reason]=us-federal")).status_code == 400
    canceled = (await cancel(client, held)).json()["data"]["attributes"]
    assert (canceled["hold-reason"], canceled["hold-until"]) == (None, None)
    assert (await client.get(f"/texts/{held}")).json()["data"]["attributes"] == canceled
    assert await found(client, "filter[hold-reason]=us-federal") == []


async def test_inbound_texts_are_read(client: Client, store: SqliteStore) -> None:
    """What a handset sent has direction inbound, and is received; nobody cancels it."""
    async with store.writing() as tx:
        number = await rows.find(tx, PhoneNumber, 1, client.account.phone_number_id)
        assert number is not None
        text = Text(
            account_id=1,
            id=new_id(),
            created_at=START,
            updated_at=START,
            created_by=client.account.membership_id,
            updated_by=client.account.membership_id,
            sender=TO,
            recipient=NUMBER,
            direction="inbound",
            status=TextStatus.RECEIVED,
            body="Hello",
            segments=1,
            phone_number_id=number.id,
            service_profile_id=number.service_profile_id,
        )
        await rows.insert(tx, text)
    (found,) = (await client.get("/texts")).json()["data"]
    assert (found["attributes"]["direction"], found["attributes"]["status"]) == ("inbound", "received")
    assert (await cancel(client, found["id"])).json()["errors"][0]["code"] == 109
