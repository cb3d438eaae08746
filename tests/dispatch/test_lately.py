"""Who was texted lately, where an engagement's own envelopes tell it: each counts, once, and nobody is forgotten."""

from typing import Any

import pytest

from dispatch.world import Tenant, World, accept, recipient
from opengage.dispatch import lately
from opengage.domain.frequency import FREQUENCY_CAP
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id
from opengage.operations import copies
from opengage.operations.actors import Actor
from opengage.store import recent_texts

HELD = [("hold", "throttled", FREQUENCY_CAP)]


@pytest.fixture(autouse=True)
def records(monkeypatch: pytest.MonkeyPatch) -> None:
    """From two texts in a batch on, an engagement is its own record."""
    monkeypatch.setattr(lately, "LARGE", 2)


async def capped(world: World, count: int) -> Tenant:
    """An account that texts nobody more often than so many times a day."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=count, frequency_hours=24)
    return tenant


async def sent(world: World, tenant: Tenant, numbers: list[str], **said: Any) -> Engagement:
    """An engagement whose first batch has gone, and everything else that was due."""
    engagement = await world.engagement(tenant, numbers, **said)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender = await world.sender(tenant, recorder)
    for _ in range(2):
        await sender.turn()
        await recorder.commit()
    return engagement


def remembered(world: World) -> int:
    """Rows of the table."""
    count: int = world.look("SELECT count(*) FROM recent_texts")[0][0]
    return count


def held(world: World) -> list[tuple[str, str, str]]:
    """(status, reason, rule) of every envelope that a rule holds."""
    return world.look("SELECT status, reason, hold_reason FROM envelopes WHERE hold_reason IS NOT NULL")


async def test_a_large_batch_makes_its_engagement_a_record(world: World) -> None:
    """Nothing is written for its texts; a small batch's are remembered one by one."""
    tenant = await capped(world, 5)
    large = await sent(world, tenant, [recipient(0), recipient(1)])
    assert remembered(world) == 0
    small = await sent(world, tenant, [recipient(2)], body="Small")
    assert remembered(world) == 1
    found = dict(world.look("SELECT id, is_own_record FROM engagements"))
    assert (bool(found[large.id]), found[small.id]) == (True, None)


async def test_another_engagement_is_held_by_what_a_record_knows(world: World) -> None:
    """The cap counts over all engagements, wherever their texts are found."""
    tenant = await capped(world, 1)
    await sent(world, tenant, [recipient(0), recipient(1)])
    await sent(world, tenant, [recipient(0)], body="Again")
    assert len(world.carrier.submitted) == 2
    assert held(world) == HELD


async def test_a_single_text_is_held_by_what_a_record_knows(world: World) -> None:
    """Texts of no engagement are counted together with those of blasts."""
    tenant = await capped(world, 1)
    await sent(world, tenant, [recipient(0), recipient(1)])
    await world.single(tenant, recipient(0))
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert len(world.carrier.submitted) == 2
    assert world.look("SELECT hold_reason FROM texts WHERE engagement_id IS NULL") == [(FREQUENCY_CAP,)]


async def test_a_record_asks_itself(world: World) -> None:
    """A second text of the same engagement to the same person is counted too."""
    tenant = await capped(world, 1)
    engagement = await sent(world, tenant, [recipient(0), recipient(1)], body="Hi {{n}}", meta='{"n":1}')
    again = [(recipient(0), '{"n":2}'), (recipient(1), '{"n":3}'), (recipient(2), '{"n":4}')]
    await world.envelopes(tenant, engagement, again, world.clock.now())
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert sorted(each.body for each in world.carrier.submitted) == ["Hi 1", "Hi 1", "Hi 4"]
    assert held(world) == HELD * 2


async def test_what_was_remembered_before_counts_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that stands in the table and in a record is one text."""
    monkeypatch.setattr(lately, "LARGE", 3)
    tenant = await capped(world, 2)
    engagement = await sent(world, tenant, [recipient(0), recipient(1)], body="Hi {{n}}", meta='{"n":1}')
    assert remembered(world) == 2
    more = [(recipient(place), '{"n":2}') for place in (2, 3, 4)]
    await world.envelopes(tenant, engagement, more, world.clock.now())
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    assert world.look("SELECT count(*) FROM engagements WHERE is_own_record") == [(1,)]
    await world.envelopes(tenant, engagement, [(recipient(0), '{"n":3}')], world.clock.now())
    await sender.turn()
    assert [each.body for each in world.carrier.submitted[-1:]] == ["Hi 3"]
    assert held(world) == []


async def test_an_account_has_few_records_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond them texts are remembered one by one, and count all the same."""
    monkeypatch.setattr(lately, "MOST", 1)
    tenant = await capped(world, 2)
    for body in ("One", "Two", "Three"):
        await sent(world, tenant, [recipient(0), recipient(1)], body=body)
    assert world.look("SELECT count(*) FROM engagements WHERE is_own_record") == [(1,)]
    assert remembered(world) == 2
    assert sorted(each.body for each in world.carrier.submitted) == ["One", "One", "Two", "Two"]
    assert held(world) == HELD * 2


async def test_what_ended_before_the_look_back_makes_room(world: World) -> None:
    """A record is looked into for as long as a cap looks back behind its end."""
    tenant = await capped(world, 2)
    engagement = await sent(world, tenant, [recipient(0), recipient(1)])
    end = world.clock.now()
    world.change("UPDATE engagements SET completed_at = ?", end)
    async with world.store.reading() as tx:
        assert await recent_texts.own_records(tx, tenant.account_id, end) == [engagement.id]
        assert await recent_texts.own_records(tx, tenant.account_id, type(end)(end + 1)) == []


@pytest.mark.parametrize("cap", [None, 5])
async def test_an_account_with_pools_remembers_every_text(world: World, cap: int | None) -> None:
    """Which number texted somebody last is what only the table tells, whatever asked for that text."""
    tenant = await world.tenant()
    await world.account(tenant, frequency_cap=cap)
    second = await world.second_number(tenant)
    later = await world.engagement(tenant, [recipient(0), recipient(1)], body="Two", status=EngagementStatus.PAUSED)
    await world.pool(later, tenant.number, second)
    await world.engagement(tenant, [recipient(0), recipient(1)], body="One", number=second)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    senders = [await world.sender(tenant, recorder), await world.sender(tenant, recorder, number=second)]
    for _ in range(2):
        for sender in senders:
            await sender.turn()
            await recorder.commit()
        world.change("UPDATE engagements SET status = 'processing' WHERE id = ?", later.id)
    assert [(each.sender, each.body) for each in world.carrier.submitted] == [
        *[(second.phone_number, "One")] * 2,
        *[(second.phone_number, "Two")] * 2,
    ]
    assert remembered(world) == 4
    assert world.look("SELECT count(*) FROM engagements WHERE is_own_record") == [(0,)]


async def test_a_cap_switched_on_counts_what_the_blast_had_sent(world: World) -> None:
    """Whom it texted while nobody counted is not texted once more."""
    tenant = await world.tenant()
    engagement = await sent(world, tenant, [recipient(0), recipient(1)], body="Hi {{n}}", meta='{"n":1}')
    await world.account(tenant, frequency_cap=1, frequency_hours=24)
    again = [(recipient(place), '{"n":2}') for place in range(3)]
    await world.envelopes(tenant, engagement, again, world.clock.now())
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert [each.body for each in world.carrier.submitted] == ["Hi 1", "Hi 1", "Hi 2"]
    assert held(world) == HELD * 2


async def test_a_copy_is_no_record(world: World) -> None:
    """It has texted nobody yet."""
    tenant = await capped(world, 5)
    engagement = await sent(world, tenant, [recipient(0), recipient(1)])
    actor = Actor(tenant.account_id, "firstbank", tenant.member, "owner")
    await copies.copy(world.store, world.clock, new_id, actor, engagement.id, charge=lambda _: None)
    assert world.look("SELECT is_own_record FROM engagements WHERE copied_from = ?", engagement.id) == [(None,)]
