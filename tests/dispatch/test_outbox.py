"""Events are written in the transaction that makes them happen, for whoever listens, and for nobody else."""

from typing import Any

import msgspec
import pytest

from dispatch.world import Tenant, World, accept, receipt_for, recipient
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.errors import Unavailable
from opengage.domain.outcomes import Inbound, ReceiptState
from opengage.domain.records import Engagement, WebhookEndpoint
from opengage.domain.states import EngagementStatus
from opengage.domain.webhooks import Event, Happening
from opengage.ids import Id, new_id, to_wire
from opengage.store import endings, outbox, rows, work
from opengage.store.contract import Rows, Transaction

CALLBACK = "https://crm.example.com/texts"


async def endpoint(world: World, tenant: Tenant, *events: str, **values: Any) -> WebhookEndpoint:
    """An endpoint that hears of these events, or of all."""
    now = world.clock.now()
    made = WebhookEndpoint(
        account_id=tenant.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        created_by=tenant.member,
        updated_by=tenant.member,
        **{
            "kind": "events",
            "url": "https://hooks.example.com/all",
            "events": msgspec.json.encode(list(events or ["*"])).decode(),
            "secret": "sealed",
        }
        | values,
    )
    async with world.store.writing() as tx:
        await rows.insert(tx, made)
    return made


async def blast(world: World, tenant: Tenant, recipients: int = 2) -> Engagement:
    """An engagement whose texts are all taken and delivered."""
    engagement = await world.engagement(tenant, recipients)
    await run(world, tenant)
    return engagement


async def run(world: World, tenant: Tenant) -> None:
    """One turn of the sender, its answers, their receipts."""
    world.carrier.answer = accept
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    await recorder.commit()
    recorder.receipts([receipt_for(each) for each in world.carrier.submitted])
    await recorder.commit()


def outbox_of(world: World) -> list[tuple[Any, ...]]:
    """(event, target) of everything in the outbox."""
    return world.look("SELECT event, target FROM webhook_deliveries ORDER BY id")


async def test_an_endpoint_hears_of_every_text_and_of_the_end(world: World) -> None:
    """Each text's fate, one delivery each, due at once, and that the engagement is completed."""
    tenant = await world.tenant()
    listener = await endpoint(world, tenant)
    engagement = await blast(world, tenant)
    target = to_wire(listener.id)
    assert outbox_of(world) == [
        ("text.sent", target),
        ("text.sent", target),
        ("text.delivered", target),
        ("text.delivered", target),
        ("engagement.completed", target),
    ]
    found = world.look("SELECT subject_type, subject_id, status, attempts, next_at, url FROM webhook_deliveries")
    assert {row[:4] for row in found if row[0] == "engagements"} == {("engagements", engagement.id, "pending", 0)}
    texts = {row[0] for row in world.look("SELECT id FROM texts")}
    assert {row[1] for row in found if row[0] == "texts"} == texts
    assert all(row[4] <= world.clock.now() and row[5] is None for row in found)


async def test_an_endpoint_hears_what_it_asked_for(world: World) -> None:
    """Only the events that it names; none while it is off; none of another account's; none of the callbacks' key."""
    tenant, other = await world.tenant(), await world.tenant("otherbank")
    wanted = await endpoint(world, tenant, "text.delivered", "engagement.completed", include="text-message")
    await endpoint(world, tenant, is_active=False)
    await endpoint(world, tenant, kind="callbacks", url=None)
    await endpoint(world, other)
    await blast(world, tenant, 1)
    assert outbox_of(world) == [("text.delivered", to_wire(wanted.id)), ("engagement.completed", to_wire(wanted.id))]
    assert world.look("SELECT DISTINCT account_id, include FROM webhook_deliveries") == [
        (tenant.account_id, "text-message")
    ]


async def test_failure_and_doubt_are_told_too(world: World) -> None:
    """Undelivered and in doubt are events like any other."""
    tenant = await world.tenant()
    await endpoint(world, tenant, "text.undelivered", "text.failed", "text.in-doubt")
    await world.engagement(tenant, 1)
    world.carrier.answer = accept
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    await recorder.commit()
    recorder.receipts([receipt_for(world.carrier.submitted[0], ReceiptState.UNDELIVERED)])
    await recorder.commit()
    assert [event for event, _ in outbox_of(world)] == ["text.undelivered"]


async def test_callbacks_of_envelopes_are_told_of_their_text(world: World) -> None:
    """Those that have one, about the envelope, at its own URL; the others are nobody's business."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2, has_callbacks=True)
    world.change(
        "UPDATE envelopes SET callback = ?, callback_include = 'text' WHERE phone_number = ?", CALLBACK, recipient(1)
    )
    await run(world, tenant)
    envelope_id = world.look("SELECT id FROM envelopes WHERE phone_number = ?", recipient(1))[0][0]
    found = world.look(
        "SELECT event, target, url, subject_type, subject_id, include FROM webhook_deliveries ORDER BY id"
    )
    row = ("https://crm.example.com:443", CALLBACK, "envelopes", envelope_id, "text")
    assert found == [("text.sent", *row), ("text.delivered", *row)]
    assert engagement.has_callbacks


async def test_a_text_by_itself_has_its_own_callback(world: World) -> None:
    """Text and URL are the text's."""
    tenant = await world.tenant()
    engagement = await blast(world, tenant, 1)
    world.change("UPDATE texts SET engagement_id = NULL, envelope_id = NULL, callback = ?", CALLBACK)
    text_id = world.look("SELECT id FROM texts")[0][0]
    happening = Happening(tenant.account_id, Event.TEXT_SENT, "texts", text_id)
    async with world.store.writing() as tx:
        await outbox.announce(tx, [happening], world.clock.now(), new_id)
    assert world.look("SELECT event, url, subject_type, subject_id FROM webhook_deliveries") == [
        ("text.sent", CALLBACK, "texts", text_id)
    ]
    assert engagement.has_callbacks is None


async def test_nobody_listens_and_nothing_is_written(world: World) -> None:
    """Not even looked for: one look at the endpoints, and none at envelopes of an engagement without callbacks."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    world.change("UPDATE envelopes SET callback = ?", CALLBACK)
    asked: list[str] = []
    async with world.store.writing() as tx:
        step_of: dict[Id, Any] = {}
        await outbox.announce_results(counting(tx, asked), tenant.account_id, step_of, [], world.clock.now(), new_id)
        text = Happening(tenant.account_id, Event.TEXT_SENT, "texts", new_id(), engagement.id, new_id())
        await outbox.announce(counting(tx, asked), [text], world.clock.now(), new_id)
    assert len(asked) == 2
    assert outbox_of(world) == []


def counting(tx: Transaction, asked: list[str]) -> Transaction:
    """The same transaction, which keeps what it is asked."""

    class Counting:
        async def rows(self, statement: Any, **parameters: Any) -> Rows:
            asked.append(str(statement))
            return await tx.rows(statement, **parameters)

        async def run(self, statement: Any, **parameters: Any) -> int:
            asked.append(str(statement))
            return await tx.run(statement, **parameters)

    return Counting()  # type: ignore[return-value]


async def test_what_does_not_happen_is_not_told(world: World) -> None:
    """A commit that fails leaves nothing in the outbox; the one that succeeds leaves it once."""
    tenant = await world.tenant()
    await endpoint(world, tenant, "text.received")
    recorder = world.recorder(tenant)

    async def undone() -> None:
        async with world.store.writing() as tx:
            happening = Happening(tenant.account_id, Event.TEXT_RECEIVED, "texts", new_id())
            await outbox.announce(tx, [happening], world.clock.now(), new_id)
            raise Unavailable("The disk is full. Make room.")

    with pytest.raises(Unavailable):
        await undone()
    assert outbox_of(world) == []
    recorder.inbound([Inbound(sender=recipient(5), recipient="+12025550100", body="Hello", token=1)])
    await recorder.commit()
    assert [event for event, _ in outbox_of(world)] == ["text.received"]


async def test_a_stop_is_told_once(world: World) -> None:
    """The text that came in, the suppression that it made, our answer; a second STOP is a text and no more."""
    tenant = await world.tenant()
    await endpoint(world, tenant)
    recorder = world.recorder(tenant)
    for token in (1, 2):
        recorder.inbound([Inbound(sender=recipient(5), recipient="+12025550100", body="STOP", token=token)])
        await recorder.commit()
    answered = ["text.received", "suppression.created", "text.queued"]
    assert [event for event, _ in outbox_of(world)] == [*answered, "text.received"]
    subjects = world.look("SELECT subject_id FROM webhook_deliveries WHERE event = 'suppression.created'")
    assert subjects == world.look("SELECT id FROM suppressions")


async def test_large_batches_are_written_whole(world: World) -> None:
    """Whatever their number, which no power of two need divide."""
    tenant = await world.tenant()
    await endpoint(world, tenant)
    subjects = [new_id() for _ in range(1337)]
    happenings = [Happening(tenant.account_id, Event.TEXT_SENT, "texts", each) for each in subjects]
    async with world.store.writing() as tx:
        await outbox.announce(tx, happenings, world.clock.now(), new_id)
    assert [row[0] for row in world.look("SELECT subject_id FROM webhook_deliveries ORDER BY id")] == subjects


async def test_the_dispatcher_tells_what_it_does_to_engagements(world: World) -> None:
    """Begun, paused by the guard, completed without a text of its own: each once, and none that did not happen."""
    tenant = await world.tenant()
    await endpoint(world, tenant, "engagement.processing", "engagement.paused", "engagement.completed")
    scheduler = Scheduler(world.store, world.clock, new_id)
    due = await world.engagement(tenant, 1, status=EngagementStatus.SCHEDULED)
    for _ in range(2):
        await scheduler.start_due()
    assert subjects(world) == [("engagement.processing", due.id)]
    async with world.store.writing() as tx:
        assert await work.pause(tx, due, "failures", world.clock.now())
        await endings.announce(tx, [(due.account_id, due.id)], EngagementStatus.PAUSED, world.clock.now(), new_id)
    empty = await world.engagement(tenant, 0)
    await scheduler.sweep()
    assert subjects(world)[1:] == [("engagement.paused", due.id), ("engagement.completed", empty.id)]


async def test_an_engagement_without_a_text_is_told_complete(world: World) -> None:
    """Everybody on its list has opted out: the batch that finds so completes it."""
    tenant = await world.tenant()
    await endpoint(world, tenant, "engagement.completed")
    engagement = await world.engagement(tenant, 1)
    await world.suppress(tenant, recipient(0))
    await run(world, tenant)
    assert subjects(world) == [("engagement.completed", engagement.id)]


async def test_an_envelope_without_a_text_is_told_incomplete(world: World) -> None:
    """To endpoints and to its own callback, when a batch finds it opted out and when its engagement is canceled."""
    tenant = await world.tenant()
    listener = await endpoint(world, tenant, "envelope.incomplete")
    engagement = await world.engagement(tenant, 2, has_callbacks=True)
    world.change("UPDATE envelopes SET callback = ? WHERE phone_number = ?", CALLBACK, recipient(0))
    await world.suppress(tenant, recipient(0))
    await run(world, tenant)
    found = world.look("SELECT target, subject_type, subject_id FROM webhook_deliveries ORDER BY id")
    world.change("DELETE FROM webhook_deliveries")
    world.change("UPDATE engagements SET status = 'canceled' WHERE id = ?", engagement.id)
    await world.envelopes(tenant, engagement, [(recipient(7), "{}")], world.clock.now())
    await Scheduler(world.store, world.clock, new_id).sweep()
    ids = dict(world.look("SELECT phone_number, id FROM envelopes"))
    found += world.look(
        "SELECT target, subject_type, subject_id FROM webhook_deliveries WHERE event LIKE 'env%' ORDER BY id"
    )
    assert found == [
        (to_wire(listener.id), "envelopes", ids[recipient(0)]),
        ("https://crm.example.com:443", "envelopes", ids[recipient(0)]),
        (to_wire(listener.id), "envelopes", ids[recipient(7)]),
    ]


def subjects(world: World) -> list[tuple[Any, ...]]:
    """(event, subject) of everything in the outbox."""
    return world.look("SELECT event, subject_id FROM webhook_deliveries ORDER BY id")
