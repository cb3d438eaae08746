"""The hot path of a store: envelopes in, intents, answers and receipts, a batch at a time."""

import msgspec
import pytest
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain import records
from opengage.domain.errors import Fenced
from opengage.domain.states import STATUS_OF, EnvelopeStatus, Reason, TextStatus
from opengage.store import rows
from opengage.store.contract import Due, NewEnvelope, Settled, Store
from store.samples import (
    ACCOUNT,
    AUTHOR,
    ENGAGEMENT,
    NOW,
    NUMBER_ID,
    OTHER_ACCOUNT,
    OTHER_ENGAGEMENT,
    OTHER_PROFILE,
    OUTGOING,
    PROFILE,
    SENDER,
    due,
    envelope,
    envelope_id,
    envelopes,
    id_of,
    intent,
    number,
    sending,
    step,
    take,
    text,
    text_id,
    unanswered,
)

LANE = (NUMBER_ID, 7)
LATER = Instant(NOW + 5_000_000)


@pytest.mark.parametrize("count", [1, 499, 500, 1200])
async def test_new_envelopes_are_due_in_order(store: Store, count: int) -> None:
    """Whatever the size of the batch, each is pending and due at once, in the order given."""
    async with store.writing() as tx:
        ids = await envelopes(tx, count)
    found = await due(store, limit=2000)
    assert [(one.envelope_id, one.phone_number) for one in found] == list(
        zip(ids, map(number, range(count)), strict=True)
    )
    assert found[0] == Due(envelope_id(0), number(0), "{}", None, Reason.NONE)


async def test_no_new_envelopes(store: Store) -> None:
    """An empty batch is no trouble."""
    async with store.writing() as tx:
        await tx.batches.insert_envelopes(ACCOUNT, ENGAGEMENT, AUTHOR, [], [], NOW)
    assert await due(store) == []


@pytest.mark.parametrize(
    "meta",
    ["{}", '{"first-name":"Zoë 👍 \\"x\\" \\u0000"}', '{"a":{"b":[1,2.5,null,true]}}', '{"big":12345678901234567890}'],
)
async def test_an_envelope_keeps_what_is_its_own(store: Store, meta: str) -> None:
    """Its meta comes back to the letter, and so does the rest; the author is the batch's."""
    new = NewEnvelope(number(0), meta, "https://shop.example/hook", "text", True, 90)
    async with store.writing() as tx:
        await tx.batches.insert_envelopes(ACCOUNT, ENGAGEMENT, AUTHOR, [envelope_id(0)], [new], NOW)
    assert await envelope(store, 0) == records.Envelope(
        account_id=ACCOUNT,
        id=envelope_id(0),
        created_at=NOW,
        updated_at=NOW,
        created_by=AUTHOR,
        updated_by=AUTHOR,
        engagement_id=ENGAGEMENT,
        phone_number=number(0),
        meta=meta,
        next_at=Instant(NOW + 90_000_000),
        callback="https://shop.example/hook",
        callback_include="text",
        is_priority=True,
        delay_in_seconds=90,
    )


async def test_due_keeps_to_its_engagement_its_time_and_its_limit(store: Store) -> None:
    """The oldest come first; others' envelopes and later ones do not come at all."""
    async with store.writing() as tx:
        late = NewEnvelope(number(9), "{}", delay_in_seconds=5)
        await tx.batches.insert_envelopes(ACCOUNT, ENGAGEMENT, AUTHOR, [envelope_id(9)], [late], NOW)
        await envelopes(tx, 3)
        await envelopes(tx, 2, engagement=OTHER_ENGAGEMENT, first=20)
        await envelopes(tx, 2, account=OTHER_ACCOUNT, first=30)
    assert [one.envelope_id for one in await due(store, limit=2)] == [envelope_id(0), envelope_id(1)]
    assert len(await due(store, now=Instant(LATER - 1))) == 3
    assert [one.envelope_id for one in await due(store, now=LATER)][-1] == envelope_id(9)
    assert await due(store, now=Instant(NOW - 1)) == []


async def test_suppressed_numbers(store: Store) -> None:
    """Those of the numbers asked for that this account, and no other, must not text."""
    async with store.writing() as tx:
        for account, place in ((ACCOUNT, 1), (ACCOUNT, 2), (OTHER_ACCOUNT, 3)):
            row = records.Suppression(
                account_id=account,
                id=id_of(place),
                created_at=NOW,
                updated_at=NOW,
                phone_number=number(place),
                reason="opted-out",
            )
            await rows.insert(tx, row)
        assert await tx.batches.suppressed(ACCOUNT, [number(1), number(3), number(4)]) == {number(1)}
        assert await tx.batches.suppressed(ACCOUNT, []) == set()


async def test_an_intent_is_written_before_anything_leaves(store: Store) -> None:
    """The text is sending under the lane's epoch, its envelope processing and no longer due."""
    await sending(store, 2)
    one, its = await text(store, 1), await envelope(store, 1)
    assert one == records.Text(
        account_id=ACCOUNT,
        id=text_id(1),
        created_at=NOW,
        updated_at=NOW,
        created_by=AUTHOR,
        updated_by=AUTHOR,
        sender=SENDER,
        recipient=number(1),
        direction="outbound",
        status=TextStatus.SENDING,
        body="Hello",
        segments=1,
        phone_number_id=NUMBER_ID,
        service_profile_id=PROFILE,
        engagement_id=ENGAGEMENT,
        envelope_id=envelope_id(1),
        epoch=7,
        attempts=1,
    )
    assert (its.status, its.reason) == (EnvelopeStatus.PROCESSING, Reason.SENDING)
    assert (its.next_at, its.text_id, its.processed_at) == (None, text_id(1), NOW)
    assert await due(store) == []


@pytest.mark.parametrize("body", ["", 'It\'s "quoted" \\ and\nbroken', "Zoë 👍", "a" * 1530])
async def test_a_body_comes_back_to_the_letter(store: Store, body: str) -> None:
    """What is stored is what was rendered."""
    async with store.writing() as tx:
        await envelopes(tx, 1)
        await tx.batches.intend(ACCOUNT, LANE, OUTGOING, [intent(0, body=body)], NOW)
    assert (await text(store, 0)).body == body


@pytest.mark.parametrize("taken", ["intended", "settled", "absent", "twice", "another's"])
async def test_an_envelope_that_is_no_longer_due_fences_the_batch(store: Store, taken: str) -> None:
    """Whoever comes second writes nothing: not for that envelope, and not for its neighbours."""
    async with store.writing() as tx:
        await envelopes(tx, 3)
        if taken == "intended":
            await tx.batches.intend(ACCOUNT, LANE, OUTGOING, [intent(1)], NOW)
        if taken == "settled":
            await tx.batches.settle_envelopes(ACCOUNT, [Settled(envelope_id(1), Reason.OPTED_OUT, None)], NOW)
    mine = [intent(0), intent(1), intent(2)]
    for one in mine:
        one.text_id = id_of(900_000 + int.from_bytes(one.text_id[-2:], "big"))
    if taken == "absent":
        mine[1].envelope_id = envelope_id(77)
    if taken == "twice":
        mine[1].envelope_id = envelope_id(0)
    account = OTHER_ACCOUNT if taken == "another's" else ACCOUNT
    before = await due(store)
    with pytest.raises(Fenced):
        async with store.writing() as tx:
            await tx.batches.intend(account, LANE, OUTGOING, mine, NOW)
    assert await due(store) == before
    async with store.reading() as tx:
        assert await tx.batches.texts(account, [one.text_id for one in mine]) == {}


async def test_a_deferred_text_is_tried_again_under_its_identity(store: Store) -> None:
    """It is queued, open still and due at its time; its retry counts up and takes the new epoch."""
    await sending(store, 2)
    async with store.writing() as tx:
        await take(tx, [step(0, TextStatus.QUEUED, Reason.RETRYING, "ESME_RTHROTTLED", next_at=LATER)], NOW)
    waiting, its = await text(store, 0), await envelope(store, 0)
    assert (waiting.status, waiting.epoch, waiting.code) == (TextStatus.QUEUED, 7, "ESME_RTHROTTLED")
    assert (its.status, its.reason, its.retry_attempts) == (EnvelopeStatus.PROCESSING, Reason.RETRYING, 0)
    assert await due(store) == []
    assert await due(store, now=LATER) == [
        Due(envelope_id(0), number(0), "{}", text_id(0), Reason.RETRYING, is_texted=True)
    ]
    async with store.writing() as tx:
        await envelopes(tx, 1, first=5)
        batch = [intent(0, is_retry=True), intent(5)]
        await tx.batches.intend(ACCOUNT, (NUMBER_ID, 8), OUTGOING, batch, LATER)
    again = await text(store, 0)
    assert (again.status, again.epoch, again.attempts, again.created_at) == (TextStatus.SENDING, 8, 2, NOW)
    assert (await text(store, 5)).attempts == 1
    assert (await text(store, 1)).epoch == 7


async def test_a_retry_of_what_is_not_queued_is_fenced(store: Store) -> None:
    """A text that is sending, or in doubt, is never submitted again, even when its envelope looks due."""
    await sending(store, 1)
    async with store.writing() as tx:
        await take(tx, [step(0, TextStatus.IN_DOUBT, Reason.IN_DOUBT, next_at=NOW)], NOW)
    with pytest.raises(Fenced):
        async with store.writing() as tx:
            await tx.batches.intend(ACCOUNT, LANE, OUTGOING, [intent(0, is_retry=True)], NOW)
    assert (await text(store, 0)).attempts == 1


async def test_envelopes_without_a_text_are_settled(store: Store) -> None:
    """Each under its own reason, and no longer due; one that was taken already stays as it is."""
    async with store.writing() as tx:
        await envelopes(tx, 4)
        await tx.batches.intend(ACCOUNT, LANE, OUTGOING, [intent(3)], NOW)
    reasons = [Reason.OPTED_OUT, Reason.DUPLICATE, Reason.MISSING_VARIABLE, Reason.CANCELED]
    async with store.writing() as tx:
        settled = [Settled(envelope_id(place), reason, None) for place, reason in enumerate(reasons)]
        await tx.batches.settle_envelopes(ACCOUNT, settled, LATER)
    for place, reason in enumerate(reasons[:3]):
        its = await envelope(store, place)
        assert (its.status, its.reason, its.next_at) == (STATUS_OF[reason], reason, None)
        assert its.completed_at == LATER
    assert (await envelope(store, 3)).reason is Reason.SENDING
    assert await due(store) == []


async def test_texts_by_id(store: Store) -> None:
    """Those that exist, in this account."""
    await sending(store, 2)
    async with store.reading() as tx:
        assert await tx.batches.texts(ACCOUNT, [text_id(1), text_id(9)]) == {text_id(1): unanswered(1)}
        assert await tx.batches.texts(OTHER_ACCOUNT, [text_id(1)]) == {}
        assert await tx.batches.texts(ACCOUNT, []) == {}


async def test_texts_by_the_carriers_ids(store: Store) -> None:
    """Each profile has ids of its own; an id that is not known yet is left out; adding one twice is no trouble."""
    await sending(store, 3)
    refs = [("m1", text_id(0), 1, 1), ("m2", text_id(1), 1, 2), ("m3", text_id(1), 2, 2)]
    async with store.writing() as tx:
        await tx.batches.add_refs(ACCOUNT, PROFILE, refs)
        await tx.batches.add_refs(ACCOUNT, PROFILE, refs[:1])
        await tx.batches.add_refs(ACCOUNT, OTHER_PROFILE, [("m1", text_id(2), 1, 1)])
        await tx.batches.add_refs(ACCOUNT, PROFILE, [])
    async with store.reading() as tx:
        found = await tx.batches.texts_of_refs(ACCOUNT, PROFILE, ["m1", "m3", "m4", "m1"])
        assert found == {"m1": unanswered(0), "m3": unanswered(1)}
        assert await tx.batches.texts_of_refs(ACCOUNT, OTHER_PROFILE, ["m1"]) == {"m1": unanswered(2)}
        assert await tx.batches.texts_of_refs(OTHER_ACCOUNT, PROFILE, ["m1"]) == {}


async def test_a_carriers_id_may_hold_any_character(store: Store) -> None:
    """It is the carrier's own word: quotes, braces, commas, spaces and accents are part of it."""
    odd = ['"', "\\", '",{"a', "[1,2]", "\x1f\t", "é€", "NULL", "'; --"]
    await sending(store, len(odd))
    refs = [(ref, text_id(place), 1, 1) for place, ref in enumerate(odd)]
    async with store.writing() as tx:
        await tx.batches.add_refs(ACCOUNT, PROFILE, refs)
        found = await tx.batches.texts_of_refs(ACCOUNT, PROFILE, odd)
    assert found == {ref: unanswered(place) for place, ref in enumerate(odd)}


async def test_a_carriers_id_that_came_again_means_the_newest_text(store: Store) -> None:
    """Carriers use their ids again after a while."""
    await sending(store, 2)
    async with store.writing() as tx:
        await tx.batches.add_refs(ACCOUNT, PROFILE, [("m1", text_id(1), 1, 1), ("m1", text_id(0), 1, 1)])
        assert await tx.batches.texts_of_refs(ACCOUNT, PROFILE, ["m1"]) == {"m1": unanswered(1)}


async def test_what_was_sent_before(store: Store) -> None:
    """(number, body, id) of this engagement's texts to the numbers asked for, and of no other's."""
    await sending(store, 2)
    async with store.writing() as tx:
        await envelopes(tx, 1, engagement=OTHER_ENGAGEMENT, first=5)
        found = await tx.batches.sent_before(ACCOUNT, ENGAGEMENT, [number(1), number(5), number(8)])
        assert found == [(number(1), "Hello", text_id(1))]
        assert await tx.batches.sent_before(ACCOUNT, OTHER_ENGAGEMENT, [number(1), number(5)]) == []
        assert await tx.batches.sent_before(OTHER_ACCOUNT, ENGAGEMENT, [number(1)]) == []


async def test_who_was_texted_by_this_engagement_is_known_where_envelopes_are_read(store: Store) -> None:
    """A second envelope for the same number tells so; one for a number that only another engagement texted does not."""
    await sending(store, 1)
    async with store.writing() as tx:
        await envelopes(tx, 1, engagement=OTHER_ENGAGEMENT, first=5)
        others = msgspec.structs.replace(OUTGOING, engagement_id=OTHER_ENGAGEMENT)
        await tx.batches.intend(ACCOUNT, (NUMBER_ID, 7), others, [intent(5)], NOW)
        again = [NewEnvelope(number(each), "{}") for each in (0, 1, 5)]
        await tx.batches.insert_envelopes(
            ACCOUNT, ENGAGEMENT, AUTHOR, [envelope_id(10 + each) for each in range(3)], again, NOW
        )
    assert [(each.phone_number, each.is_texted) for each in await due(store)] == [
        (number(0), True),
        (number(1), False),
        (number(5), False),
    ]
    async with store.writing() as tx:
        taken = await tx.batches.due(ACCOUNT, ENGAGEMENT, NUMBER_ID, NOW, 10)
    assert [each.is_texted for each in taken] == [True, False, False]


async def test_what_was_sent_lately(store: Store) -> None:
    """The same from an id on: an envelope without a text is none, nor is an earlier one."""
    await sending(store, 3)
    async with store.writing() as tx:
        await envelopes(tx, 1, first=5)
        asked = [number(0), number(2), number(5), number(8)]
        found = await tx.batches.sent_lately(ACCOUNT, [OTHER_ENGAGEMENT, ENGAGEMENT], asked, text_id(0))
        assert sorted(found) == [(text_id(0), number(0)), (text_id(2), number(2))]
        assert await tx.batches.sent_lately(ACCOUNT, [ENGAGEMENT], asked, text_id(1)) == [(text_id(2), number(2))]
        assert await tx.batches.sent_lately(ACCOUNT, [OTHER_ENGAGEMENT], asked, text_id(0)) == []
        assert await tx.batches.sent_lately(OTHER_ACCOUNT, [ENGAGEMENT], asked, text_id(0)) == []


async def test_texts_that_are_put_off_come_back_each_at_its_time(store: Store) -> None:
    """Times differ by chance, and some have none: each envelope has its own."""
    await sending(store, 4)
    times = [NOW + 5, NOW + 3, None, NOW + 5]
    steps = [
        msgspec.structs.replace(step(place, TextStatus.QUEUED, Reason.RETRYING, "slow"), next_at=at)
        for place, at in enumerate(times)
    ]
    async with store.writing() as tx:
        await take(tx, steps, NOW)
        found = await tx.rows(sa.text("SELECT next_at FROM envelopes ORDER BY id"))
    assert [row[0] for row in found] == times


async def test_what_is_in_doubt(store: Store) -> None:
    """The texts without an answer to these numbers; they keep their epoch until they are resolved."""
    await sending(store, 3)
    doubt = [step(place, TextStatus.IN_DOUBT, Reason.IN_DOUBT, "no-answer") for place in (0, 1)]
    async with store.writing() as tx:
        await take(tx, doubt, NOW)
        found = await tx.batches.in_doubt(ACCOUNT, PROFILE, [number(1), number(2)])
        assert found == [(number(1), unanswered(1, TextStatus.IN_DOUBT))]
        assert await tx.batches.in_doubt(OTHER_ACCOUNT, PROFILE, [number(1)]) == []
    assert (await text(store, 1)).epoch == 7
    async with store.writing() as tx:
        await take(tx, [step(2, TextStatus.SENT, Reason.SENT)], NOW)
        doubted = unanswered(1, TextStatus.IN_DOUBT)
        one = step(1, TextStatus.DELIVERED, Reason.DELIVERED, text=doubted, result_id=id_of(77))
        await take(tx, [one], NOW)
        assert await tx.batches.in_doubt(ACCOUNT, PROFILE, [number(1)]) == []
