"""One lane's outflow: takes the next due texts in turn, has their intent written, and only then lets a byte leave.

The lane has room for so much: by its carrier's window, its own pace and what the last texts cost. Single texts and
envelopes with priority come first, the engagements of a number take turns batch by batch, and what is held by a gate is
passed by. `intent` and `singles` write; whatever they wrote is submitted here, if the lease still holds.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from opengage import logs
from opengage.clock import Clock, Instant
from opengage.dispatch import careful, gates
from opengage.dispatch.intent import Intents, Written
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.singles import Singles
from opengage.domain.breaker import Phase
from opengage.domain.errors import Fenced, Unavailable
from opengage.domain.outcomes import NEVER_SENT, Accepted, Deferred, Outcome
from opengage.domain.pacing import Bucket
from opengage.domain.records import Engagement, PhoneNumber
from opengage.domain.states import TextStatus
from opengage.ids import LAST, Id, to_wire
from opengage.store import lanes, work
from opengage.store.contract import Store, Transaction

log = logs.get(__name__)

_LOOK_AGAIN: Final = 0.25
"""Seconds until a running engagement without due envelopes is looked at again."""

_FIRST: Final = 50
"""Texts of the first batch after a rest: the first handset need not wait for hundreds to be written."""

_HELD: Final = 0.05
"""Seconds until a lane looks again at what is due and held by somebody else."""

_NOTHING_RUNS: Final = 5.0
"""Seconds until a lane without a running engagement looks by itself; scheduling wakes it at once."""

_SINGLES: Final = Id(b"")
"""Single texts take their turn among the engagements under this name, which sorts before all."""


class Pace(msgspec.Struct, frozen=True):
    """How much a lane may have under way."""

    window: int
    """Texts whose outcome is not stored yet, at most."""


class _Candidate(msgspec.Struct, frozen=True):
    """Whose turn it could be."""

    id: Id
    has_priority: bool
    room: int


class Sender:
    """Sends what is due on one lane for as long as its lease holds."""

    def __init__(
        self,
        number: PhoneNumber,
        lease: lanes.Lease,
        routes: Sequence[Recorder],
        store: Store,
        clock: Clock,
        intents: Intents,
        singles: Singles,
        pace: Pace,
        *,
        careful_for: int = 0,
    ) -> None:
        self._number = number
        self.lease = lease
        self.valid_until = 0.0
        """The monotonic second until which the lease surely holds; the lane keeper moves it."""
        self._routes = routes
        self._store = store
        self._clock = clock
        self._intents = intents
        self._singles = singles
        self._pace = pace
        self._careful_for = careful_for
        self._bucket = Bucket(number.rate)
        self._segments_per_text = 1.0
        self._wake = asyncio.Event()
        self._under_way: Counter[Id] = Counter()
        self._last: Id | None = None
        self._rested = True
        self._in_vain = 0
        self._is_unsure = False
        self._is_retired = False
        self._accepted_since = (0, clock.monotonic())

    # what the lane keeper asks

    @property
    def rate(self) -> float | None:
        """Segments per second at present, as learned from the carrier's answers; None for no limit."""
        return self._bucket.rate

    @property
    def under_way(self) -> int:
        """Texts whose outcome is not stored yet."""
        return self._under_way.total()

    @property
    def is_careful(self) -> bool:
        """Whether it goes one by one still, because the lane's last owner was lost."""
        return self._careful_for > 0

    @property
    def is_healthy(self) -> bool:
        """Whether any of its carriers takes texts."""
        return any(recorder.takes_texts for recorder in self._routes)

    @property
    def circuit(self) -> Phase:
        """How the circuit of its usual carrier stands."""
        return self._routes[0].breaker.phase

    def retire(self) -> None:
        """Begin nothing more: `run` returns after the turn under way, and answers are still heard."""
        self._is_retired = True
        self._wake.set()

    # what the recorder tells

    def wake(self) -> None:
        """See Feedback.wake."""
        self._wake.set()

    def answered(self, engagement_id: Id | None, outcome: Outcome) -> None:
        """See Feedback.answered."""
        self._under_way[engagement_id or _SINGLES] -= 1
        now = self._clock.monotonic()
        if isinstance(outcome, Accepted):
            self._bucket.speed_up(now)
            self._accepted_since = (self._accepted_since[0] + 1, self._accepted_since[1])
        elif isinstance(outcome, Deferred) and outcome.throttled and outcome.code != NEVER_SENT:
            count, since = self._accepted_since
            self._bucket.slow_down(now, observed=max(1.0, count / max(now - since, 0.001)))
            self._accepted_since = (0, now)

    def doubt(self) -> None:
        """A transaction failed, and it may have been committed: look before anything else is sent."""
        self._is_unsure = True

    # the loop

    async def run(self) -> None:
        """Send until cancelled, retired or fenced."""
        for recorder in self._routes:
            recorder.join(self)
        try:
            while not self._is_retired:
                self._wake.clear()
                try:
                    pause = await self.turn()
                except Fenced:
                    log.warning(
                        "the lane has passed to another worker",
                        action="fenced",
                        phone_number_id=to_wire(self._number.id),
                    )
                    return
                except Unavailable as error:
                    log.error("the store cannot be used; sending waits", action="send", error=str(error))
                    self.doubt()
                    pause = 1.0
                # at least one turn of the loop, in which the carrier's bytes leave before the next batch is written
                await (self._sleep(pause) if pause else asyncio.sleep(0))
        finally:
            for recorder in self._routes:
                recorder.leave(self)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def turn(self) -> float:
        """Send one batch of one engagement, or of single texts; how many seconds to wait before the next turn."""
        recorder = self._route()
        if self._is_unsure:
            await self._take_back(recorder)
        room = self._room(recorder)
        if room <= 0:
            recorder.reserve.wait(self)
            return self._until_room(recorder)
        with recorder.reserve.keep(room):
            chosen, something_runs = await self._look()
            if chosen is None:
                self._rested = not self._under_way.total()
                return _LOOK_AGAIN if something_runs else _NOTHING_RUNS
            written = await self._write(recorder, chosen, min(room, _FIRST) if self._rested else room)
        self._rested = False
        self._submit(recorder, written)
        # once is usual, when what was chosen has just been stopped; twice, somebody holds what is due
        self._in_vain = 0 if written and written.found else self._in_vain + 1
        return _HELD if self._in_vain > 1 else 0.0

    async def _look(self) -> tuple[_Candidate | None, bool]:
        """Who comes next, and whether any engagement runs; nobody while the number is switched off."""
        account_id, own = self._number.account_id, self._number.id
        async with self._store.looking() as tx:
            if not await lanes.is_on(tx, account_id, own):
                return None, False
            running = await work.running(tx, account_id, own)
            return await self._choose(tx, [engagement for engagement, _ in running]), bool(running)

    async def _take_back(self, recorder: Recorder) -> None:
        """After a commit that seemed to fail: what was written all the same never left, and waits for another turn."""
        under_way = {text_id: attempts for each in self._routes for text_id, attempts in each.under_way().items()}
        account_id, own = self.lease.account_id, self._number.id
        async with self._store.reading() as tx:
            found = await tx.batches.open_texts(account_id, own, TextStatus.SENDING, LAST, self._pace.window)
        ours = [text for text, epoch, _ in found if epoch == self.lease.epoch]
        # one that was sent again is not the submit that is under way
        left = [text for text in ours if under_way.get(text.text_id) != text.attempts]
        self._under_way.update(text.engagement_id or _SINGLES for text in left)
        recorder.withhold(self, left)
        self._is_unsure = False

    def _route(self) -> Recorder:
        """Its usual carrier; while the circuit of that one is open, the first other that takes texts."""
        usual, *others = self._routes
        return next((other for other in others if usual.is_out and other.takes_texts), usual)

    def _room(self, recorder: Recorder) -> int:
        """How many texts may be written now, by window, pace and the last texts' length."""
        window = recorder.room(self._pace.window)
        # small batches cost a commit each: with texts under way, wait for a quarter of the window
        if window <= 0 or (window < self._pace.window // 4 and self._under_way.total() > window):
            return 0
        texts = max(1, int(window / self._segments_per_text))
        available = self._bucket.available(self._clock.monotonic())
        if available < min(self._segments_per_text, self._bucket.burst):
            return 0
        return int(min(texts, max(1.0, available / self._segments_per_text)))

    def _until_room(self, recorder: Recorder) -> float:
        """Seconds to wait for the pace; answers wake the sender before that."""
        if recorder.room(self._pace.window) <= 0 or self._bucket.rate is None:
            return 1.0
        wanted = math.ceil(self._segments_per_text)
        return min(1.0, max(0.001, self._bucket.wait(self._clock.monotonic(), wanted)))

    async def _choose(self, tx: Transaction, running: Sequence[Engagement]) -> _Candidate | None:
        """Who comes next, in turn, of those with something due that no gate holds; priority comes first."""
        now, last = self._clock.now(), self._last
        first: _Candidate | None = None
        single_at = await self._singles.next_at(tx)
        if single_at is not None and single_at <= now:
            first = _Candidate(_SINGLES, has_priority=True, room=self._pace.window)
            if last != _SINGLES:
                return first
        for engagement in sorted(running, key=lambda each: (each.id <= (last or b""), each.id)):
            room = engagement.queue_batch_limit - self._under_way[engagement.id]
            if room <= 0 or _is_held(engagement, now):
                continue
            urgent_at, next_at = await work.next_at(tx, engagement.account_id, engagement.id, self._number.id)
            has_priority = urgent_at is not None and urgent_at <= now
            if not has_priority and (next_at is None or next_at > now):
                continue
            found = _Candidate(engagement.id, has_priority, room)
            if has_priority:
                return found
            first = first if first and first.id != _SINGLES else found
        return first

    async def _write(self, recorder: Recorder, chosen: _Candidate, room: int) -> Written | None:
        """Have the intent of one batch written, all or nothing. Raises Fenced when the lane is no longer ours."""
        self._last = chosen.id
        # the envelope that was counted must be the one in hand: it is looked for in the same way
        has_priority = chosen.has_priority or self.is_careful
        if self.is_careful:
            room = 1
            self._careful_for -= 1
            await careful.claim(self._store, self.lease, chosen.id, self._clock.now(), self._intents.new_id)
        # half a window at a time: while the network has one half, the other is being written
        limit = max(1, min(room, self._pace.window // 2, chosen.room))
        async with self._store.writing(is_hot=True) as tx:
            if chosen.id == _SINGLES:
                return await self._singles.write(tx, self.lease, recorder.profile, limit)
            own = self.lease, recorder.profile, chosen.id, limit
            return await self._intents.write(tx, *own, has_priority=has_priority)

    def _submit(self, recorder: Recorder, written: Written | None) -> None:
        """The intent is committed: let the texts go, if the lease still holds at this very moment."""
        if written is None or not written.submissions:
            return
        self._under_way[written.engagement_id or _SINGLES] += len(written.submissions)
        self._segments_per_text = max(1.0, written.segments / len(written.submissions))
        self._bucket.spend(self._clock.monotonic(), written.segments)
        if self._clock.monotonic() < self.valid_until:
            recorder.submit(self, written.texts, written.submissions)
        else:
            recorder.withhold(self, written.texts)


def _is_held(engagement: Engagement, now: Instant) -> bool:
    """Whether a gate that was found closed is still closed; an operator's change of its rules opens it at once."""
    if engagement.hold_reason == gates.CANARY:
        return engagement.canary_state == gates.WAITING
    return engagement.hold_until is not None and engagement.hold_until > now
