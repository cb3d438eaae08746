"""Texts in doubt, resolved by somebody who knows better than the machine, or who takes the risk. Each is audited.

Step 3 of a text's path. A submit without an answer is never sent again by itself; a person may say that it arrived,
that it is given up, or that it shall be sent again.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import AuditEvent, Engagement, Text
from opengage.domain.states import EngagementStatus, TextEvent, TextStatus
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.engagements import NOUN
from opengage.operations.reading import hold, load
from opengage.operations.settling import Settling, unless_stale
from opengage.operations.texts import NOUN as SINGLE
from opengage.store import rows, suppressions, tables
from opengage.store.contract import Store, Transaction

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
_OF_A_BLAST: Final = (
    "The text belongs to a blast. POST to the “resolutions” of its engagement, and name its envelope there."
)
_OPTED_OUT: Final = (
    "This number must not be texted: it is on the account's suppressions. Use “give-up” or “delivered”, or DELETE its "
    "suppression if the person asked for texts again."
)
_VERB: Final = "/data/attributes/verb"
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
    event = _event(verb)
    async with store.reading() as tx:
        engagement = await load(tx, actor, Engagement, id_, NOUN)
        key = {"account_id": actor.account_id, "engagement_id": engagement.id}
        doubtful = [(Id(text_id), envelope_id) for text_id, envelope_id in await tx.rows(_IN_DOUBT, **key)]
    chosen = set(envelope_ids)
    wanted = [text_id for text_id, envelope_id in doubtful if not chosen or envelope_id in chosen][:MOST]
    now = clock.now()

    async def write() -> Resolved:
        settling = Settling(now, new_id, lambda: 0.0)
        async with store.writing() as tx:
            if event is TextEvent.RESEND:
                await _require_goes_on(tx, engagement)
            fresh = await tx.batches.texts(actor.account_id, wanted) if wanted else {}
            count = sum(settling.apply(text, event, _CODE) for text in fresh.values())
            await settling.write(tx)
            detail = {"count": count, "asked-for": len(chosen) or None}
            audit = _audited(actor, now, new_id, verb, "engagements", engagement.id, detail)
            await rows.insert(tx, audit)
        return Resolved(audit, verb, count, len(doubtful) - count)

    return await unless_stale(write)


async def resolve_text(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None, *, verb: str
) -> Resolved:
    """Resolve the doubt of a text that is no blast's.

    Raises NotFound, Forbidden, and Invalid: for a text that is not in doubt, also when a receipt, the carrier or
    somebody else has resolved it meanwhile, and for a `resend` to a number that must not be texted.
    """
    require_writer(actor)
    event = _event(verb)
    now = clock.now()
    settling = Settling(now, new_id, lambda: 0.0)
    async with store.writing() as tx:
        text = await hold(tx, actor, Text, id_, SINGLE)
        if text.engagement_id is not None:
            raise fields.illegal(_OF_A_BLAST)
        fresh = await tx.batches.texts(actor.account_id, [text.id])
        if not settling.apply(fresh[text.id], event, _CODE):
            raise fields.illegal(f"The text is {text.status}: only one in doubt can be resolved. Leave it as it is.")
        if event is TextEvent.RESEND:
            await _require_consent(tx, text)
        await settling.write(tx)
        audit = _audited(actor, now, new_id, verb, "texts", text.id, {"count": 1})
        await rows.insert(tx, audit)
    return Resolved(audit, verb, 1, 0)


def _event(verb: str) -> TextEvent:
    event = VERBS.get(verb)
    if event is None:
        detail = f"“verb” is “{verb[:40]}”. Use one of {', '.join(VERBS)}."
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, _VERB)])
    return event


async def _require_goes_on(tx: Transaction, engagement: Engagement) -> None:
    """Nobody cancels it before this transaction has ended. Raises Invalid when somebody has."""
    found = await rows.hold(tx, Engagement, engagement.account_id, [engagement.id], shared=True)
    if any(each.status is EngagementStatus.CANCELED for each in found.values()):
        raise fields.illegal(_CANCELED, _VERB)


async def _require_consent(tx: Transaction, text: Text) -> None:
    """Whoever has opted out since is not texted again, and the doubt stays; the dispatcher asks once more.

    Our own answers to a STOP, START or HELP are about just that, and go out all the same.
    """
    if text.purpose is None and await suppressions.suppressed(tx, text.account_id, [text.recipient]):
        raise Invalid([Problem(Code.SUPPRESSED, _OPTED_OUT, _VERB)])


def _audited(
    actor: Actor, now: Instant, new_id: NewId, verb: str, kind: str, id_: Id, detail: Mapping[str, int | None]
) -> AuditEvent:
    """Who said what of whose doubt."""
    return AuditEvent(
        account_id=actor.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        created_by=actor.membership_id,
        action=f"in-doubt.{verb}",
        subject_type=kind,
        subject_id=id_,
        detail=msgspec.json.encode(detail).decode(),
    )
