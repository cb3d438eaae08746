"""Texts in doubt, resolved by somebody who knows better than the machine, or who takes the risk. Each is audited.

Step 3 of a text's path. A submit without an answer is never sent again by itself; a person may say that it arrived,
that it is given up, or that it shall be sent again.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock
from opengage.domain.errors import Code, Problem
from opengage.domain.records import AuditEvent, Engagement
from opengage.domain.states import EngagementStatus, TextEvent, TextStatus
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.engagements import NOUN
from opengage.operations.reading import load
from opengage.operations.settling import Settling
from opengage.store import rows, tables
from opengage.store.contract import Store

VERBS: Final = {
    "resend": TextEvent.RESEND,
    "give-up": TextEvent.GIVE_UP,
    "delivered": TextEvent.CONFIRM,
}
MOST: Final = 10_000
"""Texts resolved by one request."""

_CANCELED: Final = (
    "The engagement is canceled: nothing of it is sent, and a text that was to be sent again would be called canceled, "
    "though it may have arrived. Use “give-up” or “delivered”, or copy the engagement."
)
_CODE: Final = "operator"
_texts: Final = tables.texts
_IN_DOUBT: Final = (
    sa.select(_texts.c.id, _texts.c.envelope_id)
    .where(
        _texts.c.account_id == sa.bindparam("account_id"),
        _texts.c.engagement_id == sa.bindparam("engagement_id"),
        _texts.c.status == TextStatus.IN_DOUBT.value,
    )
    .order_by(_texts.c.id)
)


class Resolved(msgspec.Struct, frozen=True):
    """What a resolution came to: its entry in the audit, how many texts it moved, and how many are in doubt still."""

    event: AuditEvent
    verb: str
    count: int
    left: int


async def resolve(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    id_: Id | None,
    *,
    verb: str,
    envelope_ids: Sequence[Id] = (),
) -> Resolved:
    """Resolve the texts in doubt of these envelopes of an engagement, or all of them, up to `MOST`.

    One that was resolved meanwhile, by a receipt say, stays as it is. Raises NotFound, Invalid, Forbidden.
    """
    require_writer(actor)
    event = VERBS.get(verb)
    if event is None:
        detail = f"“verb” is “{verb[:40]}”. Use one of {', '.join(VERBS)}."
        fields.refuse([Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/verb")])
    assert event is not None, "else it was refused"
    async with store.reading() as tx:
        engagement = await load(tx, actor, Engagement, id_, NOUN)
        if event is TextEvent.RESEND and engagement.status is EngagementStatus.CANCELED:
            raise fields.illegal(_CANCELED, "/data/attributes/verb")
        key = {"account_id": actor.account_id, "engagement_id": engagement.id}
        doubtful = [(Id(text_id), envelope_id) for text_id, envelope_id in await tx.rows(_IN_DOUBT, **key)]
    chosen = set(envelope_ids)
    wanted = [text_id for text_id, envelope_id in doubtful if not chosen or envelope_id in chosen][:MOST]
    now = clock.now()
    settling = Settling(now, new_id, lambda: 0.0)
    async with store.writing() as tx:
        fresh = await tx.batches.texts(actor.account_id, wanted) if wanted else {}
        count = sum(settling.apply(text, event, _CODE) for text in fresh.values())
        await settling.write(tx)
        audit = AuditEvent(
            account_id=actor.account_id,
            id=new_id(),
            created_at=now,
            updated_at=now,
            created_by=actor.membership_id,
            action=f"in-doubt.{verb}",
            subject_type="engagements",
            subject_id=engagement.id,
            detail=msgspec.json.encode({"count": count, "asked-for": len(chosen) or None}).decode(),
        )
        await rows.insert(tx, audit)
    return Resolved(audit, verb, count, len(doubtful) - count)
