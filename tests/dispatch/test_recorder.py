"""What the carrier said is stored, and only then acknowledged; receipts find their texts in whatever order."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dispatch.world import LONG, HookedStore, Tenant, World, accept, receipt_for, recipient, until
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.rescuer import Rescuer
from opengage.domain.errors import Unavailable
from opengage.domain.outcomes import NEVER_SENT, Accepted, Deferred, Outcome, ReceiptState, Refused, Submission, Unknown
from opengage.domain.records import Engagement
from opengage.ids import new_id


class Sent:
    """Texts in the carrier's hands, and the recorder that will hear of them."""

    def __init__(self, world: World, tenant: Tenant, engagement: Engagement, recorder: Recorder) -> None:
        self.world, self.tenant, self.engagement, self.recorder = world, tenant, engagement, recorder

    @property
    def texts(self) -> list[Submission]:
        """What was submitted."""
        return self.world.carrier.submitted

    async def hear(self, *outcomes: Outcome) -> None:
        """Outcomes, and the commit that stores them."""
        self.recorder.outcomes(outcomes)
        await self.recorder.commit()

    def reason(self, number: int = 0) -> str:
        """Where an envelope stands."""
        return self.world.reasons()[recipient(number)]

    def parked(self) -> int:
        """How many receipts wait for their text."""
        count: int = self.world.look("SELECT count(*) FROM parked_receipts")[0][0]
        return count


async def sent(world: World, count: int = 1, **values: str) -> Sent:
    """So many texts, submitted and unanswered."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, count, **values)  # type: ignore[arg-type]
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    assert len(world.carrier.submitted) == count
    return Sent(world, tenant, engagement, recorder)


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (accept, "sent", "sent"),
        (lambda text: Refused(text.text_id, "ESME_RINVDSTADR"), "failed", "rejected"),
        (lambda text: Unknown(text.text_id, "no-answer"), "in-doubt", "in-doubt"),
        (lambda text: Deferred(text.text_id, "ESME_RSYSERR", throttled=False), "queued", "retrying"),
    ],
    ids=["accepted", "refused", "unknown", "deferred"],
)
async def test_each_outcome_has_its_place(
    world: World, outcome: Callable[[Submission], Outcome], status: str, reason: str
) -> None:
    """Text, envelope, fate event and ledger agree on what the carrier said."""
    made = await sent(world)
    await made.hear(outcome(made.texts[0]))
    assert world.statuses() == {recipient(0): status}
    assert (await world.ledger(made.engagement)).reasons == {reason: 1}
    assert world.look("SELECT kind FROM text_results") == [(status,)]


async def test_nothing_is_acknowledged_before_the_commit(world: World) -> None:
    """While the store cannot be written nothing is acknowledged; all is kept, stored once it can be, and then told."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    store = HookedStore(world.store)
    recorder = world.recorder(tenant, store)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (text,) = world.carrier.submitted
    acknowledged: list[int] = []

    async def look() -> None:
        acknowledged.append(len(world.carrier.acknowledged))

    store.before_writing, store.failures = look, 1
    recorder.outcomes([accept(text)])
    recorder.receipts([receipt_for(text, token=7)])
    await recorder.commit()
    assert acknowledged == [0, 0]
    assert world.carrier.acknowledged == [(7, True)]
    assert world.look("SELECT kind FROM text_results ORDER BY id") == [("sent",), ("delivered",)]
    assert (await world.ledger(engagement)).reasons == {"delivered": 1}


async def test_an_unstored_outcome_keeps_its_room(world: World) -> None:
    """The window is freed by the commit, not by the answer."""
    made = await sent(world, 3)
    made.recorder.outcomes([accept(text) for text in made.texts])
    assert made.recorder.room(10) == 7
    await made.recorder.commit()
    assert made.recorder.room(10) == 10


async def test_a_receipt_before_its_answer_is_parked(world: World) -> None:
    """It is stored and acknowledged, changes nothing yet, and settles its text as soon as the answer names it."""
    made = await sent(world)
    made.recorder.receipts([receipt_for(made.texts[0], token=5)])
    await made.recorder.commit()
    assert (made.parked(), made.reason()) == (1, "sending")
    assert world.carrier.acknowledged == [(5, True)]
    await made.hear(accept(made.texts[0]))
    assert (made.parked(), made.reason()) == (0, "delivered")
    assert world.engagement_status(made.engagement) == "completed"


async def test_an_early_receipt_is_found_among_very_many_others(world: World) -> None:
    """However many strays have come since, a network's faulty ones for instance: answers ask for their own alone."""
    made = await sent(world)
    (text,) = made.texts
    made.recorder.receipts([receipt_for(text)])
    await made.recorder.commit()
    world.clock.advance(1)
    made.recorder.receipts([receipt_for(text, carrier_ref=f"x{n}", reference=None) for n in range(10_000)])
    await made.recorder.commit()
    await made.hear(accept(text))
    assert (made.parked(), made.reason()) == (10_000, "delivered")


async def test_a_login_shared_by_several_accounts(world: World) -> None:
    """The SMSC brings a receipt over anyone's connection: late or early, it settles the text that it is about."""
    running = []
    for key in ("firstbank", "secondbank"):
        tenant = await world.tenant(key)
        recorder = world.recorder(tenant)
        running.append((await world.engagement(tenant, 1), recorder))
        await (await world.sender(tenant, recorder)).turn()
    (first, answered), (second, waiting) = running
    late, early = world.carrier.submitted
    answered.outcomes([Accepted(late.text_id, ("ref-late",))])
    await answered.commit()
    neighbour = world.recorder(await world.tenant("thirdbank"))
    neighbour.receipts([receipt_for(late, carrier_ref="ref-late"), receipt_for(early, carrier_ref="ref-early")])
    await neighbour.commit()
    assert (await world.ledger(first)).reasons == {"delivered": 1}
    assert (await world.ledger(second)).reasons == {"sending": 1}
    waiting.outcomes([Accepted(early.text_id, ("ref-early",))])
    await waiting.commit()
    assert (await world.ledger(second)).reasons == {"delivered": 1}
    assert world.look("SELECT count(*) FROM parked_receipts") == [(0,)]


async def test_a_receipt_settles_a_text_in_doubt(world: World) -> None:
    """An answer that was lost is made up for by the receipt: recipient and reference say which text it is about."""
    made = await sent(world, 2)
    await made.hear(*(Unknown(text.text_id, "connection-lost") for text in made.texts))
    assert (await world.ledger(made.engagement)).hold == 2
    lost = receipt_for(made.texts[1], carrier_ref="never-told")
    made.recorder.receipts([lost])
    await made.recorder.commit()
    assert (made.reason(0), made.reason(1)) == ("in-doubt", "delivered")
    made.recorder.receipts([lost])
    await made.recorder.commit()
    assert made.parked() == 0


async def test_a_receipt_settles_a_long_text_in_doubt(world: World) -> None:
    """Two of three answers came: the third one's receipt can only be about the third segment."""
    made = await sent(world, meta=f'{{"first-name":"{"A" * 350}"}}')
    (text,) = made.texts
    await made.hear(Unknown(text.text_id, "no-answer", carrier_refs=((1, "one"), (2, "two"))))
    assert made.reason() == "in-doubt"
    for ref in ("one", "never-told", "two"):
        made.recorder.receipts([receipt_for(text, carrier_ref=ref)])
        await made.recorder.commit()
    assert (made.parked(), made.reason()) == (0, "delivered")


async def test_no_guess_between_two_open_segments(world: World) -> None:
    """A receipt that may be about either is parked: a wrong guess could send the other one twice."""
    made = await sent(world, meta=f'{{"first-name":"{"A" * 350}"}}')
    (text,) = made.texts
    await made.hear(Unknown(text.text_id, "no-answer", carrier_refs=((1, "one"),)))
    made.recorder.receipts([receipt_for(text, carrier_ref="never-told")])
    await made.recorder.commit()
    assert (made.parked(), made.reason()) == (1, "in-doubt")


async def test_doubt_and_receipt_in_one_batch(world: World) -> None:
    """The link breaks, comes back and brings the receipt before anything is stored: the text is delivered."""
    made = await sent(world)
    made.recorder.outcomes([Unknown(made.texts[0].text_id, "connection-lost")])
    made.recorder.receipts([receipt_for(made.texts[0], carrier_ref="never-told")])
    await made.recorder.commit()
    assert (made.parked(), made.reason()) == (0, "delivered")
    assert (await world.ledger(made.engagement)).complete == 1


async def test_a_receipt_that_was_parked_settles_what_a_crash_left(world: World) -> None:
    """The receipt was stored, its answer was not, and the worker died: the next one resolves the doubt by it."""
    made = await sent(world)
    made.recorder.receipts([receipt_for(made.texts[0])])
    await made.recorder.commit()
    world.expire_lanes()
    lease = await world.lease(made.tenant.number, "two")
    assert await Rescuer(world.store, world.clock, new_id, lambda: 0.0).rescue(lease) == 1
    assert made.reason() == "in-doubt"
    await made.recorder.match_parked()
    assert (made.parked(), made.reason()) == (0, "delivered")
    assert world.engagement_status(made.engagement) == "completed"


@pytest.mark.parametrize(
    "strange",
    [{"reference": 1}, {"recipient": "+12025550199"}, {"reference": None, "sender": "+12025550198"}],
    ids=["another reference", "another recipient", "another sender"],
)
async def test_a_receipt_of_somebody_else_resolves_no_doubt(world: World, strange: dict[str, Any]) -> None:
    """A receipt that fits no text in doubt is parked, whatever else it looks like."""
    made = await sent(world)
    await made.hear(Unknown(made.texts[0].text_id, "no-answer"))
    made.recorder.receipts([receipt_for(made.texts[0], carrier_ref="strange", token=9, **strange)])
    await made.recorder.commit()
    assert (made.parked(), made.reason()) == (1, "in-doubt")
    assert world.carrier.acknowledged == [(9, True)]


async def test_a_receipt_that_fits_two_texts_resolves_neither(world: World) -> None:
    """Without a reference, two texts in doubt to one number cannot be told apart: no guess is made."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 0)
    both = [(recipient(0), '{"first-name":"Ann"}'), (recipient(0), '{"first-name":"Ben"}')]
    await world.envelopes(tenant, engagement, both, world.clock.now())
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    recorder.outcomes([Unknown(text.text_id, "no-answer") for text in world.carrier.submitted])
    await recorder.commit()
    recorder.receipts([receipt_for(world.carrier.submitted[0], carrier_ref="which", reference=None)])
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 2}


async def test_a_receipt_that_may_be_of_a_long_text_resolves_no_short_one(world: World) -> None:
    """Two texts in doubt to one number, one of them long: without a reference it may be a segment's receipt."""
    tenant = await world.tenant()
    for body in ("Hello", "x" * 200):
        await world.engagement(tenant, 1, body=body)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    for _ in range(2):
        await sender.turn()
    recorder.outcomes([Unknown(text.text_id, "no-answer") for text in world.carrier.submitted])
    await recorder.commit()
    recorder.receipts([receipt_for(world.carrier.submitted[1], carrier_ref="which", reference=None)])
    await recorder.commit()
    assert set(world.look("SELECT reason FROM envelopes")) == {("in-doubt",)}


async def test_an_early_receipt_resolves_nobody_elses_doubt(world: World) -> None:
    """Without a reference, it may be about the text to the same number that is just under way: the answer decides."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 0)
    both = [(recipient(0), '{"first-name":"Ann"}'), (recipient(0), '{"first-name":"Ben"}')]
    await world.envelopes(tenant, engagement, both, world.clock.now())
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    lost, other = world.carrier.submitted
    recorder.outcomes([Unknown(lost.text_id, "no-answer")])
    await recorder.commit()
    recorder.receipts([receipt_for(other, reference=None)])
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 1, "sending": 1}
    recorder.outcomes([accept(other)])
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons == {"in-doubt": 1, "delivered": 1}


async def test_a_late_answer_resolves_the_doubt(world: World) -> None:
    """An answer that comes after all is believed; the text was never sent again."""
    made = await sent(world)
    await made.hear(Unknown(made.texts[0].text_id, "no-answer"))
    await made.hear(accept(made.texts[0]))
    assert made.reason() == "sent"
    assert len(made.texts) == 1


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(accept, "sent"), (lambda text: Deferred(text.text_id, NEVER_SENT, throttled=True), "retrying")],
    ids=["accepted", "never sent"],
)
async def test_an_answer_after_anothers_rescue_still_counts(
    world: World, outcome: Callable[[Submission], Outcome], reason: str
) -> None:
    """Another worker took the lane over and put the text in doubt: what this one hears of it resolves that doubt."""
    made = await sent(world)
    world.expire_lanes()
    rescuer = Rescuer(world.store, world.clock, new_id, lambda: 0.0)
    assert await rescuer.rescue(await world.lease(made.tenant.number, "two")) == 1
    await made.hear(outcome(made.texts[0]))
    assert (await world.ledger(made.engagement)).reasons == {reason: 1}


async def test_a_repeated_or_contradicting_receipt_changes_nothing(world: World) -> None:
    """A settled text stays as it is, and the repetition is acknowledged all the same."""
    made = await sent(world)
    await made.hear(accept(made.texts[0]))
    for token, state in enumerate((ReceiptState.DELIVERED, ReceiptState.DELIVERED, ReceiptState.UNDELIVERED)):
        made.recorder.receipts([receipt_for(made.texts[0], state, token=token)])
        await made.recorder.commit()
    assert made.reason() == "delivered"
    assert [kind for (kind,) in world.look("SELECT kind FROM text_results ORDER BY id")] == ["sent", "delivered"]
    assert world.carrier.acknowledged == [(0, True), (1, True), (2, True)]


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ([ReceiptState.DELIVERED, ReceiptState.DELIVERED], "sent"),
        ([ReceiptState.DELIVERED] * 3, "delivered"),
        ([ReceiptState.DELIVERED, ReceiptState.UNDELIVERED], "undelivered"),
    ],
    ids=["some", "all", "one failed"],
)
async def test_a_long_text_is_what_its_segments_come_to(world: World, states: list[ReceiptState], reason: str) -> None:
    """Delivered only when every segment is; a single failure decides."""
    made = await sent(world, body=LONG)
    (text,) = made.texts
    await made.hear(Accepted(text.text_id, ("a", "b", "c")))
    for ref, state in zip("abc", states, strict=False):
        made.recorder.receipts([receipt_for(text, state, carrier_ref=ref)])
        await made.recorder.commit()
    assert made.reason() == reason


async def test_a_segment_delivered_twice_counts_once(world: World) -> None:
    """Three receipts for one segment do not deliver a text of three."""
    made = await sent(world, body=LONG)
    await made.hear(Accepted(made.texts[0].text_id, ("a", "b", "c")))
    made.recorder.receipts([receipt_for(made.texts[0], carrier_ref="a")] * 3)
    await made.recorder.commit()
    assert made.reason() == "sent"


async def put_off_in_part(world: World) -> tuple[Sent, Submission]:
    """A text of three segments, the first of which was taken; then it is sent again."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1, body=LONG)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    text = world.carrier.submitted[0]
    made = Sent(world, tenant, engagement, recorder)
    await made.hear(Deferred(text.text_id, "ESME_RMSGQFUL", throttled=True, carrier_refs=((1, "a"),)))
    assert made.reason() == "retrying"
    made.recorder.receipts([receipt_for(text, ReceiptState.UNDELIVERED, carrier_ref="a")])
    world.clock.advance(5)
    await sender.turn()
    return made, world.carrier.submitted[1]


async def test_only_the_rest_of_a_long_text_goes_again(world: World) -> None:
    """Segments that the carrier took are named to it, so that it sends the others alone."""
    made, again = await put_off_in_part(world)
    assert again.accepted == {1: "a"}
    assert again.text_id == made.texts[0].text_id


async def test_an_early_segments_failure_is_not_forgotten(world: World) -> None:
    """A segment that failed while the rest was put off decides the text once the rest is out."""
    made, again = await put_off_in_part(world)
    await made.recorder.commit()
    await made.hear(Accepted(again.text_id, ("a", "b", "c")))
    made.recorder.receipts([receipt_for(again, carrier_ref=ref) for ref in "bc"])
    await made.recorder.commit()
    assert made.reason() == "undelivered"


async def test_draining_waits_for_the_last_outcome(world: World) -> None:
    """A stop ends when every text's outcome is stored, those that the carrier gives up included."""
    made = await sent(world, 2)
    first, second = made.texts
    world.carrier.last_words = lambda: [accept(first), Unknown(second.text_id, "connection-lost")]
    running = asyncio.create_task(made.recorder.run())
    assert await made.recorder.drain(5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (made.reason(0), made.reason(1)) == ("sent", "in-doubt")


async def test_draining_ends_even_if_nothing_can_be_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk does not keep a worker alive for ever: what is not stored is left to the next one's rescue."""
    made = await sent(world)
    monkeypatch.setattr("opengage.dispatch.recorder._LAST_COMMIT", 0.01)
    assert not await made.recorder.drain(0)
    assert made.reason() == "sending"


async def test_the_loop_gathers_and_stores(world: World) -> None:
    """The running recorder stores what comes and tells the senders that there is room."""
    made = await sent(world, 2)
    running = asyncio.create_task(made.recorder.run())
    made.recorder.outcomes([accept(text) for text in made.texts])
    await until(lambda: set(world.statuses().values()) == {"sent"})
    made.recorder.receipts([receipt_for(text) for text in made.texts])
    await until(lambda: set(world.statuses().values()) == {"delivered"})
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert world.engagement_status(made.engagement) == "completed"


async def test_a_failed_look_at_parked_receipts_changes_nothing(world: World) -> None:
    """When the store fails there, the receipts stay parked."""
    made = await sent(world)
    made.recorder.receipts([receipt_for(made.texts[0])])
    await made.recorder.commit()
    world.change("UPDATE texts SET status = 'in-doubt'")
    world.change("UPDATE envelopes SET status = 'hold', reason = 'in-doubt'")
    world.change("UPDATE ledger SET reason = 'in-doubt' WHERE reason = 'sending'")
    store = HookedStore(world.store)
    store.failures = 1
    recorder = world.recorder(made.tenant, store)
    with pytest.raises(Unavailable):
        await recorder.match_parked()
    assert made.parked() == 1
    await recorder.match_parked()
    assert made.reason() == "delivered"


async def test_a_receipts_code_may_hold_anything(world: World) -> None:
    """A NUL, which PostgreSQL cannot hold, is marked there; the receipt counts, and its neighbours with it."""
    made = await sent(world, 2)
    await made.hear(*map(accept, made.texts))
    first = receipt_for(made.texts[0], ReceiptState.UNDELIVERED, code="UNDELIV:0\0")
    made.recorder.receipts([first, receipt_for(made.texts[1])])
    await made.recorder.commit()
    assert world.reasons() == {recipient(0): "undelivered", recipient(1): "delivered"}
    told = first.code if world.database.keeps_nul else first.code.replace("\0", "\ufffd")
    assert (told,) in world.look("SELECT code FROM text_results")
