"""A worker without lanes is given some by one that has many: in order, and nothing is lost, doubled or in doubt."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from dispatch.workers import Worker, Workers, lanes_of
from dispatch.world import Tenant, World, accept, recipient
from opengage.domain.outcomes import Inbound
from opengage.domain.records import PhoneNumber
from opengage.store import lanes, shares


async def until(predicate: Callable[[], object]) -> None:
    """Wait for several workers, who have to agree first; a look at the database holds all of them up."""
    async with asyncio.timeout(30):
        while not predicate():
            await asyncio.sleep(0.05)


def owners(world: World) -> dict[object, int]:
    """How many lanes each has."""
    return Counter(owner for owner, _ in lanes_of(world))


async def two_numbers(world: World) -> tuple[Tenant, PhoneNumber]:
    """A tenant with two numbers."""
    tenant = await world.tenant()
    return tenant, await world.second_number(tenant)


def accepting(worker: Worker) -> Worker:
    """The same worker, whose carrier takes everything."""
    worker.carrier.answer = accept
    return worker


async def test_a_new_worker_is_given_its_share(world: World, workers: Workers) -> None:
    """In the middle of two blasts one lane moves: each text leaves once, and none is in doubt."""
    tenant, other = await two_numbers(world)
    blasts = [
        await world.engagement(tenant, [recipient(each) for each in range(600)], number=tenant.number),
        await world.engagement(tenant, [recipient(each) for each in range(600, 1200)], number=other),
    ]
    first = accepting(workers.start("one"))
    await until(lambda: first.carrier.submitted and owners(world) == {"one": 2})
    second = accepting(workers.start("two"))
    await until(lambda: owners(world) == {"one": 1, "two": 1})
    await until(lambda: len(first.carrier.submitted) + len(second.carrier.submitted) == 1200)
    await until(lambda: list(world.statuses().values()) == ["sent"] * 1200)
    sent = Counter(first.carrier.recipients) + Counter(second.carrier.recipients)
    assert sent == Counter(recipient(each) for each in range(1200))
    for blast in blasts:
        assert (await world.ledger(blast)).reasons == {"sent": 600}


async def test_an_even_spread_stays_as_it_is(world: World, workers: Workers) -> None:
    """A difference of one lane moves nothing: nobody's epoch is raised again."""
    await two_numbers(world)
    first = workers.start("one")
    await until(lambda: owners(world) == {"one": 2})
    second = workers.start("two")
    await until(lambda: owners(world) == {"one": 1, "two": 1})
    before = lanes_of(world)
    third = workers.start("three")
    for worker in (first, second, third, first, second, third):
        await worker.looks()
    assert lanes_of(world) == before
    assert sorted(epoch for _, epoch in before) == [1, 2]  # type: ignore[type-var]


async def test_a_lane_waits_for_its_answers_before_it_moves(world: World, workers: Workers) -> None:
    """As long as a text has no answer its lane stays: the next owner would have to call it in doubt."""
    tenant, other = await two_numbers(world)
    blasts = [await world.engagement(tenant, 1, number=number) for number in (tenant.number, other)]
    first = workers.start("one")
    await until(lambda: len(first.carrier.submitted) == 2)
    second = workers.start("two")
    await until(lambda: first.dispatcher._leaving)
    await first.looks()
    await second.looks()
    assert owners(world) == {"one": 2}
    assert first.carrier.sink
    first.carrier.sink.outcomes([accept(each) for each in first.carrier.submitted])
    await until(lambda: owners(world) == {"one": 1, "two": 1})
    for blast in blasts:
        assert (await world.ledger(blast)).reasons == {"sent": 1}


async def test_nobody_else_takes_a_lane_that_was_let_go_for_somebody(world: World) -> None:
    """For as long as the ask stands; whoever asked may take it, and that ends the ask."""
    tenant = await world.tenant()
    lease = await world.lease(tenant.number, "one")
    async with world.store.writing() as tx:
        assert await shares.ask(tx, "one", "two", 5, 60.0) == 1
        assert await shares.ask(tx, "one", "three", 5, 60.0) == 0
        assert await shares.spread(tx) == ({"one": 0, "two": 1}, {"two"})
        assert await shares.asked(tx, "one") == {(tenant.account_id, tenant.number.id)}
        await lanes.let_go(tx, lease)
        assert await shares.spread(tx) == ({"two": 1}, {"two"})  # or it would ask for one more meanwhile
        free = {owner: len(await lanes.free(tx, owner, 10)) for owner in ("one", "two", "three")}
    assert free == {"one": 0, "two": 1, "three": 0}
    await world.lease(tenant.number, "two")
    async with world.store.reading() as tx:
        assert await shares.spread(tx) == ({"two": 1}, set())


@pytest.mark.parametrize("end", ["withdrawn", "lapsed"])
async def test_the_ask_of_a_worker_that_is_gone_counts_no_more(world: World, end: str) -> None:
    """It withdraws it when it stops, and after a crash it lapses: anybody may take the lane."""
    tenant = await world.tenant()
    lease = await world.lease(tenant.number, "one")
    async with world.store.writing() as tx:
        await shares.ask(tx, "one", "two", 5, 60.0 if end == "withdrawn" else 0.0)
        if end == "withdrawn":
            await shares.withdraw(tx, "two")
        assert await shares.asked(tx, "one") == set()
        assert await shares.spread(tx) == ({"one": 1}, set())
        await lanes.let_go(tx, lease)
        assert len(await lanes.free(tx, "one", 10)) == 1


async def test_an_own_lane_is_taken_back_whoever_has_asked_for_it(world: World) -> None:
    """A worker that is started again has its lanes at once: nobody else could let go of them."""
    tenant = await world.tenant()
    await world.lease(tenant.number, "one")
    async with world.store.writing() as tx:
        await shares.ask(tx, "one", "two", 5, 60.0)
        assert len(await lanes.free(tx, "one", 10)) == 1
        assert await lanes.free(tx, "two", 10) == []


async def test_a_lane_that_no_carrier_serves_is_not_asked_for(world: World) -> None:
    """It would be no better off elsewhere."""
    tenant = await world.tenant()
    lease = await world.lease(tenant.number, "one")
    async with world.store.writing() as tx:
        await lanes.report(tx, lease, lanes.Condition(unhealthy_since=tenant.number.created_at))
        assert await shares.ask(tx, "one", "two", 5, 60.0) == 0


async def test_a_lane_of_an_account_that_is_off_is_not_asked_for(world: World) -> None:
    """Nobody could take it; one that was asked for when it was on is waited for no more once it was let go."""
    tenant, _ = await two_numbers(world)
    lease = await world.lease(tenant.number, "one")
    async with world.store.writing() as tx:
        assert await shares.ask(tx, "one", "two", 5, 60.0) == 1
    await world.account(tenant, is_active=False)
    async with world.store.writing() as tx:
        await lanes.let_go(tx, lease)
        assert await shares.spread(tx) == ({}, set())
    await world.account(tenant, is_active=True)
    await world.lease(tenant.number, "one")
    await world.account(tenant, is_active=False)
    async with world.store.writing() as tx:
        assert await shares.ask(tx, "one", "two", 5, 60.0) == 0


async def test_a_worker_whose_carrier_is_out_asks_for_nothing_more(world: World, workers: Workers) -> None:
    """It has one lane and cannot serve it: the others stay where they are served."""
    tenant, _ = await two_numbers(world)
    for last in range(2, 6):
        await world.another_number(tenant, last)
    workers.start("one")
    await until(lambda: owners(world) == {"one": 6})
    second = workers.start("two")
    second.carrier.is_bound = False
    await until(lambda: owners(world) == {"one": 5, "two": 1})
    for _ in range(4):
        await second.looks()
    assert owners(world) == {"one": 5, "two": 1}
    second.carrier.is_bound = True
    await until(lambda: owners(world) == {"one": 3, "two": 3})


async def test_a_stop_while_a_lane_is_handed_over(world: World, workers: Workers) -> None:
    """Both ends in order: whoever stays has everything, and nothing is in doubt."""
    tenant, _ = await two_numbers(world)
    engagement = await world.engagement(tenant, 400)
    first = accepting(workers.start("one"))
    await until(lambda: first.carrier.submitted)
    second = accepting(workers.start("two"))
    await until(lambda: first.dispatcher._leaving or second.dispatcher._lanes)
    await second.end()
    await until(lambda: owners(world) == {"one": 2})
    await until(lambda: len(first.carrier.submitted) + len(second.carrier.submitted) == 400)
    await until(lambda: list(world.statuses().values()) == ["sent"] * 400)
    assert (await world.ledger(engagement)).reasons == {"sent": 400}


async def test_a_reply_that_the_network_brings_again_to_the_next_owner_is_stored_once(
    world: World, workers: Workers
) -> None:
    """The worker that had the lane owed the network an acknowledgement: the next one is told so."""
    tenant = await world.tenant()
    second_tenant = await world.tenant("otherbank")
    first = workers.start("one")
    await until(lambda: len(first.dispatcher._routes.tasks) == 2)
    reply = Inbound(recipient(0), second_tenant.number.phone_number, "Yes", 1)
    (recorder,) = [each for each in first.dispatcher._routes if each.profile.id == second_tenant.profile.id]
    recorder.inbound([reply])
    await until(lambda: len(first.carrier.acknowledged) == 1)
    stored = world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'")
    recorder.unacknowledged([1], surely=True)
    second = workers.start("two")
    await until(lambda: owners(world) == {"one": 1, "two": 1})
    await until(lambda: second.carrier.sink)
    assert second.carrier.sink
    second.carrier.sink.inbound([reply])
    await until(lambda: len(second.carrier.acknowledged) == 1)
    assert tenant.number.id in {id_ for _, id_ in first.dispatcher._lanes}
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'") == stored


async def test_a_lane_waits_for_the_leave_of_its_connection(
    world: World, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the network says while a connection takes its leave is for its owner to hear: the next one waits for it."""
    await world.tenant()
    await world.tenant("otherbank")
    first = workers.start("one")
    await until(lambda: len(first.dispatcher._routes.tasks) == 2)
    leaves = asyncio.Event()

    async def stop(_within: float) -> None:
        await leaves.wait()

    monkeypatch.setattr(first.carrier, "stop", stop)
    second = workers.start("two")
    await until(lambda: len(first.dispatcher._routes.tasks) == 1)
    await first.looks()
    await second.looks()
    assert owners(world) == {"one": 2}
    leaves.set()
    await until(lambda: owners(world) == {"one": 1, "two": 1})


async def test_many_lanes_are_spread_over_many_workers(world: World, workers: Workers) -> None:
    """All that live come to have as many, but for one; a killed one's go to the others."""
    tenant, _ = await two_numbers(world)
    for last in range(2, 8):
        await world.another_number(tenant, last)
    for name in ("one", "two", "three"):
        accepting(workers.start(name, lease_seconds=3.0))
    await until(lambda: sorted(owners(world).values()) == [2, 3, 3])
    await workers.kill("two")
    await until(lambda: owners(world) == {"one": 4, "three": 4})
