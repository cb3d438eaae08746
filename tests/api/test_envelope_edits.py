"""Envelopes changed and taken back while they wait; counts instead of envelopes for whoever prefers them."""

from typing import Any

import pytest

from api_client import Client, Settings, linkage, recipients
from opengage.domain.ledger import Moves
from opengage.domain.records import Engagement, Envelope
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason
from opengage.ids import from_wire, new_id, to_wire
from opengage.operations.actors import VIEWER
from opengage.store import ledgers, rows, tables
from opengage.store.sqlite import SqliteStore

PATH = "/api/v1/envelopes"


def change(id_: str, **attributes: Any) -> dict[str, Any]:
    """A resource object that changes an envelope."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return {"type": "envelopes", "id": id_, "attributes": named}


async def waiting(client: Client, count: int) -> tuple[str, list[str]]:
    """An engagement with so many pending envelopes; its id and theirs."""
    engagement_id = await client.ready(count)
    found = (await client.get(f"/envelopes?filter[engagement.id]={engagement_id}")).json()["data"]
    return engagement_id, [one["id"] for one in found]


async def ledger(client: Client, engagement_id: str) -> dict[str, int]:
    """Total and pending."""
    found = (await client.get(f"/engagements/{engagement_id}/ledger")).json()["data"]["attributes"]
    return {name: found[name] for name in ("total", "pending")}


async def take_up(store: SqliteStore, id_: str) -> None:
    """What the dispatcher does first: the envelope is under way."""
    stored = from_wire(id_)
    assert stored is not None
    async with store.writing() as tx:
        envelope = await rows.find(tx, Envelope, 1, stored)
        assert envelope is not None
        await rows.change(
            tx, envelope, status=EnvelopeStatus.PROCESSING, reason=Reason.SENDING, next_at=None, text_id=new_id()
        )
        moves = Moves()
        moves.leave(1, envelope.engagement_id, Reason.NONE)
        moves.arrive(1, envelope.engagement_id, Reason.SENDING)
        await ledgers.move(tx, moves)


async def test_a_pending_one_changes(client: Client, store: SqliteStore) -> None:
    """202 with what it is now; what is not named stays; the delay counts from its making."""
    _, (id_, _) = await waiting(client, 2)
    before = (await client.get(f"/envelopes/{id_}")).json()["data"]["attributes"]
    sent = change(
        id_,
        phone_number="+1 202 555 0143",
        meta={"city": "Oslo"},
        is_priority=True,
        delay_in_seconds=60,
        callback="https://example.org/x",
        callback_include="text",
    )
    answer = await client.patch(f"/envelopes/{id_}", {"data": sent})
    assert answer.status_code == 202
    after = answer.json()["data"]["attributes"]
    assert after == before | sent["attributes"] | {"phone-number": "+12025550143"}
    assert (await client.get(f"/envelopes/{id_}")).json()["data"]["attributes"] == after
    async with store.reading() as tx:
        stored = from_wire(id_)
        assert stored is not None
        found = await rows.find(tx, Envelope, 1, stored)
    assert found is not None
    assert found.next_at == found.created_at + 60_000_000
    answer = await client.patch(f"/envelopes/{id_}", {"data": change(id_, meta=None, delay_in_seconds=None)})
    assert (answer.json()["data"]["attributes"]["meta"], answer.json()["data"]["attributes"]["delay-in-seconds"]) == (
        {},
        None,
    )


async def test_many_change_together(client: Client) -> None:
    """In request order, each as it says."""
    _, ids = await waiting(client, 3)
    sent = [change(id_, meta={"n": place}) for place, id_ in enumerate(reversed(ids))]
    answer = await client.patch("/envelopes", {"data": sent})
    assert answer.status_code == 202
    assert [(one["id"], one["attributes"]["meta"]) for one in answer.json()["data"]] == [
        (one["id"], one["attributes"]["meta"]) for one in sent
    ]


async def test_taking_back(client: Client) -> None:
    """One or many, 204, and the ledger counts them no more."""
    engagement_id, ids = await waiting(client, 4)
    one = await client.send("DELETE", f"{PATH}/{ids[0]}")
    assert (one.status_code, one.content) == (204, b"")
    some = {"data": [{"type": "envelopes", "id": id_} for id_ in (*ids[1:3], ids[1])]}
    assert (await client.send("DELETE", PATH, some)).status_code == 204
    assert await ledger(client, engagement_id) == {"total": 1, "pending": 1}
    assert (await client.get(f"/envelopes/{ids[0]}")).status_code == 404
    assert (await client.send("DELETE", f"{PATH}/{ids[0]}")).status_code == 404


async def test_the_last_one_completes_a_running_blast(client: Client, store: SqliteStore) -> None:
    """Nothing is left to do then."""
    engagement_id, (id_,) = await waiting(client, 1)
    stored = from_wire(engagement_id)
    assert stored is not None
    async with store.writing() as tx:
        engagement = await rows.find(tx, Engagement, 1, stored)
        assert engagement is not None
        await rows.change(tx, engagement, status=EngagementStatus.PROCESSING)
    assert (await client.send("DELETE", f"{PATH}/{id_}")).status_code == 204
    status = (await client.get(f"/engagements/{engagement_id}")).json()["data"]["attributes"]["status"]
    assert status == "completed"


async def test_what_is_under_way_stays(client: Client, store: SqliteStore) -> None:
    """400, alone and in bulk, and neither it nor its neighbours change."""
    engagement_id, ids = await waiting(client, 3)
    await take_up(store, ids[1])
    before = (await client.get("/envelopes")).text
    assert (await client.patch(f"/envelopes/{ids[1]}", {"data": change(ids[1], meta={"a": "b"})})).status_code == 400
    assert (await client.send("DELETE", f"{PATH}/{ids[1]}")).status_code == 400
    for method, data in (
        ("PATCH", [change(id_, meta={"a": "b"}) for id_ in ids]),
        ("DELETE", [{"type": "envelopes", "id": id_} for id_ in ids]),
    ):
        answer = await client.send(method, PATH, {"data": data})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, 109, "/data/1")
        assert "only pending ones can" in error["detail"]
    assert (await client.get("/envelopes")).text == before
    assert await ledger(client, engagement_id) == {"total": 3, "pending": 2}


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"phone_number": "2025550143"}, 105, "phone-number"),
    ({"phone_number": None}, 102, "phone-number"),
    ({"meta": {"a": []}}, 102, "meta/a"),
    ({"callback": "ftp://x"}, 104, "callback"),
    ({"is_priority": 1}, 102, "is-priority"),
    ({"delay_in_seconds": -1}, 102, "delay-in-seconds"),
]


@pytest.mark.parametrize(("attributes", "code", "place"), BAD)
async def test_bad_changes(client: Client, attributes: dict[str, Any], code: int, place: str) -> None:
    """400 at the place; the good one beside it does not change either."""
    _, ids = await waiting(client, 2)
    before = (await client.get("/envelopes")).text
    bad = change(ids[1], **attributes)
    for path, data, at in (
        (f"/envelopes/{ids[1]}", bad, "/data"),
        ("/envelopes", [change(ids[0], meta={}), bad], "/data/1"),
    ):
        answer = await client.patch(path, {"data": data})
        error = answer.json()["errors"][0]
        assert (answer.status_code, error["code"]) == (400, code)
        assert error["source"]["pointer"] == f"{at}/attributes/{place}"
    assert (await client.get("/envelopes")).text == before


async def test_an_envelope_does_not_move(client: Client) -> None:
    """Its own engagement may be repeated; another is refused, and nothing changes."""
    engagement_id, (id_,) = await waiting(client, 1)
    for target, status in ((engagement_id, 202), (await client.engagement(), 400), (to_wire(new_id()), 400)):
        sent = change(id_, meta={"n": 1}) | {"relationships": {"engagement": linkage("engagements", target)}}
        assert (await client.patch(f"/envelopes/{id_}", {"data": sent})).status_code == status
        assert (await client.patch("/envelopes", {"data": [sent]})).status_code == status
    assert (await client.get(f"/envelopes/{id_}/relationships/engagement")).json()["data"]["id"] == engagement_id


async def test_bad_bulks(client: Client, other: Client, settings: Settings) -> None:
    """No array, nothing in it, too many, no id, another type, an id that is not there, another account's."""
    _, ids = await waiting(client, 2)
    before = (await client.get("/envelopes")).text
    for method, body, status in (
        ("PATCH", {"data": change(ids[0], meta={})}, 400),
        ("PATCH", {"data": []}, 400),
        ("PATCH", {"data": [{"type": "envelopes", "attributes": {}}]}, 400),
        ("PATCH", {"data": [change(ids[0]) | {"type": "texts"}]}, 409),
        ("PATCH", {"data": [change(ids[0], meta={}), change(to_wire(new_id()), meta={})]}, 400),
        ("PATCH", {"data": [change("x", meta={})]}, 400),
        ("PATCH", {"data": ["x"]}, 400),
        ("PATCH", b"[", 400),
        ("DELETE", {"data": {"type": "envelopes", "id": ids[0]}}, 400),
        ("DELETE", {"data": [{"type": "texts", "id": ids[0]}]}, 409),
        ("DELETE", {"data": [{"type": "envelopes", "id": ids[0]}, {"type": "envelopes", "id": "x"}]}, 400),
        ("DELETE", {"data": []}, 400),
    ):
        assert (await client.send(method, PATH, body)).status_code == status, body
    for method, body in (
        ("PATCH", {"data": [change(ids[0], meta={})]}),
        ("DELETE", {"data": [{"type": "envelopes", "id": ids[0]}]}),
    ):
        assert (await other.send(method, PATH, body)).status_code == 400
        single = {"data": change(ids[0], meta={})} if method == "PATCH" else None
        assert (await other.send(method, f"{PATH}/{ids[0]}", single)).status_code == 404
    settings.bulk_limit = 1
    two = [{"type": "envelopes", "id": id_} for id_ in ids]
    assert (await client.send("DELETE", PATH, {"data": two})).status_code == 400
    mismatch = await client.patch(f"/envelopes/{ids[0]}", {"data": change(ids[1], meta={})})
    assert mismatch.status_code == 409
    assert (await client.get("/envelopes")).text == before


async def test_a_viewer_changes_nothing(client: Client, store: SqliteStore) -> None:
    """403."""
    _, (id_,) = await waiting(client, 1)
    async with store.writing() as tx:
        await tx.run(tables.memberships.update().values(role=VIEWER))
    for method, path, body in (
        ("PATCH", f"{PATH}/{id_}", {"data": change(id_, meta={})}),
        ("PATCH", PATH, {"data": [change(id_, meta={})]}),
        ("DELETE", f"{PATH}/{id_}", None),
        ("DELETE", PATH, {"data": [{"type": "envelopes", "id": id_}]}),
    ):
        assert (await client.send(method, path, body)).status_code == 403


@pytest.mark.parametrize(
    ("prefer", "is_minimal"),
    [
        ("return=minimal", True),
        ('respond-async, return="minimal"; x=y', True),
        ("Return = Minimal", True),
        ("return=representation, return=minimal", False),
        ("minimal", False),
        ("", False),
    ],
)
async def test_counts_instead_of_envelopes(client: Client, prefer: str, is_minimal: bool) -> None:
    """RFC 7240: the wish is honoured and said to be, and the envelopes are made all the same."""
    engagement_id = await client.ready(0)
    answer = await client.post("/envelopes", {"data": recipients(engagement_id, 3)}, prefer=prefer)
    assert answer.status_code == 201
    assert answer.headers.get("preference-applied") == ("return=minimal" if is_minimal else None)
    assert (answer.text == '{"meta":{"count":3}}\n') == is_minimal
    assert await ledger(client, engagement_id) == {"total": 3, "pending": 3}
