"""What is in doubt, and what is decided of an engagement from a look, while others change it: on either database."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dispatch.at_once import between, everywhere, in_order, loose, on_postgres, owner
from dispatch.world import LONG, HookedStore, Tenant, World, accept, receipt_for
from opengage.clock import SECOND, Instant
from opengage.dispatch.guardian import Guardian
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.rescuer import Rescuer
from opengage.dispatch.scheduler import Scheduler
from opengage.dispatch.sender import Sender
from opengage.domain.errors import Invalid
from opengage.domain.ledger import Moves
from opengage.domain.outcomes import NO_ANSWER, Deferred, Outcome, ReceiptState, Refused, Submission, Unknown
from opengage.domain.records import Engagement, Envelope, Text
from opengage.domain.states import Reason, TextStatus
from opengage.ids import LAST, new_id
from opengage.operations import doubts, engagements
from opengage.operations.engagement_changes import Changes
from opengage.operations.settling import Settling
from opengage.store import endings, rows, work
from opengage.store.contract import Held, Stale, Store


async def in_doubt(world: World) -> tuple[Tenant, Engagement, Recorder, Sender, Submission]:
    """An engagement of one text that got no answer."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (text,) = world.carrier.submitted
    await hear(recorder, Unknown(text.text_id, NO_ANSWER))
    return tenant, engagement, recorder, sender, text


async def hear(recorder: Recorder, *outcomes: Outcome) -> None:
    """The carrier says this, and it is stored."""
    recorder.outcomes(outcomes)
    await recorder.commit()


async def resent(world: World, made: Any) -> Submission:
    """An operator has it sent again."""
    tenant, engagement, _, sender, _ = made
    await doubts.resolve(world.store, world.clock, new_id, owner(tenant), engagement.id, verb="resend")
    await sender.turn()
    return world.carrier.submitted[-1]


NOT_TAKEN = [
    lambda text: Deferred(text.text_id, "88", throttled=True, attempt=text.attempt),
    lambda text: Refused(text.text_id, "ESME_RSUBMITFAIL", attempt=text.attempt),
]


@everywhere
@pytest.mark.parametrize("late", NOT_TAKEN)
async def test_the_late_answer_to_a_text_that_is_being_sent_again(world: World, late: Any) -> None:
    """That the first submit was not taken says nothing of the second one: no third one follows, nor is it given up."""
    made = _, _, recorder, sender, first = await in_doubt(world)
    second = await resent(world, made)
    assert (first.attempt, second.attempt) == (1, 2)
    await hear(recorder, late(first))  # as Link.on_late_answers tells it
    assert sender.under_way == 1, "the second one is not answered yet"
    assert recorder.under_way() == {second.text_id: second.attempt}
    await hear(recorder, accept(second))
    assert set(world.reasons().values()) == {"sent"}
    assert (sender.under_way, recorder.under_way()) == (0, {})
    world.wait(120, sender)
    await sender.turn()
    assert len(world.carrier.submitted) == 2


@everywhere
@pytest.mark.parametrize("late", NOT_TAKEN)
async def test_the_late_answer_to_a_text_that_is_in_doubt_again(world: World, late: Any) -> None:
    """The second submit may have arrived, whatever became of the first one."""
    made = _, _, recorder, _, first = await in_doubt(world)
    second = await resent(world, made)
    await hear(recorder, Unknown(second.text_id, NO_ANSWER, attempt=second.attempt), late(first))
    assert set(world.reasons().values()) == {"in-doubt"}
    await hear(recorder, late(second))
    assert set(world.reasons().values()) != {"in-doubt"}


@everywhere
async def test_the_late_answer_to_a_submit_of_a_worker_that_lost_its_lane(world: World) -> None:
    """It remembers the text as it sent it, but another one has sent it again since."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    lost = world.recorder(tenant)
    sender = await world.sender(tenant, lost)
    await sender.turn()
    (first,) = world.carrier.submitted
    await hear(world.recorder(tenant), Unknown(first.text_id, "worker-lost"))
    recorder = world.recorder(tenant)
    made = tenant, engagement, recorder, await world.sender(tenant, recorder), first
    second = await resent(world, made)
    await hear(lost, Deferred(first.text_id, "88", throttled=True))
    assert set(world.reasons().values()) == {"sending"}
    await hear(recorder, accept(second))
    assert set(world.reasons().values()) == {"sent"}


@everywhere
async def test_the_first_of_two_submits_was_taken(world: World) -> None:
    """Then the text was, and what the second one comes to changes nothing more."""
    made = _, _, recorder, sender, first = await in_doubt(world)
    second = await resent(world, made)
    await hear(recorder, accept(first))
    assert set(world.reasons().values()) == {"sent"}
    assert sender.under_way == 1
    await hear(recorder, Deferred(second.text_id, "88", throttled=True, attempt=second.attempt))
    assert set(world.reasons().values()) == {"sent"}
    assert sender.under_way == 0
    assert world.look("SELECT count(*) FROM text_segments") == [(1,)]


def change(store: Store, world: World, tenant: Tenant, engagement: Engagement, **changes: Any) -> Awaitable[Any]:
    """PATCH the engagement."""
    return engagements.update(store, world.clock, new_id, owner(tenant), engagement.id, Changes(**changes))


def before_writing(world: World, work: Callable[[], Awaitable[Any]]) -> HookedStore:
    """A store before whose next writing somebody else does this."""
    hooked = HookedStore(world.store)

    async def once() -> None:
        hooked.before_writing = at_rest
        await work()

    hooked.before_writing = once
    return hooked


async def at_rest() -> None:
    """Nobody does anything more."""


def resolve(store: Store, world: World, tenant: Tenant, engagement: Engagement, verb: str) -> Awaitable[Any]:
    """POST a resolution."""
    return doubts.resolve(store, world.clock, new_id, owner(tenant), engagement.id, verb=verb)


def rescuer(store: Store, world: World) -> Rescuer:
    """It takes the risk, where the policy says so."""
    return Rescuer(store, world.clock, new_id, lambda: 0.0)


@everywhere
@pytest.mark.parametrize("who", ["operator", "policy"])
async def test_a_doubt_sent_again_while_its_engagement_is_canceled(world: World, who: str) -> None:
    """It stays in doubt: sent again and closed as canceled, it would be denied though it may have arrived."""
    tenant, engagement, _, sender, _ = await in_doubt(world)
    hooked = before_writing(world, lambda: change(world.store, world, tenant, engagement, status="canceled"))
    if who == "operator":
        with pytest.raises(Invalid, match="canceled"):
            await resolve(hooked, world, tenant, engagement, "resend")
    else:
        profile = await world.set(tenant.profile, in_doubt_policy="resend")
        world.clock.advance(120)
        assert await rescuer(hooked, world).resend_doubtful(sender.lease, profile) == 0
    await Scheduler(world.store, world.clock, new_id).sweep()
    assert hooked.before_writing is at_rest
    assert set(world.reasons().values()) == {"in-doubt"}


@on_postgres
@pytest.mark.parametrize("who", ["operator", "policy"])
async def test_a_resend_waits_for_the_cancel_that_is_being_written(world: World, who: str) -> None:
    """And finds that nothing is sent any more."""
    tenant, engagement, _, sender, _ = await in_doubt(world)
    profile = await world.set(tenant.profile, in_doubt_policy="resend")
    world.clock.advance(120)

    async def resend() -> None:
        if who == "operator":
            with pytest.raises(Invalid):
                await resolve(world.store, world, tenant, engagement, "resend")
        else:
            assert await rescuer(world.store, world).resend_doubtful(sender.lease, profile) == 0

    def cancel(store: Store) -> Awaitable[Any]:
        return change(store, world, tenant, engagement, status="canceled")

    if who == "operator":
        await in_order(world, cancel, resend)
    else:  # it keeps the leases too, and leaves it to its next look
        assert [each for each in await between(cancel, resend, world) if isinstance(each, BaseException)] == []
    assert set(world.reasons().values()) == {"in-doubt"}


@on_postgres
async def test_a_doubt_resolved_while_its_receipt_comes(world: World) -> None:
    """The receipt stands, and the others are resolved: the request is not refused as a whole."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Unknown(each.text_id, NO_ANSWER)
    await (await world.sender(tenant, recorder)).turn()
    await recorder.commit()

    async def receipt(store: Store) -> None:
        own = world.recorder(tenant, store)
        own.receipts([receipt_for(world.carrier.submitted[0])])
        await own.commit()

    resolved = await in_order(world, receipt, lambda: resolve(world.store, world, tenant, engagement, "give-up"))
    assert resolved.count == 1
    assert sorted(world.reasons().values()) == ["delivered", "unknown"]
    assert len(world.look("SELECT id FROM audit_events")) == 1


@everywhere
async def test_a_doubt_of_a_text_that_was_put_off_before(world: World) -> None:
    """It has its minute too, from when it went in doubt and not from when it was written."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    profile = await world.set(tenant.profile, in_doubt_policy="resend")
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (text,) = world.carrier.submitted
    await hear(recorder, Deferred(text.text_id, "88", throttled=True))
    world.wait(120, sender)
    await sender.turn()
    assert len(world.carrier.submitted) == 2
    await hear(recorder, Unknown(text.text_id, NO_ANSWER))
    world.wait(59, sender)
    assert await rescuer(world.store, world).resend_doubtful(sender.lease, profile) == 0
    world.wait(2, sender)
    assert await rescuer(world.store, world).resend_doubtful(sender.lease, profile) == 1


@everywhere
async def test_a_worker_that_stood_still_while_its_doubt_was_sent_for_the_last_time(world: World) -> None:
    """What it saw to be sent again has used up its attempts since."""
    made = tenant, _, recorder, sender, _ = await in_doubt(world)
    second = await resent(world, made)
    await hear(recorder, Unknown(second.text_id, NO_ANSWER, attempt=second.attempt))
    profile = await world.set(tenant.profile, in_doubt_policy="resend")
    world.wait(120, sender)

    async def last() -> None:
        third = await resent(world, made)
        await hear(recorder, Unknown(third.text_id, NO_ANSWER, attempt=third.attempt))
        world.wait(120, sender)

    hooked = before_writing(world, last)
    assert await rescuer(hooked, world).resend_doubtful(sender.lease, profile) == 0
    await sender.turn()
    assert [each.attempt for each in world.carrier.submitted] == [1, 2, 3]


@on_postgres
@pytest.mark.parametrize("who", ["operator", "policy"])
async def test_a_resend_that_holds_nothing_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """Without the hold on its engagement the test above fails."""

    async def look(tx: Any, record: Any, account_id: int, ids: Any, **_: Any) -> Any:
        return await rows.find_many(tx, record, account_id, ids)

    monkeypatch.setattr(rows, "hold" if who == "operator" else "hold_free", look)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await test_a_resend_waits_for_the_cancel_that_is_being_written(world, who)


@everywhere
async def test_a_validity_prolonged_while_the_sweep_is_at_work(world: World) -> None:
    """Who was told that it was prolonged finds everybody waiting still."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3, validity_seconds=60, started_at=world.clock.now())
    world.clock.advance(61)
    hooked = before_writing(world, lambda: change(world.store, world, tenant, engagement, validity_seconds=3600))
    await Scheduler(hooked, world.clock, new_id).sweep()
    assert hooked.before_writing is at_rest
    assert set(world.reasons().values()) == {""}


@on_postgres
async def test_the_sweep_leaves_alone_what_is_being_prolonged(world: World) -> None:
    """And closes nobody."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3, validity_seconds=60, started_at=world.clock.now())
    world.clock.advance(61)
    await between(
        lambda store: change(store, world, tenant, engagement, validity_seconds=3600),
        Scheduler(world.store, world.clock, new_id).sweep,
        world,
    )
    await Scheduler(world.store, world.clock, new_id).sweep()
    assert set(world.reasons().values()) == {""}


@everywhere
async def test_a_resume_while_the_guard_is_about_to_pause(world: World) -> None:
    """What it saw was forgiven since: the engagement goes on."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 300, pause_failure_ratio=0.1, started_at=world.clock.now())
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender = await world.sender(tenant, recorder, window=120)
    await _fail(world, recorder, sender)

    async def resume() -> None:
        await change(world.store, world, tenant, engagement, status="paused")
        await change(world.store, world, tenant, engagement, status="scheduled")

    hooked = before_writing(world, resume)
    await Guardian(hooked, world.clock, new_id).sweep()
    assert hooked.before_writing is at_rest, "the guard would have paused it"
    assert world.engagement_status(engagement) == "processing"
    await _fail(world, recorder, sender)
    await Guardian(world.store, world.clock, new_id).sweep()
    assert world.engagement_status(engagement) == "paused", "by what was not forgiven"


async def _fail(world: World, recorder: Recorder, sender: Sender) -> None:
    """A hundred texts go out, and none arrives."""
    for _ in range(2):
        sent = len(world.carrier.submitted)
        await sender.turn()
        await recorder.commit()
        recorder.receipts([receipt_for(each, ReceiptState.UNDELIVERED) for each in world.carrier.submitted[sent:]])
        await recorder.commit()


@on_postgres
async def test_a_sweep_that_holds_nothing_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the hold on what has lapsed the test above fails."""
    loose(monkeypatch, work, "_STILL_OVER")
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await test_the_sweep_leaves_alone_what_is_being_prolonged(world)


LATE: dict[str, tuple[str, Callable[[Recorder, Submission], None]]] = {
    "its answer": ("sent", lambda recorder, text: recorder.outcomes([accept(text)])),
    "its receipt": ("delivered", lambda recorder, text: recorder.receipts([receipt_for(text)])),
    "a receipt of unknown id": ("delivered", lambda recorder, text: recorder.receipts([receipt_for(text)])),
}


@everywhere
@pytest.mark.parametrize("kept_by", ["nothing", "a pause", "a gate"])
@pytest.mark.parametrize("late", LATE)
async def test_what_proves_to_be_taken_is_not_sent_again(world: World, late: str, kept_by: str) -> None:
    """A late answer to the first submit, or its receipt, makes the second one needless, wherever the envelope waits for
    that; the ledger counts it out of there."""
    reason, tell = LATE[late]
    tenant, engagement, recorder, sender, first = await in_doubt(world)
    if late == "its receipt":
        async with world.store.writing() as tx:  # by which its text is known
            refs = [(receipt_for(first).carrier_ref, first.text_id, 1, 1)]
            await tx.batches.add_refs(tenant.account_id, tenant.profile.id, refs)
    await resolve(world.store, world, tenant, engagement, "resend")
    if kept_by == "a pause":
        await world.set(engagement, status="paused")
    if kept_by == "a gate":
        await hold(world.store, world, tenant, engagement)
    tell(recorder, first)
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons == {reason: 1}
    assert set(world.reasons().values()) == {reason}
    async with world.store.reading() as tx:
        (envelope,) = await rows.some(tx, Envelope, limit=2, offset=0, account_id=tenant.account_id)
        (text,) = await rows.some(tx, Text, limit=2, offset=0, account_id=tenant.account_id)
        still_open = await tx.batches.open_texts(tenant.account_id, tenant.number.id, TextStatus.SENT, LAST, 2)
    assert (envelope.next_at, envelope.hold_reason, envelope.hold_until) == (None, None, None)
    assert text.status == reason
    assert [each.text_id for each, *_ in still_open] == ([text.id] if reason == "sent" else [])
    await sender.turn()
    assert len(world.carrier.submitted) == 1


@everywhere
async def test_what_is_canceled_as_it_waits_to_be_sent_again_is_open_no_more(world: World) -> None:
    """No receipt is expected for it: it is in no index of what is open, for good."""
    tenant, engagement, recorder, _, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")
    await change(world.store, world, tenant, engagement, status="canceled")
    recorder.receipts([receipt_for(first)])
    await recorder.commit()
    assert world.look("SELECT status, epoch FROM texts") == [("canceled", None)]


async def test_a_recorder_whose_texts_move_twice_looks_again_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store can be written: nothing is refused for that, and nobody waits half a second."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    (text,) = world.carrier.submitted
    moves, write = iter((Stale, Stale)), Settling.write_texts

    async def written(settling: Settling, *told: Any) -> Any:
        if moved := next(moves, None):
            raise moved
        return await write(settling, *told)

    def refuse(*_: Any) -> None:
        pytest.fail("what handsets say was refused")

    monkeypatch.setattr(Settling, "write_texts", written)
    monkeypatch.setattr(recorder, "_refuse", refuse)
    await hear(recorder, accept(text))
    assert set(world.reasons().values()) == {"sent"}


@everywhere
async def test_a_part_that_was_taken_twice_is_not_another_part(world: World) -> None:
    """Of three parts two are delivered, one of them twice: the third one goes out still."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1, body=LONG)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (text,) = world.carrier.submitted
    await hear(recorder, Unknown(text.text_id, NO_ANSWER, ((1, "a"),)))
    await resolve(world.store, world, tenant, engagement, "resend")
    await sender.turn()
    await hear(recorder, Deferred(text.text_id, "88", throttled=True, carrier_refs=((2, "b2"),), attempt=2))
    await hear(recorder, Deferred(text.text_id, "88", throttled=True, carrier_refs=((1, "a"), (2, "b1")), attempt=1))
    recorder.receipts([receipt_for(text, carrier_ref=ref, reference=None) for ref in ("a", "b1", "b2")])
    await recorder.commit()
    world.wait(600, sender)
    await sender.turn()
    assert len(world.carrier.submitted) == 3
    assert set(world.reasons().values()) == {"sending"}


@on_postgres
async def test_a_resend_while_the_late_answer_is_being_written(world: World) -> None:
    """It passes the envelope by, and finds nothing to send afterwards."""
    tenant, engagement, _, sender, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")

    def answer(store: Store) -> Awaitable[Any]:
        return hear(world.recorder(tenant, store), accept(first))

    assert [each for each in await between(answer, sender.turn, world) if isinstance(each, BaseException)] == []
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    assert (await world.ledger(engagement)).reasons == {"sent": 1}


@on_postgres
async def test_a_late_answer_while_the_resend_is_being_written(world: World) -> None:
    """It comes too late to stop that, waits for it, and tells what is true of the text: it was taken."""
    tenant, engagement, recorder, _, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")

    async def resend(store: Store) -> None:
        await (await world.sender(tenant, recorder, store=store)).turn()

    await in_order(world, resend, lambda: hear(world.recorder(tenant), accept(first)))
    assert (await world.ledger(engagement)).reasons == {"sent": 1}
    assert set(world.reasons().values()) == {"sent"}


@on_postgres
async def test_a_late_answer_while_a_gate_begins_to_hold_the_envelope(world: World) -> None:
    """It is counted out of the place where it is held by then."""
    tenant, engagement, recorder, _, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")

    def begin(store: Store) -> Awaitable[Any]:
        return hold(store, world, tenant, engagement)

    await in_order(world, begin, lambda: hear(recorder, accept(first)))
    assert (await world.ledger(engagement)).reasons == {"sent": 1}


async def hold(store: Store, world: World, tenant: Tenant, engagement: Engagement) -> None:
    """A gate holds the envelope that is to be sent again."""
    now = world.clock.now()
    async with store.writing() as tx:
        (envelope,) = await rows.some(tx, Envelope, limit=1, offset=0, account_id=tenant.account_id)
        held = Held(envelope.id, Reason.QUIET_HOURS, "quiet-hours", Instant(now + SECOND))
        await tx.batches.hold_envelopes(tenant.account_id, [held], now)
        moves = Moves()
        moves.leave(tenant.account_id, engagement.id, envelope.reason, 1)
        moves.arrive(tenant.account_id, engagement.id, Reason.QUIET_HOURS, 1)
        await endings.move_and_complete(tx, moves, now, new_id)


@everywhere
async def test_the_late_refusal_of_a_text_that_waits_to_be_sent_again(world: World) -> None:
    """It was to be sent again whatever became of the first submit: the envelope may wait for its hour by now, and would
    be counted out of where it is not."""
    tenant, engagement, recorder, sender, first = await in_doubt(world)
    await resolve(world.store, world, tenant, engagement, "resend")
    await hear(recorder, Refused(first.text_id, "ESME_RSUBMITFAIL"))
    assert (await world.ledger(engagement)).reasons == {"retrying": 1}
    await sender.turn()
    assert [each.attempt for each in world.carrier.submitted] == [1, 2]
