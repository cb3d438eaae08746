"""The recorder's steps on a store: answers and receipts move texts, envelopes and histories, a batch at a time."""

import pytest

from opengage.clock import Instant
from opengage.domain import records
from opengage.domain.states import STATUS_OF, Reason, TextStatus
from opengage.store import rows
from opengage.store.contract import Result, Settled, Stale, Store, Unanswered
from store.samples import (
    ACCOUNT,
    NOW,
    NUMBER_ID,
    OTHER_ACCOUNT,
    envelope,
    envelope_id,
    id_of,
    sending,
    step,
    take,
    text,
    text_id,
    unanswered,
)

LANE = (NUMBER_ID, 7)
LATER = Instant(NOW + 5_000_000)


async def results(store: Store, place: int) -> list[tuple[str, str | None]]:
    """(kind, code) of the fate events of that text."""
    async with store.reading() as tx:
        found = await rows.every(tx, records.TextResult, account_id=ACCOUNT, text_id=text_id(place))
    return [(result.kind, result.code) for result in found]


@pytest.mark.parametrize(
    ("status", "reason", "code", "sent_at", "settled_at"),
    [
        (TextStatus.SENT, Reason.SENT, None, LATER, None),
        (TextStatus.DELIVERED, Reason.DELIVERED, "DELIVRD", None, LATER),
        (TextStatus.UNDELIVERED, Reason.UNDELIVERED, "UNDELIV:069", None, LATER),
        (TextStatus.FAILED, Reason.REJECTED, "ESME_RINVDSTADR", None, LATER),
        (TextStatus.IN_DOUBT, Reason.IN_DOUBT, "no-answer", None, None),
        (TextStatus.SENT, Reason.SENT_UNCONFIRMED, None, LATER, LATER),
    ],
)
async def test_a_step_moves_text_envelope_and_history(
    store: Store,
    status: TextStatus,
    reason: Reason,
    code: str | None,
    sent_at: Instant | None,
    settled_at: Instant | None,
) -> None:
    """All three in one go, and no neighbour."""
    await sending(store, 2)
    async with store.writing() as tx:
        await take(tx, [step(0, status, reason, code, was_accepted=sent_at is not None)], LATER)
    one, its = await text(store, 0), await envelope(store, 0)
    assert (one.status, one.code, one.result_id, one.updated_at) == (status, code, id_of(500_000), LATER)
    assert (one.sent_at, one.settled_at) == (sent_at, settled_at)
    assert one.epoch == (None if settled_at else 7)
    assert (its.status, its.reason, its.completed_at) == (STATUS_OF[reason], reason, settled_at)
    assert await results(store, 0) == [(status.value, code)]
    assert ((await text(store, 1)).status, (await envelope(store, 1)).reason) == (TextStatus.SENDING, Reason.SENDING)


async def test_the_time_of_sending_stays(store: Store) -> None:
    """A receipt adds its own time and leaves that of the answer."""
    await sending(store, 1)
    async with store.writing() as tx:
        await take(tx, [step(0, TextStatus.SENT, Reason.SENT, was_accepted=True)], NOW)
        sent = unanswered(0, TextStatus.SENT)
        last = step(0, TextStatus.DELIVERED, Reason.DELIVERED, "DELIVRD", text=sent, result_id=id_of(600_000))
        await take(tx, [last], LATER)
    one = await text(store, 0)
    assert (one.sent_at, one.settled_at, one.result_id) == (NOW, LATER, id_of(600_000))
    assert await results(store, 0) == [("sent", None), ("delivered", "DELIVRD")]


async def test_a_step_from_another_state_is_stale(store: Store) -> None:
    """A text that has moved on since it was read is not moved: nothing of the batch is written."""
    await sending(store, 2)
    async with store.writing() as tx:
        await take(tx, [step(0, TextStatus.SENT, Reason.SENT)], NOW)
    both = [step(place, TextStatus.FAILED, Reason.REJECTED) for place in (0, 1)]
    with pytest.raises(Stale):
        async with store.writing() as tx:
            await take(tx, both, LATER)
    assert [(await text(store, place)).status for place in (0, 1)] == [TextStatus.SENT, TextStatus.SENDING]


async def test_a_text_without_an_envelope_moves_alone(store: Store) -> None:
    """A text that was written by itself has no envelope to move."""
    await sending(store, 1)
    lone = Unanswered(ACCOUNT, text_id(0), TextStatus.SENDING, 1, 1, None, None)
    async with store.writing() as tx:
        await take(tx, [step(0, TextStatus.SENT, Reason.SENT, text=lone)], NOW)
    assert (await text(store, 0)).status is TextStatus.SENT
    assert (await envelope(store, 0)).reason is Reason.SENDING


async def test_results_need_no_step(store: Store) -> None:
    """Two events of one batch are two results, though the text makes one step."""
    await sending(store, 1)
    both = [
        Result(id_of(700_000 + place), text_id(0), kind, None)
        for place, kind in enumerate((TextStatus.SENT, TextStatus.DELIVERED))
    ]
    async with store.writing() as tx:
        one = step(0, TextStatus.DELIVERED, Reason.DELIVERED, was_accepted=True)
        await tx.batches.step(ACCOUNT, [one], both, LATER)
        await tx.batches.step(ACCOUNT, [], [], LATER)
    assert await results(store, 0) == [("sent", None), ("delivered", None)]
    assert ((await text(store, 0)).sent_at, (await text(store, 0)).settled_at) == (LATER, LATER)


async def test_a_deferred_text_whose_envelope_is_settled_is_canceled(store: Store) -> None:
    """It will not be tried again; one that is on its way is left alone."""
    await sending(store, 2)
    async with store.writing() as tx:
        await take(tx, [step(0, TextStatus.QUEUED, Reason.RETRYING, next_at=NOW)], NOW)
        settled = [Settled(envelope_id(place), Reason.OPTED_OUT, text_id(place)) for place in (0, 1)]
        await tx.batches.settle_envelopes(ACCOUNT, settled, LATER)
        assert (await tx.batches.texts(ACCOUNT, [text_id(0)]))[text_id(0)].is_settled
    assert ((await text(store, 0)).status, (await text(store, 0)).settled_at) == (TextStatus.CANCELED, LATER)
    assert (await text(store, 1)).status is TextStatus.SENDING
    assert (await envelope(store, 1)).reason is Reason.SENDING


async def test_open_texts_of_a_lane(store: Store) -> None:
    """Those of a status whose fate is open, with their epoch, oldest first, up to an id and a limit."""
    await sending(store, 4)
    async with store.writing() as tx:
        await take(tx, [step(1, TextStatus.SENT, Reason.SENT, was_accepted=True)], LATER)
        await take(tx, [step(2, TextStatus.DELIVERED, Reason.DELIVERED, was_accepted=True)], LATER)
        find = tx.batches.open_texts
        assert await find(ACCOUNT, NUMBER_ID, TextStatus.SENDING, id_of(10**9), 10) == [
            (unanswered(0), 7, None),
            (unanswered(3), 7, None),
        ]
        assert await find(ACCOUNT, NUMBER_ID, TextStatus.SENT, id_of(10**9), 10) == [
            (unanswered(1, TextStatus.SENT), 7, LATER)
        ]
        assert await find(ACCOUNT, NUMBER_ID, TextStatus.SENDING, text_id(3), 10) == [(unanswered(0), 7, None)]
        assert await find(ACCOUNT, NUMBER_ID, TextStatus.SENDING, id_of(10**9), 1) == [(unanswered(0), 7, None)]
        assert await find(ACCOUNT, NUMBER_ID, TextStatus.DELIVERED, id_of(10**9), 10) == []
        assert await find(OTHER_ACCOUNT, NUMBER_ID, TextStatus.SENDING, id_of(10**9), 10) == []
        assert await find(ACCOUNT, id_of(77), TextStatus.SENDING, id_of(10**9), 10) == []
