"""Phone numbers: bought elsewhere, added, changed, switched off, removed when nothing has them."""

from typing import Any

import httpx
import pytest

from api_client import NUMBER, START, Client, StandingClock, resource, to_wire_number
from api_samples import one_of_each
from opengage.clock import Instant
from opengage.domain.records import PhoneNumber
from opengage.ids import from_wire, new_id, to_wire
from opengage.store import lanes, references, rows
from opengage.store.sqlite import SqliteStore

KIND = "phone-numbers"
SECOND = "+12025550101"


async def change(client: Client, id_: str, **attributes: Any) -> httpx.Response:
    """PATCH a number; underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return await client.patch(f"/{KIND}/{id_}", {"data": {"id": id_, "type": KIND, "attributes": named}})


async def test_a_life(client: Client, clock: StandingClock) -> None:
    """Added on the only profile, with its rate and budgets; changed; removed as nothing has it."""
    budgets = [{"name": "Ours", "limit": 75, "period": "minute"}]
    sent = {"phone-number": "+1 202-555-0101", "label": "Offers", "rate": 1.5, "budgets": budgets}
    answer = await client.post(f"/{KIND}", resource(KIND, sent))
    found = answer.json()["data"]
    assert answer.status_code == 201
    assert found["attributes"]["phone-number"] == SECOND
    assert found["attributes"]["budgets"] == budgets
    assert (found["attributes"]["rate"], found["attributes"]["is-active"]) == (1.5, True)
    profile_id = to_wire(client.account.service_profile_id)
    assert found["relationships"]["service-profile"]["data"] == {"type": "service-profiles", "id": profile_id}
    clock.instant = Instant(START + 1)
    changed = await change(client, found["id"], rate=None, label=None, budgets=None, is_active=False)
    assert changed.status_code == 202
    attributes = changed.json()["data"]["attributes"]
    assert [attributes[name] for name in ("rate", "label", "budgets", "is-active")] == [None, None, None, False]
    assert attributes["updated-at"] > attributes["created-at"]
    assert (await client.delete(f"/{KIND}/{found['id']}")).status_code == 204
    assert (await client.get(f"/{KIND}/{found['id']}")).status_code == 404
    assert (await client.post(f"/{KIND}", resource(KIND, sent))).status_code == 201


async def test_one_that_is_in_use(client: Client, store: SqliteStore) -> None:
    """DELETE switches it off, and it can be read; so does it for what only texts have."""
    await client.ready(0)
    id_ = to_wire_number(client.account)
    for _ in range(2):
        assert (await client.delete(f"/{KIND}/{id_}")).status_code == 204
        assert (await client.get(f"/{KIND}/{id_}")).json()["data"]["attributes"]["is-active"] is False
    assert (await change(client, id_, is_active=True)).json()["data"]["attributes"]["is-active"] is True


async def test_one_that_a_text_has(client: Client, store: SqliteStore) -> None:
    """A text is reason enough to keep a number."""
    message_id = await client.make("text-messages", {"body": "Hi"})
    sent = resource("texts", {"to": "+12025550123"}, text_message=("text-messages", message_id))
    assert (await client.post("/texts", sent)).status_code == 201
    id_ = to_wire_number(client.account)
    assert (await client.delete(f"/{KIND}/{id_}")).status_code == 204
    assert (await client.get(f"/{KIND}/{id_}")).json()["data"]["attributes"]["is-active"] is False


async def test_its_lane_goes_with_it(client: Client, store: SqliteStore) -> None:
    """A worker that holds the lane of a removed number finds its lease gone."""
    id_ = await client.make(KIND, {"phone-number": SECOND})
    known = from_wire(id_)
    assert known is not None
    async with store.writing() as tx:
        number = await rows.find(tx, PhoneNumber, 1, known)
        assert number is not None
        lease = await lanes.take(tx, number, "worker", 60)
    assert lease is not None
    assert (await client.delete(f"/{KIND}/{id_}")).status_code == 204
    async with store.writing() as tx:
        assert await lanes.renew(tx, "worker", 60) == []


async def test_when_it_would_take_long_to_tell(
    client: Client, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more younger texts than are looked through, the number is kept and switched off."""
    id_ = await client.make(KIND, {"phone-number": SECOND})
    monkeypatch.setattr(references, "MOST_READ", 1)
    await one_of_each(client, store)
    assert (await client.delete(f"/{KIND}/{id_}")).status_code == 204
    assert (await client.get(f"/{KIND}/{id_}")).json()["data"]["attributes"]["is-active"] is False


@pytest.mark.parametrize(
    ("attributes", "code", "at"),
    [
        ({"phone-number": "12"}, 105, "phone-number"),
        ({"phone-number": NUMBER}, 104, "phone-number"),
        ({}, 103, "phone-number"),
        ({"phone-number": SECOND, "rate": 0}, 104, "rate"),
        ({"phone-number": SECOND, "rate": -1}, 104, "rate"),
        ({"phone-number": SECOND, "rate": "fast"}, 102, "rate"),
        ({"phone-number": SECOND, "label": "a\nb"}, 104, "label"),
        ({"phone-number": SECOND, "label": "x" * 256}, 104, "label"),
        ({"phone-number": SECOND, "budgets": {}}, 102, "budgets"),
        ({"phone-number": SECOND, "budgets": [{"name": "a", "limit": 0, "period": "day"}]}, 104, "budgets/0/limit"),
        ({"phone-number": SECOND, "is-active": 1}, 102, "is-active"),
    ],
)
async def test_refused(client: Client, attributes: dict[str, Any], code: int, at: str) -> None:
    """400 at the attribute; no number is added."""
    answer = await client.post(f"/{KIND}", resource(KIND, attributes))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["source"]["pointer"] == f"/data/attributes/{at}"
    assert (await client.get(f"/{KIND}")).json()["meta"]["total"] == 1


async def test_a_wrong_change_changes_nothing(client: Client) -> None:
    """Of several fields one is wrong: all stay."""
    id_ = to_wire_number(client.account)
    before = (await client.get(f"/{KIND}/{id_}")).text
    answer = await change(client, id_, label="New", rate=0)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 104)
    assert (await client.get(f"/{KIND}/{id_}")).text == before


async def test_its_profile(client: Client, other: Client) -> None:
    """It may move to another of the account; with several, a new number names its own."""
    mine = await client.make("service-profiles", {"name": "Second", "kind": "sandbox"})
    moved = resource(KIND, {}, service_profile=("service-profiles", mine))
    address = f"/{KIND}/{to_wire_number(client.account)}"
    answer = await client.patch(address, moved)
    assert answer.status_code == 202
    assert answer.json()["data"]["relationships"]["service-profile"]["data"]["id"] == mine
    unclear = await client.post(f"/{KIND}", resource(KIND, {"phone-number": SECOND}))
    assert (unclear.status_code, unclear.json()["errors"][0]["code"]) == (400, 103)
    named = resource(KIND, {"phone-number": SECOND}, service_profile=("service-profiles", mine))
    assert (await client.post(f"/{KIND}", named)).status_code == 201
    foreign = to_wire(other.account.service_profile_id)
    for target, code in (
        (("service-profiles", foreign), 107),
        (("service-profiles", to_wire(new_id())), 107),
        (("tags", mine), 102),
    ):
        for answer in (
            await client.patch(address, resource(KIND, {}, service_profile=target)),
            await client.post(f"/{KIND}", resource(KIND, {"phone-number": "+12025550102"}, service_profile=target)),
        ):
            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["code"]) == (400, code)
            assert error["source"]["pointer"] == "/data/relationships/service-profile"
