"""One schedule carried out: the real dispatcher in processes that die, on a real database, before a false network."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any, Final

import msgspec

from opengage.assembly.legal_clock import built_in
from opengage.dispatch.dispatcher import Dispatcher, DispatchSettings
from opengage.dispatch.law import Law
from opengage.domain.errors import Invalid, Unavailable
from opengage.domain.ledger import Moves
from opengage.domain.legal_clock import LegalClock, parse
from opengage.domain.outcomes import Inbound
from opengage.domain.records import (
    Account,
    Activity,
    Engagement,
    Membership,
    PhoneNumber,
    ServiceProfile,
    Suppression,
    TextTemplate,
)
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import Id, NewId
from opengage.operations import engagements, phone_numbers
from opengage.operations.actors import OWNER, Actor
from opengage.operations.engagement_changes import Changes
from opengage.store import ledgers, rows
from opengage.store.contract import NewEnvelope
from simulation.disk import Disk, MachineClock, SimulatedStore, Weather
from simulation.loop import Process, VirtualLoop
from simulation.monitor import Monitor, Rules
from simulation.network import Delivery, Mood, Network, SimulatedCarrier
from simulation.schedule import LASTS, NIGHT, NOON, Blast, Fault, Schedule

LEASE: Final = 6.0
_RECEIPT_WINDOW: Final = 40
_LEAPS: Final = (0.0, 0.0, 50.0, 70.0, 70.0, 130.0, 1000.0, 3600.0, *(4 * 3600.0,) * 4, *(86_400.0,) * 3)
"""Seconds that all machines sleep, again and again, until nothing is left to do."""
_LAW: Final = LegalClock(parse(built_in()))
OURS: Final = ("+12025550100", "+12025550101")


def recipient(place: int) -> str:
    """A fictional number."""
    return f"+120255501{place + 50:02d}"


class _Ids:
    """UUIDv7s of one process, in order even when its clock is set back, the same for the same seed."""

    def __init__(self, clock: MachineClock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._last = 0

    def __call__(self) -> Id:
        self._last = max(self._last + 1, (self._clock.now() // 1000) << 12)
        tail = (0b10 << 62) | self._rng.getrandbits(62)
        return Id(((self._last >> 12) << 80 | 7 << 76 | (self._last & 0xFFF) << 64 | tail).to_bytes(16, "big"))


class _Machine:
    """Where a worker lives, life after life."""

    def __init__(self, name: str, user: int, clock: MachineClock) -> None:
        self.name = name
        self.user = user
        self.clock = clock
        self.process: Process | None = None
        self.store: SimulatedStore | None = None
        self.stop = asyncio.Event()
        self.is_wanted = True


class Run:
    """One schedule in its world."""

    def __init__(self, schedule: Schedule, disk: Disk, loop: VirtualLoop, crash_at: Callable[[int], bool]) -> None:
        self.schedule = schedule
        self.log: list[str] = []
        self.boundaries = 0
        self.crashes = 0
        self.virtual = 0.0
        self._crash_at = crash_at
        self._loop = loop
        self._disk = disk
        self._rng = random.Random(schedule.seed + 1)
        self._weather = Weather()
        self._is_calm = False
        night = schedule.has_quiet_hours
        self._database_clock = MachineClock(loop, NIGHT if night else NOON)
        clocks = [MachineClock(loop, NIGHT if night else NOON) for _ in range(3)]
        self._machines = {
            name: _Machine(name, user, clocks[user]) for user, name in enumerate("AB"[: schedule.workers])
        }
        self._office = Process("office", loop)
        self._office_clock = clocks[2]
        self._new_id: NewId = _Ids(self._office_clock, self._rng)
        self.network = Network(loop, random.Random(schedule.seed + 2), msgspec.structs.replace(schedule.mood))
        self.network.log = self._say
        steps = any(fault.what == "clock" for fault in schedule.faults)
        self.monitor = Monitor(
            disk.look,
            self.network,
            lambda name: self._machines[name].clock if name in self._machines else self._office_clock,
            self._database_clock,
            Rules(
                resends=schedule.resends,
                steps_the_database=steps and schedule.database_steps,
                has_quiet_hours=night,
                cap=(schedule.cap, 3600) if schedule.cap else None,
                steps_clocks=steps,
                has_neighbours=schedule.workers > 1,
            ),
            self._say,
        )
        self._store = SimulatedStore(
            disk, 2, self._office, self._weather, self._database_clock, lambda _: False, self.monitor.committed
        )
        self._actor: Actor
        self._engagements: list[Id] = []
        self._numbers: list[PhoneNumber] = []

    def _say(self, what: str) -> None:
        self.log.append(f"{self._loop.seconds - 1000.0:10.3f}  {what}")

    def _boundary(self, where: str) -> bool:
        """Whether the process that comes by dies here."""
        self.boundaries += 1
        if self._is_calm or not self._crash_at(self.boundaries):
            return False
        self.crashes += 1
        self.monitor.deaths += 1
        self._say(f"crash {where} (boundary {self.boundaries})")
        name = where.partition(" ")[0]
        self._loop.call_later(self._rng.uniform(0.05, 8.0), self._revive, name)
        return True

    # before

    async def _prepare(self) -> None:
        schedule, now = self.schedule, self._office_clock.now()
        common: dict[str, Any] = {"account_id": 1, "created_at": now, "updated_at": now}
        owner = self._new_id()
        self._actor = Actor(1, "firstbank", owner, OWNER)
        fallback = self._new_id() if schedule.has_fallback else None
        policy = "resend" if schedule.resends else None
        usual = ServiceProfile(
            **common, id=self._new_id(), name="S", kind="smpp", url="smpp://a@127.0.0.1:1", password="b",
            receipt_window_seconds=_RECEIPT_WINDOW, fallback_id=fallback, in_doubt_policy=policy,
        )  # fmt: skip
        made: list[Any] = [
            Account(
                **common, id=self._new_id(), key="firstbank", name="First Bank", frequency_cap=schedule.cap,
                frequency_hours=1 if schedule.cap else None, quiet_hours="on" if schedule.has_quiet_hours else None,
            ),
            Membership(**common, id=owner, name="Owner", role="owner"),
            usual,
        ]  # fmt: skip
        if fallback:
            made.append(msgspec.structs.replace(usual, id=fallback, url="smpp://c@127.0.0.1:1", fallback_id=None))
        self._numbers = numbers = [
            PhoneNumber(
                **common, id=self._new_id(), phone_number=OURS[place], service_profile_id=usual.id, rate=schedule.rate
            )
            for place in range(schedule.lanes)
        ]
        async with self._store.writing() as tx:
            for record in (*made, *numbers):
                await rows.insert(tx, record)
            for place, blast in enumerate(schedule.blasts):
                await self._insert(tx, common, blast, numbers[place % len(numbers)])

    async def _insert(self, tx: Any, common: dict[str, Any], blast: Blast, number: PhoneNumber) -> None:
        owner, new_id = self._actor.membership_id, self._new_id
        common = {**common, "created_by": owner, "updated_by": owner}
        template = TextTemplate(**common, id=new_id(), name="T", body=blast.body, revision_id=new_id())
        engagement_id, activity_id = new_id(), new_id()
        engagement = Engagement(
            **common, id=engagement_id, name="Blast", status=EngagementStatus.SCHEDULED, activity_id=activity_id,
            **blast.rules,
        )  # fmt: skip
        activity = Activity(
            **common, id=activity_id, engagement_id=engagement_id, name="Blast", kind="text",
            phone_number_id=number.id, text_template_id=template.id,
        )  # fmt: skip
        for record in (template, activity, engagement):
            await rows.insert(tx, record)
        new = [
            NewEnvelope(recipient(whom), "{}" if place in blast.lacks else '{"first-name":"Ann"}')
            for place, whom in enumerate(blast.recipients)
        ]
        await tx.batches.insert_envelopes(1, engagement_id, owner, [new_id() for _ in new], new, common["created_at"])
        moves = Moves()
        moves.arrive(1, engagement_id, Reason.NONE, len(new))
        await ledgers.move(tx, moves)
        self._engagements.append(engagement_id)

    # workers

    def _revive(self, name: str) -> None:
        machine = self._machines[name]
        if (machine.process is not None and not machine.process.is_dead) or not machine.is_wanted:
            return
        self._say(f"{name} starts")
        process = machine.process = Process(name, self._loop)
        machine.stop = asyncio.Event()
        store = machine.store = SimulatedStore(
            self._disk, machine.user, process, self._weather, self._database_clock, self._boundary,
            self.monitor.committed,
        )  # fmt: skip

        def connect(profile: ServiceProfile) -> SimulatedCarrier:
            carrier = SimulatedCarrier(
                self.network, process, str(profile.url), profile.window or self.schedule.window, self._boundary
            )
            carrier.commits = lambda: store.commits
            return carrier

        settings = DispatchSettings(
            owner=name, lease_seconds=LEASE, window=self.schedule.window, max_segments=10,
            receipt_window_seconds=_RECEIPT_WINDOW, sandbox_receipt_window_seconds=_RECEIPT_WINDOW,
            stop_timeout_seconds=5.0,
        )  # fmt: skip
        dispatcher = Dispatcher(store, machine.clock, _Ids(machine.clock, self._rng), connect, Law(_LAW), settings)
        task = process.start(dispatcher.run(machine.stop))
        task.add_done_callback(lambda done: self._ended(machine, process, done))

    def _ended(self, machine: _Machine, process: Process, task: asyncio.Task[Any]) -> None:
        """A worker's end that nobody asked for is a mistake of ours, and a supervisor would start it anew."""
        if process.is_dead:
            return
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            if not isinstance(error, Unavailable):  # a store that is down at the very end may be complained of
                self.monitor.violations.append(f"{machine.name} broke: {error!r}")
            self._say(f"{machine.name} ends with {error!r}")
        else:
            self._say(f"{machine.name} has stopped")
        self._kill(machine)
        self._loop.call_later(0.5, self._revive, machine.name)

    def _kill(self, machine: _Machine) -> None:
        process = machine.process
        if process is None or process.is_dead:
            return
        self.monitor.deaths += 1
        process.kill()
        self.network.sessions = [each for each in self.network.sessions if each.process is not process]

    # troubles

    async def _happen(self, fault: Fault) -> None:
        self._say(f"fault {fault.what} {fault.whom} {fault.lasts}")
        method = getattr(self, "_" + fault.what.replace("-", "_"))
        with contextlib.suppress(Unavailable, Invalid):
            await method(fault)

    async def _kill_worker(self, fault: Fault) -> None:
        self._kill(self._machines[fault.whom])
        self._loop.call_later(fault.lasts, self._revive, fault.whom)

    async def _terminate(self, fault: Fault) -> None:
        self._machines[fault.whom].stop.set()

    async def _freeze(self, fault: Fault) -> None:
        machine = self._machines[fault.whom]
        process = machine.process
        # with a transaction open it would hold the file's lock, and the others could only wait
        while machine.store is not None and machine.store.writes and process is machine.process:
            await asyncio.sleep(0.003)
        if process is None or process.is_dead or process.is_frozen:
            return
        process.freeze()
        await asyncio.sleep(fault.lasts)
        if not process.is_dead:
            self._say(f"{fault.whom} goes on")
            process.thaw()

    async def _clock(self, fault: Fault) -> None:
        self._machines[fault.whom].clock.offset += fault.lasts
        if self.schedule.database_steps:
            self._database_clock.offset += fault.lasts

    async def _cut(self, fault: Fault) -> None:
        self.network.cut()

    async def _down(self, fault: Fault) -> None:
        self.network.is_down = True
        self.network.cut()
        await asyncio.sleep(fault.lasts)
        self.network.is_down = False

    async def _database_down(self, fault: Fault) -> None:
        self._weather.is_down = True
        await asyncio.sleep(fault.lasts)
        self._weather.is_down = False

    async def _full(self, fault: Fault) -> None:
        self._weather.is_full = True
        await asyncio.sleep(fault.lasts)
        self._weather.is_full = False

    async def _lies(self, fault: Fault) -> None:
        self._weather.lies = True
        await asyncio.sleep(fault.lasts)
        self._weather.lies = False

    async def _slow(self, fault: Fault) -> None:
        self._weather.slow_seconds = 0.02
        await asyncio.sleep(fault.lasts)
        self._weather.slow_seconds = 0.0

    async def _pause(self, fault: Fault) -> None:
        await self._write_status("paused")
        await asyncio.sleep(fault.lasts)
        await self._write_status("scheduled")

    async def _off(self, fault: Fault) -> None:
        await self._switch(is_active=False)
        await asyncio.sleep(fault.lasts)
        await self._switch(is_active=True)

    async def _switch(self, *, is_active: bool) -> None:
        changes = phone_numbers.Changes(is_active=is_active)
        for number in self._numbers:
            await phone_numbers.update(self._store, self._office_clock, self._new_id, self._actor, number.id, changes)

    async def _change(self, fault: Fault) -> None:
        """The connection is given another window, in mid-blast."""
        async with self._store.writing() as tx:
            profile = await rows.find(tx, ServiceProfile, 1, self._numbers[0].service_profile_id)
            assert profile
            window = self.schedule.window if profile.window else 3
            await rows.change(tx, profile, window=window, updated_at=self._office_clock.now())

    async def _cancel(self, fault: Fault) -> None:
        await self._write_status("canceled", self._engagements[:1])

    async def _write_status(self, status: str, ids: list[Id] | None = None) -> None:
        for id_ in ids or self._engagements:
            with contextlib.suppress(Invalid):
                changes = Changes(status=status)
                await engagements.update(self._store, self._office_clock, self._new_id, self._actor, id_, changes)

    async def _suppress(self, fault: Fault) -> None:
        now, number = self._office_clock.now(), recipient(int(fault.lasts))
        if number in self.monitor.state.suppressed:
            return
        record = Suppression(
            account_id=1, id=self._new_id(), created_at=now, updated_at=now, phone_number=number, reason="manual"
        )
        async with self._store.writing() as tx:
            await rows.insert(tx, record)

    async def _stop(self, fault: Fault) -> None:
        self._from_handset(fault, "STOP")

    async def _start(self, fault: Fault) -> None:
        self._from_handset(fault, "START")

    def _from_handset(self, fault: Fault, body: str) -> None:
        inbound = Inbound(recipient(int(fault.lasts)), OURS[0], body, 0)
        self.network.send(Delivery(inbound, "smpp://a@127.0.0.1:1"))

    # the whole

    async def carry_out(self) -> None:
        """Everything, to the end."""
        await self._prepare()
        for place, name in enumerate(self._machines):
            self._loop.call_later(0.05 * place, self._revive, name)
        begun = self._loop.seconds
        troubles = [asyncio.create_task(self._at(begun + fault.at, fault)) for fault in self.schedule.faults]
        while self._loop.seconds < begun + LASTS and not self._is_over():
            await asyncio.sleep(0.25)
        for task in troubles:
            task.cancel()
        await asyncio.gather(*troubles, return_exceptions=True)
        await self._calm_down()
        self.virtual = self._loop.seconds - begun
        self.monitor.check_end()
        for machine in self._machines.values():
            machine.is_wanted = False
            self._kill(machine)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _at(self, second: float, fault: Fault) -> None:
        await asyncio.sleep(max(0.0, second - self._loop.seconds))
        await (self._kill_worker(fault) if fault.what == "kill" else self._happen(fault))

    def _is_over(self) -> bool:
        """Whether nothing is left that could go wrong."""
        is_settled = all(each.status in ("completed", "canceled") for each in self.monitor.state.engagements.values())
        return is_settled and not self.network.busy and not self._is_due()

    async def _calm_down(self) -> None:
        """Trouble ends, whoever lies comes up again, and time goes by until all is settled."""
        self._is_calm = True
        self._say("calm")
        mood = self.network.mood
        self.network.mood = Mood(undelivered=mood.undelivered, names_texts=mood.names_texts, slowest_receipt=0.1)
        self.network.is_down = False
        self._weather.is_down = self._weather.is_full = self._weather.lies = False
        self._weather.slow_seconds = 0.0
        for machine in self._machines.values():
            if machine.process is not None and machine.process.is_frozen:
                machine.process.thaw()
            self._revive(machine.name)
        await self._switch(is_active=True)
        await self._write_status("scheduled")
        for leap in _LEAPS:
            if leap:
                self.monitor.check_none_stuck(self._loop.seconds)
                self._say(f"all machines sleep for {leap} seconds")
                self._loop.leap(leap)
            until = self._loop.seconds + 2.5
            while self._loop.seconds < until and not self._at_rest():
                await asyncio.sleep(0.25)
            if self._at_rest():
                return
            await self._resume()

    async def _resume(self) -> None:
        """A guard may have paused it: the operator looks, and lets it go on."""
        if any(each.status == "paused" for each in self.monitor.state.engagements.values()):
            await self._write_status("scheduled")

    def _at_rest(self) -> bool:
        """Whether nothing will happen any more: all are settled, or in doubt where doubt is kept."""
        state = self.monitor.state
        open_ = [each.reason for each in state.envelopes.values() if each.status not in ("complete", "incomplete")]
        if any(reason != "in-doubt" for reason in open_) or (open_ and self.schedule.resends):
            return bool(open_) and self._gives_up(open_)
        if self.network.busy or self._is_due():
            return False
        wanted = "processing" if open_ else "completed"
        return all(each.status in (wanted, "completed", "canceled") for each in state.engagements.values())

    def _gives_up(self, open_: list[str]) -> bool:
        """Under `resend` a text that went in doubt three times stays there."""
        if any(reason != "in-doubt" for reason in open_) or self.network.busy:
            return False
        (most,) = self._disk.look.execute("SELECT min(attempts) FROM texts WHERE status = 'in-doubt'").fetchone()
        return (most or 0) >= 3

    def _is_due(self) -> bool:
        """Whether a single text of ours still waits."""
        return any(
            text.envelope_id is None and text.status in ("queued", "sending")
            for text in self.monitor.state.texts.values()
        )


def run(schedule: Schedule, disk: Disk, crash_at: Callable[[int], bool] | None = None) -> Run:
    """Carry a schedule out in a loop of its own."""
    disk.reset()
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    state = random.getstate()
    random.seed(schedule.seed)
    crashes = frozenset(schedule.crashes)
    try:
        made = Run(schedule, disk, loop, crash_at or crashes.__contains__)
        loop.run_until_complete(made.carry_out())
        for _ in range(3):
            loop.run_until_complete(asyncio.sleep(0))
    finally:
        random.setstate(state)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        asyncio.set_event_loop(None)
        loop.close()
    for context in loop.failures:
        error = context.get("exception")
        if error is not None and not isinstance(error, asyncio.CancelledError):
            made.monitor.violations.append(f"something broke: {error!r}")
    return made
