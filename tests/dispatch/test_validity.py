"""Texts that expire: the network is told until when it may try."""

from dispatch.world import World, recipient
from opengage.clock import SECOND, Instant
from opengage.domain.outcomes import Inbound


async def test_a_blast_that_expires_says_when(world: World) -> None:
    """What is left of an engagement's validity goes along with each of its texts."""
    tenant = await world.tenant()
    started = world.clock.now()
    await world.engagement(tenant, 2, started_at=started, validity_seconds=3_600)
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    until = Instant(started + 3_600 * SECOND)
    assert [each.expires_at for each in world.carrier.submitted] == [until, until]


async def test_without_validity_the_network_decides(world: World) -> None:
    """Nothing is said then."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert [each.expires_at for each in world.carrier.submitted] == [None]


async def test_a_confirmation_expires(world: World) -> None:
    """An opt-out is confirmed within five minutes or not at all, by the network too."""
    tenant = await world.tenant()
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    recorder.inbound([Inbound(recipient(0), tenant.number.phone_number, "STOP", 1)])
    await recorder.commit()
    await sender.turn()
    (confirmation,) = world.carrier.submitted
    assert confirmation.expires_at == Instant(world.clock.now() + 300 * SECOND)
