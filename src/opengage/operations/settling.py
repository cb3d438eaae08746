"""Events become steps: the state machine applied to a batch of texts, and the ledger's moves that follow from it.

Used by the dispatcher (outcomes, receipts, answers that will not come) and by operators who resolve a doubt. A text may
meet several events in one batch, as when its receipt is read together with its answer: it is written once, at its last
state.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from opengage.clock import SECOND, Instant
from opengage.domain.ledger import Dimension, Moves
from opengage.domain.records import Envelope
from opengage.domain.retry import Trouble, next_delay
from opengage.domain.states import CLOSED, LEFT_OR_NOT, STATUS_OF, Reason, TextEvent, TextStatus, change, place
from opengage.ids import Id, NewId
from opengage.store import endings, outbox, rows
from opengage.store.contract import Result, Stale, Step, Transaction, Unanswered

Chance = Callable[[], float]
"""A number in [0, 1) to spread retries with."""

NO_CODE: Final = "none"
"""What is counted for a text whose carrier never said a word on its fate."""

_TRIES: Final = 5
"""How often texts that others move meanwhile are read again."""

_T = TypeVar("_T")

FREE_OF_CHARGE = frozenset((Trouble.THROTTLED, Trouble.DISCONNECTED))
"""What says nothing against the text, and so burns no attempt."""


class Settling:
    """One batch's worth of events on texts, of whichever accounts."""

    def __init__(self, now: Instant, new_id: NewId, chance: Chance) -> None:
        self._now = now
        self._new_id = new_id
        self._chance = chance
        self._steps: dict[Id, Step] = {}
        self._results: dict[int, list[Result]] = {}
        self.newly_in_doubt: list[Id] = []

    def apply(self, text: Unanswered, event: TextEvent, code: str | None) -> bool:
        """Let an event happen to a text; False when it changes nothing (late, duplicate)."""
        step = self._steps.get(text.text_id)
        if text.is_settled:
            return False
        status = change(step.status if step else text.status, event)
        if status is None:
            return False
        reason = place(status, event)
        if step is None:
            step = Step(text, status, reason, code, b"", text.attempts)  # type: ignore[arg-type]
            self._steps[text.text_id] = step
        step.status, step.reason, step.code = status, reason, code
        step.next_at = self._now if event is TextEvent.RESEND else None
        step.was_accepted = step.was_accepted or event is TextEvent.ACCEPTED
        step.result_id = self._new_id()
        self._results.setdefault(text.account_id, []).append(Result(step.result_id, text.text_id, status, code))
        if status is TextStatus.IN_DOUBT:
            self.newly_in_doubt.append(text.text_id)
        return True

    def put_off(self, text: Unanswered, trouble: Trouble, code: str) -> None:
        """The text has surely not left: try again later, or refuse it when its attempts are used up."""
        attempts = text.attempts - (1 if trouble in FREE_OF_CHARGE else 0)
        delay = next_delay(trouble, max(attempts, 1), self._chance())
        event = TextEvent.REFUSED if delay is None else TextEvent.DEFERRED
        if self.apply(text, event, code) and delay is not None:
            step = self._steps[text.text_id]
            step.attempts = attempts
            step.next_at = Instant(self._now + int(delay * SECOND))

    async def write(self, tx: Transaction) -> list[Id]:
        """Write what changed, with its ledger moves; the engagements that are completed by it."""
        moves = Moves()
        await self.write_texts(tx, moves)
        return await endings.move_and_complete(tx, moves, self._now, self._new_id)

    async def write_texts(self, tx: Transaction, moves: Moves) -> tuple[int, Id] | None:
        """Write what changed, and leave its ledger moves to the caller; (account, id) of one of the fate events.

        The ledger moves once in a transaction, at its end and in one order: two who write at once then cannot wait for
        each other.
        """
        for account_id, results in sorted(self._results.items()):
            steps = [step for step in self._steps.values() if step.text.account_id == account_id]
            stood = await _stood(tx, account_id, steps)
            await tx.batches.step(account_id, steps, results, self._now)
            own = {step.text.text_id: step for step in steps}
            await outbox.announce_results(tx, account_id, own, results, self._now, self._new_id)
            _note(moves, account_id, steps, stood)
        return next(((account_id, some[0].id) for account_id, some in self._results.items()), None)


async def unless_stale(write: Callable[[], Awaitable[_T]]) -> _T:
    """Read texts and write what becomes of them, again when others moved them in between; what `write` returns.

    Raises Stale when they do not stand still.
    """
    for _ in range(_TRIES - 1):
        try:
            return await write()
        except Stale:
            continue
    return await write()


async def _stood(tx: Transaction, account_id: int, steps: Sequence[Step]) -> dict[Id, Reason]:
    """Where the envelopes of texts that waited to be sent again stand: any gate may hold them, or none."""
    texts = (step.text for step in steps if step.text.status is TextStatus.QUEUED)
    ids = [text.envelope_id for text in texts if text.envelope_id is not None]
    held = await rows.hold(tx, Envelope, account_id, ids) if ids else {}
    return {envelope.id: envelope.reason for envelope in held.values()}


def _note(moves: Moves, account_id: int, steps: Sequence[Step], stood: Mapping[Id, Reason]) -> None:
    """Count where the envelopes of these texts went, from where they `stood` if their text does not tell."""
    went = Counter(
        (step.text.engagement_id, stood.get(step.text.envelope_id), step.text.status, step.reason, step.code)
        for step in steps
        if step.text.engagement_id is not None and step.text.envelope_id is not None
    )
    for (engagement_id, place_then, before, reason, code), count in went.items():
        moves.leave(account_id, engagement_id, place(before) if place_then is None else place_then, count)
        moves.arrive(account_id, engagement_id, reason, count)
        if reason in LEFT_OR_NOT:
            moves.note(account_id, engagement_id, Dimension.ENDED, reason, count)
        if STATUS_OF[reason] in CLOSED:
            moves.note(account_id, engagement_id, Dimension.CODE, code or NO_CODE, count)
