"""What an operator did, written down in the transaction that does it.

Step 3 of a text's path, for whoever asks later who let, stopped or changed something.
"""

from typing import Any

import msgspec

from opengage.clock import Instant
from opengage.domain.records import AuditEvent, Record
from opengage.ids import NewId
from opengage.operations.actors import Actor
from opengage.store import rows
from opengage.store.contract import Transaction


async def note(
    tx: Transaction, now: Instant, new_id: NewId, actor: Actor, action: str, kind: str, subject: Record, **detail: Any
) -> None:
    """Write down that `actor` did `action` to `subject`, a resource of type `kind`. `detail` must hold no secret."""
    event = AuditEvent(
        account_id=actor.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        created_by=actor.membership_id,
        action=action,
        subject_type=kind,
        subject_id=subject.id,
        detail=msgspec.json.encode(detail).decode(),
    )
    await rows.insert(tx, event)
