"""Who has opted out and was forgotten: only a pseudonym is left, and it is obeyed like the number itself."""

from dispatch.test_inbound import hear, suppressed, text
from dispatch.world import HookedStore, World, recipient
from opengage.store.pseudonyms import MARK


async def test_a_blast_leaves_a_forgotten_number_out(world: World) -> None:
    """At the intent, even when it was forgotten after the batch was chosen; the ledger says why."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    store = HookedStore(world.store)
    store.before_writing = lambda: world.hide(tenant, recipient(0))
    await (await world.sender(tenant, world.recorder(tenant), store=store)).turn()
    assert world.carrier.recipients == [recipient(1)]
    assert (await world.ledger(engagement)).reasons == {"opted-out": 1, "sending": 1}


async def test_a_forgotten_number_gets_no_single_text(world: World) -> None:
    """It fails for good, with the reason as its code."""
    tenant = await world.tenant()
    await world.hide(tenant, recipient(0))
    await world.single(tenant, recipient(0))
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert world.carrier.submitted == []
    assert world.look("SELECT status, code FROM texts") == [("failed", "opted-out")]


async def test_a_forgotten_number_that_says_stop_again_hears_nothing(world: World) -> None:
    """It is confirmed once, as ever, and no second suppression gives the number away."""
    tenant = await world.tenant()
    await world.hide(tenant, recipient(0))
    await hear(world.recorder(tenant), text("STOP", tenant))
    assert [each.startswith(MARK) for each in suppressed(world)] == [True]
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'outbound'") == [(0,)]


async def test_a_forgotten_number_that_says_start_is_texted_again(world: World) -> None:
    """The pseudonym goes, and the next text leaves."""
    tenant = await world.tenant()
    recorder = world.recorder(tenant)
    await world.hide(tenant, recipient(0))
    await hear(recorder, text("START", tenant))
    assert suppressed(world) == []
    await world.single(tenant, recipient(0), body="Welcome back")
    await (await world.sender(tenant, recorder)).turn()
    assert "Welcome back" in [each.body for each in world.carrier.submitted]
