"""The whole worker: lanes taken, kept, lost and let go, and two workers on one store."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dispatch.world import ScriptedCarrier, World, accept, receipt_for, recipient, until
from opengage.carriers.contract import Carrier
from opengage.clock import SECOND, Instant, SystemClock
from opengage.dispatch import dispatcher
from opengage.dispatch.dispatcher import Dispatcher, DispatchSettings
from opengage.domain.errors import Invalid
from opengage.domain.outcomes import Inbound, Submission, Unknown
from opengage.domain.records import ServiceProfile
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, new_id


class Worker:
    """A dispatcher that runs, with a carrier and a store connection of its own."""

    def __init__(self, world: World, owner: str, lease_seconds: float) -> None:
        self.store = world.database.open()
        self.carrier = ScriptedCarrier()
        self.without_address: set[Id] = set()
        self.stop = asyncio.Event()
        settings = DispatchSettings(
            owner=owner,
            lease_seconds=lease_seconds,
            window=100,
            max_segments=10,
            receipt_window_seconds=60.0,
            sandbox_receipt_window_seconds=60.0,
            stop_timeout_seconds=5.0,
        )
        self.dispatcher = Dispatcher(self.store, SystemClock(), new_id, self._connect, world.law, settings)
        self.task = asyncio.create_task(self.dispatcher.run(self.stop))

    def _connect(self, profile: ServiceProfile) -> Carrier:
        if profile.id in self.without_address:
            raise Invalid("It has no address.")
        return self.carrier

    async def looks(self) -> None:
        """It has swept once more."""
        before = self.dispatcher._swept_at
        await until(lambda: self.dispatcher._swept_at > before)

    async def end(self) -> None:
        """An orderly stop."""
        self.stop.set()
        async with asyncio.timeout(10):
            await self.task

    async def kill(self) -> None:
        """An end without any farewell, as by kill -9: whatever it runs just stops."""
        lanes = [lane.task for lane in self.dispatcher._lanes.values()]
        tasks = [self.task, *lanes, *(task for _, task in self.dispatcher._recorders.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Workers:
    """Starts workers, and sees that none outlives its test."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._all: list[Worker] = []

    def start(self, owner: str = "one", lease_seconds: float = 30.0) -> Worker:
        """A running worker."""
        worker = Worker(self._world, owner, lease_seconds)
        self._all.append(worker)
        return worker

    async def end(self) -> None:
        """End what still runs."""
        for worker in self._all:
            await worker.kill()
            await worker.store.close()


@pytest.fixture
async def workers(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    """Workers of this world, who sweep more often than others."""
    monkeypatch.setattr(dispatcher, "_SWEEP", 0.2)
    made = Workers(world)
    yield made
    await made.end()


def lanes_of(world: World) -> list[tuple[object, ...]]:
    """(owner, epoch) of every lane."""
    return world.look("SELECT owner, epoch FROM lanes ORDER BY phone_number_id")


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
    workers.start("one", lease_seconds=0.8)
    await until(lambda: lanes_of(world) == [("one", 1)])
    taken = world.look("SELECT expires_at FROM lanes")[0][0]
    await until(lambda: world.look("SELECT expires_at FROM lanes")[0][0] > taken + 1_600_000)
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


@pytest.mark.parametrize("in_order", [True, False])
async def test_a_successor_expects_again_what_a_lost_worker_stored(
    world: World, workers: Workers, in_order: bool
) -> None:
    """After a crash the last text comes again and is known; after an orderly end the same words are a new text."""
    tenant = await world.tenant()
    before = workers.start()
    await until(lambda: before.carrier.sink)
    assert before.carrier.sink
    text = Inbound(recipient(0), tenant.number.phone_number, "Yes", 1)
    before.carrier.sink.inbound([text])
    await until(lambda: before.carrier.acknowledged)
    await (before.end() if in_order else before.kill())
    after = workers.start()
    await until(lambda: after.carrier.sink)
    assert after.carrier.sink
    after.carrier.sink.inbound([text])
    await until(lambda: after.carrier.acknowledged)
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'") == [(2 if in_order else 1,)]


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
    before = {id(recorder) for recorder, _ in worker.dispatcher._recorders.values()}
    await world.set(tenant.profile, url="smpp://b@127.0.0.1", updated_at=tenant.profile.updated_at + 1)
    await until(lambda: {epoch for _, epoch in lanes_of(world)} == {2})
    await until(lambda: worker.carrier.stopped and len(worker.dispatcher._recorders) == 1)
    (recorder, _), *_ = worker.dispatcher._recorders.values()
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
