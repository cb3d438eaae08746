"""Another carrier takes over what the first never got, and doubts are sent again only where the policy says so."""

import pytest

from dispatch.workers import Workers
from dispatch.world import World, accept, receipt_for, recipient, until
from opengage.dispatch.rescuer import Rescuer
from opengage.domain.breaker import Phase
from opengage.domain.outcomes import CONNECTION_LOST, NEVER_SENT, Deferred, Unknown
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id
from opengage.store import gauges, lanes


async def test_while_the_circuit_is_open_the_other_carrier_sends(world: World) -> None:
    """Nobody twice: what is in doubt with the first stays there, what never left goes with the second."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 4)
    usual = world.recorder(tenant)
    other, carrier = await world.fallback(tenant)
    sender = await world.sender(tenant, usual, others=[other], window=4)
    world.carrier.answer = lambda each: Unknown(each.text_id, CONNECTION_LOST)
    await sender.turn()
    await usual.commit()
    assert len(world.carrier.submitted) == 2
    world.carrier.is_bound = False
    usual.tick()
    world.wait(31, sender)
    usual.tick()
    carrier.answer = accept
    await sender.turn()
    await other.commit()
    assert {each.recipient for each in carrier.submitted} == {recipient(2), recipient(3)}
    assert len(world.carrier.submitted) == 2
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 2, "sent": 2}
    other.receipts([receipt_for(each) for each in carrier.submitted])
    await other.commit()
    assert (await world.ledger(engagement)).reasons == {"delivered": 2, "in-doubt": 2}


async def test_a_suppression_counts_for_the_other_carrier_too(world: World) -> None:
    """Failover asks the same questions."""
    tenant = await world.tenant()
    await world.engagement(tenant, 2)
    usual = world.recorder(tenant)
    other, carrier = await world.fallback(tenant)
    sender = await world.sender(tenant, usual, others=[other])
    world.carrier.is_bound = False
    usual.tick()
    world.wait(31, sender)
    usual.tick()
    await world.suppress(tenant, recipient(0))
    await sender.turn()
    assert carrier.recipients == [recipient(1)]


async def test_what_was_put_off_goes_with_the_other_carrier(world: World) -> None:
    """Its text keeps its identity, and its receipt is the second carrier's."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    usual = world.recorder(tenant)
    other, carrier = await world.fallback(tenant)
    sender = await world.sender(tenant, usual, others=[other])
    world.carrier.answer = lambda each: Deferred(each.text_id, NEVER_SENT, throttled=True)
    await sender.turn()
    await usual.commit()
    world.carrier.is_bound = False
    usual.tick()
    world.wait(60, sender)
    usual.tick()
    carrier.answer = accept
    await sender.turn()
    await other.commit()
    other.receipts([receipt_for(carrier.submitted[0])])
    await other.commit()
    assert carrier.submitted[0].text_id == world.carrier.submitted[0].text_id
    assert (await world.ledger(engagement)).reasons == {"delivered": 1}
    assert world.look("SELECT service_profile_id FROM texts") == [(other.profile.id,)]


async def test_without_another_carrier_it_waits(world: World) -> None:
    """An open circuit stops the lane; nothing is lost."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    usual = world.recorder(tenant)
    sender = await world.sender(tenant, usual)
    world.carrier.is_bound = False
    usual.tick()
    world.wait(31, sender)
    usual.tick()
    assert await sender.turn() > 0
    assert (await world.ledger(engagement)).pending == 2
    assert not sender.is_healthy


@pytest.mark.parametrize(("policy", "after", "again"), [(None, 61, 0), ("resend", 59, 0), ("resend", 62, 1)])
async def test_a_doubt_is_sent_again_by_policy_alone(world: World, policy: str | None, after: int, again: int) -> None:
    """Held by default; under `resend` after a minute in which an answer may still come."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Unknown(each.text_id, CONNECTION_LOST)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    profile = await world.set(tenant.profile, in_doubt_policy=policy)
    world.wait(after, sender)
    rescuer = Rescuer(world.store, world.clock, new_id, lambda: 0.0)
    assert await rescuer.resend_doubtful(sender.lease, profile) == again
    assert (await world.ledger(engagement)).reasons == ({"retrying": 1} if again else {"in-doubt": 1})
    await sender.turn()
    assert len(world.carrier.submitted) == 1 + again


async def test_a_doubt_is_not_sent_again_for_ever(world: World) -> None:
    """After three attempts it stays in doubt, for a person to decide."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Unknown(each.text_id, CONNECTION_LOST)
    sender = await world.sender(tenant, recorder)
    profile = await world.set(tenant.profile, in_doubt_policy="resend")
    rescuer = Rescuer(world.store, world.clock, new_id, lambda: 0.0)
    for _ in range(5):
        await sender.turn()
        await recorder.commit()
        world.wait(120, sender)
        await rescuer.resend_doubtful(sender.lease, profile)
    assert len(world.carrier.submitted) == 3
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 1}


@pytest.mark.parametrize("status", [EngagementStatus.PAUSED, EngagementStatus.CANCELED])
async def test_a_doubt_of_a_stopped_engagement_is_not_sent_again(world: World, status: EngagementStatus) -> None:
    """It stays what it is: closed as canceled it would deny a text that may have arrived."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Unknown(each.text_id, CONNECTION_LOST)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    profile = await world.set(tenant.profile, in_doubt_policy="resend")
    await world.set(engagement, status=status)
    world.wait(120, sender)
    rescuer = Rescuer(world.store, world.clock, new_id, lambda: 0.0)
    assert await rescuer.resend_doubtful(sender.lease, profile) == 0
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 1}


async def _circuits(world: World) -> dict[str, float]:
    """What operators see, by phase."""
    async with world.store.reading() as tx:
        found = await gauges.read(tx)
    return {labels[0]: value for family, labels, value in found if family == "opengage_circuits"}


async def test_operators_see_the_circuit(world: World, workers: Workers) -> None:
    """Closed while texts go; open once the carrier fails them."""
    tenant = await world.tenant()
    worker = workers.start()
    worker.carrier.answer = lambda each: Deferred(each.text_id, "ESME_RSYSERR", throttled=False)
    await until(lambda: world.look("SELECT 1 FROM lanes"))
    assert await _circuits(world) == {"closed": 1, "open": 0, "half-open": 0}
    await world.engagement(tenant, 20)
    await until(lambda: world.look("SELECT circuit FROM lanes") == [("open",)])
    assert await _circuits(world) == {"closed": 0, "open": 1, "half-open": 0}


async def test_of_one_service_profile_the_worst_circuit_counts(world: World) -> None:
    """Each worker has a circuit of its own; a lane that nobody holds tells nothing."""
    tenant = await world.tenant()
    other = await world.second_number(tenant)
    first, second = await world.lease(tenant.number, "one"), await world.lease(other, "two")
    async with world.store.writing() as tx:
        await lanes.report(tx, first, lanes.Condition(circuit=Phase.HALF_OPEN))
        await lanes.report(tx, second, lanes.Condition(circuit=Phase.CLOSED))
    assert await _circuits(world) == {"closed": 0, "open": 0, "half-open": 1}
    world.expire_lanes()
    assert await _circuits(world) == {"closed": 0, "open": 0, "half-open": 0}
    await world.lease(tenant.number, "three")
    assert await _circuits(world) == {"closed": 1, "open": 0, "half-open": 0}
