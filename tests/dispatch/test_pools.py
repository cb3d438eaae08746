"""Sender pools: who takes whom, and what happens when a number is down."""

import msgspec

from dispatch.world import Tenant, World, accept, recipient
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.records import PhoneNumber
from opengage.ids import new_id
from opengage.store import rows


async def number(world: World, tenant: Tenant, text: str) -> PhoneNumber:
    """Another number of the tenant."""
    made = msgspec.structs.replace(tenant.number, id=new_id(), phone_number=text)
    async with world.store.writing() as tx:
        await rows.insert(tx, made)
    return made


def senders(world: World) -> dict[str, str]:
    """From which number each recipient was texted last."""
    return {each.recipient: each.sender for each in world.carrier.submitted}


async def test_each_is_texted_from_a_number_near_them(world: World) -> None:
    """A recipient of another number's area is left to that number's lane."""
    tenant = await world.tenant()
    near = await number(world, tenant, "+13055550100")
    people = ["+12025550150", "+13055550151", "+13055550152"]
    engagement = await world.engagement(tenant, people)
    await world.pool(engagement, tenant.number, near)
    recorder = world.recorder(tenant)
    one, two = await world.sender(tenant, recorder), await world.sender(tenant, recorder, number=near)
    await one.turn()
    await two.turn()
    assert senders(world) == {people[0]: "+12025550100", people[1]: "+13055550100", people[2]: "+13055550100"}
    assert (await world.ledger(engagement)).reasons == {"sending": 3}
    assert world.look("SELECT count(*) FROM texts") == [(3,)]


async def test_a_sender_sticks(world: World) -> None:
    """Whoever was texted from a number gets the next blast from it too, whoever comes first."""
    tenant = await world.tenant()
    other = await number(world, tenant, "+12025550101")
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    one, two = await world.sender(tenant, recorder), await world.sender(tenant, recorder, number=other)
    first = await world.engagement(tenant, [recipient(0)], body="First")
    await world.pool(first, tenant.number, other)
    await two.turn()
    await recorder.commit()
    second = await world.engagement(tenant, [recipient(0)], body="Second")
    await world.pool(second, tenant.number, other)
    await one.turn()
    await two.turn()
    assert [(each.body, each.sender) for each in world.carrier.submitted] == [
        ("First", "+12025550101"),
        ("Second", "+12025550101"),
    ]


async def test_a_number_outside_the_pool_takes_nobody(world: World) -> None:
    """The activity's own number sends only where the pool names it."""
    tenant = await world.tenant()
    other = await number(world, tenant, "+12025550101")
    engagement = await world.engagement(tenant, 2)
    await world.pool(engagement, other)
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    assert world.carrier.submitted == []
    await (await world.sender(tenant, recorder, number=other)).turn()
    assert len(world.carrier.submitted) == 2


async def test_a_dead_numbers_share_goes_to_the_others(world: World) -> None:
    """When the lane of a number is lost, what it was given is taken back, and the others send it."""
    tenant = await world.tenant()
    near = await number(world, tenant, "+13055550100")
    engagement = await world.engagement(tenant, ["+13055550151"])
    await world.pool(engagement, tenant.number, near)
    recorder = world.recorder(tenant)
    one = await world.sender(tenant, recorder)
    await world.lease(near)
    await one.turn()
    assert world.carrier.submitted == []
    world.change("UPDATE lanes SET expires_at = 0 WHERE phone_number_id = ?", near.id)
    await Scheduler(world.store, world.clock, new_id).sweep()
    await one.turn()
    assert senders(world) == {"+13055550151": "+12025550100"}
    assert (await world.ledger(engagement)).reasons == {"sending": 1}


async def test_an_unhealthy_number_is_passed_by(world: World) -> None:
    """A number whose carrier takes no texts is given nobody."""
    tenant = await world.tenant()
    near = await number(world, tenant, "+13055550100")
    engagement = await world.engagement(tenant, ["+13055550151"])
    await world.pool(engagement, tenant.number, near)
    one = await world.sender(tenant, world.recorder(tenant))
    await world.lease(near)
    world.change("UPDATE lanes SET unhealthy_since = 1 WHERE phone_number_id = ?", near.id)
    await one.turn()
    assert senders(world) == {"+13055550151": "+12025550100"}
