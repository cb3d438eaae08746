"""A text that the network delivers again because it did not hear our acknowledgement is stored once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec
import pytest

from dispatch.world import HookedStore, Tenant, World, recipient, until
from opengage.carriers.smpp import SmppCarrier, SmppOptions, SmscAddress
from opengage.carriers.smpp.deliveries import IN_FLIGHT
from opengage.clock import SystemClock
from opengage.dispatch.recorder import Recorder
from opengage.domain.errors import Unavailable
from opengage.domain.outcomes import Inbound
from opengage.domain.redelivery import RESEND
from opengage.ids import new_id
from opengage.simulator.server import Smsc, SmscSettings
from opengage.smpp.connection import Backoff
from opengage.smpp.contract import SessionSettings
from opengage.store import lanes, tables
from opengage.store.contract import Store, Transaction

QUICK = Backoff(first=0.01, cap=0.02)
PATIENT = SessionSettings(window=100, response_timeout=30.0, enquire_interval=None)
IMPATIENT = SessionSettings(window=100, response_timeout=0.2, enquire_interval=None)


def nothing() -> None:
    """Let it be."""


class CommittingStore(HookedStore):
    """A store behind whose commits a test can step in, before anybody hears of them."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.after_commit: Callable[[], None] = nothing

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[Transaction]:
        """See Store.writing."""
        async with super().writing(is_hot=is_hot) as tx:
            yield tx
        self.after_commit()


class Network(Smsc):
    """A simulator whose links a test can cut."""

    def cut(self) -> None:
        """End every link at once: what we have written, it has not read."""
        for line in list(self._lines):
            line.abort()

    def deafen(self) -> None:
        """Read nothing more on the links that there are."""
        for line in list(self._lines):
            line.stall(600)

    def say(self, body: str, number: int = 0) -> None:
        """A handset texts our number."""
        self.network.send(recipient(number), "+12025550100", body, "a")

    @property
    def heard(self) -> int:
        """Texts whose acknowledgement has come."""
        return self.network.counts.inbound


class Carrier(SmppCarrier):
    """Counts what it was told to acknowledge."""

    acknowledged = 0

    def acknowledge(self, tokens: Sequence[int], *, stored: bool) -> None:
        """See SmppCarrier."""
        super().acknowledge(tokens, stored=stored)
        self.acknowledged += len(tokens)


class Rig:
    """A recorder between a real store and a real network, as often as it is started."""

    def __init__(self, world: World, network: Network, tenant: Tenant) -> None:
        self.world = world
        self.network = network
        self.store = CommittingStore(world.store)
        self._tenant = tenant
        self._running: list[tuple[SmppCarrier, asyncio.Task[None]]] = []

    async def start(self, binds: int = 1, owner: str | None = None) -> None:
        """A worker begins; one with a name must have the lane."""
        address = SmscAddress(host="127.0.0.1", port=self.network.port, system_id="a", password="b")
        self.carrier = carrier = Carrier(address, self.world.clock, SmppOptions(backoff=QUICK, binds=binds))
        store: Store = self.store
        recorder = Recorder(self._tenant.profile, carrier, store, self.world.clock, new_id, lambda: 0.0, owner)
        await recorder.recall()
        carrier.start(recorder)
        self._running.append((carrier, asyncio.create_task(recorder.run())))
        await until(lambda: self.network.network.links == binds)

    async def take_lane(self, owner: str) -> None:
        """A worker takes the lane, whoever had it."""
        async with self.world.store.writing() as tx:
            await tx.run(tables.lanes.update().values(expires_at=0))
            assert await lanes.take(tx, self._tenant.number, owner, 60.0)

    async def end(self) -> None:
        """The worker ends, without ceremony."""
        for carrier, task in self._running:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await carrier.stop(0)
        self._running.clear()

    def once(self, deed: Callable[[], None]) -> None:
        """Do this behind the next commit."""

        def step_in() -> None:
            self.store.after_commit = nothing
            deed()

        self.store.after_commit = step_in

    def stored(self) -> list[str]:
        """The words of the inbound texts in the store."""
        return [body for (body,) in self.world.look("SELECT body FROM texts WHERE direction = 'inbound' ORDER BY id")]


@contextlib.asynccontextmanager
async def rigged(world: World) -> AsyncIterator[Rig]:
    """A network, and nobody bound to it yet."""
    network = Network(SmscSettings(port=0, session=PATIENT), SystemClock())
    await network.start()
    made = Rig(world, network, await world.tenant())
    try:
        yield made
    finally:
        await made.end()
        await network.stop(0.05)


@pytest.fixture
async def rig(world: World) -> AsyncIterator[Rig]:
    """See `rigged`."""
    async with rigged(world) as made:
        yield made


@pytest.mark.parametrize("binds", [1, 3])
async def test_cut_between_commit_and_acknowledgement(rig: Rig, binds: int) -> None:
    """The text comes again over another link, is acknowledged there, and is in the store once."""
    await rig.start(binds)
    rig.once(rig.network.cut)
    rig.network.say("Yes")
    await until(lambda: rig.network.heard == 1)
    assert rig.network.network.counts.redelivered >= 1
    assert rig.stored() == ["Yes"]
    assert rig.network.network.pending == 0


async def test_an_acknowledgement_that_was_never_read(rig: Rig) -> None:
    """It was written, and the link died before the network read it."""
    await rig.start()
    rig.once(rig.network.deafen)
    rig.network.say("Yes")
    await until(lambda: rig.carrier.acknowledged)
    rig.network.cut()
    await until(lambda: rig.network.heard == 1)
    assert rig.stored() == ["Yes"]


async def test_a_worker_that_ends_between_commit_and_acknowledgement(rig: Rig) -> None:
    """Its successor knows what was stored last."""
    await rig.start()

    def die() -> None:
        raise asyncio.CancelledError

    rig.once(die)
    rig.network.say("STOP")
    await until(lambda: rig.store.after_commit is nothing)  # others may see a commit before its own process does
    assert rig.stored() == ["STOP"]
    await rig.end()
    assert rig.network.heard == 0
    await rig.start()
    await until(lambda: rig.network.heard == 1)
    assert rig.stored() == ["STOP"]
    assert rig.world.look("SELECT count(*) FROM suppressions") == [(1,)]
    assert rig.world.look("SELECT count(*) FROM texts WHERE direction = 'outbound'") == [(1,)]


async def test_the_same_words_again_are_a_text_of_their_own(rig: Rig) -> None:
    """Before a cut, and after the one redelivery that it brought."""
    await rig.start()
    rig.network.say("Yes")
    await until(lambda: rig.network.heard == 1)
    rig.world.clock.advance(IN_FLIGHT + 1)
    rig.once(rig.network.cut)
    rig.network.say("Yes")
    await until(lambda: rig.network.heard == 2)
    rig.network.say("Yes")
    await until(lambda: rig.network.heard == 3)
    assert rig.stored() == ["Yes"] * 3


async def test_the_same_words_just_before_a_cut_and_after(rig: Rig) -> None:
    """Whether an acknowledgement written just before arrived nobody can tell: one more is let pass for some minutes."""
    await rig.start()
    rig.network.say("Yes")
    await until(lambda: rig.network.heard == 1)
    rig.network.cut()
    await until(lambda: rig.network.network.counts.binds.total() == 2)
    rig.network.say("Yes")
    await until(lambda: rig.network.heard == 2)
    assert rig.stored() == ["Yes"]
    rig.network.say("Yes")
    await until(lambda: rig.network.heard == 3)
    assert rig.stored() == ["Yes"] * 2


async def test_words_of_others_are_not_touched(rig: Rig) -> None:
    """A redelivery is expected from one person in one wording; everybody else is heard meanwhile."""
    await rig.start()
    rig.once(rig.network.cut)
    rig.network.say("Yes")
    await until(rig.stored)
    rig.network.say("Yes", number=1)
    rig.network.say("No")
    await until(lambda: rig.network.heard == 3)
    assert sorted(rig.stored()) == ["No", "Yes", "Yes"]


async def test_a_long_text_comes_again_whole(rig: Rig) -> None:
    """All its parts were answered together, so they come again together."""
    await rig.start()
    rig.once(rig.network.cut)
    words = "a" * 400
    rig.network.say(words)
    await until(lambda: rig.network.heard == 3)
    assert rig.stored() == [words]


async def test_a_store_that_cannot_be_written_for_long(rig: Rig) -> None:
    """The network sends again what nobody answers; when the store is back it is there once, and all are answered."""
    network = Network(SmscSettings(port=0, session=IMPATIENT), SystemClock())
    await network.start()
    rig.network, before = network, rig.network
    await before.stop(0)
    await rig.start()

    async def wait() -> None:
        rig.world.clock.advance(RESEND)
        await until(lambda: rig.network.network.counts.redelivered >= 2)

    rig.store.before_writing = wait
    rig.network.say("Yes")
    await until(lambda: rig.network.network.pending == 0)
    assert rig.network.network.counts.redelivered >= 2
    assert rig.stored() == ["Yes"]
    await rig.end()
    await network.stop(0.05)


async def test_what_cannot_be_stored_is_refused_and_comes_to_whoever_is_there(rig: Rig) -> None:
    """Bars R16: a worker that could not store it keeps nothing, so another one may, and it is there once."""
    is_down = True

    async def fail() -> None:
        if is_down:
            raise Unavailable("The database could not be used.")

    rig.store.before_writing = fail
    await rig.start()
    rig.network.say("Yes")
    await until(lambda: rig.network.network.counts.redelivered >= 2)
    assert rig.network.heard == 0
    rig.network.cut()
    is_down = False
    await until(lambda: rig.network.network.pending == 0)
    assert rig.network.heard == 1
    assert rig.stored() == ["Yes"]


async def test_a_worker_without_the_lane_stores_nothing_of_handsets(rig: Rig) -> None:
    """Its successor has looked at what was stored already: what came after that is refused, and comes to the owner."""
    await rig.take_lane("two")
    await rig.start(owner="one")
    rig.network.say("Yes")
    await until(lambda: rig.network.network.counts.redelivered >= 1)
    assert (rig.network.heard, rig.stored()) == (0, [])
    await rig.take_lane("one")
    await until(lambda: rig.network.network.pending == 0)
    assert (rig.network.heard, rig.stored()) == (1, ["Yes"])


async def test_what_was_lost_unstored_with_its_connection_comes_as_new(rig: Rig) -> None:
    """The connection ends while the store is tried in vain: nothing of it was kept, so it is a new text."""
    is_down = True

    async def fail() -> None:
        if is_down:
            rig.network.cut()
            await until(lambda: rig.network.network.links == 0 or not is_down)
            raise Unavailable("The database could not be used.")

    rig.store.before_writing = fail
    await rig.start()
    rig.network.say("STOP")
    await until(lambda: rig.network.network.counts.redelivered >= 1)
    is_down = False
    await until(lambda: rig.network.network.pending == 0)
    assert (rig.network.heard, rig.stored()) == (1, ["STOP"])


@pytest.mark.parametrize("is_lost", [False, True])
async def test_what_a_network_repeats_is_refused_with_what_it_repeats(world: World, is_lost: bool) -> None:
    """It came again while the first try took its time, on another connection perhaps: neither is stored then."""
    tenant = await world.tenant()
    store = HookedStore(world.store)
    recorder = world.recorder(tenant, store)
    first = Inbound(recipient(0), tenant.number.phone_number, "STOP", 1)

    async def hang() -> None:
        store.before_writing = go_on
        world.clock.advance(RESEND)
        recorder.inbound([msgspec.structs.replace(first, token=2)])
        if is_lost:
            recorder.unacknowledged([1], surely=True)
        raise Unavailable("The database could not be used.")

    async def go_on() -> None:
        return

    store.before_writing = hang
    recorder.inbound([first])
    await recorder.commit()
    await recorder.commit()
    assert world.carrier.acknowledged == [(1, False), (2, False)]
    assert world.look("SELECT count(*) FROM texts") == [(0,)]
