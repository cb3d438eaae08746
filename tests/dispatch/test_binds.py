"""A blast over two connections of one service profile, one of which is cut in the middle."""

from dispatch.test_redelivery import QUICK, Network
from dispatch.world import World, until
from opengage.carriers.smpp import SmppCarrier, SmppOptions, SmscAddress
from opengage.clock import SystemClock
from opengage.dispatch.recorder import Recorder
from opengage.ids import new_id
from opengage.simulator.chaos import Chaos
from opengage.simulator.server import SmscSettings

TEXTS, WINDOW = 100, 60


async def test_only_what_was_on_the_lost_link_is_in_doubt(world: World) -> None:
    """The other link's answers come; over it come also the receipts of the doubtful texts, and settle them."""
    network = Network(SmscSettings(port=0, chaos=Chaos(answer_delay=1.0, receipt_delay=1.0)), SystemClock())
    await network.start()
    address = SmscAddress(host="127.0.0.1", port=network.port, system_id="a", password="b")
    carrier = SmppCarrier(address, SystemClock(), SmppOptions(backoff=QUICK, binds=2, window=WINDOW))
    tenant = await world.tenant()
    recorder = Recorder(tenant.profile, carrier, world.store, world.clock, new_id, lambda: 0.0)
    engagement = await world.engagement(tenant, TEXTS)
    sender = await world.sender(tenant, recorder, window=2 * WINDOW)
    try:
        carrier.start(recorder)
        await until(lambda: carrier.capacity() == 2 * WINDOW)
        while recorder.room(2 * WINDOW) > 2 * WINDOW - TEXTS:
            await sender.turn()
        await until(lambda: network.network.counts.submits == TEXTS)
        next(iter(network._lines)).abort()
        await until(lambda: recorder._batch.outcomes)
        await recorder.commit()
        assert (await world.ledger(engagement)).reasons["in-doubt"] == TEXTS // 2
        assert carrier.is_bound
        while "sending" in (await world.ledger(engagement)).reasons:
            await until(lambda: recorder._batch.outcomes)
            await recorder.commit()
        while (await world.ledger(engagement)).reasons != {"delivered": TEXTS}:
            await until(lambda: recorder._batch.receipts)
            await recorder.commit()
        assert network.network.seen.unique == network.network.counts.submits == TEXTS
    finally:
        await carrier.stop(1)
        await network.stop(0.05)
