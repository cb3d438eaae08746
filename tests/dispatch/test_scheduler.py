"""When engagements start, and when they are done."""

import pytest

from dispatch.world import World
from opengage.clock import SECOND, Instant
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.outcomes import Deferred
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id


@pytest.fixture
def scheduler(world: World) -> Scheduler:
    """A scheduler in this world."""
    return Scheduler(world.store, world.clock, new_id)


async def test_a_delivery_time_in_the_future_waits(world: World, scheduler: Scheduler) -> None:
    """A scheduled engagement starts at its time, not a moment earlier."""
    tenant = await world.tenant()
    at = Instant(world.clock.now() + 60 * SECOND)
    engagement = await world.engagement(tenant, status=EngagementStatus.SCHEDULED, delivery_time=at)
    world.clock.advance(59)
    await scheduler.start_due()
    assert world.engagement_status(engagement) == "scheduled"
    world.clock.advance(1)
    await scheduler.start_due()
    assert world.engagement_status(engagement) == "processing"
    assert world.look("SELECT started_at FROM engagements") == [(at,)]


@pytest.mark.parametrize("status", ["pending", "paused", "canceled", "completed"])
async def test_only_the_scheduled_start(world: World, scheduler: Scheduler, status: str) -> None:
    """No other status is moved by the clock."""
    engagement = await world.engagement(await world.tenant(), status=EngagementStatus(status))
    await scheduler.start_due()
    assert world.engagement_status(engagement) == status


@pytest.mark.parametrize(("status", "ends"), [("processing", "completed"), ("paused", "paused")])
async def test_a_settled_engagement_completes_unless_paused(
    world: World, scheduler: Scheduler, status: str, ends: str
) -> None:
    """With nothing left to do a running engagement is completed by the sweep; a paused one waits for its resumption."""
    engagement = await world.engagement(await world.tenant(), 0, status=EngagementStatus(status))
    await scheduler.sweep()
    assert world.engagement_status(engagement) == ends


async def test_one_that_has_something_to_do_does_not_complete(world: World, scheduler: Scheduler) -> None:
    """Pending envelopes keep an engagement running."""
    engagement = await world.engagement(await world.tenant(), 1)
    await scheduler.sweep()
    assert world.engagement_status(engagement) == "processing"


async def test_what_a_canceled_engagement_still_has_is_closed(world: World, scheduler: Scheduler) -> None:
    """A text that was put off while its engagement was canceled is canceled too, and so are pending envelopes."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3, queue_batch_limit=1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await world.set(engagement, status=EngagementStatus.CANCELED)
    (text,) = world.carrier.submitted
    recorder.outcomes([Deferred(text.text_id, "ESME_RMSGQFUL", throttled=True)])
    await recorder.commit()
    await scheduler.sweep()
    assert (await world.ledger(engagement)).reasons == {"canceled": 3}
    assert list(world.statuses().values()) == ["canceled"]
    world.clock.advance(100)
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    assert world.engagement_status(engagement) == "canceled"
