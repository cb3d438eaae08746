"""What a lost worker or a silent carrier leaves behind."""

import io
import json

import pytest

from dispatch.world import Tenant, World, accept, receipt_for, recipient
from opengage import logs
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.rescuer import Rescuer
from opengage.domain.records import Engagement
from opengage.ids import new_id, to_wire
from opengage.store.lanes import Lease

WINDOW = 60.0


@pytest.fixture
def rescuer(world: World) -> Rescuer:
    """A rescuer in this world."""
    return Rescuer(world.store, world.clock, new_id, lambda: 0.0)


class Left:
    """What was under way when its worker went."""

    def __init__(self, tenant: Tenant, engagement: Engagement, recorder: Recorder, lease: Lease) -> None:
        self.tenant, self.engagement, self.recorder, self.lease = tenant, engagement, recorder, lease


async def left(world: World, count: int = 3) -> Left:
    """Texts that were submitted, and nothing heard since."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, count)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    return Left(tenant, engagement, recorder, sender.lease)


async def test_a_lost_workers_texts_are_in_doubt_by_name(world: World, rescuer: Rescuer) -> None:
    """Each is named in the log, none is sent again, and the ledger holds them."""
    made = await left(world)
    world.expire_lanes()
    lease = await world.lease(made.tenant.number, "two")
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    assert await rescuer.rescue(lease) == 3
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    named = {line["text_id"] for line in lines if line["action"] == "in-doubt"}
    assert named == {to_wire(text.text_id) for text in world.carrier.submitted}
    assert (await world.ledger(made.engagement)).reasons == {"in-doubt": 3}
    assert await rescuer.rescue(lease) == 0
    world.expire_lanes()
    sender = await world.sender(made.tenant, world.recorder(made.tenant))
    world.clock.advance(1000)
    await sender.turn()
    assert len(world.carrier.submitted) == 3


async def test_the_own_texts_are_left_alone(world: World, rescuer: Rescuer) -> None:
    """What stands at `sending` under the lease's own epoch is under way, not lost."""
    made = await left(world)
    assert await rescuer.rescue(made.lease) == 0
    assert set(world.statuses().values()) == {"sending"}


async def test_a_text_without_a_receipt_ends_unconfirmed(world: World, rescuer: Rescuer) -> None:
    """At the end of the receipt window its envelope is closed, the text stays sent, and a late receipt is a no-op."""
    made = await left(world, 2)
    made.recorder.outcomes([accept(text) for text in world.carrier.submitted])
    await made.recorder.commit()
    world.clock.advance(WINDOW - 1)
    assert await rescuer.close_unconfirmed(made.lease, made.tenant.profile.id, WINDOW) == 0
    world.clock.advance(2)
    assert await rescuer.close_unconfirmed(made.lease, made.tenant.profile.id, WINDOW) == 2
    assert world.reasons() == {recipient(0): "sent-unconfirmed", recipient(1): "sent-unconfirmed"}
    assert set(world.statuses().values()) == {"sent"}
    assert world.engagement_status(made.engagement) == "completed"
    made.recorder.receipts([receipt_for(world.carrier.submitted[0], token=4)])
    await made.recorder.commit()
    assert world.carrier.acknowledged == [(4, True)]
    assert (await world.ledger(made.engagement)).reasons == {"sent-unconfirmed": 2}
    assert await rescuer.close_unconfirmed(made.lease, made.tenant.profile.id, WINDOW) == 0


async def test_doubt_does_not_end_with_the_window(world: World, rescuer: Rescuer) -> None:
    """A text in doubt is never closed by time alone."""
    made = await left(world, 1)
    world.expire_lanes()
    lease = await world.lease(made.tenant.number, "two")
    await rescuer.rescue(lease)
    world.clock.advance(WINDOW * 10)
    assert await rescuer.close_unconfirmed(lease, made.tenant.profile.id, WINDOW) == 0
    assert (await world.ledger(made.engagement)).reasons == {"in-doubt": 1}


async def test_receipts_that_nobody_claims_are_dropped_in_the_end(world: World, rescuer: Rescuer) -> None:
    """A parked receipt that found no text within the window is forgotten, whether or not any text is late."""
    made = await left(world, 1)
    made.recorder.receipts([receipt_for(world.carrier.submitted[0], carrier_ref="nobody's", recipient="+12025550199")])
    await made.recorder.commit()
    await rescuer.close_unconfirmed(made.lease, made.tenant.profile.id, WINDOW)
    assert world.look("SELECT count(*) FROM parked_receipts") == [(1,)]
    world.clock.advance(WINDOW + 1)
    await rescuer.close_unconfirmed(made.lease, made.tenant.profile.id, WINDOW)
    assert world.look("SELECT count(*) FROM parked_receipts") == [(0,)]
