"""Texts that are no envelope's go through the same dispatcher, under the same promise."""

import pytest

from dispatch.test_inbound import hear, text
from dispatch.world import World, accept, receipt_for, recipient
from opengage.clock import SECOND, Instant
from opengage.domain.errors import Fenced
from opengage.domain.outcomes import Deferred, Outcome, Submission
from opengage.ids import floor


async def test_a_single_text_is_sent_and_settled(world: World) -> None:
    """Written as sending before its bytes leave, then sent, then delivered."""
    tenant = await world.tenant()
    await world.single(tenant, recipient(0))
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    world.carrier.on_submit = lambda _: seen.append(world.statuses())
    seen: list[dict[str, str]] = []
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    assert seen == [{recipient(0): "sending"}]
    await recorder.commit()
    recorder.receipts([receipt_for(world.carrier.submitted[0])])
    await recorder.commit()
    assert world.statuses() == {recipient(0): "delivered"}
    assert [(each.sender, each.body) for each in world.carrier.submitted] == [("+12025550100", "Hello")]


async def test_a_suppressed_number_gets_no_single_text(world: World) -> None:
    """It fails for good, with the reason as its code."""
    tenant = await world.tenant()
    await world.suppress(tenant, recipient(0))
    await world.single(tenant, recipient(0))
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert world.carrier.submitted == []
    assert world.look("SELECT status, code, next_at FROM texts") == [("failed", "opted-out", None)]


async def test_a_lapsed_single_text_is_not_sent(world: World) -> None:
    """Past its validity it fails."""
    tenant = await world.tenant()
    await world.single(tenant, recipient(0), expires_at=world.clock.now())
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert (world.carrier.submitted, world.statuses()) == ([], {recipient(0): "failed"})


async def test_a_single_text_that_was_put_off_goes_again(world: World) -> None:
    """At its time, under the same identity."""
    tenant = await world.tenant()
    made = await world.single(tenant, recipient(0))
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Deferred(each.text_id, "ESME_RTHROTTLED", throttled=True)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    world.wait(60, sender)
    world.carrier.answer = accept
    await sender.turn()
    await recorder.commit()
    assert [each.text_id for each in world.carrier.submitted] == [made.id] * 2
    assert world.statuses() == {recipient(0): "sent"}


def second_part_waits(submission: Submission) -> Outcome:
    """The carrier takes the first part of two, and has no room for the other."""
    return Deferred(submission.text_id, "ESME_RTHROTTLED", throttled=True, carrier_refs=((1, "first"),))


async def test_a_part_that_was_taken_is_not_sent_again(world: World) -> None:
    """A long text that was put off halfway goes on with what the carrier has not got, attempt counted or not."""
    tenant = await world.tenant()
    await world.single(tenant, recipient(0), body="x" * 200, segments=2)
    recorder = world.recorder(tenant)
    world.carrier.answer = second_part_waits
    sender = await world.sender(tenant, recorder)
    for _ in range(2):
        await sender.turn()
        await recorder.commit()
        world.wait(60, sender)
    assert [each.accepted for each in world.carrier.submitted] == [None, {1: "first"}]


async def test_a_part_that_was_taken_is_not_sent_by_another_carrier(world: World) -> None:
    """The rest of a long text waits for the carrier that has its beginning, and says so."""
    tenant = await world.tenant()
    await world.single(tenant, recipient(0), body="x" * 200, segments=2)
    usual = world.recorder(tenant)
    other, carrier = await world.fallback(tenant)
    world.carrier.answer = second_part_waits
    sender = await world.sender(tenant, usual, others=[other])
    await sender.turn()
    await usual.commit()
    world.carrier.is_bound = False
    usual.tick()
    world.wait(60, sender)
    usual.tick()
    await sender.turn()
    assert carrier.submitted == []
    assert world.look("SELECT status, hold_reason FROM texts") == [("queued", "part-with-other-carrier")]
    world.carrier.is_bound = True
    usual.tick()
    world.wait(60, sender)
    usual.tick()
    await sender.turn()
    assert [each.accepted for each in world.carrier.submitted] == [None, {1: "first"}]


@pytest.mark.parametrize("throttled", [True, False])
async def test_a_text_that_is_put_off_counts_once_for_the_cap(world: World, throttled: bool) -> None:
    """It does not hold itself, whether or not its attempt was counted."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=1, frequency_hours=24)
    await world.single(tenant, recipient(0))
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Deferred(each.text_id, "ESME_RTHROTTLED", throttled=throttled)
    sender = await world.sender(tenant, recorder)
    for _ in range(2):
        await sender.turn()
        await recorder.commit()
        world.wait(60, sender)
    assert len(world.carrier.submitted) == 2


async def test_a_single_text_counts_for_the_cap_from_when_it_went(world: World) -> None:
    """Not from when it was written: one that waited long holds the next one all the same."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=1, frequency_hours=1)
    await world.single(tenant, recipient(0), id=floor(Instant(world.clock.now() - 7200 * SECOND)))
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    await world.single(tenant, recipient(0))
    await sender.turn()
    assert len(world.carrier.submitted) == 1


async def test_a_stale_epoch_sends_no_single_text(world: World) -> None:
    """Another worker has the lane: nothing is written, nothing leaves."""
    tenant = await world.tenant()
    await world.single(tenant, recipient(0))
    sender = await world.sender(tenant, world.recorder(tenant))
    world.expire_lanes()
    await world.lease(tenant.number, "two")
    with pytest.raises(Fenced):
        await sender.turn()
    assert (world.carrier.submitted, world.statuses()) == ([], {recipient(0): "queued"})


async def test_single_texts_and_blasts_take_turns(world: World) -> None:
    """Single texts come first, and do not keep a blast waiting for ever."""
    tenant = await world.tenant(rate=1.0)
    await world.engagement(tenant, [recipient(10), recipient(11)])
    for place in range(3):
        await world.single(tenant, recipient(place))
    sender = await world.sender(tenant, world.recorder(tenant))
    for _ in range(4):
        await sender.turn()
        world.clock.advance(1)
    assert world.carrier.recipients == [recipient(0), recipient(10), recipient(1), recipient(11)]


async def test_the_night_holds_a_single_text(world: World) -> None:
    """By the same clock as a blast's; the text says which rule."""
    world.clock.wall = Instant(1_796_112_000 * SECOND)  # 2026-12-01T08:00Z: night in all of the United States
    tenant = await world.tenant()
    await world.account(tenant, quiet_hours="on")
    await world.single(tenant, "+12125550110")
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    ((status, rule, next_at, until),) = world.look("SELECT status, hold_reason, next_at, hold_until FROM texts")
    assert (world.carrier.submitted, status) == ([], "queued")
    assert rule
    assert next_at == until > world.clock.now()


async def test_an_opt_out_is_confirmed_once(world: World) -> None:
    """The confirmation goes out though its reader is suppressed; a second STOP hears nothing."""
    tenant = await world.tenant()
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await hear(recorder, text("STOP", tenant))
    await hear(recorder, text("stop", tenant))
    for _ in range(2):
        await sender.turn()
    assert [(each.recipient, "opted out" in each.body) for each in world.carrier.submitted] == [(recipient(0), True)]


async def test_start_and_help_are_answered(world: World) -> None:
    """START once it changes something, HELP once in a while; an account may have its own words, or none."""
    tenant = await world.tenant()
    await world.account(tenant, help_reply="Call us", start_reply="")
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    for word in ("HELP", "help", "START", "STOP", "START"):
        await hear(recorder, text(word, tenant))
    for _ in range(3):
        await sender.turn()
    bodies = [each.body for each in world.carrier.submitted]
    assert bodies[0] == "Call us"
    assert len(bodies) == 2
    assert "opted out" in bodies[1]
    assert world.look("SELECT count(*) FROM suppressions") == [(0,)]


async def test_a_handset_does_not_lift_what_an_operator_suppressed(world: World) -> None:
    """START undoes a STOP, and nothing else."""
    tenant = await world.tenant()
    await world.suppress(tenant, recipient(0))
    world.change("UPDATE suppressions SET reason = 'manual'")
    await hear(world.recorder(tenant), text("START", tenant))
    assert world.look("SELECT reason FROM suppressions") == [("manual",)]
