"""The tests of the promise can fail: each safeguard is taken away here in turn, and its test must notice.

Whoever changes a safeguard sees which tests hold it.
"""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from dispatch import (
    test_careful,
    test_forgotten,
    test_gates,
    test_inbound,
    test_lately,
    test_law,
    test_recorder,
    test_redelivery,
    test_rescuer,
    test_routes,
    test_sender,
    test_singles,
    test_unsure,
)
from dispatch.world import World, accept
from opengage.dispatch import careful, gates, lately, matching, parts, planning, rescuer
from opengage.dispatch.gathered import Batch
from opengage.dispatch.guardian import Guardian
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.rescuer import Rescuer
from opengage.dispatch.sender import Sender
from opengage.domain import states
from opengage.domain.guard import Counts
from opengage.domain.legal_clock import LegalClock
from opengage.domain.records import Activity, Engagement, TextTemplate
from opengage.domain.redelivery import Redeliveries
from opengage.domain.states import EngagementStatus, TextEvent, TextStatus
from opengage.ids import Id, new_id
from opengage.operations import guarding, settling
from opengage.store import lanes, ledgers, pseudonyms, receipts, rows, work
from opengage.store.contract import Transaction
from opengage.store.sqlite import batches, statements
from opengage.store.sqlite.batches import SqliteBatches

Mutation = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[World], Awaitable[None]]


async def _nothing(*_: Any) -> None:
    return


async def _always(*_: Any) -> bool:
    return True


async def _never(*_: Any) -> bool:
    return False


async def _nobody(*_: Any) -> set[Any]:
    return set()


async def _none(*_: Any) -> list[Any]:
    return []


def bytes_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts leave while the transaction that writes their intent is still open."""
    write = Sender._write

    async def early(self: Sender, recorder: Recorder, *rest: Any) -> Any:
        async def submitted(*_: Any) -> list[Any]:
            found = await submissions(*_)
            recorder.carrier.submit(found)
            return found

        submissions = self._intents._submissions
        monkeypatch.setattr(self._intents, "_submissions", submitted)
        try:
            return await write(self, recorder, *rest)
        finally:
            monkeypatch.setattr(self._intents, "_submissions", submissions)

    monkeypatch.setattr(Sender, "_write", early)


async def _all_engagements(tx: Transaction, account_id: int, _: Id) -> list[tuple[Engagement, Activity]]:
    engagements = await rows.every(tx, Engagement, account_id=account_id)
    return [(each, (await rows.every(tx, Activity, engagement_id=each.id))[0]) for each in engagements]


async def _running_whatever(tx: Transaction, account_id: int, engagement_id: Id, own: Id) -> work.Running:
    """The engagement, whether it runs and its number is on or not."""
    found = await _all_engagements(tx, account_id, own)
    [(engagement, activity)] = [each for each in found if each[0].id == engagement_id]
    template = await rows.find(tx, TextTemplate, account_id, activity.text_template_id)
    assert template
    return work.Running(engagement, activity, template.revision_id, has_pools=False)


def no_epoch_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease counts even when another worker has taken the lane, or its time is over."""
    monkeypatch.setattr(lanes, "require", _nothing)


def no_look_at_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number is on."""

    async def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(lanes, "is_on", always)
    monkeypatch.setattr(lanes, "hold_on", always)
    monkeypatch.setattr(work, "hold_running", always)


def no_look_at_the_lease_before_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is submitted, however long the commit took."""
    monkeypatch.setattr(Recorder, "withhold", lambda self, *_: self.carrier.submit([None]))


def no_suppression_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is suppressed."""
    monkeypatch.setattr(SqliteBatches, "suppressed", _nobody)


def no_look_at_pseudonyms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only numbers that stand there in the clear are suppressed."""

    async def none(*_: Any) -> None:
        return None

    monkeypatch.setattr(pseudonyms, "of_suppressed", none)


def no_look_at_the_engagement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every engagement runs, the paused and the canceled too."""

    async def runs(*_: Any) -> bool:
        return True

    monkeypatch.setattr(work, "hold_running", runs)
    monkeypatch.setattr(work, "running", _all_engagements)
    monkeypatch.setattr(work, "running_one", _running_whatever)


def no_memory_of_earlier_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the batch at hand is searched for duplicates."""
    monkeypatch.setattr(SqliteBatches, "sent_before", _nobody)


def no_parking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt that nobody can be found for is dropped."""
    monkeypatch.setattr(receipts, "park", _nothing)


def parked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parked receipts are never looked at again."""
    monkeypatch.setattr(receipts, "parked", _none)
    monkeypatch.setattr(receipts, "parked_of", _none)


def acknowledged_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries are acknowledged before they are stored."""
    read = Recorder.receipts

    def eager(self: Recorder, found: Any) -> None:
        self.carrier.acknowledge([receipt.token for receipt in found], stored=True)
        read(self, found)

    monkeypatch.setattr(Recorder, "receipts", eager)


def room_by_the_carriers_window_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer frees its room before it is stored."""
    monkeypatch.setattr(Recorder, "room", lambda self, _: self.carrier.capacity())


def lost_texts_go_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a lost worker left is taken for never sent, and sent again."""

    async def requeue(self: Rescuer, *_: Any) -> None:
        async with self._store.writing() as tx:
            await tx.run(sa.text("UPDATE texts SET status = 'queued', epoch = NULL"))
            await tx.run(sa.text("UPDATE envelopes SET reason = 'retrying', next_at = 0"))
            await tx.run(sa.text("UPDATE ledger SET reason = 'retrying' WHERE reason = 'sending'"))

    monkeypatch.setattr(Rescuer, "_settle", requeue)


def every_delivery_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the network delivers again is stored again."""
    monkeypatch.setattr(Redeliveries, "arrive", lambda *_: False)


def no_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker begins without knowing what its predecessor stored last."""
    monkeypatch.setattr(Recorder, "recall", _nothing)


def no_legal_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law holds nobody."""
    monkeypatch.setattr(LegalClock, "held", lambda *_: None)


def no_memory_of_who_was_texted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frequency caps begin anew with each batch."""
    monkeypatch.setattr(SqliteBatches, "recent", _none)


def no_look_into_what_knows_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom another engagement texted, which is its own record, nobody asks."""
    monkeypatch.setattr(lately, "LARGE", 2)
    monkeypatch.setattr(SqliteBatches, "sent_lately", _none)


def records_know_only_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engagement that is its own record does not look into itself."""
    monkeypatch.setattr(lately, "LARGE", 2)
    known = SqliteBatches.sent_before

    async def blind(*asked: Any) -> list[Any]:
        return [(number, body, Id(bytes(16))) for number, body, _ in await known(*asked)]

    monkeypatch.setattr(SqliteBatches, "sent_before", blind)


def no_count_within_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one batch all may pass a cap that has room for one."""
    monkeypatch.setattr(planning._Planner, "_over_caps", lambda *_: None)


def no_validity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is too late."""
    monkeypatch.setattr("opengage.dispatch.law.expires_at", lambda _: None)


def no_weekly_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engagement's weekly hours are always open."""
    monkeypatch.setattr(gates, "closed_hours", lambda *_: None)


def no_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """No canary is waited for, no limit counts."""

    async def wide_open(*_: Any) -> gates.Gate:
        return gates.Gate(1_000_000)

    monkeypatch.setattr(gates, "ask", wide_open)


def no_look_at_the_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a budget has anything left, a text of any length passes."""
    monkeypatch.setattr(gates.Gate, "bar", lambda *_: None)


def no_spending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets are asked, and never used up."""
    monkeypatch.setattr(gates, "spend", _nothing)


def no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody watches how a blast does."""
    monkeypatch.setattr(Guardian, "sweep", _nothing)


def the_guard_counts_every_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ended as expired has failed, whether or not it ever left."""

    async def counts(tx: Any, account_id: int, engagement_id: Any) -> Counts:
        return Counts((await ledgers.read(tx, account_id, engagement_id)).reasons)

    monkeypatch.setattr(guarding, "counts", counts)


def no_careful_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash envelopes are handled as ever."""
    monkeypatch.setattr(careful, "claim", _nothing)


def steps_from_any_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text moves, whatever became of it since it was read."""
    guard = "AND texts.status = :before\n    AND texts.attempts = :tried AND texts.settled_at IS NULL"
    assert guard in statements.STEP_TEXTS
    monkeypatch.setattr(statements, "STEP_TEXTS", statements.STEP_TEXTS.replace(guard, ""))


def nothing_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt moves a text that is closed, past all three guards: envelope, state machine, store."""
    change, unanswered = states.change, batches._unanswered

    def free(status: TextStatus, event: TextEvent) -> TextStatus | None:
        return change(TextStatus.SENT, event) or change(status, event)

    monkeypatch.setattr(settling, "change", free)
    monkeypatch.setattr(batches, "_unanswered", lambda row: msgspec.structs.replace(unanswered(row), is_settled=False))
    steps_from_any_state(monkeypatch)


def any_doubt_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt resolves the first doubt of its recipient."""

    async def first(tx: Any, party: Any, strays: Any) -> dict[int, Any]:
        doubtful = await tx.batches.in_doubt(*party, [receipt.recipient for receipt in strays])
        candidates = {number: text for number, text in doubtful if text.segments == 1}
        return {id(each): candidates[each.recipient] for each in strays if each.recipient in candidates}

    monkeypatch.setattr(matching, "_in_doubt", first)


def every_doubt_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy `resend` is everybody's."""
    resend = Rescuer.resend_doubtful

    async def always(self: Rescuer, lease: Any, profile: Any) -> int:
        return await resend(self, lease, msgspec.structs.replace(profile, in_doubt_policy="resend"))

    monkeypatch.setattr(Rescuer, "resend_doubtful", always)


def stopped_engagements_send_their_doubts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `resend` it is not asked whether the engagement runs."""

    async def running(tx: Any, kind: Any, account_id: int, ids: Any, **_: Any) -> dict[Any, Any]:
        found = await rows.find_many(tx, kind, account_id, ids)
        return {key: msgspec.structs.replace(each, status=EngagementStatus.PROCESSING) for key, each in found.items()}

    monkeypatch.setattr(rescuer, "rows", SimpleNamespace(find_many=running, hold_free=running))


def every_part_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is forgotten which parts of a long text the carrier took."""
    monkeypatch.setattr(parts, "taken", _nothing)


def nothing_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that was reported as failed is taken for failed."""
    monkeypatch.setattr(Sender, "_take_back", _nothing)


def everything_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After such a commit the texts under way are put off too."""
    monkeypatch.setattr(Recorder, "under_way", lambda _: {})


def batches_are_tried_blindly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that was reported as failed is written again."""
    monkeypatch.setattr(Batch, "is_stored", _never)


def there_is_room_for_what_may_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts leave while it is unknown what was stored of their last answers."""
    monkeypatch.setattr(Recorder, "_is_unsure", property(lambda _: False, lambda *_: None), raising=False)


def nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker keeps what it cannot store, and nobody else gets it."""
    monkeypatch.setattr(Recorder, "_refuse", lambda *_: None)


def no_look_at_the_lane_of_a_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """What handsets said is stored by whoever heard it."""
    monkeypatch.setattr(lanes, "serves", _always)


async def _not_the_owner(world: World) -> None:
    async with test_redelivery.rigged(world) as rig:
        await test_redelivery.test_a_worker_without_the_lane_stores_nothing_of_handsets(rig)


async def _refused(world: World) -> None:
    async with test_redelivery.rigged(world) as rig:
        await test_redelivery.test_what_cannot_be_stored_is_refused_and_comes_to_whoever_is_there(rig)


async def _cut(world: World) -> None:
    async with test_redelivery.rigged(world) as rig:
        await test_redelivery.test_cut_between_commit_and_acknowledgement(rig, 1)


async def _ended(world: World) -> None:
    async with test_redelivery.rigged(world) as rig:
        await test_redelivery.test_a_worker_that_ends_between_commit_and_acknowledgement(rig)


async def _canceled(world: World) -> None:
    await test_sender.test_a_stopped_engagement_sends_nothing_more(world, EngagementStatus.CANCELED)


async def _paused(world: World) -> None:
    await test_sender.test_a_stopped_engagement_sends_nothing_more(world, EngagementStatus.PAUSED)


async def _in_doubt(world: World) -> None:
    made = Rescuer(world.store, world.clock, new_id, lambda: 0.0)
    await test_rescuer.test_a_lost_workers_texts_are_in_doubt_by_name(world, made)


async def _answered_late(world: World) -> None:
    await test_recorder.test_an_answer_after_anothers_rescue_still_counts(world, accept, "sent")


async def _kept_in_doubt(world: World) -> None:
    await test_routes.test_a_doubt_is_sent_again_by_policy_alone(world, None, 61, 0)


async def _long_texts(world: World) -> None:
    await test_gates.test_a_text_longer_than_what_is_left_waits(world, 4, [1, 2, 3])


async def _stopped_in_doubt(world: World) -> None:
    await test_routes.test_a_doubt_of_a_stopped_engagement_is_not_sent_again(world, EngagementStatus.CANCELED)


HELD_BY: list[tuple[Mutation, Behaviour]] = [
    (every_delivery_is_new, _cut),
    (no_recall, _ended),
    (nothing_is_refused, _refused),
    (no_look_at_the_lane_of_a_reply, _not_the_owner),
    (bytes_before_the_commit, test_sender.test_the_intent_is_committed_before_a_byte_leaves),
    (no_epoch_check, test_sender.test_a_stale_epoch_writes_and_submits_nothing),
    (
        no_look_at_the_lease_before_the_bytes,
        test_sender.test_a_lease_lost_between_commit_and_submit_withholds_the_texts,
    ),
    (no_suppression_check, test_sender.test_a_suppression_just_before_the_commit_stops_the_text),
    (no_look_at_the_switch, test_sender.test_a_number_switched_off_between_look_and_intent_sends_nothing),
    (no_suppression_check, test_inbound.test_stop_counts_from_its_commit_on),
    (no_look_at_pseudonyms, test_forgotten.test_a_blast_leaves_a_forgotten_number_out),
    (no_look_at_pseudonyms, test_forgotten.test_a_forgotten_number_gets_no_single_text),
    (no_look_at_pseudonyms, test_forgotten.test_a_forgotten_number_that_says_stop_again_hears_nothing),
    (no_look_at_pseudonyms, test_forgotten.test_a_forgotten_number_that_says_start_is_texted_again),
    (no_look_at_the_engagement, _canceled),
    (no_look_at_the_engagement, _paused),
    (no_memory_of_earlier_texts, test_sender.test_a_duplicate_is_known_across_batches),
    (no_parking, test_recorder.test_a_receipt_before_its_answer_is_parked),
    (no_parking, test_recorder.test_doubt_and_receipt_in_one_batch),
    (parked_for_ever, test_recorder.test_a_receipt_before_its_answer_is_parked),
    (acknowledged_when_read, test_recorder.test_nothing_is_acknowledged_before_the_commit),
    (room_by_the_carriers_window_alone, test_sender.test_the_window_holds_what_is_not_recorded_yet),
    (lost_texts_go_again, _in_doubt),
    (no_suppression_check, test_singles.test_a_suppressed_number_gets_no_single_text),
    (no_epoch_check, test_singles.test_a_stale_epoch_sends_no_single_text),
    (no_legal_clock, test_law.test_at_night_a_text_is_held_until_the_morning),
    (no_legal_clock, test_singles.test_the_night_holds_a_single_text),
    (no_memory_of_who_was_texted, test_law.test_the_cap_holds_over_all_engagements),
    (no_look_into_what_knows_by_itself, test_lately.test_another_engagement_is_held_by_what_a_record_knows),
    (no_look_into_what_knows_by_itself, test_lately.test_a_single_text_is_held_by_what_a_record_knows),
    (records_know_only_others, test_lately.test_a_record_asks_itself),
    (no_count_within_the_batch, test_law.test_within_one_batch_the_cap_counts_too),
    (no_validity, test_law.test_what_has_lapsed_is_never_submitted),
    (no_weekly_hours, test_gates.test_outside_its_weekly_hours_nothing_goes),
    (no_gates, test_gates.test_a_canary_goes_first_and_the_rest_when_it_did_well),
    (no_gates, test_gates.test_budgets_of_a_service_profile_are_shared_by_its_numbers),
    (no_look_at_the_segments, _long_texts),
    (no_look_at_the_segments, test_gates.test_a_long_text_that_waits_lets_a_short_one_pass),
    (no_spending, test_gates.test_budgets_of_a_service_profile_are_shared_by_its_numbers),
    (no_guard, test_gates.test_too_many_failures_pause_a_blast),
    (no_guard, test_gates.test_too_many_opt_outs_pause_a_blast),
    (the_guard_counts_every_end, test_gates.test_what_lapsed_pauses_no_blast),
    (the_guard_counts_every_end, test_gates.test_a_canary_is_judged_by_those_of_it_who_were_texted),
    (no_careful_claims, test_careful.test_an_envelope_in_hand_at_three_crashes_is_set_aside),
    (steps_from_any_state, _answered_late),
    (nothing_is_final, test_recorder.test_a_repeated_or_contradicting_receipt_changes_nothing),
    (any_doubt_fits, test_recorder.test_a_receipt_that_fits_two_texts_resolves_neither),
    (any_doubt_fits, test_recorder.test_a_receipt_that_may_be_of_a_long_text_resolves_no_short_one),
    (every_doubt_goes_again, _kept_in_doubt),
    (stopped_engagements_send_their_doubts_again, _stopped_in_doubt),
    (every_part_goes_again, test_singles.test_a_part_that_was_taken_is_not_sent_again),
    (every_part_goes_again, test_singles.test_a_part_that_was_taken_is_not_sent_by_another_carrier),
    (nothing_is_taken_back, test_unsure.test_what_was_written_all_the_same_is_taken_back),
    (everything_is_taken_back, test_unsure.test_what_is_under_way_is_not_taken_back),
    (batches_are_tried_blindly, test_unsure.test_what_a_handset_said_is_stored_once),
    (batches_are_tried_blindly, test_unsure.test_a_text_that_has_left_again_is_not_put_off_once_more),
    (there_is_room_for_what_may_be_stored, test_unsure.test_nothing_leaves_while_nobody_knows_what_was_stored),
]


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("mutation", "behaviour"), HELD_BY, ids=[f"{mutation.__name__}-{test.__name__}" for mutation, test in HELD_BY]
)
async def test_the_test_notices(
    world: World, monkeypatch: pytest.MonkeyPatch, mutation: Mutation, behaviour: Behaviour
) -> None:
    """Without its safeguard the behaviour's test fails."""
    mutation(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        await behaviour(world)
