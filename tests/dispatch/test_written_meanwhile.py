"""What people write through the API while the dispatcher works: it counts from the next batch on."""

from dispatch.world import Tenant, World, accept, recipient
from opengage.domain.records import Text
from opengage.domain.states import TextStatus
from opengage.ids import Id, new_id
from opengage.operations import suppressions, text_messages, text_templates, texts
from opengage.operations.actors import Actor
from opengage.store import rows


def actor(tenant: Tenant) -> Actor:
    """The owner of the account."""
    return Actor(tenant.account_id, "firstbank", tenant.member, "owner")


async def single(world: World, tenant: Tenant, to: str, body: str = "Hi {{first-name}}") -> Text:
    """A single text as the API queues it."""
    message = await text_messages.create(
        world.store, world.clock, new_id, actor(tenant), text_messages.Changes(body=body)
    )
    new = texts.New(to=to, text_message_id=message.id, meta={"first-name": "Ann"})
    return await texts.create(world.store, world.clock, new_id, actor(tenant), new, max_segments=10)


async def test_an_edit_reaches_whoever_was_not_texted(world: World) -> None:
    """A running blast goes on with the new words, and each text tells the revision that it was made from."""
    tenant = await world.tenant()
    template = (
        await text_templates.create(
            world.store, world.clock, new_id, actor(tenant), name="T", body="Hello {{first-name}}"
        )
    ).template
    await world.engagement(tenant, 2, queue_batch_limit=1)
    world.change("UPDATE activities SET text_template_id = ?", template.id)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    world.carrier.answer = accept
    await sender.turn()
    await recorder.commit()
    changes = text_templates.Changes(body="Bye {{first-name}}")
    edited = (
        await text_templates.update(world.store, world.clock, new_id, actor(tenant), template.id, changes)
    ).template
    await text_templates.delete(world.store, world.clock, actor(tenant), template.id)
    await sender.turn()
    assert [submission.body for submission in world.carrier.submitted] == ["Hello Ann", "Bye Ann"]
    revisions = [row[0] for row in world.look("SELECT text_template_revision_id FROM texts ORDER BY id")]
    assert revisions == [template.revision_id, edited.revision_id]


async def test_a_single_text_is_sent(world: World) -> None:
    """What the API queues, the lane of its number takes: one text, its words filled in, and its fate told."""
    tenant = await world.tenant()
    text = await single(world, tenant, recipient(0))
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    world.carrier.answer = accept
    for _ in range(3):
        await sender.turn()
        await recorder.commit()
    (submission,) = world.carrier.submitted
    assert (submission.text_id, submission.recipient, submission.body) == (text.id, recipient(0), "Hi Ann")
    assert world.statuses() == {recipient(0): "sent"}
    assert [kind for (kind,) in world.look("SELECT kind FROM text_results ORDER BY id")] == ["queued", "sent"]


async def test_a_suppression_is_obeyed_by_what_waits(world: World) -> None:
    """From its commit on nothing leaves to that number: neither a single text that was queued before nor a blast's."""
    tenant = await world.tenant()
    await single(world, tenant, recipient(0))
    await world.engagement(tenant, [recipient(0), recipient(1)])
    new = [suppressions.New(recipient(0))]
    await suppressions.add(world.store, world.clock, new_id, actor(tenant), new, str)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    world.carrier.answer = accept
    for _ in range(3):
        await sender.turn()
        await recorder.commit()
    assert world.carrier.recipients == [recipient(1)]
    assert world.reasons()[recipient(0)] == "opted-out"


async def test_what_was_taken_back_never_leaves(world: World) -> None:
    """A canceled text is nobody's work any more; one that the lane took first is not canceled."""
    tenant = await world.tenant()
    canceled, late = [await single(world, tenant, recipient(each)) for each in (0, 1)]
    await texts.cancel(world.store, world.clock, new_id, actor(tenant), canceled.id, "canceled")
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert world.carrier.recipients == [recipient(1)]
    assert await status(world, canceled.id) is TextStatus.CANCELED
    assert await status(world, late.id) is TextStatus.SENDING


async def status(world: World, id_: Id) -> TextStatus:
    """Where a text stands."""
    async with world.store.reading() as tx:
        found = await rows.find(tx, Text, 1, id_)
    assert found is not None
    return found.status
