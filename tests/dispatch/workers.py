"""Whole workers in this process, each with a carrier and a store connection of its own."""

import asyncio

from dispatch.world import ScriptedCarrier, World, until
from opengage.carriers.contract import Carrier
from opengage.clock import SystemClock
from opengage.dispatch.dispatcher import Dispatcher, DispatchSettings
from opengage.domain.errors import Invalid
from opengage.domain.records import ServiceProfile
from opengage.ids import Id, new_id


class Worker:
    """A dispatcher that runs, with a carrier and a store connection of its own."""

    def __init__(self, world: World, owner: str, lease_seconds: float) -> None:
        self.store = world.database.open()
        self.carrier = ScriptedCarrier()
        self.without_address: set[Id] = set()
        self.stop = asyncio.Event()
        settings = DispatchSettings(
            owner=owner,
            lease_seconds=lease_seconds,
            window=100,
            max_segments=10,
            receipt_window_seconds=60.0,
            sandbox_receipt_window_seconds=60.0,
            stop_timeout_seconds=5.0,
        )
        self.dispatcher = Dispatcher(self.store, SystemClock(), new_id, self._connect, world.law, settings)
        self.task = asyncio.create_task(self.dispatcher.run(self.stop))

    def _connect(self, profile: ServiceProfile) -> Carrier:
        if profile.id in self.without_address:
            raise Invalid("It has no address.")
        return self.carrier

    async def looks(self) -> None:
        """It has swept once more."""
        before = self.dispatcher._swept_at
        await until(lambda: self.dispatcher._swept_at > before)

    async def end(self) -> None:
        """An orderly stop."""
        self.stop.set()
        async with asyncio.timeout(10):
            await self.task

    async def kill(self) -> None:
        """An end without any farewell, as by kill -9: whatever it runs just stops."""
        lanes = [lane.task for lane in self.dispatcher._lanes.values()]
        tasks = [self.task, *lanes, *self.dispatcher._routes.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Workers:
    """Starts workers, and sees that none outlives its test."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._all: list[Worker] = []
        self._named: dict[str, Worker] = {}

    def start(self, owner: str = "one", lease_seconds: float = 30.0) -> Worker:
        """A running worker."""
        worker = self._named[owner] = Worker(self._world, owner, lease_seconds)
        self._all.append(worker)
        return worker

    async def kill(self, owner: str) -> None:
        """The newest of this name ends without any farewell."""
        await self._named[owner].kill()

    async def end(self) -> None:
        """End what still runs."""
        for worker in self._all:
            await worker.kill()
            await worker.store.close()


def lanes_of(world: World) -> list[tuple[object, ...]]:
    """(owner, epoch) of every lane."""
    return world.look("SELECT owner, epoch FROM lanes ORDER BY phone_number_id")
