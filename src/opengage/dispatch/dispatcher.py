"""The worker's whole: connects service profiles, holds lanes, and lets senders, recorders and the rescuer run.

One `_tick` looks at what there is to do; it comes whenever the store changes, at least once a second, and at least
three times a lease.
"""

import asyncio
import random
from typing import Final

import msgspec

from opengage import logs
from opengage.clock import Clock, Instant
from opengage.dispatch.guardian import Guardian
from opengage.dispatch.housekeeper import Housekeeper
from opengage.dispatch.intent import Intents
from opengage.dispatch.law import Law
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.rescuer import Rescuer
from opengage.dispatch.routes import Connect, Routes
from opengage.dispatch.scheduler import Scheduler
from opengage.dispatch.sender import Pace, Sender
from opengage.dispatch.sharing import Sharing
from opengage.dispatch.singles import Singles
from opengage.domain.errors import Invalid, Unavailable
from opengage.domain.records import PhoneNumber, ServiceProfile
from opengage.ids import Id, NewId, to_wire
from opengage.store import lanes, rows
from opengage.store.contract import Store, Transaction

log = logs.get(__name__)

_REST: Final = 0.05
"""Seconds from one look to the next, at least: the store changes all the time while texts go out."""

_AWAY: Final = 0.5
"""Seconds between two looks, at most, while the store cannot be used."""

_TAKE: Final = 0.2
"""Seconds between looks for phone numbers that nobody serves."""

_SWEEP: Final = 1.0
"""Seconds between looks for what a silent carrier or an ended engagement left behind."""


class DispatchSettings(msgspec.Struct, frozen=True):
    """What the dispatcher is told; see settings.py for the meaning and the units of each."""

    owner: str
    lease_seconds: float
    window: int
    max_segments: int
    receipt_window_seconds: float
    sandbox_receipt_window_seconds: float
    stop_timeout_seconds: float
    most_lanes: int = 1000


_Key = tuple[int, Id]
"""A lane: its account and phone number."""


class _Lane(msgspec.Struct):
    sender: Sender
    profiles: list[ServiceProfile]
    setup: lanes.Setup
    task: asyncio.Task[None]
    crashed: bool = False
    hands_over: bool = False
    """Another worker has asked for it."""
    unhealthy_since: Instant | None = None
    reported: lanes.Condition = lanes.Condition()

    @property
    def has_settled(self) -> bool:
        """Whether it has ended, and every text of it has its answer."""
        return self.task.done() and not self.sender.under_way

    @property
    def is_given_up(self) -> bool:
        """Whether it is done with, and another worker waits for it."""
        return self.hands_over and self.has_settled


class Dispatcher:
    """Everything that one worker process does."""

    def __init__(
        self, store: Store, clock: Clock, new_id: NewId, connect: Connect, law: Law, settings: DispatchSettings
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._law = law
        self._settings = settings
        self._scheduler = Scheduler(store, clock, new_id)
        self._guardian = Guardian(store, clock, new_id)
        self._housekeeper = Housekeeper(store, clock)
        self._rescuer = Rescuer(store, clock, new_id, random.random)
        self._routes = Routes(store, clock, new_id, connect, settings.owner, settings.stop_timeout_seconds * 0.8)
        self._sharing = Sharing(store, settings.owner, settings.lease_seconds, settings.most_lanes)
        self._lanes: dict[_Key, _Lane] = {}
        self._leaving: dict[_Key, _Lane] = {}
        self._unusable: dict[_Key, lanes.Setup] = {}
        self._astray: dict[_Key, Instant] = {}
        """Phone numbers whose service profile is not there, and when each was changed last: told of once."""
        self._must_take = False
        self._kept_at = self._taken_at = self._swept_at = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is in flight and let go of everything."""
        stopping = asyncio.create_task(stop.wait())
        clock, rest = asyncio.get_running_loop().time, _REST
        while not stop.is_set():
            looked_at = clock()
            try:
                await self._tick()
                rest = _REST
            except Unavailable as error:
                log.error("the store cannot be used; trying again", action="tick", error=str(error))
                rest = min(_AWAY, rest * 2)
            changed = asyncio.create_task(self._store.changed(self._pause()))
            try:
                await asyncio.wait((stopping, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                is_over = not changed.cancel()
            if is_over and changed.exception():
                log.error("the store cannot be watched; looking anyway", action="tick", error=str(changed.exception()))
            await asyncio.wait((stopping,), timeout=max(0.0, looked_at + rest - clock()))
        await self._stop()

    def _pause(self) -> float:
        """Seconds until the next look though nothing changes: delivery times come, receipt windows and leases end.

        A change that came too soon after the last look for numbers is made up for as soon as that may be repeated.
        """
        pause = min(_SWEEP, self._settings.lease_seconds / 3)
        if self._must_take:
            pause = min(pause, max(0.0, self._taken_at + _TAKE - self._clock.monotonic()))
        return pause

    async def _tick(self) -> None:
        now = self._clock.monotonic()
        self._routes.check()
        await self._scheduler.start_due()
        if now - self._kept_at >= self._settings.lease_seconds / 3:
            await self._keep_lanes()
            self._kept_at = now
        self._must_take = now - self._taken_at < _TAKE
        if not self._must_take:
            await self._take_lanes()
            self._taken_at = now
        if self._leaving:
            await self._let_go()
        if now - self._swept_at >= _SWEEP:
            await self._sweep()
            self._swept_at = now
        for lane in self._lanes.values():
            lane.sender.wake()

    async def _keep_lanes(self) -> None:
        """Renew what is held; stop sending on lanes that were lost."""
        until = self._clock.monotonic() + self._settings.lease_seconds
        async with self._store.writing() as tx:
            held = await lanes.renew(tx, self._settings.owner, self._settings.lease_seconds)
        leases = set(held)
        for key, lane in list(self._lanes.items()):
            if lane.sender.lease in leases and not lane.task.done():
                lane.sender.valid_until = until
            else:
                _end(lane.task)
                del self._lanes[key]

    async def _retire_lanes(self) -> None:
        """Let lanes end in order whose number or service profile was changed, or that another worker asked for.

        The former are taken anew as they are now.
        """
        async with self._store.reading() as tx:
            setups = await lanes.setups(tx, self._settings.owner)
        asked = await self._sharing.asked()
        for key, setup in list(self._unusable.items()):
            if setups.get(key, setup) != setup:
                del self._unusable[key]
        for key, lane in [*self._lanes.items(), *self._leaving.items()]:
            lane.hands_over = lane.hands_over or key in asked
        for key, lane in list(self._lanes.items()):
            if lane.hands_over or setups.get(key, lane.setup) != lane.setup:
                lane.sender.retire()
                self._leaving[key] = self._lanes.pop(key)

    async def _let_go(self) -> None:
        """Let go of lanes that have come to their end.

        One that is handed over waits until connections that nobody else here needs have taken their leave: what the
        network says to them is for us to hear.
        """
        held = [*self._lanes.values(), *(lane for lane in self._leaving.values() if not lane.is_given_up)]
        self._routes.keep(profile for lane in held for profile in lane.profiles)
        for key, lane in list(self._leaving.items()):
            if lane.has_settled and not (lane.hands_over and self._routes.still_close(lane.profiles)):
                async with self._store.writing() as tx:
                    await lanes.let_go(
                        tx, lane.sender.lease, is_owed=lane.hands_over and self._routes.owe(lane.profiles)
                    )
                del self._leaving[key]

    async def _take_lanes(self) -> None:
        """Take lanes that nobody holds."""
        most = self._settings.most_lanes - len(self._lanes)
        async with self._store.looking() as tx:
            found = await lanes.free(tx, self._settings.owner, self._settings.most_lanes + 1)
        known = {*self._unusable, *self._lanes, *self._leaving}
        wanted = [number for number in found if (number.account_id, number.id) not in known]
        wanted = [each for each in wanted if self._astray.get((each.account_id, each.id)) != each.updated_at]
        for number in wanted[: max(0, most)]:
            await self._take(number.account_id, number.id)

    async def _take(self, account_id: int, id_: Id) -> None:
        key, until = (account_id, id_), self._clock.monotonic() + self._settings.lease_seconds
        async with self._store.writing() as tx:
            number = await rows.find(tx, PhoneNumber, account_id, id_)
            if number is None:
                return
            profiles = await self._profiles(tx, number)
            if not profiles:
                self._leave_astray(number)
                return
            is_owed = await lanes.is_owed(tx, account_id, id_)
            lease = await lanes.take(tx, number, self._settings.owner, self._settings.lease_seconds)
            if lease is None:
                return
            crashes = await lanes.crashes(tx, lease)
        setup = lanes.setup_of(number, profiles)
        rescued = await self._rescuer.rescue(lease)
        log.info("lane taken", action="lane", phone_number_id=to_wire(id_), epoch=lease.epoch, in_doubt=rescued)
        try:
            profiles = _switched_on(profiles)
            routes = [await self._routes.to(profile, recalls=crashes > 0 or is_owed) for profile in profiles]
        except Invalid as error:
            # the lane stays ours, and at rest until its number or service profile is changed
            self._unusable[key] = setup
            log.error("a service profile cannot be used", action="lane", account=account_id, error=str(error))
            async with self._store.writing() as tx:
                await lanes.report(tx, lease, lanes.Condition(unhealthy_since=self._clock.now()))
            return
        if rescued:
            for recorder in routes:
                await recorder.match_parked()
        sender = self._sender(number, lease, routes, careful_for=self._settings.window if crashes else 0)
        sender.valid_until = until
        task = asyncio.create_task(sender.run())
        self._lanes[key] = _Lane(sender, profiles, setup, task, crashed=crashes > 0)

    def _leave_astray(self, number: PhoneNumber) -> None:
        """Leave a number alone until it is changed: a worker that ended by it would stop every account."""
        self._astray[number.account_id, number.id] = number.updated_at
        log.error(
            "a phone number's service profile is not there, so nothing goes out from it; PATCH it onto another one",
            action="lane",
            account=number.account_id,
            phone_number_id=to_wire(number.id),
        )

    async def _profiles(self, tx: Transaction, number: PhoneNumber) -> list[ServiceProfile]:
        """The service profile of a number, and the one that takes over from it."""
        usual = await rows.find(tx, ServiceProfile, number.account_id, number.service_profile_id)
        fallback_id = usual and usual.fallback_id
        fallback = await rows.find(tx, ServiceProfile, number.account_id, fallback_id) if fallback_id else None
        return [profile for profile in (usual, fallback) if profile]

    def _sender(self, number: PhoneNumber, lease: lanes.Lease, routes: list[Recorder], *, careful_for: int) -> Sender:
        most, law, usual = self._settings.max_segments, self._law, routes[0].profile
        return Sender(
            number,
            lease,
            routes,
            self._store,
            self._clock,
            Intents(number, self._clock, self._new_id, law, most),
            Singles(number, self._clock, self._new_id, law, most, random.random),
            Pace(window=(usual.window or self._settings.window) * (usual.binds or 1)),
            careful_for=careful_for,
        )

    async def _sweep(self) -> None:
        await self._retire_lanes()
        await self._let_go()
        if all(lane.sender.is_healthy for lane in self._lanes.values()):
            await self._sharing.ask()
        for recorder in self._routes:
            recorder.tick()
        await self._scheduler.sweep()
        await self._guardian.sweep()
        for recorder in self._routes:
            await recorder.match_lately_parked()
        for lane in list(self._lanes.values()):
            for profile in lane.profiles:
                window = self._receipt_window(profile)
                await self._rescuer.close_unconfirmed(lane.sender.lease, profile.id, window)
                await self._rescuer.resend_doubtful(lane.sender.lease, profile)
        await self._report()
        await self._housekeeper.sweep(account_id for account_id, _ in self._lanes)

    async def _report(self) -> None:
        """Say how each lane is, where that has changed: for the choice in a pool, and for operators."""
        told = []
        for lane in self._lanes.values():
            if lane.sender.is_healthy:
                lane.unhealthy_since = None
            elif lane.unhealthy_since is None:
                lane.unhealthy_since = self._clock.now()
            sender = lane.sender
            condition = lanes.Condition(sender.rate, sender.under_way, lane.unhealthy_since, sender.circuit)
            if condition != lane.reported or (lane.crashed and not sender.is_careful):
                told.append((lane, condition))
        if not told:
            return
        async with self._store.writing() as tx:
            for lane, condition in told:
                await lanes.report(tx, lane.sender.lease, condition)
                if lane.crashed and not lane.sender.is_careful:
                    await lanes.calm(tx, lane.sender.lease)
        for lane, condition in told:
            lane.reported, lane.crashed = condition, lane.crashed and lane.sender.is_careful

    def _receipt_window(self, profile: ServiceProfile) -> float:
        if profile.receipt_window_seconds is not None:
            return profile.receipt_window_seconds
        if profile.kind == "sandbox":
            return self._settings.sandbox_receipt_window_seconds
        return self._settings.receipt_window_seconds

    async def _stop(self) -> None:
        """Stop taking, wait for what is in flight, take leave of the carriers, release the leases."""
        await self._sharing.withdraw()
        held = [*self._lanes.values(), *self._leaving.values()]
        for lane in held:
            lane.task.cancel()
        await asyncio.gather(*(lane.task for lane in held), return_exceptions=True)
        await self._routes.close()
        async with self._store.writing() as tx:
            for lane in held:
                if self._routes.owe(lane.profiles):
                    await lanes.let_go(tx, lane.sender.lease, is_owed=True)
            await lanes.release(tx, self._settings.owner)
        log.info("worker stopped", action="stopped", lanes=len(self._lanes))


def _switched_on(profiles: list[ServiceProfile]) -> list[ServiceProfile]:
    """Those that may be used. Raises Invalid when that is none."""
    found = [profile for profile in profiles if profile.is_active]
    if not found:
        raise Invalid("It is switched off, and so is the one that takes over, if any. Switch one of them on.")
    return found


def _end(task: asyncio.Task[None]) -> None:
    """End a lane's sender; if a mistake of ours has ended it before, say so."""
    if task.done() and not task.cancelled() and task.exception() is not None:
        log.error("a sender failed; its lane is taken anew", action="lane", exc_info=task.exception())
    task.cancel()
