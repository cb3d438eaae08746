"""Receipts of unknown id, and texts that wait to be sent again: a wrong guess would keep one from ever being sent."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatch.at_once import everywhere, in_order, on_postgres, owner
from dispatch.test_at_once_doubts import hear, in_doubt, rescuer, resolve
from dispatch.world import LONG, Tenant, World, accept, receipt_for, recipient
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.sender import Sender
from opengage.domain.outcomes import NO_ANSWER, Accepted, Deferred, Outcome, ReceiptState, Refused, Submission, Unknown
from opengage.domain.records import Engagement
from opengage.ids import new_id
from opengage.operations import texts
from opengage.store.contract import Store

FAILED = (ReceiptState.UNDELIVERED, ReceiptState.EXPIRED)


async def tell(recorder: Recorder, text: Submission, *args: Any, **changes: Any) -> None:
    """A receipt comes, and what it says is stored."""
    recorder.receipts([receipt_for(text, *args, **changes)])
    await recorder.commit()


async def long_doubt(world: World, *refs: tuple[int, str]) -> tuple[Tenant, Engagement, Recorder, Sender, Submission]:
    """An engagement of one text of three parts, of which these were taken before the answers stopped."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1, body=LONG)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (text,) = world.carrier.submitted
    await hear(recorder, Unknown(text.text_id, NO_ANSWER, refs))
    return tenant, engagement, recorder, sender, text


async def neighbours(
    world: World,
) -> tuple[Tenant, Engagement, Engagement, Recorder, Sender, Submission, Submission]:
    """Two engagements, and the text of each to the same person, both in doubt."""
    tenant = await world.tenant()
    one = await world.engagement(tenant, 1)
    other = await world.engagement(tenant, 1, body="Other {{first-name}}")
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await sender.turn()
    sent = world.carrier.submitted
    await hear(recorder, *(Unknown(text.text_id, NO_ANSWER) for text in sent))
    engagement_of = dict(world.look("SELECT id, engagement_id FROM texts"))
    first, second = sorted(sent, key=lambda text: engagement_of[text.text_id] != one.id)
    return tenant, one, other, recorder, sender, first, second


@everywhere
async def test_a_failure_of_unknown_id_leaves_it_to_the_second_submit(world: World) -> None:
    """What did not arrive at first is sent again, and the failure, brought again, says nothing of the second submit."""
    tenant, engagement, recorder, sender, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")
    await tell(recorder, first, ReceiptState.UNDELIVERED, carrier_ref="first")
    await sender.turn()
    assert len(world.carrier.submitted) == 2
    await hear(recorder, Accepted(first.text_id, ("second",), attempt=2))
    await tell(recorder, first, ReceiptState.UNDELIVERED, carrier_ref="first")
    assert set(world.reasons().values()) == {"sent"}


@everywhere
@pytest.mark.parametrize("state", FAILED)
async def test_the_last_part_of_a_long_text_failed_as_it_waits_to_be_sent_again(
    world: World, state: ReceiptState
) -> None:
    """That part is sent again: it is not taken for one that is there."""
    tenant, engagement, recorder, sender, text = await long_doubt(world, (1, "a"), (2, "b"))
    recorder.receipts([receipt_for(text, carrier_ref=ref, reference=None) for ref in "ab"])
    await recorder.commit()
    await resolve(world.store, world, tenant, engagement, "resend")
    await tell(recorder, text, state, carrier_ref="c")
    await sender.turn()
    assert world.carrier.submitted[-1].accepted == {1: "a", 2: "b"}
    await hear(recorder, Accepted(text.text_id, ("a", "b", "c2"), attempt=2))
    await tell(recorder, text, carrier_ref="c2")
    assert set(world.reasons().values()) == {"delivered"}


@everywhere
async def test_a_part_that_was_taken_twice_is_not_guessed_to_be_the_missing_one(world: World) -> None:
    """The receipt of unknown id may be of the first submit's second part: the third part goes out."""
    tenant, engagement, recorder, sender, text = await long_doubt(world, (1, "a"))
    await resolve(world.store, world, tenant, engagement, "resend")
    await sender.turn()
    await hear(recorder, Unknown(text.text_id, NO_ANSWER, ((1, "a"), (2, "b2")), attempt=2))
    await resolve(world.store, world, tenant, engagement, "resend")
    await tell(recorder, text, carrier_ref="b1")
    await sender.turn()
    accepted = world.carrier.submitted[-1].accepted
    assert accepted is not None
    assert set(accepted) == {1, 2}


BESIDE: dict[str, Callable[[Submission], Outcome | None]] = {
    "its own carrier had not taken it": lambda text: Deferred(text.text_id, "88", throttled=True),
    "its own carrier had refused it": lambda text: Refused(text.text_id, "ESME_RSUBMITFAIL"),
    "nothing was said of it": lambda _: None,
}


@everywhere
@pytest.mark.parametrize("late", BESIDE)
@pytest.mark.parametrize("is_given_up", [False, True])
async def test_a_neighbours_receipt_without_a_reference_ends_no_text_that_waits(
    world: World, late: str, is_given_up: bool
) -> None:
    """It resolves the neighbour's doubt, if that is one still; what waits is sent."""
    tenant, one, other, recorder, sender, first, second = await neighbours(world)
    if is_given_up:
        await resolve(world.store, world, tenant, other, "give-up")
    await resolve(world.store, world, tenant, one, "resend")
    if outcome := BESIDE[late](first):
        await hear(recorder, outcome)
    await tell(recorder, second, carrier_ref="x", reference=None)
    assert "delivered" not in (await world.ledger(one)).reasons
    if not is_given_up:
        assert (await world.ledger(other)).reasons == {"delivered": 1}
    await sender.turn()
    assert [text.text_id for text in world.carrier.submitted[2:]] == [first.text_id]


@everywhere
@pytest.mark.parametrize("is_withheld", [False, True])
async def test_a_second_submit_that_did_not_leave_does_not_end_the_doubt_of_the_first(
    world: World, is_withheld: bool
) -> None:
    """The first one's receipt stops the third."""
    tenant, engagement, recorder, sender, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")
    if is_withheld:
        sender.valid_until = 0.0
    await sender.turn()
    if is_withheld:
        await recorder.commit()
    else:
        await hear(recorder, Deferred(first.text_id, "88", throttled=True, attempt=2))
    before = len(world.carrier.submitted)
    await tell(recorder, first)
    world.wait(600, sender)
    await sender.turn()
    assert len(world.carrier.submitted) == before
    assert (await world.ledger(engagement)).reasons == {"delivered": 1}


@everywhere
@pytest.mark.parametrize("is_canceled", [False, True])
async def test_a_single_text_that_waits_to_be_sent_again(world: World, is_canceled: bool) -> None:
    """Its receipt stops it too, of whatever id; canceled, it is open no more."""
    tenant = await world.tenant()
    single = await world.single(tenant, recipient(9))
    profile = await world.set(tenant.profile, in_doubt_policy="resend")
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (first,) = world.carrier.submitted
    await hear(recorder, Unknown(first.text_id, NO_ANSWER))
    world.wait(120, sender)
    assert await rescuer(world.store, world).resend_doubtful(sender.lease, profile) == 1
    if is_canceled:
        await texts.cancel(world.store, world.clock, new_id, owner(tenant), single.id, "canceled")
    await tell(recorder, first)
    fate = "canceled" if is_canceled else "delivered"
    assert world.look("SELECT status, epoch, next_at FROM texts") == [(fate, None, None)]
    await sender.turn()
    assert len(world.carrier.submitted) == 1


@on_postgres
async def test_a_parked_receipt_is_matched_as_its_text_is_sent_again(world: World) -> None:
    """Whoever comes second looks again: the dispatcher does not stumble over it."""
    tenant, engagement, recorder, sender, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")
    await world.set(engagement, status="paused")
    await world.engagement(tenant, 1, body="Other")
    await sender.turn()
    beside = world.carrier.submitted[-1]
    await tell(recorder, first, carrier_ref="first")  # parked, since another text to this person is under way
    await hear(recorder, accept(beside))
    await world.set(engagement, status="processing")

    async def send(store: Store) -> None:
        sender._store = store
        await sender.turn()

    await in_order(world, send, recorder.match_lately_parked)
    assert len(world.carrier.submitted) == 3
