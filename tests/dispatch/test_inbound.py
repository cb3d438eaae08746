"""Texts from handsets: stored before they are acknowledged, and a STOP takes effect in the same commit."""

import pytest

from dispatch.world import HookedStore, Tenant, World, recipient
from opengage.dispatch.recorder import Recorder
from opengage.domain.outcomes import Inbound


def text(body: str, tenant: Tenant, token: int = 1, sender: str = recipient(0)) -> Inbound:
    """A text from a handset to the tenant's number."""
    return Inbound(sender, tenant.number.phone_number, body, token)


async def hear(recorder: Recorder, *texts: Inbound) -> None:
    """These texts come in and are stored."""
    recorder.inbound(texts)
    await recorder.commit()


def suppressed(world: World) -> list[str]:
    """Who must not be texted."""
    return [number for (number,) in world.look("SELECT phone_number FROM suppressions ORDER BY id")]


@pytest.mark.parametrize("body", ["STOP", "stop!", " Unsubscribe ", "ARRÊT"])
async def test_stop_suppresses(world: World, body: str) -> None:
    """The sender's number is suppressed and the text is kept."""
    tenant = await world.tenant()
    await hear(world.recorder(tenant), text(body, tenant))
    assert suppressed(world) == [recipient(0)]
    found = world.look("SELECT sender, direction, status, body FROM texts WHERE direction = 'inbound'")
    assert found == [(recipient(0), "inbound", "received", body)]


async def test_a_login_shared_by_two_accounts(world: World) -> None:
    """A text comes over either one's connection; each account that has the number keeps it, and heeds its STOP."""
    one, other = await world.tenant(), await world.tenant("secondbank")
    await world.set(other.number, phone_number="+12025550111")
    to_other = Inbound(recipient(0), "+12025550111", "STOP", 1)
    await hear(world.recorder(one), to_other)
    assert world.look("SELECT account_id FROM suppressions") == [(other.account_id,)]
    await world.set(other.number, phone_number=one.number.phone_number)
    await hear(world.recorder(one), text("STOP", one, sender=recipient(1)))
    assert world.look("SELECT account_id, count(*) FROM suppressions GROUP BY 1 ORDER BY 1") == [
        (one.account_id, 1),
        (other.account_id, 2),
    ]


async def test_any_other_text_is_only_kept(world: World) -> None:
    """A sentence with the word stop in it is no STOP."""
    tenant = await world.tenant()
    await hear(world.recorder(tenant), text("we meet at the bus stop", tenant))
    assert suppressed(world) == []
    assert world.look("SELECT count(*) FROM texts") == [(1,)]


async def test_stop_counts_from_its_commit_on(world: World) -> None:
    """The next intent after the STOP's commit leaves its sender out."""
    tenant = await world.tenant()
    await world.engagement(tenant, 2)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await hear(recorder, text("Stop", tenant))
    await sender.turn()
    await sender.turn()
    assert [(each.recipient, each.body) for each in world.carrier.submitted if "opted out" not in each.body] == [
        (recipient(1), "Hello Ann")
    ]


async def test_stop_and_text_are_one_commit(world: World) -> None:
    """Neither is stored without the other, and neither is acknowledged until both are."""
    tenant = await world.tenant()
    store = HookedStore(world.store)
    seen: list[tuple[int, int]] = []

    async def look() -> None:
        counted = world.look("SELECT (SELECT count(*) FROM texts), (SELECT count(*) FROM suppressions)")
        assert counted == [(0, 0)]
        seen.append((len(seen), len(world.carrier.acknowledged)))

    store.before_writing, store.failures = look, 1
    await hear(world.recorder(tenant, store), text("STOP", tenant, token=3))
    assert seen == [(0, 0), (1, 0)]
    assert world.carrier.acknowledged == [(3, True)]
    assert suppressed(world) == [recipient(0)]


async def test_start_restores(world: World) -> None:
    """START after STOP lifts the suppression, in one batch too; without one it changes nothing."""
    tenant = await world.tenant()
    recorder = world.recorder(tenant)
    await hear(recorder, text("START", tenant))
    assert suppressed(world) == []
    await hear(recorder, text("STOP", tenant), text("stop", tenant))
    assert suppressed(world) == [recipient(0)]
    await hear(recorder, text("Start", tenant))
    assert suppressed(world) == []
    await hear(recorder, text("STOP", tenant), text("START", tenant), text("STOP", tenant))
    assert suppressed(world) == [recipient(0)]


async def test_stop_is_the_accounts_own(world: World) -> None:
    """A STOP to one tenant's number does not keep another tenant from texting."""
    tenant = await world.tenant()
    other = await world.tenant("otherbank")
    await world.set(other.number, phone_number="+12025550111")
    await hear(world.recorder(tenant), text("STOP", tenant))
    assert world.look("SELECT account_id FROM suppressions") == [(tenant.account_id,)]
    await world.engagement(other, 1)
    sender = await world.sender(other, world.recorder(other))
    await sender.turn()
    assert world.carrier.recipients == [recipient(0)]


async def test_a_text_to_nobody_is_acknowledged(world: World) -> None:
    """A number that is not ours is logged and dropped, or the network would send it for ever."""
    tenant = await world.tenant()
    await hear(world.recorder(tenant), Inbound(recipient(0), "+12025550199", "STOP", 8))
    assert world.carrier.acknowledged == [(8, True)]
    assert world.look("SELECT count(*) FROM texts") == [(0,)]
    assert suppressed(world) == []


async def test_odd_characters_are_kept(world: World) -> None:
    """Emoji, a NUL and the mark for what could not be read are stored as they came; PostgreSQL marks the NUL too."""
    tenant = await world.tenant()
    words = "né 👋 \0 \ufffd"
    await hear(world.recorder(tenant), text(words, tenant))
    assert world.look("SELECT body FROM texts") == [
        (words if world.database.keeps_nul else words.replace("\0", "\ufffd"),)
    ]
