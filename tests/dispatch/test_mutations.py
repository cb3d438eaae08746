"""The tests of the promise can fail: each safeguard is taken away here in turn, and its test must notice.

Whoever changes a safeguard sees which tests hold it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dispatch import test_inbound, test_recorder, test_redelivery, test_rescuer, test_sender
from dispatch.world import World
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.rescuer import Rescuer
from opengage.dispatch.sender import Sender
from opengage.domain.records import Activity, Engagement
from opengage.domain.redelivery import Redeliveries
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id
from opengage.store import lanes, receipts, rows, work
from opengage.store.sqlite.batches import SqliteBatches

Mutation = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[World], Awaitable[None]]


async def _nothing(*_: Any) -> None:
    return


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


def no_epoch_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease counts even when another worker has taken the lane, or its time is over."""
    monkeypatch.setattr(lanes, "require", _nothing)


def no_look_at_the_lease_before_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is submitted, however long the commit took."""
    monkeypatch.setattr(Recorder, "withhold", lambda self, *_: self.carrier.submit([None]))


def no_suppression_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is suppressed."""
    monkeypatch.setattr(SqliteBatches, "suppressed", _nobody)


def no_look_at_the_engagement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every engagement runs, the paused and the canceled too."""

    async def runs(*_: Any) -> bool:
        return True

    async def all_of_them(tx: Any, account_id: int, _: Any) -> list[tuple[Engagement, Activity]]:
        engagements = await rows.every(tx, Engagement, account_id=account_id)
        return [(each, (await rows.every(tx, Activity, engagement_id=each.id))[0]) for each in engagements]

    monkeypatch.setattr(work, "hold_running", runs)
    monkeypatch.setattr(work, "running", all_of_them)


def no_memory_of_earlier_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the batch at hand is searched for duplicates."""
    monkeypatch.setattr(SqliteBatches, "sent_before", _nobody)


def no_parking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt that nobody can be found for is dropped."""
    monkeypatch.setattr(receipts, "park", _nothing)


def parked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parked receipts are never looked at again."""
    monkeypatch.setattr(receipts, "parked", _none)


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
    rescuer = Rescuer(world.store, world.clock, new_id, lambda: 0.0)
    await test_rescuer.test_a_lost_workers_texts_are_in_doubt_by_name(world, rescuer)


HELD_BY: list[tuple[Mutation, Behaviour]] = [
    (every_delivery_is_new, _cut),
    (no_recall, _ended),
    (bytes_before_the_commit, test_sender.test_the_intent_is_committed_before_a_byte_leaves),
    (no_epoch_check, test_sender.test_a_stale_epoch_writes_and_submits_nothing),
    (
        no_look_at_the_lease_before_the_bytes,
        test_sender.test_a_lease_lost_between_commit_and_submit_withholds_the_texts,
    ),
    (no_suppression_check, test_sender.test_a_suppression_just_before_the_commit_stops_the_text),
    (no_suppression_check, test_inbound.test_stop_counts_from_its_commit_on),
    (no_look_at_the_engagement, _canceled),
    (no_look_at_the_engagement, _paused),
    (no_memory_of_earlier_texts, test_sender.test_a_duplicate_is_known_across_batches),
    (no_parking, test_recorder.test_a_receipt_before_its_answer_is_parked),
    (no_parking, test_recorder.test_doubt_and_receipt_in_one_batch),
    (parked_for_ever, test_recorder.test_a_receipt_before_its_answer_is_parked),
    (acknowledged_when_read, test_recorder.test_nothing_is_acknowledged_before_the_commit),
    (room_by_the_carriers_window_alone, test_sender.test_the_window_holds_what_is_not_recorded_yet),
    (lost_texts_go_again, _in_doubt),
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
