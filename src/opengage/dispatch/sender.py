"""One lane's outflow: takes the next due envelopes, writes the intent, and only then lets a byte leave.

The promise is kept in `_intend`: in one transaction, under the lane's lease, it checks that the lease holds, that the
engagement still runs, who is suppressed and who was texted already, and writes the texts as `sending`. A crash before
that commit sends nothing; a crash after it leaves the texts to the rescuer, in doubt.
"""

import asyncio
import math
from collections import Counter
from typing import Final

import msgspec

from opengage import logs
from opengage.clock import Clock, Instant
from opengage.dispatch.planning import Known, Plan, plan
from opengage.dispatch.recorder import Recorder
from opengage.domain.errors import Fenced, Unavailable
from opengage.domain.ledger import Moves
from opengage.domain.outcomes import NEVER_SENT, Accepted, Deferred, Outcome, Submission
from opengage.domain.pacing import Bucket
from opengage.domain.records import Activity, Engagement, PhoneNumber, Text, TextTemplate
from opengage.domain.states import Reason, TextStatus
from opengage.domain.templates import Template, compile_template
from opengage.ids import Id, NewId, to_wire
from opengage.store import lanes, ledgers, receipts, rows, work
from opengage.store.contract import Due, Outgoing, Store, Transaction, Turn, Unanswered

log = logs.get(__name__)

_LOOK_AGAIN: Final = 0.25
"""Seconds until a running engagement without due envelopes is looked at again."""

_FIRST: Final = 50
"""Texts of the first batch after a rest: the first handset need not wait for hundreds to be written."""

_NOTHING_RUNS: Final = 5.0
"""Seconds until a lane without a running engagement looks by itself; scheduling wakes it at once."""


class Pace(msgspec.Struct, frozen=True):
    """How much a lane may have under way."""

    window: int
    """Texts whose outcome is not stored yet, at most."""
    max_segments: int


class _Written(msgspec.Struct, frozen=True):
    """An intent that is committed."""

    engagement: Engagement
    plan: Plan
    submissions: list[Submission]
    texts: list[Unanswered]
    """The same texts as the store has them now."""


class Sender:
    """Sends what is due on one lane for as long as its lease holds."""

    def __init__(
        self,
        number: PhoneNumber,
        lease: lanes.Lease,
        recorder: Recorder,
        store: Store,
        clock: Clock,
        new_id: NewId,
        pace: Pace,
    ) -> None:
        self._number = number
        self.lease = lease
        self.valid_until = 0.0
        """The monotonic second until which the lease surely holds; the lane keeper moves it."""
        self._recorder = recorder
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._pace = pace
        self._bucket = Bucket(number.rate)
        self._segments_per_text = 1.0
        self._wake = asyncio.Event()
        self._under_way: Counter[Id] = Counter()
        self._last: Id | None = None
        self._rested = True
        self._templates: dict[Id, tuple[Id, Template]] = {}
        self._accepted_since = (0, clock.monotonic())

    # what the recorder tells

    def wake(self) -> None:
        """See Feedback.wake."""
        self._wake.set()

    def answered(self, engagement_id: Id | None, outcome: Outcome) -> None:
        """See Feedback.answered."""
        if engagement_id is not None:
            self._under_way[engagement_id] -= 1
        now = self._clock.monotonic()
        if isinstance(outcome, Accepted):
            self._bucket.speed_up(now)
            self._accepted_since = (self._accepted_since[0] + 1, self._accepted_since[1])
        elif isinstance(outcome, Deferred) and outcome.throttled and outcome.code != NEVER_SENT:
            count, since = self._accepted_since
            self._bucket.slow_down(now, observed=max(1.0, count / max(now - since, 0.001)))
            self._accepted_since = (0, now)

    # the loop

    async def run(self) -> None:
        """Send until cancelled or fenced."""
        self._recorder.join(self)
        try:
            while True:
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
                    pause = 1.0
                # at least one turn of the loop, in which the carrier's bytes leave before the next batch is written
                await (self._sleep(pause) if pause else asyncio.sleep(0))
        finally:
            self._recorder.leave(self)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def turn(self) -> float:
        """Send one batch of one engagement; how many seconds to wait before the next turn."""
        room = self._room()
        if room <= 0:
            return self._until_room()
        with self._recorder.reserved(room):
            async with self._store.reading() as tx:
                running = await work.running(tx, self._number.account_id, self._number.id)
                chosen = await self._choose(tx, running)
            if chosen is None:
                self._rested = not self._under_way.total()
                return _LOOK_AGAIN if running else _NOTHING_RUNS
            written = await self._intend(*chosen, min(room, _FIRST) if self._rested else room)
        self._rested = False
        self._submit(written)
        return 0.0

    def _room(self) -> int:
        """How many texts may be written now, by window, pace and the last texts' length."""
        window = self._recorder.room(self._pace.window)
        # small batches cost a commit each: with texts under way, wait for a quarter of the window
        if window <= 0 or (window < self._pace.window // 4 and self._under_way.total() > window):
            return 0
        texts = max(1, int(window / self._segments_per_text))
        available = self._bucket.available(self._clock.monotonic())
        if available < min(self._segments_per_text, self._bucket.burst):
            return 0
        return int(min(texts, max(1.0, available / self._segments_per_text)))

    def _until_room(self) -> float:
        """Seconds to wait for the pace; answers wake the sender before that."""
        if self._recorder.room(self._pace.window) <= 0 or self._bucket.rate is None:
            return 1.0
        wanted = math.ceil(self._segments_per_text)
        return min(1.0, max(0.001, self._bucket.wait(self._clock.monotonic(), wanted)))

    async def _choose(
        self, tx: Transaction, running: list[tuple[Engagement, Activity]]
    ) -> tuple[Engagement, Activity] | None:
        """The next engagement, in turn, that has something due and may have more under way."""
        last = self._last or b""
        now = self._clock.now()
        for engagement, activity in sorted(running, key=lambda each: (each[0].id <= last, each[0].id)):
            if self._under_way[engagement.id] >= engagement.queue_batch_limit:
                continue
            next_at = await work.next_at(tx, engagement.account_id, engagement.id)
            if next_at is not None and next_at <= now:
                self._last = engagement.id
                return engagement, activity
        return None

    async def _intend(self, engagement: Engagement, activity: Activity, room: int) -> _Written | None:
        """Write the intent of one batch, all or nothing; None when there turned out to be nothing to do.

        Raises Fenced when the lane is no longer ours.
        """
        account_id = engagement.account_id
        # half a window at a time: while the network has one half, the other is being written
        half = max(1, self._pace.window // 2)
        limit = min(room, half, engagement.queue_batch_limit - self._under_way[engagement.id])
        now = self._clock.now()
        async with self._store.writing() as tx:
            await tx.take_turn(Turn.CONSENT, (account_id,), shared=True)
            await lanes.require(tx, self.lease)
            if not await work.hold_running(tx, account_id, engagement.id):
                return None
            due = await tx.batches.due(account_id, engagement.id, now, limit)
            template = await self._template(tx, activity)
            known = await self._known(tx, engagement, due)
            batch = plan(due, template, known, self._pace.max_segments, self._new_id)
            await self._write(tx, engagement, batch, now)
            submissions = await self._submissions(tx, batch)
            texts = await self._texts(tx, batch, engagement)
        return _Written(engagement, batch, submissions, texts)

    async def _known(self, tx: Transaction, engagement: Engagement, due: list[Due]) -> Known:
        numbers = [envelope.phone_number for envelope in due]
        return Known(
            suppressed=await tx.batches.suppressed(engagement.account_id, numbers),
            texted=await tx.batches.sent_before(engagement.account_id, engagement.id, numbers),
            written=await self._written_before(tx, due),
        )

    async def _written_before(self, tx: Transaction, due: list[Due]) -> dict[Id, str]:
        """The words of texts that were put off."""
        again = [envelope.text_id for envelope in due if envelope.text_id]
        found = await rows.find_many(tx, Text, self._number.account_id, again) if again else {}
        return {text.id: text.body for text in found.values()}

    async def _write(self, tx: Transaction, engagement: Engagement, batch: Plan, now: Instant) -> None:
        number = self._number
        moves = Moves()
        if batch.intents:
            outgoing = Outgoing(
                engagement_id=engagement.id,
                phone_number_id=number.id,
                service_profile_id=number.service_profile_id,
                sender=number.phone_number,
                author=engagement.updated_by,
            )
            lane = (number.id, self.lease.epoch)
            await tx.batches.intend(number.account_id, lane, outgoing, batch.intents, now)
            again = sum(intent.is_retry for intent in batch.intents)
            moves.leave(number.account_id, engagement.id, Reason.NONE, len(batch.intents) - again)
            moves.leave(number.account_id, engagement.id, Reason.RETRYING, again)
            moves.arrive(number.account_id, engagement.id, Reason.SENDING, len(batch.intents))
        if batch.settled:
            await tx.batches.settle_envelopes(number.account_id, batch.settled, now)
            for settled in batch.settled:
                before = Reason.RETRYING if settled.text_id else Reason.NONE
                moves.leave(number.account_id, engagement.id, before)
                moves.arrive(number.account_id, engagement.id, settled.reason)
        await ledgers.move_and_complete(tx, moves, now)

    async def _submissions(self, tx: Transaction, batch: Plan) -> list[Submission]:
        number = self._number
        submissions = []
        for intent in batch.intents:
            accepted = None
            if intent.is_retry and intent.segments > 1:
                taken = await receipts.segments(tx, number.account_id, intent.text_id)
                accepted = {segment.number: segment.carrier_ref for segment in taken}
            submissions.append(
                Submission(
                    number.account_id, intent.text_id, number.phone_number, intent.recipient, intent.body, accepted
                )
            )
        return submissions

    async def _texts(self, tx: Transaction, batch: Plan, engagement: Engagement) -> list[Unanswered]:
        """The texts of a batch as they were just written; only those that go again must be read for it."""
        account_id, status = engagement.account_id, TextStatus.SENDING
        again = [intent.text_id for intent in batch.intents if intent.is_retry]
        known = await tx.batches.texts(account_id, again) if again else {}
        return [
            known.get(each.text_id)
            or Unanswered(account_id, each.text_id, status, each.segments, 1, engagement.id, each.envelope_id)
            for each in batch.intents
        ]

    def _submit(self, written: _Written | None) -> None:
        """The intent is committed: let the texts go, if the lease still holds at this very moment."""
        if written is None or not written.submissions:
            return
        engagement_id, submissions = written.engagement.id, written.submissions
        self._under_way[engagement_id] += len(submissions)
        segments = written.plan.segments
        self._segments_per_text = max(1.0, segments / len(submissions))
        self._bucket.spend(self._clock.monotonic(), segments)
        if self._clock.monotonic() < self.valid_until:
            self._recorder.submit(self, written.texts, submissions)
        else:
            self._recorder.withhold(self, written.texts)

    async def _template(self, tx: Transaction, activity: Activity) -> Template:
        """The activity's template as it reads now, compiled once for each revision."""
        record = await rows.find(tx, TextTemplate, activity.account_id, activity.text_template_id)
        assert record is not None, "templates are archived, never removed"
        known = self._templates.get(record.id)
        if known is None or known[0] != record.revision_id:
            known = (record.revision_id, compile_template(record.body))
            self._templates[record.id] = known
        return known[1]
