"""An envelope that costs workers their lives is set aside; its neighbours go on (bars R6)."""

from typing import Any

import pytest

from dispatch.world import World, recipient
from opengage.domain.errors import Unavailable
from opengage.store import lanes


async def test_an_envelope_in_hand_at_three_crashes_is_set_aside(world: World) -> None:
    """Each attempt is counted before the work; at the third loss it is closed as unknown, and the next one goes."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    recorder = world.recorder(tenant)
    claims = []
    for _ in range(2):
        world.expire_lanes()
        sender = await world.sender(tenant, recorder, careful_for=10)
        with pytest.MonkeyPatch.context() as broken:

            async def die(*_: object, **__: object) -> None:
                raise Unavailable("the process is gone")

            broken.setattr(sender._intents, "write", die)
            with pytest.raises(Unavailable):
                await sender.turn()
        claims += world.look("SELECT claims FROM envelopes ORDER BY id")
    assert claims == [(1,), (None,), (2,), (None,)]
    world.expire_lanes()
    sender = await world.sender(tenant, recorder, careful_for=10)
    await sender.turn()
    assert world.carrier.recipients == [recipient(1)]
    assert world.reasons() == {recipient(0): "unknown", recipient(1): "sending"}
    assert (await world.ledger(engagement)).reasons == {"sending": 1, "unknown": 1}


async def test_a_lane_that_was_let_go_of_is_not_suspected(world: World) -> None:
    """Only an owner that was lost with the lane in hand counts; each in a row counts once more."""
    tenant = await world.tenant()
    await world.lease(tenant.number, "one")
    async with world.store.writing() as tx:
        await lanes.release(tx, "one")
    lease = await world.lease(tenant.number, "two")
    async with world.store.reading() as tx:
        assert await lanes.crashes(tx, lease) == 0
    for losses in (1, 2):
        world.expire_lanes()
        lease = await world.lease(tenant.number, f"worker {losses}")
        async with world.store.reading() as tx:
            assert await lanes.crashes(tx, lease) == losses
    async with world.store.writing() as tx:
        await lanes.calm(tx, lease)
        assert await lanes.crashes(tx, lease) == 0


async def test_the_envelope_that_is_counted_is_the_one_in_hand(world: World) -> None:
    """Though one with priority came after the look: were another one counted, the one that kills would never be."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    sender = await world.sender(tenant, world.recorder(tenant), careful_for=1)
    look = sender._look

    async def and_then_one_gets_priority() -> Any:
        found = await look()
        world.change(
            "UPDATE envelopes SET is_priority = true WHERE engagement_id = ? AND phone_number = ?",
            engagement.id,
            recipient(1),
        )
        return found

    with pytest.MonkeyPatch.context() as late:
        late.setattr(sender, "_look", and_then_one_gets_priority)
        await sender.turn()
    assert world.carrier.recipients == [recipient(1)]
    assert world.look("SELECT phone_number FROM envelopes WHERE claims = 1") == [(recipient(1),)]
