"""A blast at full rate is canceled or paused: what left by then is said exactly, and nothing leaves after."""

import pytest

from dispatch.workers import Workers
from dispatch.world import World, accept, until
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id
from opengage.operations import engagements
from opengage.operations.actors import Actor
from opengage.operations.engagement_changes import Changes


@pytest.mark.parametrize("status", [EngagementStatus.CANCELED, EngagementStatus.PAUSED])
async def test_the_answer_says_exactly_how_many_left(world: World, workers: Workers, status: EngagementStatus) -> None:
    """The network has as many in the end as the answer said, each once, though the worker never stood still."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2000)
    worker = workers.start()
    worker.carrier.answer = accept
    await until(lambda: len(worker.carrier.submitted) > 100, 15)
    actor = Actor(tenant.account_id, "firstbank", tenant.member, "owner")
    shown = await engagements.update(
        world.store, world.clock, new_id, actor, engagement.id, Changes(status=status.value)
    )
    assert shown.ledger
    left = shown.ledger.left
    assert 100 < left < 2000
    await until(lambda: world.look("SELECT count(*) FROM texts WHERE status = 'sent'") == [(left,)], 15)
    await worker.looks()
    await worker.looks()
    assert len(worker.carrier.submitted) == len(set(worker.carrier.recipients)) == left
    reasons = (await world.ledger(engagement)).reasons
    assert reasons == ({"sent": left, "canceled": 2000 - left} if status == "canceled" else {"sent": left})
