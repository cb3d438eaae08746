"""Engagements change under the dispatcher's hands: what that moves in the ledger, and who is told of it.

Everything here is written in the transaction that it is handed.
"""

from collections.abc import Sequence

from opengage.clock import Instant
from opengage.domain.ledger import Moves
from opengage.domain.states import EngagementStatus
from opengage.domain.webhooks import ENGAGEMENT_EVENTS, Happening
from opengage.ids import Id, NewId
from opengage.store import ledgers, outbox
from opengage.store.contract import Transaction


async def move_and_complete(tx: Transaction, moves: Moves, now: Instant, new_id: NewId) -> list[Id]:
    """Apply one batch's moves, complete every engagement that they leave with nothing to do, and tell; their ids."""
    completed = await ledgers.move_and_complete(tx, moves, now)
    if completed:
        done = [key for key in moves.engagements() if key[1] in completed]
        await announce(tx, done, EngagementStatus.COMPLETED, now, new_id)
    return completed


async def announce(
    tx: Transaction, engagements: Sequence[tuple[int, Id]], status: EngagementStatus, now: Instant, new_id: NewId
) -> None:
    """Tell that these engagements, (account, id) each, have come to a status."""
    event = ENGAGEMENT_EVENTS[status]
    happened = [Happening(account_id, event, "engagements", id_) for account_id, id_ in engagements]
    await outbox.announce(tx, happened, now, new_id)
