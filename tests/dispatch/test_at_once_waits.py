"""What must not wait, and who must not wait for each other, when two write at once on PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dispatch.at_once import Paused, a_list, contact, everywhere, let_in, on_postgres, owner, pending, waits
from dispatch.test_at_once_doubts import hear, in_doubt, rescuer
from dispatch.world import HookedStore, Tenant, World, recipient
from opengage.api.admission.changes import unchanged
from opengage.clock import SECOND
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.errors import Unavailable
from opengage.domain.outcomes import NO_ANSWER, Inbound, Unknown
from opengage.domain.records import Engagement, Envelope, Text
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, new_id, to_wire
from opengage.operations import contact_lists, contacts, doubts, engagements, phone_numbers
from opengage.operations.engagement_changes import Changes
from opengage.store import contacts as stored_contacts
from opengage.store import lanes, rows, work
from opengage.store.contract import Store, Turn
from opengage.store.one_transaction import OneTransaction
from opengage.store.postgres import transaction


async def if_match(
    world: World,
    tenant: Tenant,
    kind: str,
    id_: Id,
    change: Callable[[Store], Awaitable[Any]],
    *,
    deletes: bool = False,
) -> None:
    """A change under If-Match, as the API makes it."""
    one = OneTransaction(world.store, unchanged(owner(tenant), kind, to_wire(id_), "*", deletes=deletes))
    try:
        await change(one)
        await one.commit(lambda _: asyncio.sleep(0))
    finally:
        await one.abandon()


def _here(_: int) -> str:
    return "/data"


def _delete_number(world: World, tenant: Tenant) -> Callable[[Store], Awaitable[Any]]:
    return lambda store: phone_numbers.delete(store, world.clock, new_id, owner(tenant), tenant.number.id)


@on_postgres
async def test_deleting_a_number_that_somebody_holds_keeps_no_lease_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused soon: whoever waits with a lane in hand lets all leases of its worker run out."""
    monkeypatch.setattr(lanes, "NUMBER_WITHIN", 0.1)
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1, status=EngagementStatus.PENDING)
    await world.lease(tenant.number)
    paused = Paused(world.store)
    pool = Changes(phone_number_ids=[tenant.number.id])
    patch = asyncio.ensure_future(engagements.update(paused, world.clock, new_id, owner(tenant), engagement.id, pool))
    await paused.reached.wait()
    with pytest.raises(Unavailable):
        await _delete_number(world, tenant)(world.store)
    async with world.store.writing() as tx:
        assert await lanes.renew(tx, "one", 60.0)
    paused.go_on.set()
    await patch
    await _delete_number(world, tenant)(world.store)
    assert world.look("SELECT is_active FROM phone_numbers") == [(False,)]


@on_postgres
async def test_a_number_is_deleted_under_if_match_as_without(world: World) -> None:
    """The lane first, though If-Match looks at the number: an intent takes them the same way round."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    lease = await world.lease(tenant.number)
    async with world.store.writing() as tx:
        await lanes.require(tx, lease)
        delete = await let_in(
            world,
            if_match(world, tenant, "phone-numbers", tenant.number.id, _delete_number(world, tenant), deletes=True),
        )
        assert not delete.done()
        assert await work.hold_running(tx, tenant.account_id, engagement.id, tenant.number.id)
    await delete
    assert world.look("SELECT is_active FROM phone_numbers") == [(False,)]


@on_postgres
async def test_a_contact_is_changed_under_if_match_as_without(world: World) -> None:
    """The turn first, though If-Match looks at the contact: an import takes them the same way round."""
    tenant = await world.tenant()
    ann = await contact(world, tenant, recipient(1))
    other = contacts.Changes(phone_number=recipient(2))
    async with world.store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (tenant.account_id,), shared=True)
        patch = await let_in(
            world,
            if_match(
                world,
                tenant,
                "contacts",
                ann.id,
                lambda store: contacts.update(store, world.clock, owner(tenant), ann.id, other),
            ),
        )
        assert not patch.done()
        assert await stored_contacts.by_numbers(tx, tenant.account_id, [recipient(1)])
    await patch
    assert world.look("SELECT phone_number FROM contacts") == [(recipient(2),)]


@on_postgres
async def test_whoever_wants_people_alone_gives_up_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact is not deleted while a long list becomes envelopes; who adds to lists waits no longer than that."""
    monkeypatch.setattr(transaction, "PEOPLE_WITHIN", 0.1)
    tenant = await world.tenant()
    ann, ben = [await contact(world, tenant, recipient(each)) for each in (1, 2)]
    list_id = await a_list(world, tenant, ann)
    engagement = await pending(world, tenant, list_id)
    paused = Paused(world.store)
    schedule = asyncio.ensure_future(
        contact_lists.address_these(paused, world.clock, owner(tenant), engagement.id, [list_id])
    )
    await paused.reached.wait()
    delete = asyncio.ensure_future(contacts.delete(world.store, owner(tenant), [ann.id], _here))
    await waits(world, delete)
    await contact_lists.add(world.store, owner(tenant), list_id, [ben.id])
    with pytest.raises(Unavailable):
        await delete
    paused.go_on.set()
    await schedule
    await contacts.delete(world.store, owner(tenant), [ann.id], _here)
    assert world.look("SELECT count(*) FROM contacts") == [(1,)]


@on_postgres
async def test_the_rest_of_a_transaction_has_the_usual_patience(world: World) -> None:
    """Only the turn, or the number of a lane, is waited for so shortly."""
    tenant = await world.tenant()
    async with world.store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (1,))
        assert await tx.rows(sa.text("SHOW lock_timeout")) == [("15s",)]
        await lanes.hold_with_number(tx, tenant.account_id, tenant.number.id)
        assert await tx.rows(sa.text("SHOW lock_timeout")) == [("15s",)]


@on_postgres
async def test_a_running_engagement_is_resumed_without_a_turn(world: World) -> None:
    """Who says “scheduled” of one that has long become envelopes waits for nobody who changes lists."""
    tenant = await world.tenant()
    engagement = await pending(world, tenant, await a_list(world, tenant))
    world.change("UPDATE engagements SET status = 'processing'")
    async with world.store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (tenant.account_id,))
        scheduled = Changes(status=EngagementStatus.SCHEDULED)
        await engagements.update(world.store, world.clock, new_id, owner(tenant), engagement.id, scheduled)


@on_postgres
async def test_a_sweep_does_not_wait_for_an_engagement(world: World) -> None:
    """Whoever sweeps keeps the leases too: what somebody is changing is left to the next sweep."""
    tenant = await world.tenant()
    long_ago = world.clock.now() - 10 * SECOND
    engagement = await world.engagement(tenant, 1, validity_seconds=1, started_at=long_ago)
    async with world.store.writing() as tx:
        await rows.hold(tx, Engagement, tenant.account_id, [engagement.id])
        await Scheduler(world.store, world.clock, new_id).sweep()
    assert world.look("SELECT reason FROM envelopes") == [("",)]
    await Scheduler(world.store, world.clock, new_id).sweep()
    assert world.look("SELECT reason FROM envelopes") == [("expired",)]


@on_postgres
async def test_a_resend_by_policy_does_not_wait_for_an_engagement(world: World) -> None:
    """For the same reason; the doubt is sent again at the next look."""
    tenant, engagement, _, sender, _ = await in_doubt(world)
    profile = await world.set(tenant.profile, in_doubt_policy="resend")
    world.clock.advance(120)
    async with world.store.writing() as tx:
        await rows.hold(tx, Engagement, tenant.account_id, [engagement.id])
        async with asyncio.timeout(5):
            assert await rescuer(world.store, world).resend_doubtful(sender.lease, profile) == 0
    assert await rescuer(world.store, world).resend_doubtful(sender.lease, profile) == 1


@on_postgres
@pytest.mark.parametrize("is_single", [False, True])
async def test_a_lane_rests_while_somebody_holds_what_is_due(world: World, is_single: bool) -> None:
    """It looks again soon, but does not spin; and goes on once it is let go."""
    tenant = await world.tenant()
    await (world.single(tenant, recipient(0)) if is_single else world.engagement(tenant, 1))
    sender = await world.sender(tenant, world.recorder(tenant))
    kind = Text if is_single else Envelope
    ids = [Id(id_) for (id_,) in world.look(f"SELECT id FROM {'texts' if is_single else 'envelopes'}")]
    async with world.store.writing() as tx:
        await rows.hold(tx, kind, tenant.account_id, ids)
        assert [await sender.turn() > 0 for _ in range(4)] == [False, True, True, True]
    assert await sender.turn() == 0.0
    assert world.carrier.recipients == [recipient(0)]


@everywhere
async def test_what_was_sent_again_is_taken_back_though_the_first_submit_is_open(world: World) -> None:
    """A lane was lost and is the same worker's again; the commit that sent a doubt again seemed to fail."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    (first,) = world.carrier.submitted
    await hear(world.recorder(tenant), Unknown(first.text_id, "worker-lost"))
    await doubts.resolve(world.store, world.clock, new_id, owner(tenant), engagement.id, verb="resend")
    store = HookedStore(world.store)
    again = await world.sender(tenant, recorder, store=store)
    store.lies = 1
    with pytest.raises(Unavailable):
        await again.turn()
    again.doubt()
    await again.turn()
    await recorder.commit()
    await hear(recorder, Unknown(first.text_id, NO_ANSWER, attempt=first.attempt))
    world.wait(600, again)
    await again.turn()
    assert len(world.carrier.submitted) == 2


@on_postgres
async def test_a_stop_is_stored_while_lists_are_changed_and_an_engagement_is_resumed(world: World) -> None:
    """Nobody who holds what a sender needs queues behind somebody who changes lists."""
    tenant = await world.tenant()
    running = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    scheduled = Changes(status=EngagementStatus.SCHEDULED)
    async with world.store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (tenant.account_id,))
        await if_match(
            world,
            tenant,
            "engagements",
            running.id,
            lambda store: engagements.update(store, world.clock, new_id, owner(tenant), running.id, scheduled),
        )
        await sender.turn()
        recorder.inbound([Inbound(recipient(5), tenant.number.phone_number, "STOP", 7)])
        await recorder.commit()
    assert world.carrier.recipients[:1] == [recipient(0)]
    assert world.look("SELECT phone_number FROM suppressions") == [(recipient(5),)]
