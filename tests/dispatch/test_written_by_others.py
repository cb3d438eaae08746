"""Between a look and the writing somebody else was there: each change holds only where it finds what it looked at."""

from typing import Any

import pytest

from dispatch.world import HookedStore, Tenant, World, accept, receipt_for, recipient
from opengage.dispatch.guardian import Guardian
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.outcomes import ReceiptState
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, new_id
from opengage.store import endings, work
from opengage.store.contract import Transaction

PAUSED, CANCELED, SCHEDULED = EngagementStatus.PAUSED, EngagementStatus.CANCELED, EngagementStatus.SCHEDULED


async def _failing(world: World, tenant: Tenant, **values: Any) -> Engagement:
    """A blast of which every text failed, so that its guard will pause it."""
    engagement = await world.engagement(tenant, 51, pause_failure_ratio=0.1, queue_batch_limit=50, **values)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    await (await world.sender(tenant, recorder)).turn()
    await recorder.commit()
    recorder.receipts([receipt_for(each, ReceiptState.UNDELIVERED) for each in world.carrier.submitted])
    await recorder.commit()
    return engagement


async def test_the_guard_pauses_what_still_runs_and_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Canceled while the guard was looking, an engagement stays canceled, and nobody is told of a pause."""
    tenant = await world.tenant()
    engagement = await _failing(world, tenant)
    neighbour = await world.engagement(tenant, 1)
    told: list[Any] = []
    announce = endings.announce

    async def listened(tx: Transaction, engagements: Any, *rest: Any) -> None:
        told.extend(engagements)
        await announce(tx, engagements, *rest)

    async def cancel() -> None:
        await world.set(engagement, status=CANCELED)

    monkeypatch.setattr(endings, "announce", listened)
    store = HookedStore(world.store)
    store.before_writing = cancel
    await Guardian(store, world.clock, new_id).sweep()
    assert (world.engagement_status(engagement), told) == ("canceled", [])
    await world.set(engagement, status=EngagementStatus.PROCESSING)
    await Guardian(world.store, world.clock, new_id).sweep()
    assert (world.engagement_status(engagement), told) == ("paused", [(tenant.account_id, engagement.id)])
    assert world.engagement_status(neighbour) == "processing"


@pytest.mark.parametrize("status", [PAUSED, CANCELED])
async def test_a_canary_passes_in_what_still_runs(world: World, status: EngagementStatus) -> None:
    """And in no other engagement."""
    tenant = await world.tenant()
    waiting: dict[str, Any] = {"canary_size": 1, "canary_state": "waiting", "hold_reason": "canary"}
    one, other = await world.engagement(tenant, 1, **waiting), await world.engagement(tenant, 1, **waiting)
    async with world.store.writing() as tx:
        assert await work.pass_canary(tx, one)
    assert _canaries(world) == {one.id: ("passed", None), other.id: ("waiting", "canary")}
    await world.set(other, status=status)
    async with world.store.writing() as tx:
        assert not await work.pass_canary(tx, other)
    assert _canaries(world)[other.id] == ("waiting", "canary")


def _canaries(world: World) -> dict[bytes, tuple[str, str | None]]:
    return {
        id_: (state, hold) for id_, state, hold in world.look("SELECT id, canary_state, hold_reason FROM engagements")
    }


async def test_only_what_is_due_begins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Canceled or put off since it was seen to be due, an engagement does not begin; its neighbour does not either."""
    tenant = await world.tenant()
    now = world.clock.now()
    due, put_off, canceled, unseen = [
        await world.engagement(tenant, 1, status=status, starts_at=at)
        for status, at in ((SCHEDULED, now), (SCHEDULED, now + 1), (CANCELED, now), (SCHEDULED, now))
    ]

    async def seen(*_: Any) -> list[tuple[int, Id]]:
        return [(tenant.account_id, each.id) for each in (due, put_off, canceled)]

    monkeypatch.setattr(work, "due", seen)
    async with world.store.writing() as tx:
        assert await work.start_due(tx, now) == [(tenant.account_id, due.id)]
    found = [world.engagement_status(each) for each in (due, put_off, canceled, unseen)]
    assert found == ["processing", "scheduled", "canceled", "scheduled"]


async def test_a_hold_is_shown_on_its_own_engagement(world: World) -> None:
    """The neighbour says nothing of it."""
    tenant = await world.tenant()
    one, other = await world.engagement(tenant, 1), await world.engagement(tenant, 1)
    async with world.store.writing() as tx:
        await work.show_hold(tx, one, "carrier", world.clock.now())
    found = dict(world.look("SELECT id, hold_reason FROM engagements"))
    assert found == {one.id: "carrier", other.id: None}


async def test_a_pool_is_its_own_engagements(world: World) -> None:
    """Another engagement goes from its activity's number alone, as if there were no pools."""
    tenant = await world.tenant()
    other = await world.second_number(tenant)
    pooled, plain = await world.engagement(tenant, 1), await world.engagement(tenant, 1)
    await world.pool(pooled, other)
    async with world.store.reading() as tx:
        found = {
            number.id: [engagement.id for engagement, _ in await work.running(tx, tenant.account_id, number.id)]
            for number in (tenant.number, other)
        }
    assert found == {tenant.number.id: [plain.id], other.id: [pooled.id]}


async def test_while_all_numbers_are_down_each_keeps_its_share(world: World) -> None:
    """Nobody could take what were taken back; the one that a recipient belongs to may come back first."""
    tenant = await world.tenant()
    other = await world.second_number(tenant)
    engagement = await world.engagement(tenant, [recipient(0)])
    await world.pool(engagement, tenant.number, other)
    world.change("UPDATE envelopes SET phone_number_id = ?", other.id)
    await Scheduler(world.store, world.clock, new_id).sweep()
    assert world.look("SELECT phone_number_id FROM envelopes") == [(other.id,)]
    await world.lease(tenant.number)
    await Scheduler(world.store, world.clock, new_id).sweep()
    assert world.look("SELECT phone_number_id FROM envelopes") == [(None,)]


async def test_what_an_earlier_owner_left_is_not_taken_back(world: World) -> None:
    """Its bytes may have left: it is for the rescuer to put in doubt, however unsure this owner is of its own."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2, queue_batch_limit=1)
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    world.expire_lanes()
    sender = await world.sender(tenant, world.recorder(tenant))
    sender.doubt()
    await sender.turn()
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons["sending"] >= 1
    assert world.look("SELECT count(*) FROM texts WHERE status = 'queued'") == [(0,)]
