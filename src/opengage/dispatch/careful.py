"""After a crash: one envelope at a time, its attempt counted durably before it is touched.

Whatever makes a worker die in the middle of planning (bars R6) would do it again to each successor. A lane that its
last owner did not let go of is therefore gone through one by one for a while: the envelope in hand when the process
dies is found counted, and is set aside at the third time. Its neighbours go on.
"""

from typing import Final

import sqlalchemy as sa

from opengage import logs
from opengage.clock import Instant
from opengage.domain.ledger import Moves
from opengage.domain.states import Reason
from opengage.ids import Id, NewId, to_wire
from opengage.store import endings, lanes, tables
from opengage.store.contract import Settled, Store, Transaction

log = logs.get(__name__)

MOST_CLAIMS: Final = 2
"""How often an envelope may have been in hand when its worker was lost, after the first time that nobody counted."""

_envelopes: Final = tables.envelopes
_KEY: Final = (_envelopes.c.account_id == sa.bindparam("key_account_id"), _envelopes.c.id == sa.bindparam("key_id"))
_COUNT: Final = (
    sa.update(_envelopes)
    .where(*_KEY, _envelopes.c.next_at.is_not(None))
    .values(claims=sa.func.coalesce(_envelopes.c.claims, 0) + 1)
)
_CLAIMS: Final = sa.select(_envelopes.c.claims).where(*_KEY)


async def claim(store: Store, lease: lanes.Lease, engagement_id: Id, now: Instant, new_id: NewId) -> None:
    """Count that the next envelope of an engagement is about to be handled; set it aside if it was too often.

    Raises Fenced when the lane is no longer ours.
    """
    async with store.writing() as tx:
        await lanes.require(tx, lease)
        due = await tx.batches.due(lease.account_id, engagement_id, lease.phone_number_id, now, 1)
        for envelope in due:
            key = {"key_account_id": lease.account_id, "key_id": envelope.envelope_id}
            await tx.run(_COUNT, **key)
            claims = (await tx.rows(_CLAIMS, **key))[0][0] or 0
            if claims > MOST_CLAIMS:
                settled = Settled(envelope.envelope_id, Reason.UNKNOWN, envelope.text_id)
                await _set_aside(tx, lease, engagement_id, settled, envelope.reason, now, new_id)


async def _set_aside(
    tx: Transaction,
    lease: lanes.Lease,
    engagement_id: Id,
    settled: Settled,
    before: Reason,
    now: Instant,
    new_id: NewId,
) -> None:
    """Close an envelope that costs every worker its life."""
    await endings.close(tx, lease.account_id, engagement_id, [settled], now, new_id)
    moves = Moves()
    moves.leave(lease.account_id, engagement_id, before)
    moves.arrive(lease.account_id, engagement_id, settled.reason)
    await endings.move_and_complete(tx, moves, now, new_id)
    log.error(
        "an envelope was in hand each time that its worker was lost: it is set aside",
        action="set-aside",
        envelope_id=to_wire(settled.envelope_id),
    )
