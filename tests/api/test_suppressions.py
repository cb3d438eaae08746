"""Suppressions: one or many, each number once, and gone only by a deletion that is written down."""

from typing import Any
from urllib.parse import quote

import pytest

from api_client import START, Client, Settings, StandingClock, resource
from opengage.clock import Instant
from opengage.ids import new_id, to_wire

KIND = "suppressions"
NUMBER = "+12025550123"


def many(*numbers: str, **attributes: Any) -> dict[str, Any]:
    """A bulk document."""
    return {"data": [{"type": KIND, "attributes": {"phone-number": each, **attributes}} for each in numbers]}


async def test_one(client: Client, clock: StandingClock) -> None:
    """201 with its canonical number; sent again it is 200 with the same one, whose reason and date stay."""
    answer = await client.post(f"/{KIND}", resource(KIND, {"phone-number": "+1 202 555 0123"}))
    found = answer.json()["data"]
    assert answer.status_code == 201
    assert (found["attributes"]["phone-number"], found["attributes"]["reason"]) == (NUMBER, "manual")
    clock.instant = Instant(START + 1)
    again = await client.post(f"/{KIND}", resource(KIND, {"phone-number": NUMBER, "reason": "imported"}))
    assert (again.status_code, again.json()) == (200, answer.json())
    assert (await client.get(f"/{KIND}")).json()["meta"]["total"] == 1


async def test_many(client: Client) -> None:
    """201 in request order, a number that comes twice or was there already with the one that stands for it."""
    first = await client.make(KIND, {"phone-number": NUMBER, "reason": "opted-out"})
    numbers = [f"+1202555{number:04d}" for number in range(100, 200)]
    answer = await client.post(f"/{KIND}", many(*numbers, numbers[0], reason="imported"))
    found = answer.json()["data"]
    assert answer.status_code == 201
    assert [one["attributes"]["phone-number"] for one in found] == [*numbers, numbers[0]]
    assert found[0] == found[-1]
    assert (found[23]["id"], found[23]["attributes"]["reason"]) == (first, "opted-out")
    assert {one["attributes"]["reason"] for one in found} == {"imported", "opted-out"}
    assert (await client.get(f"/{KIND}")).json()["meta"]["total"] == 100


async def test_ten_thousand(client: Client) -> None:
    """As many as a bulk request may hold."""
    numbers = [f"+1{area}555{number:04d}" for area in range(201, 302) for number in range(100, 200)][:10_000]
    answer = await client.post(f"/{KIND}", many(*numbers))
    assert answer.status_code == 201
    assert [one["attributes"]["phone-number"] for one in answer.json()["data"]] == numbers
    assert (await client.get(f"/{KIND}?page[limit]=1")).json()["meta"]["total"] == 10_000


async def test_all_or_none(client: Client, settings: Settings) -> None:
    """Every fault of every item with its place; then none is there."""
    document = many(NUMBER, "12", reason="imported")
    document["data"] += [
        {"type": KIND, "attributes": {"phone-number": NUMBER, "reason": "bored"}},
    ]
    answer = await client.post(f"/{KIND}", document)
    found = [(error["code"], error["source"]["pointer"]) for error in answer.json()["errors"]]
    assert answer.status_code == 400
    assert found == [(105, "/data/1/attributes/phone-number"), (104, "/data/2/attributes/reason")]
    document["data"] = [{"type": KIND, "attributes": {}}, {"type": KIND, "attributes": {"phone-number": 1}}, 7]
    answer = await client.post(f"/{KIND}", document)
    found = [(error["code"], error["source"]["pointer"]) for error in answer.json()["errors"]]
    assert found == [
        (103, "/data/0/attributes/phone-number"),
        (102, "/data/1/attributes/phone-number"),
        (102, "/data/2"),
    ]
    settings.bulk_limit = 2
    assert (await client.post(f"/{KIND}", many(*[NUMBER] * 3))).json()["errors"][0]["code"] == 110
    assert (await client.post(f"/{KIND}", {"data": []})).json()["errors"][0]["code"] == 103
    assert (await client.get(f"/{KIND}")).json()["meta"]["total"] == 0


async def test_faults_beyond_those_shown_are_counted(client: Client) -> None:
    """A hundred are shown of a thousand."""
    document = {"data": [{"type": KIND, "attributes": {}}] * 1000}
    answer = await client.post(f"/{KIND}", document)
    assert len(answer.json()["errors"]) == 100
    assert answer.json()["meta"] == {"total": 1000, "shown": 100}


@pytest.mark.parametrize("attributes", [{"phone-number": "12"}, {"phone-number": NUMBER, "reason": "x"}, {}])
async def test_one_that_cannot_be(client: Client, attributes: dict[str, Any]) -> None:
    """400 with a pointer into the one resource."""
    answer = await client.post(f"/{KIND}", resource(KIND, attributes))
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert error["source"]["pointer"].startswith("/data/attributes/")
    assert (await client.get(f"/{KIND}")).json()["meta"]["total"] == 0


async def test_found_by_its_number(client: Client) -> None:
    """Whether a number is suppressed is one question."""
    await client.post(f"/{KIND}", many(NUMBER, "+12025550124", "+12025550125"))
    page = await client.get(f"/{KIND}?filter[phone-number]=eq:{quote(NUMBER)}")
    assert [one["attributes"]["phone-number"] for one in page.json()["data"]] == [NUMBER]
    ordered = (await client.get(f"/{KIND}?sort=-phone-number")).json()["data"]
    assert [one["attributes"]["phone-number"][-1] for one in ordered] == ["5", "4", "3"]


async def test_gone(client: Client, other: Client) -> None:
    """204, and an audit event tells who let which number be texted again; another account has no part in it."""
    id_ = await client.make(KIND, {"phone-number": NUMBER, "reason": "opted-out"})
    assert (await other.get(f"/{KIND}")).json()["data"] == []
    assert (await other.delete(f"/{KIND}/{id_}")).status_code == 404
    assert (await client.delete(f"/{KIND}/{id_}")).status_code == 204
    assert (await client.get(f"/{KIND}/{id_}")).status_code == 404
    assert (await client.delete(f"/{KIND}/{to_wire(new_id())}")).status_code == 404
    (event,) = (await client.get(f"/audit-events?filter[subject-id]=eq:{id_}")).json()["data"]
    assert (event["attributes"]["action"], event["attributes"]["subject-type"]) == ("delete", KIND)
    assert event["attributes"]["detail"] == {"phone-number": NUMBER, "reason": "opted-out"}
    assert event["relationships"]["created-by"]["data"]["id"] == to_wire(client.account.membership_id)
