"""The ways out of one worker: a recorder, and a connection, for each service profile that its lanes use.

The dispatcher asks for them when it takes a lane, and tells them which are still needed; the senders of its lanes
submit through them.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator

from opengage.carriers.contract import Carrier
from opengage.clock import Clock, Instant
from opengage.dispatch.recorder import Recorder
from opengage.domain.records import ServiceProfile
from opengage.ids import Id, NewId
from opengage.store.contract import Store

Connect = Callable[[ServiceProfile], Carrier]
"""Makes the carrier of a service profile; nothing is connected yet."""

_Line = tuple[Id, Instant]
"""A service profile as it was at a time: one that is changed gets a recorder, and connections, of its own."""


class Routes:
    """The recorders of one worker, those that take their leave among them."""

    def __init__(
        self, store: Store, clock: Clock, new_id: NewId, connect: Connect, owner: str, leave_seconds: float
    ) -> None:
        """`leave_seconds` are what a recorder may take for storing the last outcomes."""
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._connect = connect
        self._owner = owner
        self._leave_seconds = leave_seconds
        self._open: dict[_Line, tuple[Recorder, asyncio.Task[None]]] = {}
        self._closing: dict[asyncio.Task[None], _Line] = {}
        self._newest: dict[Id, Recorder] = {}

    def __iter__(self) -> Iterator[Recorder]:
        """Those in use, as they are now: more may be opened meanwhile."""
        return iter([recorder for recorder, _ in self._open.values()])

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What lets those in use run."""
        return [task for _, task in self._open.values()]

    def check(self) -> None:
        """A recorder ends by a mistake of ours alone, and without it nothing is recorded: end, and be started anew."""
        for task in self.tasks:
            if task.done():
                task.result()

    async def to(self, profile: ServiceProfile, *, recalls: bool) -> Recorder:
        """The recorder of a service profile, connected at its first use.

        If it `recalls` it expects once more what was stored last: the worker before was lost, or owed the network
        an acknowledgement. Raises Invalid if the profile cannot be used.
        """
        line = _line(profile)
        found = self._open.get(line)
        if found is None:
            carrier = self._connect(profile)
            recorder = Recorder(profile, carrier, self._store, self._clock, self._new_id, random.random, self._owner)
            if profile.id in self._newest:
                recorder.succeed(self._newest[profile.id])
            elif recalls:
                await recorder.recall()
            self._newest[profile.id] = recorder
            found = recorder, asyncio.create_task(recorder.run())
            self._open[line] = found
            recorder.carrier.start(recorder)
        return found[0]

    def owe(self, profiles: list[ServiceProfile]) -> bool:
        """Whether the network may deliver something again to whoever has a lane of these."""
        return any(self._newest[profile.id].is_owed for profile in profiles if profile.id in self._newest)

    def still_close(self, profiles: list[ServiceProfile]) -> bool:
        """Whether a connection of one of these is taking its leave."""
        return not {profile.id for profile in profiles}.isdisjoint(id_ for id_, _ in self._closing.values())

    def keep(self, profiles: Iterable[ServiceProfile]) -> None:
        """Close all but these: their service profile was changed or removed, or their lanes were lost."""
        needed = {_line(profile) for profile in profiles}
        for line in [line for line in self._open if line not in needed]:
            task = asyncio.create_task(self._close(*self._open.pop(line)))
            self._closing[task] = line
            task.add_done_callback(self._closing.pop)

    async def close(self) -> None:
        """Take leave of all carriers, once every outcome is stored."""
        await asyncio.gather(*(self._close(*each) for each in self._open.values()), *self._closing)

    async def _close(self, recorder: Recorder, task: asyncio.Task[None]) -> None:
        await recorder.drain(self._leave_seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        recorder.give_up()


def _line(profile: ServiceProfile) -> _Line:
    return profile.id, profile.updated_at
