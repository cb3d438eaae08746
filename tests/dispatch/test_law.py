"""Envelopes held by a rule: which one, until when, and that they go when it ends."""

from datetime import datetime

import pytest

from dispatch.world import World, accept, receipt_for, recipient
from opengage.clock import SECOND, Instant
from opengage.domain.frequency import FREQUENCY_CAP
from opengage.ids import floor
from opengage.store.contract import Recent

NEW_YORK, PHOENIX = "+12125550110", "+16025550110"


def at(text: str) -> Instant:
    """An instant from its ISO form."""
    return Instant(int(datetime.fromisoformat(text).timestamp() * SECOND))


def holds(world: World) -> dict[str, tuple[str, str, str | None, int | None]]:
    """(status, reason, rule, until) of every envelope, by its number."""
    found = world.look("SELECT phone_number, status, reason, hold_reason, hold_until FROM envelopes ORDER BY id")
    return {number: (status, reason, rule, until) for number, status, reason, rule, until in found}


async def test_at_night_a_text_is_held_until_the_morning(world: World) -> None:
    """Each by the hour where its person is, with the rule's name; in the morning it goes."""
    world.clock.wall = at("2026-12-01T13:30:00+00:00")  # 8:30 in New York, 6:30 in Phoenix
    tenant = await world.tenant()
    await world.account(tenant, quiet_hours="on")
    engagement = await world.engagement(tenant, [NEW_YORK, PHOENIX])
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert world.carrier.recipients == [NEW_YORK]
    status, reason, rule, until = holds(world)[PHOENIX]
    assert (status, reason, until) == ("hold", "quiet-hours", at("2026-12-01T15:00:00+00:00"))
    assert rule
    assert world.law._clock.explain(rule).text
    assert (await world.ledger(engagement)).reasons == {"quiet-hours": 1, "sending": 1}
    world.clock.wall = Instant(at("2026-12-01T15:00:00+00:00") - 1)
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    world.clock.wall = at("2026-12-01T15:00:00+00:00")
    await sender.turn()
    assert world.carrier.recipients == [NEW_YORK, PHOENIX]
    assert holds(world)[PHOENIX] == ("processing", "sending", None, None)


async def test_meta_tells_where_somebody_is(world: World) -> None:
    """A New York number whose owner lives in Phoenix is held by the hour of Phoenix."""
    world.clock.wall = at("2026-12-01T13:30:00+00:00")
    tenant = await world.tenant()
    await world.account(tenant, quiet_hours="on")
    meta = '{"first-name":"Ann","time-zone":"America/Phoenix","state":"AZ"}'
    await world.engagement(tenant, [NEW_YORK], meta=meta)
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert world.carrier.submitted == []
    assert holds(world)[NEW_YORK][3] == at("2026-12-01T15:00:00+00:00")


async def test_where_the_clock_is_off_the_night_holds_nobody(world: World) -> None:
    """It is the account's choice."""
    world.clock.wall = at("2026-12-01T08:00:00+00:00")
    tenant = await world.tenant()
    await world.engagement(tenant, [NEW_YORK])
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert world.carrier.recipients == [NEW_YORK]


async def test_what_cannot_go_at_all_is_not_held(world: World) -> None:
    """A missing value is told at once, not in the morning."""
    world.clock.wall = at("2026-12-01T08:00:00+00:00")
    tenant = await world.tenant()
    await world.account(tenant, quiet_hours="on")
    await world.engagement(tenant, [NEW_YORK], meta="{}")
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert world.reasons() == {NEW_YORK: "missing-variable"}


async def test_the_cap_holds_over_all_engagements(world: World) -> None:
    """The third text in the time waits until the first one is out of it, by name; then it goes."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=2, frequency_hours=24)
    began = world.clock.now()
    for place in range(3):
        await world.engagement(tenant, [recipient(0)], body=f"Text {place}")
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender = await world.sender(tenant, recorder)
    for _ in range(4):
        await sender.turn()
        await recorder.commit()
    assert len(world.carrier.submitted) == 2
    (found,) = world.look("SELECT status, reason, hold_reason, hold_until FROM envelopes WHERE hold_reason IS NOT NULL")
    assert found[:3] == ("hold", "throttled", FREQUENCY_CAP)
    day = 24 * 3600 * SECOND
    assert began + day - SECOND <= found[3] <= began + day + 60 * SECOND
    world.clock.wall = Instant(found[3])
    await sender.turn()
    assert len(world.carrier.submitted) == 3


FLORIDA = "+13055550110"
"""A number of Miami: the law allows three texts in 24 hours."""


@pytest.mark.parametrize(
    ("own", "gone", "rule", "hours"),
    [
        ((4, 25), 3, "us-fl-quiet-hours", 24),  # the account's own, fewer an hour, would let a fourth go at once
        ((3, 30), 3, FREQUENCY_CAP, 30),  # both hold: the one that ends last
        ((1, 1), 1, FREQUENCY_CAP, 1),
    ],
)
async def test_the_accounts_cap_and_the_laws_both_hold(
    world: World, own: tuple[int, int], gone: int, rule: str, hours: int
) -> None:
    """Neither stands in for the other; the stricter one is named, of blasts and of single texts."""
    world.clock.wall = at("2026-12-01T15:00:00+00:00")
    tenant = await world.tenant()
    await world.account(tenant, quiet_hours="on", frequency_cap=own[0], frequency_hours=own[1])
    ago = Instant(world.clock.now() - 60 * SECOND)
    async with world.store.writing() as tx:
        texted = [Recent(FLORIDA, floor(Instant(ago + each * SECOND)), tenant.number.id) for each in range(gone)]
        await tx.batches.remember(tenant.account_id, texted)
    await world.engagement(tenant, [FLORIDA])
    await world.single(tenant, FLORIDA)
    sender = await world.sender(tenant, world.recorder(tenant))
    for _ in range(2):
        await sender.turn()
    assert world.carrier.submitted == []
    ((status, reason, *hold),) = world.look("SELECT status, reason, hold_reason, hold_until FROM envelopes")
    assert (status, reason) == ("hold", "throttled")
    (single,) = world.look("SELECT hold_reason, next_at FROM texts")
    assert tuple(hold) == single
    assert (hold[0], hold[1] // SECOND) == (rule, ago // SECOND + hours * 3600)


async def test_within_one_batch_the_cap_counts_too(world: World) -> None:
    """Three different texts to one person in one batch: one goes."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=1, frequency_hours=1)
    engagement = await world.engagement(tenant, [recipient(0)], body="Hi {{n}}", meta='{"n":1}')
    await world.envelopes(tenant, engagement, [(recipient(0), '{"n":2}'), (recipient(1), '{"n":3}')], world.clock.now())
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert sorted(each.body for each in world.carrier.submitted) == ["Hi 1", "Hi 3"]


async def test_local_time_reaches_each_at_their_own_hour(world: World) -> None:
    """Nine o'clock comes to New York first; whoever waits is pending, and says when it is."""
    world.clock.wall = at("2026-12-01T13:59:59+00:00")
    tenant = await world.tenant()
    engagement = await world.engagement(
        tenant, [NEW_YORK, PHOENIX], delivery_type="local-time", delivery_local_time="2026-12-01T09:00:00"
    )
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert world.carrier.submitted == []
    assert {each[:3] for each in holds(world).values()} == {("pending", "", None)}
    found = dict(world.look("SELECT phone_number, scheduled_at FROM envelopes"))
    assert found == {NEW_YORK: at("2026-12-01T14:00:00+00:00"), PHOENIX: at("2026-12-01T16:00:00+00:00")}
    assert (await world.ledger(engagement)).pending == 2
    world.clock.wall = at("2026-12-01T14:00:00+00:00")
    await sender.turn()
    assert world.carrier.recipients == [NEW_YORK]
    world.clock.wall = at("2026-12-01T16:00:00+00:00")
    await sender.turn()
    assert world.carrier.recipients == [NEW_YORK, PHOENIX]


async def test_what_has_lapsed_is_never_submitted(world: World) -> None:
    """Past the engagement's validity the rest ends as expired."""
    tenant = await world.tenant()
    now = world.clock.now()
    engagement = await world.engagement(tenant, 2, started_at=now, validity_seconds=60)
    world.clock.advance(60)
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert world.carrier.submitted == []
    assert (await world.ledger(engagement)).reasons == {"expired": 2}
    assert world.engagement_status(engagement) == "completed"


async def test_a_put_off_text_that_is_held_keeps_its_place(world: World) -> None:
    """Its text waits for a retry, so its envelope stands at retrying, and says what holds it beside that."""
    from opengage.domain.outcomes import Deferred

    world.clock.wall = at("2026-12-01T13:30:00+00:00")
    tenant = await world.tenant()
    await world.account(tenant, quiet_hours="on")
    engagement = await world.engagement(tenant, [NEW_YORK])
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Deferred(each.text_id, "ESME_RSYSERR", throttled=False)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    world.clock.wall = at("2026-12-02T03:00:00+00:00")  # 22:00 in New York
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    status, reason, rule, until = holds(world)[NEW_YORK]
    assert (status, reason, until) == ("processing", "retrying", at("2026-12-02T13:00:00+00:00"))
    assert rule
    assert (await world.ledger(engagement)).reasons == {"retrying": 1}
    world.clock.wall = at("2026-12-02T13:00:00+00:00")
    world.carrier.answer = accept
    await sender.turn()
    recorder.receipts([receipt_for(world.carrier.submitted[-1])])
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons == {"delivered": 1}
