"""POST /envelopes: one or ten thousand, all or none, every fault told."""

from typing import Any

import msgspec
import pytest

from api_client import Client, Settings, linkage, recipients

BULK = "application/vnd.api+json; ext=bulk"


async def total(client: Client) -> int:
    """How many envelopes there are."""
    found: int = (await client.get("/envelopes?page[limit]=1")).json()["meta"]["total"]
    return found


async def test_ten_thousand(client: Client) -> None:
    """201 with every one in request order, and the ledger agrees."""
    id_ = await client.ready(0)
    sent = recipients(id_, 10_000)
    answer = await client.post("/envelopes", {"data": sent}, content_type=BULK, accept=BULK)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == BULK
    made = answer.json()["data"]
    assert [one["attributes"]["meta"] for one in made] == [one["attributes"]["meta"] for one in sent]
    assert len({one["id"] for one in made}) == 10_000
    assert await total(client) == 10_000
    page = (await client.get(f"/envelopes?filter[engagement.id]={id_}&page[limit]=2&page[offset]=9998")).json()
    assert page["data"] == made[-2:]


async def test_one_bad_number_of_ten_thousand(client: Client) -> None:
    """400 at its very place, and nothing is kept."""
    sent = recipients(await client.ready(0), 10_000)
    sent[4711]["attributes"]["phone-number"] = "+44 123"
    answer = await client.post("/envelopes", {"data": sent}, content_type=BULK)
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert (error["code"], error["source"]["pointer"]) == (105, "/data/4711/attributes/phone-number")
    assert await total(client) == 0


async def test_every_fault_of_every_item(client: Client) -> None:
    """Faults of form and of meaning in one answer, each at its place."""
    sent: list[Any] = recipients(await client.ready(0), 8)
    sent[0] = 7
    sent[1]["type"] = "contacts"
    sent[2]["attributes"]["meta"] = {"a": [1], "b": None}
    sent[3]["attributes"] = {}
    sent[4]["attributes"]["phone-number"] = "2025550100"
    sent[5]["relationships"] = {}
    sent[6]["attributes"] |= {"callback": "ftp://x", "delay-in-seconds": -1}
    sent[7]["attributes"] |= {"callback": "javascript:alert(1)"}
    answer = await client.post("/envelopes", {"data": sent})
    assert answer.status_code == 400
    assert [(error["code"], error["source"]["pointer"]) for error in answer.json()["errors"]] == [
        (102, "/data/0"),
        (123, "/data/1/type"),
        (102, "/data/2/attributes/meta/a"),
        (102, "/data/2/attributes/meta/b"),
        (103, "/data/3/attributes/phone-number"),
        (102, "/data/6/attributes/delay-in-seconds"),
        (105, "/data/4/attributes/phone-number"),
        (103, "/data/5/relationships/engagement"),
        (104, "/data/7/attributes/callback"),
    ]
    assert await total(client) == 0


async def test_after_a_hundred_faults_items_are_only_counted(client: Client) -> None:
    """Ten thousand items with ten faults each are answered as quickly as good ones, and none of them is kept."""
    sent = recipients(await client.ready(0), 2_000)
    for one in sent:
        one["attributes"]["meta"] = {f"m{number}": None for number in range(10)}
    answer = await client.post("/envelopes", {"data": sent})
    told = answer.json()
    assert answer.status_code == 400
    assert told["meta"] == {"total": 100 + 1_990, "shown": 100}
    assert told["errors"][-1]["source"]["pointer"] == "/data/9/attributes/meta/m9"
    assert await total(client) == 0


@pytest.mark.parametrize(
    "callback", ["http://", "https:///path", "http://a b/", "http://a\r\nX: y", "http://[", "http://a/" + "x" * 2048]
)
async def test_a_callback_that_nobody_could_call(client: Client, callback: str) -> None:
    """A URL without a host, with spaces or line ends, or too long is refused at its place."""
    sent = recipients(await client.ready(0), 1)
    sent[0]["attributes"]["callback"] = callback
    answer = await client.post("/envelopes", {"data": sent})
    (error,) = answer.json()["errors"]
    assert (error["code"], error["source"]["pointer"]) == (104, "/data/0/attributes/callback")
    assert await total(client) == 0


async def test_unknown_engagements_are_pointed_at(client: Client) -> None:
    """Each item by itself; the good ones are not kept either."""
    sent = recipients(await client.ready(0), 3)
    sent[1]["relationships"]["engagement"] = linkage("engagements", "VkyqXJqA3ZSjBuGCtSxZJ2")
    answer = await client.post("/envelopes", {"data": sent})
    (error,) = answer.json()["errors"]
    assert (error["code"], error["source"]["pointer"]) == (107, "/data/1/relationships/engagement")
    assert await total(client) == 0


async def test_at_most_a_hundred_errors(client: Client) -> None:
    """Then a count."""
    sent = recipients(await client.ready(0), 150)
    for one in sent:
        one["attributes"]["phone-number"] = "x"
    answer = (await client.post("/envelopes", {"data": sent})).json()
    assert len(answer["errors"]) == 100
    assert answer["meta"] == {"total": 150, "shown": 100}


async def test_several_engagements_in_one_request(client: Client) -> None:
    """Each envelope goes to its own; the answer keeps the request's order."""
    first, second = await client.ready(0), await client.ready(0)
    sent = recipients(first, 4)
    sent[1]["relationships"]["engagement"] = sent[2]["relationships"]["engagement"] = linkage("engagements", second)
    made = (await client.post("/envelopes", {"data": sent})).json()["data"]
    assert [one["relationships"]["engagement"]["data"]["id"] for one in made] == [first, second, second, first]
    for id_ in (first, second):
        assert (await client.get(f"/engagements/{id_}/ledger")).json()["data"]["attributes"]["total"] == 2
    listed = (await client.get(f"/envelopes?filter[engagement.id]=eq:{second}")).json()["data"]
    assert listed == made[1:3]


async def test_a_single_one(client: Client) -> None:
    """An object instead of an array is answered with an object; its faults are at /data."""
    (one,) = recipients(await client.ready(0), 1)
    answer = await client.post("/envelopes", {"data": one})
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert (await client.get(f"/envelopes/{made['id']}")).json()["data"] == made
    one["attributes"]["phone-number"] = "x"
    answer = await client.post("/envelopes", {"data": one})
    assert answer.json()["errors"][0]["source"]["pointer"] == "/data/attributes/phone-number"
    assert (await client.post("/envelopes", {"data": one | {"type": "people"}})).status_code == 409
    assert (await client.post("/envelopes", {"data": one | {"id": "x"}})).status_code == 403


async def test_rare_attributes(client: Client) -> None:
    """What few envelopes have is answered as it will be read, in a bulk like alone."""
    sent = recipients(await client.ready(0), 3)
    rare = {"callback": 'https://example.org/x?"', "callback-include": "text", "is-priority": True}
    sent[1]["attributes"] |= rare | {"delay-in-seconds": 0, "meta": {"n": 1, "f": 1.5, "b": False, '"': "\\"}}
    del sent[2]["attributes"]["meta"]
    made = (await client.post("/envelopes", {"data": sent})).json()["data"]
    assert {name: made[1]["attributes"][name] for name in rare} == rare
    assert made[1]["attributes"]["meta"] == sent[1]["attributes"]["meta"]
    assert made[2]["attributes"]["meta"] == {}
    assert (await client.get("/envelopes")).json()["data"] == made


async def test_numbers_are_kept_in_e164(client: Client) -> None:
    """Separators are dropped, in the answer too."""
    sent = recipients(await client.ready(0), 1)
    sent[0]["attributes"]["phone-number"] = "+1 (202) 555-0123"
    made = (await client.post("/envelopes", {"data": sent})).json()["data"]
    assert made[0]["attributes"]["phone-number"] == "+12025550123"


async def test_before_any_activity(client: Client) -> None:
    """Kind and activity are not known yet; they are once there is one."""
    id_ = await client.engagement()
    (made,) = (await client.post("/envelopes", {"data": recipients(id_, 1)})).json()["data"]
    assert made["attributes"]["kind"] is None
    assert made["relationships"]["activity"] == {"data": None}
    activity_id = await client.activity(id_)
    found = (await client.get(f"/envelopes/{made['id']}")).json()["data"]
    assert found["attributes"]["kind"] == "text"
    assert found["relationships"]["activity"]["data"]["id"] == activity_id


@pytest.mark.parametrize(("status", "expected"), [("scheduled", 201), ("paused", 201), ("canceled", 400)])
async def test_who_takes_more(client: Client, status: str, expected: int) -> None:
    """What runs or waits takes more envelopes; what is over does not."""
    id_ = await client.ready(1)
    await client.change(id_, status="scheduled")
    await client.change(id_, status=status)
    answer = await client.post("/envelopes", {"data": recipients(id_, 1)})
    assert answer.status_code == expected
    assert await total(client) == (2 if expected == 201 else 1)


async def test_empty_and_too_many(client: Client, settings: Settings) -> None:
    """No envelopes, or more than a request may hold."""
    id_ = await client.ready(0)
    answer = await client.post("/envelopes", {"data": []})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 103)
    settings.bulk_limit = 2
    answer = await client.post("/envelopes", {"data": recipients(id_, 3)})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 110)


async def test_huge_numbers_in_meta(client: Client) -> None:
    """JSON knows no largest number: what can be kept is, and what cannot is refused at its place."""
    (one,) = recipients(await client.ready(0), 1)
    one["attributes"]["meta"] = {"n": "N"}
    body = msgspec.json.encode({"data": [one]})
    kept = await client.post("/envelopes", body.replace(b'"N"', b"9" * 25))
    assert kept.json()["data"][0]["attributes"]["meta"] == {"n": int("9" * 25)}
    answer = await client.post("/envelopes", body.replace(b'"N"', b"9" * 5000))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"]["pointer"] == "/data/0/attributes/meta/n"
