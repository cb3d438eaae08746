"""Envelopes that wait: by a rule, for their hour, or for another number of their pool; and who was texted lately."""

from opengage.clock import Instant
from opengage.domain.states import EnvelopeStatus, Reason
from opengage.store.contract import Held, Recent, Store
from store.samples import (
    ACCOUNT,
    ENGAGEMENT,
    NOW,
    NUMBER_ID,
    OTHER_ACCOUNT,
    OUTGOING,
    due,
    envelope,
    envelope_id,
    envelopes,
    id_of,
    intent,
    number,
)

LATER = Instant(NOW + 5_000_000)
OTHER_NUMBER = id_of(77)


async def test_a_held_envelope_says_why_and_until_when(store: Store) -> None:
    """It is not due before its time, then it is, still under the reason at which it waits."""
    async with store.writing() as tx:
        await envelopes(tx, 2)
        await tx.batches.hold_envelopes(ACCOUNT, [Held(envelope_id(0), Reason.QUIET_HOURS, "us-federal", LATER)], NOW)
    held = await envelope(store, 0)
    assert (held.status, held.reason) == (EnvelopeStatus.HOLD, Reason.QUIET_HOURS)
    assert (held.hold_reason, held.hold_until, held.next_at) == ("us-federal", LATER, LATER)
    assert [one.envelope_id for one in await due(store, now=Instant(LATER - 1))] == [envelope_id(1)]
    assert {one.envelope_id: one.reason for one in await due(store, now=LATER)} == {
        envelope_id(0): Reason.QUIET_HOURS,
        envelope_id(1): Reason.NONE,
    }


async def test_a_postponed_envelope_stays_pending(store: Store) -> None:
    """Without a rule it only waits for its hour, and says when that is."""
    async with store.writing() as tx:
        await envelopes(tx, 1)
        await tx.batches.hold_envelopes(ACCOUNT, [Held(envelope_id(0), Reason.NONE, None, LATER)], NOW)
    waits = await envelope(store, 0)
    assert (waits.status, waits.reason, waits.scheduled_at) == (EnvelopeStatus.PENDING, Reason.NONE, LATER)
    assert (waits.hold_reason, waits.hold_until, waits.next_at) == (None, None, LATER)


async def test_what_has_been_taken_is_not_held(store: Store) -> None:
    """A hold that comes too late changes nothing; taking a held one ends its hold."""
    async with store.writing() as tx:
        await envelopes(tx, 1)
        await tx.batches.hold_envelopes(ACCOUNT, [Held(envelope_id(0), Reason.THROTTLED, "cap", LATER)], NOW)
        await tx.batches.intend(ACCOUNT, (NUMBER_ID, 7), OUTGOING, [intent(0)], LATER)
        await tx.batches.hold_envelopes(ACCOUNT, [Held(envelope_id(0), Reason.THROTTLED, "cap", LATER)], LATER)
    taken = await envelope(store, 0)
    assert (taken.reason, taken.hold_reason, taken.hold_until, taken.next_at) == (Reason.SENDING, None, None, None)


async def test_an_assigned_envelope_is_due_for_its_number_alone(store: Store) -> None:
    """Another number of the pool does not see it, and still sees those that nobody was given."""
    async with store.writing() as tx:
        await envelopes(tx, 3)
        await tx.batches.assign(ACCOUNT, [(envelope_id(0), NUMBER_ID), (envelope_id(1), OTHER_NUMBER)])
    async with store.reading() as tx:
        mine = await tx.batches.due(ACCOUNT, ENGAGEMENT, NUMBER_ID, NOW, 10)
        others = await tx.batches.due(ACCOUNT, ENGAGEMENT, OTHER_NUMBER, NOW, 10)
    assert {one.envelope_id for one in mine} == {envelope_id(0), envelope_id(2)}
    assert {one.envelope_id for one in others} == {envelope_id(1), envelope_id(2)}


async def test_who_was_texted_lately_is_remembered(store: Store) -> None:
    """By number, from an id on, oldest first, within the account; a repetition is one."""
    texts = [
        Recent(number(0), id_of(20), NUMBER_ID),
        Recent(number(0), id_of(10), OTHER_NUMBER),
        Recent(number(1), id_of(30), NUMBER_ID),
        Recent(number(0), id_of(5), NUMBER_ID),
    ]
    async with store.writing() as tx:
        await tx.batches.remember(ACCOUNT, texts)
        await tx.batches.remember(ACCOUNT, texts[:1])
        await tx.batches.remember(OTHER_ACCOUNT, [Recent(number(0), id_of(40), NUMBER_ID)])
    async with store.reading() as tx:
        found = await tx.batches.recent(ACCOUNT, [number(0), number(2)], id_of(10))
    assert found == [texts[1], texts[0]]
