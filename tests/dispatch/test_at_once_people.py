"""People of an address book, whom two write about at once: they are imported, listed, texted, and forgotten.

What of it lies between two transactions of one worker is looked at on SQLite too.
"""

from pathlib import Path

from dispatch.at_once import in_order, on_postgres, owner
from dispatch.world import Tenant, World, recipient
from opengage.dispatch.eraser import Eraser
from opengage.domain.erasures import ErasureStatus
from opengage.domain.outcomes import Deferred
from opengage.ids import new_id
from opengage.operations import erasures
from opengage.store.blobs import Blobs
from opengage.store.contract import Store

ANN, BEN = recipient(40), recipient(41)


async def erase(world: World, tenant: Tenant, number: str, path: Path) -> None:
    """An owner has a number forgotten; a worker does it."""
    await erasures.begin(world.store, world.clock, new_id, owner(tenant), number)
    await Eraser(world.store, Blobs(path), world.clock, new_id).turn()


@on_postgres
async def test_an_erasure_waits_for_the_text_that_is_being_written(world: World, tmp_path: Path) -> None:
    """The look at their envelopes waits for the sender, and then knows of its text. The erasure waits for the end of
    that one, and what the carrier puts off is sent again as it was."""
    tenant = await world.tenant()
    await world.engagement(tenant, [ANN])
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)

    async def intend(store: Store) -> None:
        sender._store = store
        await sender.turn()
        sender._store = world.store

    await in_order(world, intend, lambda: erase(world, tenant, ANN, tmp_path))
    world.carrier.answer = lambda each: Deferred(each.text_id, "88", throttled=True)
    (sent,) = world.carrier.submitted
    recorder.outcomes([Deferred(sent.text_id, "88", throttled=True)])
    await recorder.commit()
    world.wait(60, sender)
    await sender.turn()
    assert {(each.recipient, each.body) for each in world.carrier.submitted} == {(ANN, "Hello Ann")}
    assert world.look("SELECT status FROM erasures") == [(ErasureStatus.WAITING.value,)]
