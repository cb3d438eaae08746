"""What the carrier said becomes durable: outcomes, receipts and inbound texts of one service profile, in micro-batches.

The recorder stands between the senders and the carrier: it counts every text from its submission until the commit of
its outcome, so that a crash can leave no more than a window of them in doubt. A delivery is acknowledged to the network
only after the commit that stores it; when the store cannot be written, everything is kept and tried again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from opengage import logs
from opengage.carriers.contract import Carrier
from opengage.clock import SECOND, Clock, Instant
from opengage.dispatch import answers, matching
from opengage.dispatch.gathered import Batch, Feedback
from opengage.dispatch.inbound import record_inbound, take_turn
from opengage.dispatch.recall import stored_last
from opengage.dispatch.reserve import Reserve
from opengage.domain.breaker import Breaker
from opengage.domain.errors import Unavailable
from opengage.domain.ledger import Moves
from opengage.domain.outcomes import (
    NEVER_SENT,
    Deferred,
    Inbound,
    Outcome,
    Receipt,
    Submission,
)
from opengage.domain.records import ServiceProfile
from opengage.domain.redelivery import Redeliveries, mark_of
from opengage.ids import Id, NewId, to_wire
from opengage.operations.settling import Chance, Settling, unless_stale
from opengage.store import endings, lanes
from opengage.store import receipts as parking
from opengage.store.contract import Stale, Store, Transaction, Unanswered

log = logs.get(__name__)

GATHER: Final = 0.001
"""Seconds in which answers are gathered into one commit, once one has come."""

_LAST_COMMIT: Final = 3.0
"""Seconds that the last commits may take, beside what the carrier was given to come to rest."""

_EVER: Final = Instant(0)

_LATELY: Final = 30.0
"""Seconds for which a parked receipt is looked at again though no answer comes."""

_RETRY: Final = 0.5
"""Seconds until the next try, when the store could not be written."""


class Recorder:
    """The far side of one service profile: its carrier, and the memory of what it said."""

    def __init__(
        self,
        profile: ServiceProfile,
        carrier: Carrier,
        store: Store,
        clock: Clock,
        new_id: NewId,
        chance: Chance,
        owner: str | None = None,
    ) -> None:
        """`owner` must hold a lane of the profile to store what handsets say; without it, nobody else is there."""
        self.profile = profile
        self.carrier = carrier
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._chance = chance
        self._owner = owner
        self.breaker = Breaker()
        self._open: dict[Id, tuple[Feedback, Unanswered]] = {}
        self._redeliveries = Redeliveries()
        self.reserve = Reserve()
        self._senders: dict[Feedback, None] = {}  # in the order of their coming, the same in each run of a simulation
        self._batch = Batch()
        self._is_unsure = False
        self._something = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    # the senders' side

    def join(self, sender: Feedback) -> None:
        """Tell this sender when there is room."""
        self._senders[sender] = None

    def leave(self, sender: Feedback) -> None:
        """Stop telling it."""
        self._senders.pop(sender, None)

    def room(self, window: int) -> int:
        """How many segments may be submitted so that no more than `window` texts await a stored outcome."""
        if self._is_unsure:
            return 0  # what is to be stored may be a text that is due again
        room = min(self.carrier.capacity(), window - len(self._open)) if self.carrier.is_bound else 0
        probes = self.breaker.room()
        return (room if probes is None else min(room, probes)) - self.reserve.texts

    @property
    def is_out(self) -> bool:
        """Whether the circuit lets nothing through: another carrier is asked, if there is one."""
        return self.breaker.room() == 0

    @property
    def takes_texts(self) -> bool:
        """Whether a text could go out this way right now."""
        return self.carrier.is_bound and not self.is_out

    def tick(self) -> None:
        """Let the circuit know of the time, and of the connection: about once a second."""
        before = self.breaker.phase
        phase = self.breaker.tick(self._clock.monotonic(), is_bound=self.carrier.is_bound)
        if phase is not before:
            self._tell_phase()

    def _tell_phase(self) -> None:
        log.warning(
            "the circuit of a service profile has changed",
            action="circuit",
            service_profile_id=to_wire(self.profile.id),
            phase=self.breaker.phase.value,
            reason=self.breaker.reason,
        )
        for sender in self._senders:
            sender.wake()

    def submit(self, sender: Feedback, texts: Sequence[Unanswered], submissions: Sequence[Submission]) -> None:
        """Hand texts, whose intent is committed, to the carrier."""
        self._expect(sender, texts)
        self.breaker.submitted(submission.text_id for submission in submissions)
        self.carrier.submit(submissions)

    def under_way(self) -> dict[Id, int]:
        """The texts whose outcome is not stored yet, and which submit of each that is (Submission.attempt)."""
        return {text_id: text.attempts for text_id, (_, text) in self._open.items()}

    def withhold(self, sender: Feedback, texts: Sequence[Unanswered]) -> None:
        """Put off texts whose intent is committed, but whose lane's lease ran out before a byte could leave."""
        self._expect(sender, texts)
        self.outcomes([Deferred(text.text_id, NEVER_SENT, throttled=True, attempt=text.attempts) for text in texts])

    def _expect(self, sender: Feedback, texts: Sequence[Unanswered]) -> None:
        for text in texts:
            self._open[text.text_id] = (sender, text)
        self._idle.clear()

    # the carrier's side: see carriers.contract.Sink

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """See Sink.outcomes."""
        self._batch.outcomes.extend(outcomes)
        self._comes()

    def receipts(self, receipts: Sequence[Receipt]) -> None:
        """See Sink.receipts."""
        self._batch.receipts.extend(receipts)
        self._comes()

    def inbound(self, texts: Sequence[Inbound]) -> None:
        """See Sink.inbound: what the network delivers again is acknowledged again, and not stored again."""
        now = self._clock.monotonic()
        for text in texts:
            mark = mark_of(text.sender, text.recipient, text.body)
            if self._redeliveries.is_unstored(mark):
                self.carrier.acknowledge([text.token], stored=False)
            elif self._redeliveries.arrive(text.token, mark, now):
                log.info("an inbound text came again", action="inbound")
                self._batch.again.append(text.token)
            else:
                self._batch.inbound.append(text)
        self._comes()

    def _comes(self) -> None:
        self._something.set()
        if self._batch:
            self._idle.clear()

    def unacknowledged(self, tokens: Sequence[int], *, surely: bool) -> None:
        """See Sink.unacknowledged."""
        self._redeliveries.lose(tokens, self._clock.monotonic(), surely=surely)

    def ready(self) -> None:
        """See Sink.ready."""
        for sender in self._senders:
            sender.wake()

    def succeed(self, earlier: "Recorder") -> None:
        """Take the place of an earlier recorder of the same service profile: what it expects again is expected here."""
        self._redeliveries.share(earlier._redeliveries)

    def give_up(self) -> None:
        """It has ended: what is not stored by now will not be."""
        self._redeliveries.give_up()

    @property
    def is_owed(self) -> bool:
        """Whether the network may deliver a text again that is stored."""
        return self._redeliveries.is_owed(self._clock.monotonic())

    async def recall(self) -> None:
        """Expect the texts again that were stored last: whoever stored them may have ended before it said so.

        To be done before the carrier is started.
        """
        async with self._store.reading() as tx:
            last = await stored_last(tx, self.profile, self._clock.now())
        self._redeliveries.expect((mark_of(*text) for text in last), self._clock.monotonic())

    # the loop

    async def run(self) -> None:
        """Commit what is gathered, until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(GATHER)
            self._something.clear()
            await self.commit()

    async def drain(self, within: float) -> bool:
        """Take leave of the carrier, then wait until all it has said is stored; whether that came about in time.

        A store that cannot be written must not keep the process from ending: what is not stored is rescued later.
        """
        until = asyncio.get_running_loop().time() + within
        await self.carrier.stop(within)
        self._something.set()
        try:
            async with asyncio.timeout_at(until + _LAST_COMMIT):
                await self._idle.wait()
        except TimeoutError:
            log.error("outcomes are not stored: their texts will be in doubt", action="drain", texts=len(self._open))
            return False
        return True

    async def commit(self) -> None:
        """Store one batch, however often it takes, and only then let go of it."""
        batch, self._batch = self._batch, Batch()
        while batch:
            try:
                await self._store_batch(batch)
                break
            except Unavailable as error:
                log.error("the store cannot be written; nothing is acknowledged", action="record", error=str(error))
                self._is_unsure = True
                self._refuse(batch, self._batch)
                await asyncio.sleep(_RETRY)
        self._let_go(batch)
        if self._is_unsure:
            self._is_unsure = False
            self.ready()

    def _refuse(self, *batches: Batch) -> None:
        """Let the network keep what handsets said, and bring it again to whoever can store it then.

        What a try may have written stays, until it is known whether it did.
        """
        texts = [token for batch in batches for token in batch.take_untried()]
        if texts:
            also = self._redeliveries.refuse(texts, [token for batch in batches for token in batch.again])
            for batch in batches:
                batch.again = [token for token in batch.again if token not in also]
            self.carrier.acknowledge([*texts, *also], stored=False)

    def _let_go(self, batch: Batch) -> None:
        texts = [text.token for text in batch.inbound] + batch.again
        self._redeliveries.acknowledge(texts, self._clock.monotonic())
        self.carrier.acknowledge([receipt.token for receipt in batch.receipts] + texts, stored=True)
        before = self.breaker.phase
        if batch.outcomes and self.breaker.observe(self._clock.monotonic(), batch.outcomes) is not before:
            self._tell_phase()
        touched: dict[Feedback, None] = {}
        for outcome in batch.outcomes:
            found = self._open.get(outcome.text_id)
            if found and found[1].attempts <= outcome.attempt:  # else it is sent again, and that is not answered yet
                sender, text = self._open.pop(outcome.text_id)
                sender.answered(text.engagement_id, outcome)
                touched[sender] = None
        if not self._open and not self._batch:
            self._idle.set()
        for each in touched:
            each.wake()

    async def _store_batch(self, batch: Batch) -> None:
        """Store one batch, trusting what is remembered of texts under way; look again if that has changed meanwhile.

        Others may change it once more between that look and the writing: then it is looked at again.
        """
        try:
            under_way = (self._open.get(outcome.text_id) for outcome in batch.outcomes)
            await self._write_batch(batch, {text.text_id: text for _, text in filter(None, under_way)})
        except Stale:
            await unless_stale(lambda: self._write_batch(batch, {}))

    async def _write_batch(self, batch: Batch, remembered: Mapping[Id, Unanswered]) -> None:
        settling = self._settling()
        async with self._store.writing(is_hot=True) as tx:
            await take_turn(tx, self.profile, batch.inbound)
            if await batch.is_stored(tx):
                return
            if batch.inbound and not await self._may_store(tx):
                batch.tried = []
                self._refuse(batch, self._batch)
            answered = await self._apply_outcomes(tx, settling, batch.outcomes, remembered) if batch.outcomes else {}
            if batch.receipts:
                await self._apply_receipts(tx, settling, batch.receipts, answered)
            if batch.inbound:
                batch.tried = await record_inbound(tx, self.profile, batch.inbound, self._clock.now(), self._new_id)
            moves = Moves()
            batch.result = await settling.write_texts(tx, moves)
            if settling.newly_in_doubt:
                resolved = self._settling()
                await self._match_parked(tx, resolved)
                await resolved.write_texts(tx, moves)
            completed = await endings.move_and_complete(tx, moves, self._clock.now(), self._new_id)
        for text_id in settling.newly_in_doubt:
            log.warning(
                "no answer: the text is in doubt and is not sent again", action="in-doubt", text_id=to_wire(text_id)
            )
        _tell_completed(completed)

    async def _may_store(self, tx: Transaction) -> bool:
        """Whether this worker still has a lane of the profile: else its successor stores what handsets say.

        That one knows what was stored before it took the lane, and nothing may be stored here after that.
        """
        owner, profile = self._owner, self.profile
        return owner is None or await lanes.serves(tx, owner, profile.account_id, profile.id)

    async def match_lately_parked(self) -> None:
        """Match what was parked while its answer was being stored: two workers cannot see each other do that.

        Both may hold connections of this profile, and the network brings a receipt over any of them.
        """
        since = Instant(self._clock.now() - int(_LATELY * SECOND))
        async with self._store.looking() as tx:
            own = await parking.parked(tx, self.profile.account_id, self.profile.id, since)
        if own:
            await self.match_parked(since)

    async def match_parked(self, since: Instant = _EVER) -> None:
        """Give receipts that wait for their texts another look: a rescue has put texts in doubt."""
        _tell_completed(await unless_stale(lambda: self._match_once(since)))

    async def _match_once(self, since: Instant) -> list[Id]:
        settling = self._settling()
        async with self._store.writing() as tx:
            await self._match_parked(tx, settling, since)
            return await settling.write(tx)

    def _settling(self) -> Settling:
        return Settling(self._clock.now(), self._new_id, self._chance)

    async def _apply_outcomes(
        self,
        tx: Transaction,
        settling: Settling,
        outcomes: Sequence[Outcome],
        remembered: Mapping[Id, Unanswered],
    ) -> dict[str, Unanswered]:
        """Apply what became of submissions; the carrier's ids that they brought, and their texts."""
        account_id, profile_id = self.profile.account_id, self.profile.id
        unknown = [outcome.text_id for outcome in outcomes if outcome.text_id not in remembered]
        texts = await tx.batches.texts(account_id, unknown) if unknown else {}
        refs: list[tuple[str, Id, int, int]] = []
        answered: dict[str, Unanswered] = {}
        for outcome in outcomes:
            text = remembered.get(outcome.text_id) or texts[outcome.text_id]
            for number, ref in answers.refs(outcome):
                refs.append((ref, text.text_id, number, text.segments))
                answered[ref] = text
            answers.apply(settling, text, outcome)
        if refs:
            await tx.batches.add_refs(account_id, profile_id, refs)
            await matching.settle_parked(tx, self.profile, settling, parking.parked_of, answered)
        return answered

    async def _match_parked(self, tx: Transaction, settling: Settling, since: Instant = _EVER) -> None:
        """Receipts that came before their texts were in doubt have found them."""
        await matching.settle_parked(tx, self.profile, settling, parking.parked, since)

    async def _apply_receipts(
        self, tx: Transaction, settling: Settling, receipts: Sequence[Receipt], answered: Mapping[str, Unanswered]
    ) -> None:
        settled = {id(receipt) for receipt in await matching.settle(tx, self.profile, settling, receipts, answered)}
        strays = [receipt for receipt in receipts if id(receipt) not in settled]
        if strays:
            await parking.park(tx, self.profile.account_id, self.profile.id, strays, self._clock.now())


def _tell_completed(engagement_ids: Sequence[Id]) -> None:
    for engagement_id in engagement_ids:
        log.info("engagement completed", action="completed", engagement_id=to_wire(engagement_id))
