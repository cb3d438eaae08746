"""The intent is durable before a byte leaves, and every check is made in the commit that writes it."""

import asyncio
from collections.abc import Sequence

import pytest

from dispatch.world import LONG, HookedStore, World, accept, recipient, until
from opengage.domain.breaker import Phase
from opengage.domain.errors import Fenced, Unavailable
from opengage.domain.outcomes import NEVER_SENT, Deferred, Submission
from opengage.domain.states import EngagementStatus
from opengage.store import pools


async def test_the_intent_is_committed_before_a_byte_leaves(world: World) -> None:
    """When the carrier is handed texts, every one of them stands at `sending` for any other connection to see."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3)
    seen: list[list[tuple[object, ...]]] = []

    def look(submissions: Sequence[Submission]) -> None:
        ids = [submission.text_id for submission in submissions]
        seen.append(
            [row for id_ in ids for row in world.look("SELECT status, body, epoch FROM texts WHERE id = ?", id_)]
        )

    world.carrier.on_submit = look
    sender = await world.sender(tenant, world.recorder(tenant))
    assert await sender.turn() == 0.0
    assert seen == [[("sending", "Hello Ann", sender.lease.epoch)] * 3]
    assert world.carrier.recipients == [recipient(0), recipient(1), recipient(2)]
    assert (await world.ledger(engagement)).reasons == {"sending": 3}


async def test_a_failing_commit_sends_nothing(world: World) -> None:
    """If the intent cannot be written, no byte leaves and nothing has changed; the next turn sends it once."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    store = HookedStore(world.store)
    sender = await world.sender(tenant, world.recorder(tenant), store=store)
    store.failures = 1
    with pytest.raises(Unavailable):
        await sender.turn()
    assert world.carrier.submitted == []
    assert (await world.ledger(engagement)).pending == 2
    await sender.turn()
    assert world.carrier.recipients == [recipient(0), recipient(1)]


async def test_a_suppression_just_before_the_commit_stops_the_text(world: World) -> None:
    """Whoever is suppressed after the batch was chosen, but before its intent is written, is not texted."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    store = HookedStore(world.store)
    store.before_writing = lambda: world.suppress(tenant, recipient(0))
    sender = await world.sender(tenant, world.recorder(tenant), store=store)
    await sender.turn()
    assert world.carrier.recipients == [recipient(1)]
    assert world.reasons() == {recipient(0): "opted-out", recipient(1): "sending"}
    assert (await world.ledger(engagement)).reasons == {"opted-out": 1, "sending": 1}


@pytest.mark.parametrize("status", [EngagementStatus.PAUSED, EngagementStatus.CANCELED])
async def test_a_stopped_engagement_sends_nothing_more(world: World, status: EngagementStatus) -> None:
    """Paused or canceled between choosing and writing, it sends nothing; nor does it in any later turn."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    store = HookedStore(world.store)

    async def stop() -> None:
        await world.set(engagement, status=status)

    store.before_writing = stop
    sender = await world.sender(tenant, world.recorder(tenant), store=store)
    for _ in range(3):
        await sender.turn()
    assert world.carrier.submitted == []
    assert (await world.ledger(engagement)).pending == 2


async def test_a_stale_epoch_writes_and_submits_nothing(world: World) -> None:
    """Once another worker has the lane, the old one changes no row and sends no byte."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    sender = await world.sender(tenant, world.recorder(tenant))
    world.expire_lanes()
    newer = await world.lease(tenant.number, "two")
    assert newer.epoch == sender.lease.epoch + 1
    before = world.look("SELECT * FROM envelopes ORDER BY id")
    with pytest.raises(Fenced):
        await sender.turn()
    assert world.carrier.submitted == []
    assert world.look("SELECT * FROM envelopes ORDER BY id") == before
    assert world.look("SELECT count(*) FROM texts") == [(0,)]
    assert (await world.ledger(engagement)).pending == 2


async def test_a_lease_that_ran_out_is_as_good_as_none(world: World) -> None:
    """A lane that nobody else took yet, but whose time is over, is not written under any more; its sender ends."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    sender = await world.sender(tenant, world.recorder(tenant))
    world.expire_lanes()
    async with asyncio.timeout(5):
        await sender.run()
    assert world.carrier.submitted == []


async def test_what_was_withheld_is_no_fault_of_the_carriers(world: World) -> None:
    """The store took its time, for a whole window of texts: the circuit stays closed, nothing has to be proved."""
    tenant = await world.tenant()
    await world.engagement(tenant, 50)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    sender.valid_until = world.clock.monotonic()
    await sender.turn()
    assert len(recorder.under_way()) == 50
    await recorder.commit()
    assert world.carrier.submitted == []
    assert recorder.breaker.phase is Phase.CLOSED


async def test_a_lease_lost_between_commit_and_submit_withholds_the_texts(world: World) -> None:
    """What is written but may not leave any more surely has not left: put off, not in doubt, and sent once later."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    sender.valid_until = world.clock.monotonic()
    await sender.turn()
    await recorder.commit()
    assert world.carrier.submitted == []
    assert set(world.statuses().values()) == {"queued"}
    assert (await world.ledger(engagement)).reasons == {"retrying": 2}
    sender.valid_until = world.clock.monotonic() + 60
    world.clock.advance(10)
    await sender.turn()
    assert world.carrier.recipients == [recipient(0), recipient(1)]
    assert (await world.ledger(engagement)).reasons == {"sending": 2}


async def test_the_window_holds_what_is_not_recorded_yet(world: World) -> None:
    """An answered text takes up room until its outcome is stored: a crash leaves no more than a window in doubt."""
    tenant = await world.tenant()
    await world.engagement(tenant, 30)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, window=8)
    world.carrier.answer = accept
    for _ in range(5):
        await sender.turn()
    assert len(world.carrier.submitted) == 8
    assert recorder.room(8) == 0
    await recorder.commit()
    for _ in range(5):
        await sender.turn()
    assert len(world.carrier.submitted) == 16


async def test_two_lanes_share_one_window(world: World) -> None:
    """Numbers of one service profile that write at the same time stay within the profile's window together."""
    tenant = await world.tenant()
    other = await world.second_number(tenant)
    await world.engagement(tenant, 20)
    await world.engagement(tenant, 20, number=other)
    recorder = world.recorder(tenant)
    one = await world.sender(tenant, recorder, window=8)
    two = await world.sender(tenant, recorder, window=8, number=other)
    for _ in range(3):
        await asyncio.gather(one.turn(), two.turn())
    assert len(world.carrier.submitted) == 8


async def test_the_carriers_room_is_respected(world: World) -> None:
    """No more is written than the carrier can take; nothing while it is not connected."""
    tenant = await world.tenant()
    await world.engagement(tenant, 10)
    sender = await world.sender(tenant, world.recorder(tenant))
    world.carrier.is_bound = False
    assert await sender.turn() > 0
    assert world.carrier.submitted == []
    world.carrier.is_bound, world.carrier.room = True, 3
    await sender.turn()
    assert len(world.carrier.submitted) == 3


async def test_the_batch_limit_bounds_what_is_under_way(world: World) -> None:
    """`queue-batch-limit` texts of an engagement are in flight at once, no more; answers make room."""
    tenant = await world.tenant()
    await world.engagement(tenant, 10, queue_batch_limit=4)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    for _ in range(3):
        await sender.turn()
    assert len(world.carrier.submitted) == 4
    recorder.outcomes([accept(world.carrier.submitted[0])])
    await recorder.commit()
    await sender.turn()
    assert len(world.carrier.submitted) == 5


async def test_engagements_take_turns(world: World) -> None:
    """Two blasts on one number go out side by side: the second does not wait for the first to end."""
    tenant = await world.tenant()
    first = await world.engagement(tenant, 6, queue_batch_limit=2)
    second = await world.engagement(tenant, 6, queue_batch_limit=2)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    world.carrier.answer = accept
    order = []
    world.carrier.on_submit = lambda submissions: order.append(
        world.look("SELECT engagement_id FROM texts WHERE id = ?", submissions[0].text_id)[0][0]
    )
    for _ in range(6):
        await sender.turn()
        await recorder.commit()
    assert order == [first.id, second.id] * 3


async def test_the_pace_is_kept(world: World) -> None:
    """At ten segments a second, ten seconds let a hundred go, and never more than rate and burst allow."""
    tenant = await world.tenant(rate=10.0)
    await world.engagement(tenant, 150)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    sender.valid_until = float("inf")
    world.carrier.answer = accept
    for step in range(1, 101):
        await sender.turn()
        await recorder.commit()
        assert len(world.carrier.submitted) <= step * 0.1 * 10 + 1
        world.clock.advance(0.1)
    assert 99 <= len(world.carrier.submitted) <= 101


async def test_idling_saves_up_no_more_than_a_burst(world: World) -> None:
    """A lane that was idle for minutes starts at its pace, not with all that it could have sent meanwhile."""
    tenant = await world.tenant(rate=10.0)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    sender.valid_until = float("inf")
    for _ in range(300):
        await sender.turn()
        world.clock.advance(1)
    await world.engagement(tenant, 50)
    for _ in range(5):
        await sender.turn()
    assert len(world.carrier.submitted) <= 2


async def test_long_texts_cost_their_segments(world: World) -> None:
    """Pacing counts segments: texts of three segments leave at a third of the pace."""
    tenant = await world.tenant(rate=30.0)
    await world.engagement(tenant, 60, body=LONG)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    sender.valid_until = float("inf")
    world.carrier.answer = accept
    for _ in range(50):
        await sender.turn()
        await recorder.commit()
        world.clock.advance(0.1)
    assert 48 <= len(world.carrier.submitted) <= 54


async def test_throttling_slows_an_unlimited_lane_down(world: World) -> None:
    """A carrier that says "too fast" is sent less, and loses no text."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 40)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, window=10)
    world.carrier.answer = lambda submission: Deferred(submission.text_id, "ESME_RTHROTTLED", throttled=True)
    await sender.turn()
    await recorder.commit()
    refused = len(world.carrier.submitted)
    await sender.turn()
    assert len(world.carrier.submitted) == refused > 0
    assert (await world.ledger(engagement)).reasons == {"retrying": refused}
    assert set(world.look("SELECT attempts FROM texts")) == {(0,)}


async def test_a_link_that_is_down_does_not_slow_the_lane(world: World) -> None:
    """Texts that never left burn no attempt and change no pace: the next turn sends as fast as before."""
    tenant = await world.tenant()
    await world.engagement(tenant, 20)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, window=10)
    world.carrier.answer = lambda submission: Deferred(submission.text_id, NEVER_SENT, throttled=True)
    await sender.turn()
    await recorder.commit()
    world.carrier.answer = accept
    refused = len(world.carrier.submitted)
    await sender.turn()
    assert len(world.carrier.submitted) == 2 * refused > 0


async def test_a_retry_goes_under_its_old_name_and_words(world: World) -> None:
    """A text that was put off is sent again as the same text, and says what its row says."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    world.carrier.answer = lambda submission: Deferred(submission.text_id, "ESME_RSYSERR", throttled=False)
    await sender.turn()
    await recorder.commit()
    world.change("UPDATE text_templates SET body = 'Other words', revision_id = ?", bytes(1))
    world.clock.advance(10)
    await sender.turn()
    first, second = world.carrier.submitted
    assert (second.text_id, second.body) == (first.text_id, "Hello Ann")
    assert world.look("SELECT attempts, body FROM texts") == [(2, "Hello Ann")]


async def test_an_edited_template_counts_from_the_next_batch(world: World) -> None:
    """A template is compiled once for each revision, and read anew for each batch."""
    tenant = await world.tenant()
    await world.engagement(tenant, 2, queue_batch_limit=1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    world.carrier.answer = accept
    await sender.turn()
    await recorder.commit()
    world.change("UPDATE text_templates SET body = 'Bye {{first-name}}', revision_id = ?", bytes(1))
    await sender.turn()
    assert [submission.body for submission in world.carrier.submitted] == ["Hello Ann", "Bye Ann"]


async def test_an_engagement_of_nothing_but_refusals_completes(world: World) -> None:
    """Where no envelope gets a text, the commit that closes the last one completes the engagement."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3, meta="{}")
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert world.engagement_status(engagement) == "completed"
    assert (await world.ledger(engagement)).reasons == {"missing-variable": 3}


async def test_a_duplicate_is_known_across_batches(world: World) -> None:
    """An envelope that would repeat what its number was sent in an earlier batch is closed as a duplicate."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, [recipient(0)])
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    again = [(recipient(0), '{"first-name":"Ann"}'), (recipient(0), '{"first-name":"Ben"}')]
    await world.envelopes(tenant, engagement, again, world.clock.now())
    await sender.turn()
    assert [submission.body for submission in world.carrier.submitted] == ["Hello Ann", "Hello Ben"]
    assert (await world.ledger(engagement)).reasons == {"duplicate": 1, "sending": 2}


async def test_the_loop_sends_everything(world: World) -> None:
    """The running sender and recorder carry an engagement to its end by themselves."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 100)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, window=20)
    world.carrier.answer = accept
    tasks = [asyncio.create_task(sender.run()), asyncio.create_task(recorder.run())]
    await until(lambda: list(world.statuses().values()) == ["sent"] * 100)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(set(world.carrier.recipients)) == len(world.carrier.recipients) == 100
    assert (await world.ledger(engagement)).reasons == {"sent": 100}


async def test_a_store_that_fails_makes_the_sender_wait(world: World) -> None:
    """The loop outlives a store that cannot be written: it waits, and then sends each text once."""
    tenant = await world.tenant()
    await world.engagement(tenant, 2)
    store = HookedStore(world.store)
    sender = await world.sender(tenant, world.recorder(tenant), store=store)
    store.failures = 1
    task = asyncio.create_task(sender.run())
    await until(lambda: not store.failures)
    sender.wake()
    await until(lambda: world.carrier.submitted)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.carrier.recipients == [recipient(0), recipient(1)]


async def test_envelopes_with_priority_come_first(world: World) -> None:
    """Before others of their engagement, and their engagement before others of its number."""
    tenant = await world.tenant(rate=1.0)
    await world.engagement(tenant, [recipient(20), recipient(21)])
    second = await world.engagement(tenant, [recipient(0), recipient(1)])
    world.change(
        "UPDATE envelopes SET is_priority = true WHERE engagement_id = ? AND phone_number = ?", second.id, recipient(1)
    )
    sender = await world.sender(tenant, world.recorder(tenant))
    for _ in range(4):
        await sender.turn()
        world.wait(1, sender)
    assert world.carrier.recipients[0] == recipient(1)
    assert sorted(world.carrier.recipients[1:]) == [recipient(0), recipient(20), recipient(21)]


async def test_an_envelope_with_priority_that_waits_keeps_nobody_back(world: World) -> None:
    """Held until tomorrow, it has no claim on today: the others of its engagement go out meanwhile."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    world.change(
        "UPDATE envelopes SET is_priority = true, next_at = ? WHERE engagement_id = ? AND phone_number = ?",
        world.clock.now() + 86_400_000_000,
        engagement.id,
        recipient(0),
    )
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert world.carrier.recipients == [recipient(1)]


async def test_a_number_that_has_left_the_pool_between_look_and_intent_sends_nothing(world: World) -> None:
    """The transaction that writes the intent looks again whose engagement it is."""
    tenant = await world.tenant()
    engagement, other = await world.engagement(tenant, 1), await world.second_number(tenant)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await world.pool(engagement, other)
    async with world.store.writing() as tx:
        own = sender.lease, recorder.profile, engagement.id, 10
        assert await sender._intents.write(tx, *own, has_priority=True) is None
        await pools.replace(tx, tenant.account_id, engagement.id, [tenant.number.id, other.id])
        assert await sender._intents.write(tx, *own, has_priority=True) is not None


async def test_a_number_switched_off_between_look_and_intent_sends_nothing(world: World) -> None:
    """The transaction that writes the intent looks again, for a blast and for a single text."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    await world.single(tenant, recipient(9))
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await world.set(tenant.number, is_active=False)
    async with world.store.writing() as tx:
        own = sender.lease, recorder.profile, engagement.id, 10
        assert await sender._intents.write(tx, *own, has_priority=True) is None
        assert await sender._singles.write(tx, sender.lease, recorder.profile, 10) is None
    assert world.statuses() == {recipient(9): "queued"}
