"""What canceling an engagement does to those who have not been texted yet.

Step 3 of a text's path. One statement closes all envelopes without a text; the few whose text waits to be tried again
are closed with it. What is with the carrier stays and gets its receipt; what is in doubt stays in doubt.
"""

from opengage.clock import Instant
from opengage.domain.ledger import Moves
from opengage.domain.records import Engagement
from opengage.domain.states import Reason, TextEvent, TextStatus, change
from opengage.ids import Id, NewId
from opengage.store import envelopes, ledgers
from opengage.store.contract import Step, Transaction

_SLICE = 1000


async def cancel_waiting(tx: Transaction, new_id: NewId, engagement: Engagement, author: Id, now: Instant) -> None:
    """Move every envelope that waits to `canceled`, and the ledger with them."""
    account_id, moves = engagement.account_id, Moves()
    for reason, count in await envelopes.cancel_unsent(tx, account_id, engagement.id, author, now):
        moves.leave(account_id, engagement.id, reason, count)
        moves.arrive(account_id, engagement.id, Reason.CANCELED, count)
    waiting = await envelopes.deferred(tx, account_id, engagement.id)
    for start in range(0, len(waiting), _SLICE):
        await _cancel_deferred(tx, new_id, engagement, dict(waiting[start : start + _SLICE]), moves, now)
    await ledgers.move(tx, moves)


async def _cancel_deferred(
    tx: Transaction, new_id: NewId, engagement: Engagement, waiting: dict[Id, Reason], moves: Moves, now: Instant
) -> None:
    account_id, steps = engagement.account_id, []
    for text in (await tx.batches.texts(account_id, list(waiting))).values():
        if change(text.status, TextEvent.CANCEL) is not TextStatus.CANCELED:
            continue
        steps.append(Step(text, TextStatus.CANCELED, Reason.CANCELED, None, new_id()))
        moves.leave(account_id, engagement.id, waiting[text.text_id])
        moves.arrive(account_id, engagement.id, Reason.CANCELED)
    if steps:
        await tx.batches.step(account_id, steps, now)
