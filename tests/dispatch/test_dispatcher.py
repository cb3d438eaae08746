"""The whole worker: lanes taken, kept, lost and let go, and two workers on one store."""

import asyncio

import pytest

from dispatch.workers import Workers, lanes_of
from dispatch.world import World, accept, receipt_for, recipient, until
from opengage.clock import SECOND, Instant, SystemClock
from opengage.domain.errors import Unavailable
from opengage.domain.outcomes import Inbound, Submission, Unknown
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id


async def test_a_scheduled_engagement_is_carried_to_its_end(world: World, workers: Workers) -> None:
    """From the PATCH to the last receipt, by one worker: started, sent, delivered, completed."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 50, status=EngagementStatus.SCHEDULED)
    worker = workers.start()
    worker.carrier.answer = accept

    def deliver(submissions: list[Submission]) -> None:
        assert worker.carrier.sink
        worker.carrier.sink.receipts([receipt_for(each) for each in submissions])

    worker.carrier.on_submit = lambda submissions: deliver(list(submissions))
    await until(lambda: world.engagement_status(engagement) == "completed")
    assert (await world.ledger(engagement)).reasons == {"delivered": 50}
    assert len(worker.carrier.submitted) == 50
    await worker.end()


async def test_what_comes_later_is_seen(world: World, workers: Workers) -> None:
    """A number and an engagement that are made while the worker runs are served without a restart."""
    worker = workers.start()
    worker.carrier.answer = accept
    tenant = await world.tenant()
    await until(lambda: lanes_of(world) == [("one", 1)])
    await world.engagement(tenant, 3, status=EngagementStatus.SCHEDULED)
    await until(lambda: len(worker.carrier.submitted) == 3)


async def test_numbers_made_one_after_the_other_are_all_served_at_once(world: World, workers: Workers) -> None:
    """A number that is made just after a look for new ones is not overlooked until something else changes."""
    worker = workers.start()
    worker.carrier.answer = accept
    await world.tenant()
    await until(lambda: len(lanes_of(world)) == 1)
    second = await world.tenant("otherbank")
    await world.engagement(second, 1, status=EngagementStatus.SCHEDULED)
    await until(lambda: len(worker.carrier.submitted) == 1, within=1.5)


async def test_a_delivery_time_is_kept_though_nothing_changes(world: World, workers: Workers) -> None:
    """An idle worker starts a scheduled engagement when its time comes, not when something else happens."""
    tenant = await world.tenant()
    at = Instant(SystemClock().now() + SECOND // 2)
    engagement = await world.engagement(tenant, 1, status=EngagementStatus.SCHEDULED, delivery_time=at)
    worker = workers.start()
    worker.carrier.answer = accept
    await until(lambda: worker.carrier.submitted, within=3)
    assert SystemClock().now() >= at
    assert world.engagement_status(engagement) == "processing"


async def test_a_stop_drains_and_releases(world: World, workers: Workers) -> None:
    """On a stop nothing new is taken, what is in flight is recorded, and the lane is free at once."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 500)
    worker = workers.start()
    await until(lambda: len(worker.carrier.submitted) >= 50)
    worker.carrier.last_words = lambda: [accept(each) for each in worker.carrier.submitted]
    await worker.end()
    count = len(worker.carrier.submitted)
    assert worker.carrier.stopped
    assert count < 500
    assert (await world.ledger(engagement)).reasons == {"sent": count}
    assert lanes_of(world) == [("", 1)]


async def test_a_profile_that_cannot_be_used_stops_nobody_else(world: World, workers: Workers) -> None:
    """A sandbox without its simulator is told of once and left at rest; the other accounts are served."""
    unusable, served = await world.tenant(), await world.tenant("otherbank")
    await world.engagement(unusable, 1)
    await world.engagement(served, 1)
    worker = workers.start()
    worker.without_address.add(unusable.profile.id)
    await until(lambda: worker.carrier.submitted)
    assert [text.account_id for text in worker.carrier.submitted] == [served.account_id]
    assert world.look("SELECT max(epoch) FROM lanes") == [(1,)]
    assert not worker.task.done()


async def test_what_the_carrier_gives_up_at_a_stop_is_in_doubt(world: World, workers: Workers) -> None:
    """A text that was not answered by the end of the stop is recorded as in doubt before the worker ends."""
    engagement = await world.engagement(await world.tenant(), 2)
    worker = workers.start()
    await until(lambda: len(worker.carrier.submitted) == 2)
    worker.carrier.last_words = lambda: [Unknown(each.text_id, "no-answer") for each in worker.carrier.submitted]
    await worker.end()
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 2}


async def test_of_two_workers_one_sends(world: World, workers: Workers) -> None:
    """While one holds the lane the other sends nothing, however much there is to do."""
    await world.engagement(await world.tenant(), 60)
    first = workers.start("one")
    first.carrier.answer = accept
    await until(lambda: lanes_of(world) == [("one", 1)])
    second = workers.start("two")
    second.carrier.answer = accept
    await until(lambda: list(world.statuses().values()) == ["sent"] * 60)
    assert second.carrier.submitted == []
    assert sorted(first.carrier.recipients) == sorted(recipient(number) for number in range(60))


async def test_after_the_lease_another_worker_takes_over(world: World, workers: Workers) -> None:
    """A worker that is gone leaves its lane with its lease: the next one names what is in doubt and sends the rest."""
    engagement = await world.engagement(await world.tenant(), 150)
    first = workers.start("one", lease_seconds=0.5)
    await until(lambda: len(first.carrier.submitted) == 100)
    await first.kill()
    second = workers.start("two", lease_seconds=0.5)
    second.carrier.answer = accept
    await until(lambda: len(second.carrier.submitted) == 50)
    await until(lambda: list(world.statuses().values()).count("sent") == 50)
    assert set(first.carrier.recipients).isdisjoint(second.carrier.recipients)
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 100, "sent": 50}
    assert lanes_of(world) == [("two", 2)]


async def test_a_worker_takes_its_own_lane_back_at_once(world: World, workers: Workers) -> None:
    """A restart under the same name does not wait for its own old lease, and the old epoch is void."""
    engagement = await world.engagement(await world.tenant(), 120)
    first = workers.start("one", lease_seconds=600)
    await until(lambda: len(first.carrier.submitted) == 100)
    await first.kill()
    second = workers.start("one", lease_seconds=600)
    second.carrier.answer = accept
    await until(lambda: len(second.carrier.submitted) == 20)
    await until(lambda: list(world.statuses().values()).count("sent") == 20)
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 100, "sent": 20}
    assert lanes_of(world) == [("one", 2)]


async def test_a_lane_is_renewed_while_its_worker_lives(world: World, workers: Workers) -> None:
    """The lease outlives its length many times, under the same epoch."""
    await world.tenant()
    workers.start("one", lease_seconds=2.0)
    await until(lambda: lanes_of(world) == [("one", 1)])
    taken = world.look("SELECT expires_at FROM lanes")[0][0]
    await until(lambda: world.look("SELECT expires_at FROM lanes")[0][0] > taken + 3_000_000, 15)
    assert lanes_of(world) == [("one", 1)]


async def test_a_lost_lane_is_not_sent_on(world: World, workers: Workers) -> None:
    """A worker whose lane passed to another one stops sending; what it hears of its texts still counts."""
    tenant = await world.tenant()
    worker = workers.start("one", lease_seconds=0.3)
    await until(lambda: lanes_of(world) == [("one", 1)])
    world.change("UPDATE lanes SET owner = 'two', epoch = epoch + 1, expires_at = 9000000000000000")
    await world.engagement(tenant, 3)
    await until(lambda: not worker.dispatcher._lanes)
    assert worker.carrier.submitted == []
    assert lanes_of(world) == [("two", 2)]


async def test_a_failed_recorder_ends_the_worker(world: World, workers: Workers) -> None:
    """Without its recorder nothing would be recorded: the worker ends with the reason, to be started again."""
    await world.engagement(await world.tenant(), 1)
    worker = workers.start(lease_seconds=0.6)
    await until(lambda: worker.carrier.submitted)
    assert worker.carrier.sink
    worker.carrier.sink.outcomes([Unknown(new_id(), "a text that nobody knows")])
    with pytest.raises(KeyError):
        async with asyncio.timeout(15):
            await worker.task


async def test_each_account_has_its_lane(world: World, workers: Workers) -> None:
    """Numbers of two accounts are two lanes, though the numbers are the same."""
    first, second = await world.tenant(), await world.tenant("otherbank")
    await world.engagement(first, 2)
    await world.engagement(second, 2)
    worker = workers.start()
    worker.carrier.answer = accept
    await until(lambda: len(worker.carrier.submitted) == 4)
    assert (
        sorted(each.account_id for each in worker.carrier.submitted) == [first.account_id] * 2 + [second.account_id] * 2
    )
    assert lanes_of(world) == [("one", 1), ("one", 1)]


@pytest.mark.parametrize(("end", "stored"), [("in order", 2), ("lost", 1), ("owing", 1)])
async def test_a_successor_expects_again_what_a_lost_worker_stored(
    world: World, workers: Workers, end: str, stored: int
) -> None:
    """After a crash the last text comes again and is known, also after an end in which the network missed our answer.

    After an orderly end the same words are a new text.
    """
    tenant = await world.tenant()
    before = workers.start()
    await until(lambda: before.carrier.sink)
    assert before.carrier.sink
    text = Inbound(recipient(0), tenant.number.phone_number, "Yes", 1)
    before.carrier.sink.inbound([text])
    await until(lambda: before.carrier.acknowledged)
    if end == "owing":
        before.carrier.sink.unacknowledged([1], surely=True)
    await (before.kill() if end == "lost" else before.end())
    after = workers.start()
    await until(lambda: after.carrier.sink)
    assert after.carrier.sink
    after.carrier.sink.inbound([text])
    await until(lambda: after.carrier.acknowledged)
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'") == [(stored,)]


async def _at_once(_: float) -> None:
    """Something changes all the time."""


async def test_a_store_that_is_away_is_looked_for_ever_more_seldom(
    world: World, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it fails at once: neither the processor nor the log is filled, and when it is back all goes on."""
    worker = workers.start()
    await worker.looks()
    dispatcher, tick, tries = worker.dispatcher, worker.dispatcher._tick, list[float]()

    async def fail() -> None:
        tries.append(asyncio.get_running_loop().time())
        raise Unavailable("The database could not be used.")

    monkeypatch.setattr(dispatcher, "_tick", fail)
    monkeypatch.setattr(worker.store, "changed", _at_once)
    monkeypatch.setattr("opengage.dispatch.dispatcher._AWAY", 0.1)
    await until(lambda: len(tries) == 6)
    assert tries[-1] - tries[-2] >= 0.09
    monkeypatch.setattr(dispatcher, "_tick", tick)
    await worker.looks()
