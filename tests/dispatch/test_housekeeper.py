"""What only the near past needed is forgotten, a little at a time; what still decides stays."""

from dispatch.world import World, accept
from opengage.clock import SECOND, Instant
from opengage.dispatch.housekeeper import EVERY, KEPT_TEXTS, KEPT_USES, Housekeeper


async def test_the_old_goes_and_the_rest_stays(world: World) -> None:
    """Texts that no cap looks back to, and uses of periods that are over."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=5)
    await world.engagement(tenant, 3, queue_throttle_day_limit=10)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    housekeeper = Housekeeper(world.store, world.clock)

    async def left_after(passed: int) -> tuple[int, int]:
        world.clock.wall = Instant(world.clock.wall + passed)
        world.clock.seconds += EVERY
        await housekeeper.sweep([tenant.account_id])
        return world.look("SELECT count(*) FROM recent_texts")[0][0], world.look("SELECT count(*) FROM budget_uses")[0][
            0
        ]

    assert await left_after(0) == (3, 1)
    assert await left_after(KEPT_USES + 24 * 3600 * SECOND) == (3, 0)
    assert await left_after(KEPT_TEXTS) == (0, 0)


async def test_it_looks_now_and_then_only(world: World) -> None:
    """Not at every sweep of the dispatcher."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=5)
    await world.engagement(tenant, 1)
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    housekeeper = Housekeeper(world.store, world.clock)
    world.clock.wall = Instant(world.clock.wall + 2 * KEPT_TEXTS)
    world.clock.seconds += EVERY - 1
    await housekeeper.sweep([tenant.account_id])
    assert world.look("SELECT count(*) FROM recent_texts") == [(1,)]
