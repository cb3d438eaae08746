"""Ends, told as they are written: engagements that come to a status, envelopes that are closed without a text.

Everything here is written in the transaction that it is handed.
"""

from collections.abc import Sequence

from opengage.clock import Instant
from opengage.domain.ledger import Moves
from opengage.domain.states import EngagementStatus
from opengage.domain.webhooks import ENGAGEMENT_EVENTS, Event, Happening
from opengage.ids import Id, NewId
from opengage.store import ledgers, outbox
from opengage.store.contract import Settled, Transaction


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
    """Tell that these engagements, (account, id) each, have come to a status; `pending` is nothing to tell of."""
    event = ENGAGEMENT_EVENTS.get(status)
    if event is None:
        return
    happened = [Happening(account_id, event, "engagements", id_) for account_id, id_ in engagements]
    await outbox.announce(tx, happened, now, new_id)


async def close(
    tx: Transaction, account_id: int, engagement_id: Id, settled: Sequence[Settled], now: Instant, new_id: NewId
) -> None:
    """Close due envelopes of an engagement that get no text, and tell."""
    await tx.batches.settle_envelopes(account_id, settled, now)
    if not await outbox.is_heard(tx, account_id, engagement_id):
        return
    happened: list[Happening] = []
    for each in settled:
        whose = (engagement_id, each.envelope_id)
        if each.text_id is not None:
            happened.append(Happening(account_id, Event.TEXT_CANCELED, "texts", each.text_id, *whose))
        happened.append(Happening(account_id, Event.ENVELOPE_INCOMPLETE, "envelopes", each.envelope_id, *whose))
    await outbox.announce(tx, happened, now, new_id)
