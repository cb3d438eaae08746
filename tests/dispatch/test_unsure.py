"""A commit that is reported as failed, and was none: the database's connection ended before its answer."""

from dispatch.test_inbound import suppressed, text
from dispatch.test_recorder import sent
from dispatch.world import HookedStore, World, recipient
from opengage.domain.errors import Unavailable
from opengage.domain.outcomes import Accepted, Deferred


async def test_what_was_written_all_the_same_is_taken_back(world: World) -> None:
    """No byte of it has left, so it is no doubt: it waits its turn like a text whose connection was gone."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    store = HookedStore(world.store)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, store=store)
    store.lies = 1
    try:
        await sender.turn()
    except Unavailable:
        sender.doubt()
    assert (await world.ledger(engagement)).reasons == {"sending": 2}
    assert not world.carrier.submitted
    await sender.turn()
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons == {"retrying": 2}
    assert sender.under_way == 0
    world.clock.advance(2)
    await sender.turn()
    assert world.carrier.recipients == [recipient(0), recipient(1)]


async def test_what_is_under_way_is_not_taken_back(world: World) -> None:
    """A text that was submitted is with the carrier, whatever the store said of another commit."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    sender.doubt()
    await sender.turn()
    await recorder.commit()
    assert (await world.ledger(engagement)).reasons == {"sending": 1}


async def test_what_a_handset_said_is_stored_once(world: World) -> None:
    """The recorder tries again, finds it there, and acknowledges it; its STOP was heard the first time."""
    tenant = await world.tenant()
    store = HookedStore(world.store)
    recorder = world.recorder(tenant, store)
    store.lies = 1
    recorder.inbound([text("STOP", tenant, 7)])
    await recorder.commit()
    assert suppressed(world) == [recipient(0)]
    assert world.look("SELECT count(*) FROM texts WHERE direction = 'inbound'") == [(1,)]
    assert world.carrier.acknowledged == [(7, True)]


async def test_an_outcome_counts_once(world: World) -> None:
    """Applied again, an answer changes nothing: the ledger agrees with the envelopes."""
    made = await sent(world)
    store = HookedStore(world.store)
    made.recorder._store = store
    store.lies = 1
    await made.hear(Accepted(made.texts[0].text_id, ("one",)))
    assert made.reason() == "sent"
    assert (await world.ledger(made.engagement)).reasons == {"sent": 1}


async def test_a_text_that_has_left_again_is_not_put_off_once_more(world: World) -> None:
    """The put-off was stored, and another lane took the text meanwhile: the second try must not take it back."""
    made = await sent(world)
    store = HookedStore(world.store)
    made.recorder._store = store
    store.lies = 1

    async def leaves_again() -> None:
        if not store.lies and len(world.carrier.submitted) == 1:
            world.clock.advance(60)
            await (await world.sender(made.tenant, world.recorder(made.tenant))).turn()

    store.before_writing = leaves_again
    await made.hear(Deferred(made.texts[0].text_id, "ESME_RTHROTTLED", throttled=True))
    assert len(world.carrier.submitted) == 2
    assert (await world.ledger(made.engagement)).reasons == {"sending": 1}


async def test_nothing_leaves_while_nobody_knows_what_was_stored(world: World) -> None:
    """What is due may be what is about to be stored: there is no room until that is known, and then there is."""
    made = await sent(world)
    store = HookedStore(world.store)
    made.recorder._store = store
    store.lies = 1
    rooms = []

    async def look() -> None:
        rooms.append(made.recorder.room(10))

    store.before_writing = look
    await made.hear(Deferred(made.texts[0].text_id, "ESME_RTHROTTLED", throttled=True))
    assert rooms == [9, 0]
    assert made.recorder.room(10) == 10
