"""What keeps a whole engagement waiting, by name and with the time at which it opens."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.world import LONG, World, accept, receipt_for, recipient
from opengage.clock import Instant
from opengage.dispatch.guardian import Guardian
from opengage.domain.ledger import Moves
from opengage.domain.outcomes import Deferred, ReceiptState
from opengage.domain.states import Reason
from opengage.ids import Id, new_id
from opengage.store import endings, ledgers
from opengage.store.contract import Settled

MONDAY_NOON = Instant(int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp() * 1_000_000))
HOURS = json.dumps({"time-zone": "UTC", "windows": [{"days": ["mon"], "from": "13:00", "to": "17:00"}]})


def at(text: str) -> Instant:
    """An instant from its ISO form."""
    return Instant(int(datetime.fromisoformat(text).timestamp() * 1_000_000))


def held(world: World, engagement: Any) -> tuple[Any, ...]:
    """What the engagement says of its gate."""
    return world.look("SELECT hold_reason, hold_until FROM engagements WHERE id = ?", engagement.id)[0]


async def test_outside_its_weekly_hours_nothing_goes(world: World) -> None:
    """The engagement says when they open, and goes on at that instant, not a moment earlier."""
    world.clock.wall = MONDAY_NOON
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2, queue_schedule_is_enabled=True, queue_schedule=HOURS)
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    opens_at = at("2026-11-30T13:00:00+00:00")
    assert (world.carrier.submitted, held(world, engagement)) == ([], ("queue-schedule", opens_at))
    world.clock.wall = Instant(opens_at - 1)
    await sender.turn()
    assert world.carrier.submitted == []
    world.clock.wall = opens_at
    await sender.turn()
    assert (len(world.carrier.submitted), held(world, engagement)) == (2, (None, None))


@pytest.mark.parametrize(
    ("limit", "until"),
    [
        ("queue_throttle_hour_limit", "2026-11-30T13:00:00+00:00"),
        ("queue_throttle_day_limit", "2026-12-01T00:00:00+00:00"),
    ],
)
async def test_the_limits_of_an_engagement(world: World, limit: str, until: str) -> None:
    """So many texts in an hour or a day, and the rest in the next one."""
    world.clock.wall = MONDAY_NOON
    tenant = await world.tenant()
    limits: dict[str, Any] = {limit: 3}
    engagement = await world.engagement(tenant, 5, **limits)
    sender = await world.sender(tenant, world.recorder(tenant))
    for _ in range(3):
        await sender.turn()
    assert (len(world.carrier.submitted), held(world, engagement)[1]) == (3, at(until))
    world.clock.wall = at(until)
    for _ in range(2):
        await sender.turn()
    assert len(world.carrier.submitted) == 5


async def test_budgets_of_a_service_profile_are_shared_by_its_numbers(world: World) -> None:
    """The carrier's limit in segments holds over all lanes together, and rolls over at the carrier's midnight."""
    world.clock.wall = MONDAY_NOON
    tenant = await world.tenant()
    other = await world.second_number(tenant)
    budget = [{"name": "carrier", "limit": 4, "unit": "segments", "period": "day", "time-zone": "America/Los_Angeles"}]
    tenant.profile = await world.set(tenant.profile, budgets=json.dumps(budget))
    first = await world.engagement(tenant, 3)
    second = await world.engagement(tenant, [recipient(10), recipient(11), recipient(12)], number=other)
    recorder = world.recorder(tenant)
    one, two = await world.sender(tenant, recorder), await world.sender(tenant, recorder, number=other)
    for _ in range(2):
        await one.turn()
        await two.turn()
    midnight = at("2026-12-01T08:00:00+00:00")
    assert len(world.carrier.submitted) == 4
    assert held(world, second) == ("carrier", midnight)
    world.clock.wall = midnight
    await two.turn()
    assert len(world.carrier.submitted) == 6
    assert (await world.ledger(first)).pending == (await world.ledger(second)).pending == 0


@pytest.mark.parametrize(("limit", "days"), [(4, [1, 2, 3]), (7, [2, 3, 3]), (2, [1, 2, 3])])
async def test_a_text_longer_than_what_is_left_waits(world: World, limit: int, days: list[int]) -> None:
    """Texts of three segments never overdraw a day; one that is longer than a whole day's limit goes as its first."""
    world.clock.wall = MONDAY_NOON
    tenant = await world.tenant()
    budget = [{"name": "day", "limit": limit, "period": "day"}]
    tenant.profile = await world.set(tenant.profile, budgets=json.dumps(budget))
    engagement = await world.engagement(tenant, 3, body=LONG)
    sender = await world.sender(tenant, world.recorder(tenant))
    for day, submitted in enumerate(days, start=1):
        for _ in range(2):
            await sender.turn()
        assert len(world.carrier.submitted) == submitted
        midnight = at(f"2026-12-0{day}T00:00:00+00:00")
        assert held(world, engagement) == ((None, None) if submitted == 3 else ("day", midnight))
        world.clock.wall = midnight


@pytest.mark.parametrize("period", ["minute", "day"])
async def test_single_texts_draw_on_the_same_budgets(world: World, period: str) -> None:
    """Segment by segment, together with a blast; who does not fit waits for the next period, by name, and goes then."""
    world.clock.wall = MONDAY_NOON
    tenant = await world.tenant()
    budget = [{"name": "carrier", "limit": 4, "period": period}]
    tenant.profile = await world.set(tenant.profile, budgets=json.dumps(budget))
    for place in range(3):
        await world.single(tenant, recipient(place), body="x" * 200, segments=2)
    await world.single(tenant, recipient(3))
    engagement = await world.engagement(tenant, [recipient(10)])
    sender = await world.sender(tenant, world.recorder(tenant))
    for _ in range(3):
        await sender.turn()
    assert world.carrier.recipients == [recipient(0), recipient(1)]
    ends_at = at("2026-11-30T12:01:00+00:00" if period == "minute" else "2026-12-01T00:00:00+00:00")
    waiting = world.look("SELECT hold_reason, next_at FROM texts WHERE status = 'queued'")
    assert waiting == [("carrier", ends_at)] * 2
    assert held(world, engagement) == ("carrier", ends_at)
    world.clock.wall = ends_at
    for _ in range(3):
        await sender.turn()
    assert world.carrier.recipients[2:] == [recipient(2), recipient(3), recipient(10)]


async def test_a_long_text_that_waits_lets_a_short_one_pass(world: World) -> None:
    """What is left of a period is not lost; the long one is the first of the next."""
    world.clock.wall = MONDAY_NOON
    tenant = await world.tenant()
    tenant.profile = await world.set(tenant.profile, budgets='[{"name":"carrier","limit":3,"period":"day"}]')
    await world.single(tenant, recipient(0), body="x" * 200, segments=2)
    await world.single(tenant, recipient(1), body="x" * 200, segments=2)
    await world.single(tenant, recipient(2))
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert world.carrier.recipients == [recipient(0), recipient(2)]
    world.clock.wall = at("2026-12-01T00:00:00+00:00")
    await world.single(tenant, recipient(3), body="x" * 200, segments=2)
    await sender.turn()
    assert world.carrier.recipients[2:] == [recipient(1)]


async def test_a_canary_goes_first_and_the_rest_when_it_did_well(world: World) -> None:
    """Only so many leave; after their receipts the guardian lets the others follow."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 10, canary_size=3, canary_wait_seconds=60, canary_state="waiting")
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    await sender.turn()
    await recorder.commit()
    await sender.turn()
    await guardian.sweep()
    assert (len(world.carrier.submitted), held(world, engagement)[0]) == (3, "canary")
    recorder.receipts([receipt_for(each) for each in world.carrier.submitted])
    await recorder.commit()
    await guardian.sweep()
    await sender.turn()
    assert len(world.carrier.submitted) == 10
    assert world.look("SELECT canary_state FROM engagements") == [("passed",)]


async def test_a_canary_that_dies_stops_the_blast(world: World) -> None:
    """The engagement is paused with the reason in words; nobody else was texted."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 10, canary_size=2, canary_wait_seconds=60, canary_state="waiting")
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    await sender.turn()
    recorder.receipts([receipt_for(each, ReceiptState.UNDELIVERED) for each in world.carrier.submitted])
    await recorder.commit()
    await sender.turn()
    await guardian.sweep()
    await sender.turn()
    assert len(world.carrier.submitted) == 2
    assert world.engagement_status(engagement) == "paused"
    (why,) = world.look("SELECT pause_reason FROM engagements")[0]
    assert "0 of 2" in why


@pytest.mark.parametrize(("ratio", "status"), [(None, "paused"), (0.5, "processing"), (0.51, "paused")])
async def test_how_much_of_a_canary_must_arrive(world: World, ratio: float | None, status: str) -> None:
    """Half of it did: enough where half is asked for, and only there."""
    tenant = await world.tenant()
    engagement = await world.engagement(
        tenant, 4, canary_size=2, canary_wait_seconds=60, canary_state="waiting", canary_delivery_ratio=ratio
    )
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    states = (ReceiptState.DELIVERED, ReceiptState.UNDELIVERED)
    recorder.receipts([receipt_for(each, state) for each, state in zip(world.carrier.submitted, states, strict=True)])
    await recorder.commit()
    await sender.turn()
    await Guardian(world.store, world.clock, new_id).sweep()
    assert world.engagement_status(engagement) == status


async def test_a_canarys_patience_ends(world: World) -> None:
    """Without receipts it fails when the waiting is over, and no earlier."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 4, canary_size=2, canary_wait_seconds=60, canary_state="waiting")
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    await sender.turn()
    await recorder.commit()
    await sender.turn()
    world.clock.advance(59)
    await guardian.sweep()
    assert world.engagement_status(engagement) == "processing"
    world.clock.advance(1)
    await guardian.sweep()
    assert world.engagement_status(engagement) == "paused"


async def test_too_many_failures_pause_a_blast(world: World) -> None:
    """Past the ratio, with enough texts to tell, it is paused; within it, it goes on."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 100, pause_failure_ratio=0.1)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    await sender.turn()
    await recorder.commit()
    submitted = world.carrier.submitted[:50]
    states = [ReceiptState.UNDELIVERED] * 5 + [ReceiptState.DELIVERED] * 45
    recorder.receipts([receipt_for(each, state) for each, state in zip(submitted, states, strict=True)])
    await recorder.commit()
    await guardian.sweep()
    assert world.engagement_status(engagement) == "processing"
    await sender.turn()
    await recorder.commit()
    recorder.receipts([receipt_for(world.carrier.submitted[50], ReceiptState.UNDELIVERED)])
    await recorder.commit()
    await guardian.sweep()
    assert world.engagement_status(engagement) == "paused"


async def test_what_lapsed_pauses_no_blast(world: World) -> None:
    """Texts whose validity was over before their turn say nothing of the carrier; those that it gave up on do."""
    tenant = await world.tenant()
    now = world.clock.now()
    engagement = await world.engagement(
        tenant, 100, started_at=now, validity_seconds=60, pause_failure_ratio=0.1, queue_batch_limit=51
    )
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    for _ in range(2):
        await sender.turn()
    await recorder.commit()
    submitted = list(world.carrier.submitted)
    states = [ReceiptState.EXPIRED] * 4 + [ReceiptState.DELIVERED] * 46
    recorder.receipts([receipt_for(*each) for each in zip(submitted[1:], states, strict=True)])
    await recorder.commit()
    world.wait(60, sender)
    await sender.turn()
    assert (await world.ledger(engagement)).reasons == {"delivered": 46, "expired": 4 + 49, "sent": 1}
    await guardian.sweep()
    assert world.engagement_status(engagement) == "processing"
    async with world.store.reading() as tx:
        found = await ledgers.read_many(tx, tenant.account_id, [engagement.id])
    assert found[engagement.id].left == len(submitted) == 51


async def test_what_the_network_gave_up_on_pauses_a_blast(world: World) -> None:
    """It left, and did not arrive."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 100, pause_failure_ratio=0.1)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    await sender.turn()
    await recorder.commit()
    states = [ReceiptState.EXPIRED] * 6 + [ReceiptState.DELIVERED] * 44
    recorder.receipts([receipt_for(*each) for each in zip(world.carrier.submitted[:50], states, strict=True)])
    await recorder.commit()
    await guardian.sweep()
    assert world.engagement_status(engagement) == "paused"
    assert "expired 6" in world.look("SELECT pause_reason FROM engagements")[0][0]


async def test_a_canary_is_judged_by_those_of_it_who_were_texted(world: World) -> None:
    """One of the three lapsed while it was put off: the two who got their text let the others follow."""
    tenant = await world.tenant()
    engagement = await world.engagement(
        tenant,
        6,
        started_at=world.clock.now(),
        validity_seconds=3600,
        canary_size=3,
        canary_wait_seconds=60,
        canary_state="waiting",
    )
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: (
        Deferred(each.text_id, "ESME_RSYSERR", throttled=False) if each.recipient == recipient(0) else accept(each)
    )
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    await sender.turn()
    await recorder.commit()
    recorder.receipts([receipt_for(each) for each in world.carrier.submitted[1:]])
    await recorder.commit()
    async with world.store.writing() as tx:
        found = world.look("SELECT id, text_id FROM envelopes WHERE reason = 'retrying'")
        await endings.close(
            tx,
            tenant.account_id,
            engagement.id,
            [Settled(Id(id_), Reason.EXPIRED, Id(text_id)) for id_, text_id in found],
            world.clock.now(),
            new_id,
        )
        moves = Moves()
        moves.leave(tenant.account_id, engagement.id, Reason.RETRYING)
        moves.arrive(tenant.account_id, engagement.id, Reason.EXPIRED)
        await endings.move_and_complete(tx, moves, world.clock.now(), new_id)
    await sender.turn()
    await guardian.sweep()
    assert (world.engagement_status(engagement), world.look("SELECT canary_state FROM engagements")) == (
        "processing",
        [("passed",)],
    )


async def test_too_many_opt_outs_pause_a_blast(world: World) -> None:
    """A STOP from somebody whom it texted counts; one from a stranger does not."""
    from dispatch.test_inbound import hear, text

    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 50, pause_opt_out_ratio=0.05)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender, guardian = await world.sender(tenant, recorder), Guardian(world.store, world.clock, new_id)
    await sender.turn()
    await recorder.commit()
    for stranger in range(60, 65):
        await hear(recorder, text("STOP", tenant, sender=recipient(stranger)))
    await guardian.sweep()
    assert world.engagement_status(engagement) == "processing"
    for number in range(3):
        await hear(recorder, text("STOP", tenant, sender=recipient(number)))
    await guardian.sweep()
    assert world.engagement_status(engagement) == "paused"
    assert "opted out" in world.look("SELECT pause_reason FROM engagements")[0][0]
