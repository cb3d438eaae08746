"""Writers that write at once, which only PostgreSQL has: two commits in either order end as if there were one writer.

One of the two is stopped right before its commit; that the other one waits for it is read from the server's locks.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from dispatch.at_once import Paused, in_order, loose, nothing, waits
from dispatch.world import LONG, World, accept, receipt_for, recipient
from opengage.clock import SystemClock
from opengage.dispatch import lately
from opengage.dispatch.recorder import Recorder
from opengage.domain.errors import Fenced, Invalid
from opengage.domain.ledger import Moves
from opengage.domain.outcomes import Inbound
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import new_id
from opengage.operations import engagements, envelope_edits, envelopes, memberships, suppressions
from opengage.operations.accounts import create_account
from opengage.operations.actors import Actor
from opengage.operations.engagement_changes import Changes
from opengage.store import lanes, ledgers, receipts, work
from opengage.store.contract import NewEnvelope, Store, Violation
from opengage.store.postgres.transaction import PostgresTransaction

pytestmark = pytest.mark.parametrize("world", ["postgres"], indirect=True)


def actor(world: World, engagement: Engagement) -> Actor:
    """The owner."""
    return Actor(engagement.account_id, "firstbank", engagement.created_by, "owner")


async def test_a_number_switched_off_while_its_lane_is_waited_for(world: World) -> None:
    """Whoever waited for the lane looks at the switch after that: nothing is sent once the change was answered."""
    tenant = await world.tenant()
    await world.engagement(tenant, 5)
    await world.single(tenant, recipient(9))
    sender = await world.sender(tenant, world.recorder(tenant))

    async def renew(store: Store) -> None:
        async with store.writing() as tx:
            await lanes.renew(tx, "one", 600.0)

    for _ in range(2):  # a single text's turn, then the engagement's
        paused = Paused(world.store)
        renewal = asyncio.ensure_future(renew(paused))
        await paused.reached.wait()
        turn = asyncio.ensure_future(sender.turn())
        await waits(world, turn)
        world.change("UPDATE phone_numbers SET is_active = false")
        paused.go_on.set()
        await asyncio.gather(renewal, turn)
        assert world.carrier.submitted == []
        world.change("UPDATE phone_numbers SET is_active = true")


async def stop(world: World, recorder: Any, number: str) -> None:
    """A handset says STOP, and it is stored."""
    recorder.inbound([Inbound(number, "+12025550100", "STOP", 7)])
    await recorder.commit()


def change(store: Store, world: World, engagement: Engagement, status: str) -> Any:
    """PATCH the engagement."""
    return engagements.update(
        store, world.clock, new_id, actor(world, engagement), engagement.id, Changes(status=status)
    )


@pytest.mark.parametrize("is_single", [False, True])
async def test_two_lanes_do_not_pass_a_cap_at_once(world: World, is_single: bool) -> None:
    """Where people are counted, an account's lanes write one after the other: each knows whom the others text."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=1, frequency_hours=24)
    number = await world.second_number(tenant)
    await world.engagement(tenant, 2, body="One")
    if is_single:
        await world.single(tenant, recipient(0), phone_number_id=number.id)
    else:
        await world.engagement(tenant, 2, body="Two", number=number)
    first = await world.sender(tenant, world.recorder(tenant))
    second = await world.sender(tenant, world.recorder(tenant), number=number)

    async def intend(store: Store) -> None:
        first._store = store
        await first.turn()

    await in_order(world, intend, second.turn)
    assert [each.body for each in world.carrier.submitted] == ["One", "One"]


async def test_an_engagement_that_somebody_holds_becomes_a_record_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that hold it together would wait for each other for ever: its texts are remembered one by one meanwhile."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=5)
    monkeypatch.setattr(lately, "LARGE", 2)
    engagement = await world.engagement(tenant, 2)
    sender = await world.sender(tenant, world.recorder(tenant))
    async with world.store.writing() as tx:
        assert await work.hold_running(tx, tenant.account_id, engagement.id, tenant.number.id)
        async with asyncio.timeout(10):
            await sender.turn()
    assert len(world.carrier.submitted) == 2
    assert world.look("SELECT count(*) FROM recent_texts") == [(2,)]
    assert world.look("SELECT count(*) FROM engagements WHERE is_own_record") == [(0,)]


async def test_a_stop_waits_for_the_intent_that_is_being_written(world: World) -> None:
    """It is acknowledged after that commit, and every later intent knows of it."""
    tenant = await world.tenant()
    await world.engagement(tenant, 2)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, window=1)

    async def intend(store: Store) -> None:
        sender._store = store
        await sender.turn()
        sender._store = world.store

    await in_order(world, intend, lambda: stop(world, world.recorder(tenant), recipient(1)))
    assert world.reasons() == {recipient(0): "sending", recipient(1): ""}
    assert world.carrier.acknowledged == [(7, True)]
    other = await world.sender(tenant, world.recorder(tenant))
    await other.turn()  # the one confirmation
    await other.turn()
    assert world.reasons()[recipient(1)] == "opted-out"


async def test_an_intent_waits_for_a_stop_that_is_being_stored(world: World) -> None:
    """What it reads after that holds the suppression: no text."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    sender = await world.sender(tenant, world.recorder(tenant))
    await in_order(world, lambda store: stop(world, world.recorder(tenant, store), recipient(0)), sender.turn)
    assert world.reasons() == {recipient(0): "opted-out"}
    assert world.carrier.submitted == []
    assert (await world.ledger(engagement)).total == 1


async def test_an_intent_waits_for_a_suppression_that_is_being_stored(world: World) -> None:
    """An operator's word counts as a handset's does: once it is answered nothing leaves to that number."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    sender = await world.sender(tenant, world.recorder(tenant))

    async def suppress(store: Store) -> None:
        new = [suppressions.New(recipient(0))]
        await suppressions.add(store, world.clock, new_id, actor(world, engagement), new, str)

    await in_order(world, suppress, sender.turn)
    assert world.reasons() == {recipient(0): "opted-out"}
    assert world.carrier.submitted == []


async def test_owners_who_demote_each_other(world: World) -> None:
    """One of the two succeeds: an account keeps an owner."""
    tenant = await world.tenant()
    first = Actor(tenant.account_id, "firstbank", tenant.member, "owner")
    who = (world.store, world.clock, new_id)
    made = await memberships.create(*who, first, name="Second", role="owner")
    second = msgspec.structs.replace(first, membership_id=made.membership.id)

    async def demote(store: Store, by: Actor, whom: Actor) -> None:
        await memberships.update(store, world.clock, new_id, by, whom.membership_id, role="viewer")

    with pytest.raises(Invalid, match="No active owner"):
        await in_order(world, lambda store: demote(store, first, second), lambda: demote(world.store, second, first))
    assert world.look("SELECT count(*) FROM memberships WHERE role = 'owner'") == [(1,)]


@pytest.mark.parametrize("status", ["paused", "canceled"])
async def test_an_intent_waits_for_a_change_of_its_engagement(world: World, status: str) -> None:
    """Once the PATCH is answered no text of it is written any more."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3)
    sender = await world.sender(tenant, world.recorder(tenant))
    await in_order(world, lambda store: change(store, world, engagement, status), sender.turn)
    assert world.carrier.submitted == []
    assert set(world.reasons().values()) == {"canceled" if status == "canceled" else ""}
    await world.ledger(engagement)


async def test_a_cancel_waits_for_the_intent_that_is_being_written(world: World) -> None:
    """It counts as left what was written before it, and cancels the rest, to a man."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 5)
    sender = await world.sender(tenant, world.recorder(tenant), window=2)

    async def intend(store: Store) -> None:
        sender._store = store
        await sender.turn()

    shown = await in_order(world, intend, lambda: change(world.store, world, engagement, "canceled"))
    assert (shown.ledger.processing, shown.ledger.incomplete) == (1, 4)
    assert shown.ledger == await world.ledger(engagement)


async def test_envelopes_are_not_added_behind_a_cancel(world: World) -> None:
    """Whoever adds while the engagement is canceled is refused, and nothing is left due."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)

    async def add() -> Any:
        new = [NewEnvelope(recipient(7), "{}")]
        owner = actor(world, engagement)
        return await envelopes.add(world.store, world.clock, new_id, owner, [engagement.id], new, str)

    with pytest.raises(Exception, match="canceled and takes no more envelopes"):
        await in_order(world, lambda store: change(store, world, engagement, "canceled"), add)
    assert (await world.ledger(engagement)).total == 1


async def test_a_lane_is_not_taken_while_its_owner_writes(world: World) -> None:
    """Though the lease has run out: the next owner comes when that intent is committed, and finds it."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    sender = await world.sender(tenant, world.recorder(tenant))
    paused = Paused(world.store)
    sender._store = paused
    turn = asyncio.ensure_future(sender.turn())
    await paused.reached.wait()
    async with world.store.writing() as tx:
        assert await lanes.take(tx, tenant.number, "one", 60) is None
    paused.go_on.set()
    await turn
    assert (await world.lease(tenant.number)).epoch == sender.lease.epoch + 1
    assert world.statuses() == {recipient(0): "sending"}


async def test_a_stale_epoch_writes_nothing_however_close(world: World) -> None:
    """An intent that begins while its worker's successor, who bears the same name, takes the lane is fenced by it."""
    tenant = await world.tenant()
    await world.engagement(tenant, 1)
    sender = await world.sender(tenant, world.recorder(tenant))

    async def take(store: Store) -> None:
        async with store.writing() as tx:
            assert await lanes.take(tx, tenant.number, "one", 60)

    with pytest.raises(Fenced):
        await in_order(world, take, sender.turn)
    assert world.statuses() == {}
    assert world.carrier.submitted == []


@pytest.mark.parametrize("known", [False, True])
async def test_one_of_many_owners_gets_a_lane(world: World, known: bool) -> None:
    """However many reach for it at once, and whether or not it was ever taken."""
    tenant = await world.tenant()
    if known:
        await world.lease(tenant.number, "before")
        world.expire_lanes()

    async def take(owner: str) -> lanes.Lease | None:
        async with world.store.writing() as tx:
            return await lanes.take(tx, tenant.number, owner, 60)

    taken = await asyncio.gather(*(take(f"owner-{each}") for each in range(8)))
    assert len([lease for lease in taken if lease]) == 1
    assert world.look("SELECT epoch FROM lanes") == [(2 if known else 1,)]


async def test_two_lanes_of_one_engagement_take_different_envelopes(world: World) -> None:
    """Neither waits for the other, and none is taken twice."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 6)
    now = world.clock.now()
    async with world.store.writing() as one, world.store.writing() as other:
        first = await one.batches.due(tenant.account_id, engagement.id, tenant.number.id, now, 4)
        second = await other.batches.due(tenant.account_id, engagement.id, new_id(), now, 4)
    assert (len(first), len(second)) == (4, 2)
    assert not {due.envelope_id for due in first} & {due.envelope_id for due in second}


async def test_a_person_who_is_in_a_pool_twice_is_texted_once(world: World) -> None:
    """Two numbers take one of their envelopes each, at once: the second waits, and then knows whom the first texted."""
    tenant = await world.tenant()
    people = [recipient(0), recipient(1), recipient(0), recipient(2)]
    engagement = await world.engagement(tenant, people)
    number = await world.second_number(tenant)
    await world.pool(engagement, tenant.number, number)
    # half a window at a time: two
    first = await world.sender(tenant, world.recorder(tenant), window=4)
    second = await world.sender(tenant, world.recorder(tenant), window=4, number=number)

    async def intend(store: Store) -> None:
        first._store = store
        await first.turn()

    await in_order(world, intend, second.turn)
    await first.turn()  # the second has left them to the number that texted them before
    assert sorted(world.carrier.recipients) == [recipient(0), recipient(1), recipient(2)]
    reasons = world.look("SELECT reason, count(*) FROM envelopes GROUP BY reason ORDER BY reason")
    assert reasons == [("duplicate", 1), ("sending", 3)]


async def test_lanes_of_a_pool_do_not_wait_to_say_why_they_wait(world: World) -> None:
    """They hold their engagement together: what one cannot write on it now, the next look writes."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    async with world.store.writing() as one, world.store.writing() as other:
        for tx in (one, other):
            assert await work.hold_running(tx, tenant.account_id, engagement.id, tenant.number.id)
        for tx in (one, other):
            await work.show_hold(tx, engagement, "queue-schedule", world.clock.now())
    assert world.look("SELECT hold_reason FROM engagements") == [(None,)]
    async with world.store.writing() as tx:
        await work.show_hold(tx, engagement, "queue-schedule", world.clock.now())
    assert world.look("SELECT hold_reason FROM engagements") == [("queue-schedule",)]


async def test_ledgers_move_without_deadlock(world: World) -> None:
    """Many writers that move all places of the same engagements, in any order, come to the right sums."""
    tenant = await world.tenant()
    both = [await world.engagement(tenant, 1), await world.engagement(tenant, 1)]
    chance = random.Random(7)

    async def move() -> None:
        for _ in range(10):
            moves = Moves()
            for engagement in chance.sample(both, 2):
                for reason in chance.sample([Reason.SENDING, Reason.SENT, Reason.DELIVERED, Reason.IN_DOUBT], 4):
                    moves.arrive(tenant.account_id, engagement.id, reason)
            async with world.store.writing() as tx:
                await ledgers.move_and_complete(tx, moves, world.clock.now())

    await asyncio.gather(*(move() for _ in range(8)))
    async with world.store.reading() as tx:
        for engagement in both:
            assert (await ledgers.read(tx, tenant.account_id, engagement.id)).total == 1 + 8 * 10 * 4


async def test_the_last_two_outcomes_complete_the_engagement(world: World) -> None:
    """Each of two writers sees the other's envelope as open; the next look completes what both have left."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 0)
    moves = Moves()
    moves.touch(tenant.account_id, engagement.id)
    async with world.store.writing() as holder:
        assert await work.hold_running(holder, tenant.account_id, engagement.id, tenant.number.id)
        async with world.store.writing() as tx:
            assert await ledgers.move_and_complete(tx, moves, world.clock.now()) == []
    async with world.store.writing() as tx:
        assert await ledgers.move_and_complete(tx, moves, world.clock.now()) == [engagement.id]
    assert world.engagement_status(engagement) == EngagementStatus.COMPLETED


async def test_accounts_made_at_once_are_different_tenants(world: World) -> None:
    """No two get the same number."""

    async def make(key: str) -> None:
        await create_account(world.store, SystemClock(), new_id, key=key, phone_number="+12025550100")

    await asyncio.gather(*(make(f"shop-{each}") for each in range(8)))
    assert [number for (number,) in world.look("SELECT account_id FROM accounts ORDER BY 1")] == list(range(1, 9))


async def test_two_segments_receipts_at_once(world: World) -> None:
    """The one that is stored second sees the other's, and the long text is delivered."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1, body=LONG)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    refs = ("a", "b", "c")
    world.carrier.answer = lambda each: msgspec.structs.replace(accept(each), carrier_refs=refs)
    await sender.turn()
    await recorder.commit()
    (sent,) = world.carrier.submitted

    async def hear(store: Store, *refs: str) -> None:
        own = world.recorder(tenant, store)
        own.receipts([receipt_for(sent, carrier_ref=ref) for ref in refs])
        await own.commit()

    await in_order(world, lambda store: hear(store, "a"), lambda: hear(world.store, "b", "c"))
    assert world.statuses() == {recipient(0): "delivered"}
    assert (await world.ledger(engagement)).complete == 1


async def test_a_receipt_parked_while_its_answer_was_stored_is_matched(world: World) -> None:
    """Two workers share a login: one parks the receipt of the other's text; the next look brings them together."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (sent,) = world.carrier.submitted
    recorder.outcomes([accept(sent)])
    paused = Paused(world.store)
    recorder._store = paused
    answered = asyncio.ensure_future(recorder.commit())
    await paused.reached.wait()
    other = world.recorder(tenant)
    other.receipts([receipt_for(sent)])
    await other.commit()
    paused.go_on.set()
    await answered
    assert world.look("SELECT count(*) FROM parked_receipts") == [(1,)]
    assert world.statuses() == {recipient(0): "sent"}
    recorder._store = world.store
    await recorder.match_lately_parked()
    assert world.look("SELECT count(*) FROM parked_receipts") == [(0,)]
    assert world.statuses() == {recipient(0): "delivered"}
    assert (await world.ledger(engagement)).complete == 1


Safeguard = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[World], Awaitable[None]]

HELD_BY: dict[str, tuple[Safeguard, Behaviour]] = {
    "consent, when a stop comes first": (
        lambda patch: patch.setattr(PostgresTransaction, "take_turn", nothing),
        test_an_intent_waits_for_a_stop_that_is_being_stored,
    ),
    "consent, when an intent comes first": (
        lambda patch: patch.setattr(PostgresTransaction, "take_turn", nothing),
        test_a_stop_waits_for_the_intent_that_is_being_written,
    ),
    "consent, when an operator comes first": (
        lambda patch: patch.setattr(PostgresTransaction, "take_turn", nothing),
        test_an_intent_waits_for_a_suppression_that_is_being_stored,
    ),
    "the last owner": (
        lambda patch: patch.setattr(memberships, "_one_at_a_time", nothing),
        test_owners_who_demote_each_other,
    ),
    "turns in a pool": (
        lambda patch: patch.setattr(PostgresTransaction, "take_turn", nothing),
        test_a_person_who_is_in_a_pool_twice_is_texted_once,
    ),
    "turns at accounts": (
        lambda patch: patch.setattr(PostgresTransaction, "take_turn", nothing),
        test_accounts_made_at_once_are_different_tenants,
    ),
    "the lane": (lambda patch: loose(patch, lanes, "_REQUIRE"), test_a_stale_epoch_writes_nothing_however_close),
    "the engagement": (
        lambda patch: loose(patch, work, "_STILL_RUNNING"),
        lambda world: test_an_intent_waits_for_a_change_of_its_engagement(world, "paused"),
    ),
    "segments": (lambda patch: loose(patch, receipts, "_HOLD_SEGMENTS"), test_two_segments_receipts_at_once),
    "what was parked lately": (
        lambda patch: patch.setattr(Recorder, "match_lately_parked", nothing),
        test_a_receipt_parked_while_its_answer_was_stored_is_matched,
    ),
}


@pytest.mark.parametrize("name", HELD_BY)
async def test_the_test_notices(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without its safeguard the behaviour's test fails."""
    take_away, behaviour = HELD_BY[name]
    take_away(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError, Violation, pytest.fail.Exception)):
        await behaviour(world)


async def test_what_two_take_back_is_counted_out_once(world: World) -> None:
    """The second hears which are gone, and takes none: the ledger is what is there."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3)
    ids = [id_ for (id_,) in world.look("SELECT id FROM envelopes ORDER BY id")]

    async def take_back(store: Store, some: list[Any]) -> None:
        who = actor(world, engagement)
        await envelope_edits.delete(store, world.clock, new_id, who, some, "/data/{}".format)

    with pytest.raises(Invalid) as refused:
        await in_order(world, lambda store: take_back(store, ids[:2]), lambda: take_back(world.store, ids[1:]))
    assert [problem.pointer for problem in refused.value.problems] == ["/data/0/id"]
    assert (await world.ledger(engagement)).total == len(world.reasons()) == 1
