"""A number or a service profile is changed while a worker has it: what counts from then on, what must not suffer."""

import asyncio

from dispatch.workers import Worker, Workers, lanes_of
from dispatch.world import HookedStore, World, accept, recipient, until
from opengage.dispatch.recorder import Recorder
from opengage.domain.outcomes import Inbound
from opengage.store import lanes


async def test_a_connection_made_anew_expects_again_what_the_old_one_stored(world: World, workers: Workers) -> None:
    """What the network delivers again over the changed connection is stored once."""
    tenant = await world.tenant()
    worker = workers.start()
    await until(lambda: worker.carrier.sink)
    before = worker.carrier.sink
    assert before
    text = Inbound(recipient(0), tenant.number.phone_number, "Yes", 1)
    before.inbound([text])
    await until(lambda: len(worker.carrier.acknowledged) == 1)
    before.unacknowledged([1], surely=True)
    await world.set(tenant.profile, window=7, updated_at=tenant.profile.updated_at + 1)
    await until(lambda: worker.carrier.sink is not before)
    assert worker.carrier.sink
    worker.carrier.sink.inbound([text])
    await until(lambda: len(worker.carrier.acknowledged) == 2)
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'") == [(1,)]


def hanging(recorder: Recorder, worker: Worker) -> tuple[HookedStore, asyncio.Event, asyncio.Event]:
    """A store at which the recorder waits before it writes: told once it does, until it may go on."""
    store = recorder._store = HookedStore(worker.store)
    reached, goes_on = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await goes_on.wait()

    store.before_writing = hang
    return store, reached, goes_on


async def test_what_the_old_connection_could_not_store_is_stored_by_the_new_one(world: World, workers: Workers) -> None:
    """It was lost unstored: what comes again is refused until nobody stores it any more, and then it is a new text."""
    tenant = await world.tenant()
    worker = workers.start()
    await until(lambda: worker.carrier.sink)
    before = worker.carrier.sink
    assert isinstance(before, Recorder)
    store, reached, goes_on = hanging(before, worker)
    store.failures = 1
    text = Inbound(recipient(0), tenant.number.phone_number, "STOP", 1)
    before.inbound([text])
    await reached.wait()
    before.unacknowledged([1], surely=True)
    await world.set(tenant.profile, window=7, updated_at=tenant.profile.updated_at + 1)
    await until(lambda: worker.carrier.sink is not before)
    assert worker.carrier.sink
    worker.carrier.sink.inbound([text])
    await until(lambda: worker.carrier.acknowledged)
    assert worker.carrier.acknowledged == [(1, False)]
    goes_on.set()
    await until(lambda: len(worker.carrier.acknowledged) == 2)
    worker.carrier.sink.inbound([text])
    await until(lambda: len(worker.carrier.acknowledged) == 3)
    assert worker.carrier.acknowledged[-1] == (1, True)
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'") == [(1,)]


async def test_a_connection_takes_its_leave_when_what_it_brought_is_stored(world: World, workers: Workers) -> None:
    """A reply that came just before its profile was changed is not thrown away on the way to the store."""
    tenant = await world.tenant()
    worker = workers.start()
    await until(lambda: worker.carrier.sink)
    before = worker.carrier.sink
    assert isinstance(before, Recorder)
    _, reached, goes_on = hanging(before, worker)
    before.inbound([Inbound(recipient(0), tenant.number.phone_number, "STOP", 1)])
    await reached.wait()
    await world.set(tenant.profile, window=7, updated_at=tenant.profile.updated_at + 1)
    await until(lambda: worker.carrier.stopped)
    await worker.looks()
    goes_on.set()
    await until(lambda: worker.carrier.acknowledged)
    # refused if the lane was just being taken anew
    (is_stored,) = (stored for _, stored in worker.carrier.acknowledged)
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'") == [(int(is_stored),)]


async def test_a_new_rate_counts_from_then_on(world: World, workers: Workers) -> None:
    """Nobody has to be restarted, what is in flight is heard to its end, and nothing is sent twice or in doubt."""
    tenant = await world.tenant(rate=1.0)
    engagement = await world.engagement(tenant, 200)
    worker = workers.start()
    worker.carrier.answer = accept
    await until(lambda: worker.carrier.submitted)
    await world.set(tenant.number, rate=None, updated_at=tenant.number.updated_at + 1)
    await until(lambda: list(world.statuses().values()) == ["sent"] * 200, 15)
    assert sorted(worker.carrier.recipients) == sorted(recipient(number) for number in range(200))
    assert (await world.ledger(engagement)).reasons == {"sent": 200}
    assert [epoch for _, epoch in lanes_of(world)] == [2]


async def test_a_lane_that_is_let_go_waits_for_its_answers(world: World, workers: Workers) -> None:
    """As long as a text has no answer its lane is not taken anew: it would be in doubt."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    worker = workers.start()
    await until(lambda: worker.carrier.submitted)
    await world.set(tenant.number, label="Renamed", updated_at=tenant.number.updated_at + 1)
    await until(lambda: worker.dispatcher._leaving)
    await worker.looks()
    await worker.looks()
    assert lanes_of(world) == [("one", 1)]
    assert worker.carrier.sink
    worker.carrier.sink.outcomes([accept(worker.carrier.submitted[0])])
    await until(lambda: lanes_of(world) == [("one", 2)])
    assert (await world.ledger(engagement)).reasons == {"sent": 1}


async def test_a_profile_that_is_mended_is_connected_anew(world: World, workers: Workers) -> None:
    """Its old connections take their leave, those by the new address serve every number of it."""
    tenant = await world.tenant()
    other = await world.second_number(tenant)
    worker = workers.start()
    await until(lambda: len(worker.dispatcher._lanes) == 2)
    before = {id(recorder) for recorder in worker.dispatcher._routes}
    await world.set(tenant.profile, url="smpp://b@127.0.0.1", updated_at=tenant.profile.updated_at + 1)
    await until(lambda: {epoch for _, epoch in lanes_of(world)} == {2})
    await until(lambda: worker.carrier.stopped and len(worker.dispatcher._routes.tasks) == 1)
    recorder, *_ = worker.dispatcher._routes
    assert recorder.profile.url == "smpp://b@127.0.0.1"
    assert id(recorder) not in before
    await until(lambda: {id_ for _, id_ in worker.dispatcher._lanes} == {tenant.number.id, other.id})


async def test_a_profile_without_an_address_is_tried_again_once_it_is_changed(world: World, workers: Workers) -> None:
    """And not before: until then its lane is at rest, and told to be unhealthy."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    worker = workers.start()
    worker.without_address.add(tenant.profile.id)
    await until(lambda: world.look("SELECT 1 FROM lanes WHERE unhealthy_since IS NOT NULL"))
    worker.without_address.clear()
    await world.set(tenant.profile, url="smpp://b@127.0.0.1", updated_at=tenant.profile.updated_at + 1)
    await until(lambda: worker.carrier.submitted)


async def test_a_profile_that_is_switched_off_carries_nothing(world: World, workers: Workers) -> None:
    """Its lane is at rest, and goes on once it is switched on again."""
    tenant = await world.tenant()
    off = await world.set(tenant.profile, is_active=False)
    await world.engagement(tenant, 3)
    worker = workers.start()
    await until(lambda: world.look("SELECT 1 FROM lanes WHERE unhealthy_since IS NOT NULL"))
    assert worker.carrier.submitted == []
    await world.set(off, is_active=True, updated_at=off.updated_at + 1)
    await until(lambda: len(worker.carrier.submitted) == 3)


async def test_a_number_that_is_switched_off_sends_nothing_and_hears_everything(world: World, workers: Workers) -> None:
    """Its blast waits, receipts and replies come in, and it goes on where it stood."""
    tenant = await world.tenant()
    off = await world.set(tenant.number, is_active=False)
    await world.engagement(tenant, 3)
    await world.single(tenant, recipient(9))
    worker = workers.start()
    worker.carrier.answer = accept
    await until(lambda: worker.carrier.sink)
    assert worker.carrier.sink
    worker.carrier.sink.inbound([Inbound(recipient(7), tenant.number.phone_number, "Hello?", 1)])
    await until(lambda: worker.carrier.acknowledged)
    assert worker.carrier.submitted == []
    await world.set(off, is_active=True, updated_at=off.updated_at + 1)
    await until(lambda: len(worker.carrier.submitted) == 4)


async def test_a_lane_that_another_worker_has_by_now_is_not_let_go(world: World) -> None:
    """Who lets go late, under an older epoch, takes it from nobody."""
    tenant = await world.tenant()
    late = await world.lease(tenant.number, "one")
    world.expire_lanes()
    await world.lease(tenant.number, "two")
    async with world.store.writing() as tx:
        await lanes.let_go(tx, late)
    assert lanes_of(world) == [("two", 2)]
