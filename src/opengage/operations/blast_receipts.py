"""The receipt of a finished blast: every envelope with its fate, chained line by line (`domain.receipt_chain`).

Step 3 of a text's path, at its very end. Written page by page as it is read, so that ten million envelopes cost no more
memory than a page; `opengage verify` checks it without us.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.receipt_chain import Envelope as Line
from opengage.domain.receipt_chain import Format, Writer
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, to_wire
from opengage.jsonapi.timestamps import to_text_or_none
from opengage.operations.actors import Actor
from opengage.operations.engagements import NOUN
from opengage.operations.reading import load
from opengage.store import ledgers, tables
from opengage.store.contract import Store

_PAGE: Final = 1_000
_envelopes, _texts = tables.envelopes, tables.texts

_LINES: Final = (
    sa.select(
        _envelopes.c.id,
        _envelopes.c.phone_number,
        _envelopes.c.status,
        _envelopes.c.reason,
        _envelopes.c.completed_at,
        _texts.c.id,
        _texts.c.sender,
        _texts.c.segments,
        _texts.c.code,
        _texts.c.sent_at,
        _texts.c.body,
    )
    .select_from(
        _envelopes.outerjoin(
            _texts, sa.and_(_texts.c.account_id == _envelopes.c.account_id, _texts.c.id == _envelopes.c.text_id)
        )
    )
    .where(
        _envelopes.c.account_id == sa.bindparam("account_id"),
        _envelopes.c.engagement_id == sa.bindparam("engagement_id"),
        _envelopes.c.id > sa.bindparam("after"),
    )
    .order_by(_envelopes.c.id)
    .limit(_PAGE)
)


async def begin(
    store: Store, actor: Actor, id_: Id | None, kind: Format, *, plain_numbers: bool = False
) -> AsyncIterator[bytes]:
    """The lines of an engagement's receipt, page by page.

    Raises NotFound, and Invalid while anything of the engagement may still change.
    """
    async with store.reading() as tx:
        engagement = await load(tx, actor, Engagement, id_, NOUN)
        ledger = await ledgers.read(tx, actor.account_id, engagement.id)
    over = engagement.status in (EngagementStatus.COMPLETED, EngagementStatus.CANCELED)
    if not over or not ledger.is_settled:
        detail = (
            f"The engagement is {engagement.status}, and {ledger.pending + ledger.processing + ledger.hold} envelopes "
            "have not come to their end. Ask for its receipt when it is completed; the ledger says what is left."
        )
        raise Invalid([Problem(Code.NOT_READY, detail)])
    facts: dict[str, str | int | None] = {
        "engagement-id": to_wire(engagement.id),
        "name": engagement.name,
        "status": engagement.status.value,
        "account-key": actor.account_key,
        "started-at": to_text_or_none(engagement.started_at),
        "completed-at": to_text_or_none(engagement.completed_at),
        "total": ledger.total,
    }
    purged = {"bodies-purged-at": engagement.bodies_purged_at, "numbers-purged-at": engagement.numbers_purged_at}
    facts |= {name: to_text_or_none(at) for name, at in purged.items() if at is not None}
    return _lines(store, engagement, Writer(kind, plain_numbers=plain_numbers), facts)


async def _lines(
    store: Store, engagement: Engagement, writer: Writer, facts: dict[str, str | int | None]
) -> AsyncIterator[bytes]:
    yield writer.header(facts)
    after = Id(b"")
    while True:
        key = {"account_id": engagement.account_id, "engagement_id": engagement.id}
        async with store.reading() as tx:
            found = await tx.rows(_LINES, **key, after=after)
        if not found:
            break
        after = Id(found[-1][0])
        yield b"".join(writer.envelope(_line(row)) for row in found)
    yield writer.end()


def _line(row: Sequence[Any]) -> Line:
    """One envelope; what was said is told by its hash alone."""
    id_, number, status, reason, completed_at, text_id, sender, segments, code, sent_at, body = row
    return Line(
        envelope_id=to_wire(id_),
        phone_number=number,
        status=status,
        reason=reason,
        text_id=to_wire(text_id) if text_id else None,
        sender=sender,
        segments=segments,
        code=code,
        sent_at=to_text_or_none(sent_at),
        completed_at=to_text_or_none(completed_at),
        # a text is never empty: its words were forgotten
        body_sha256=hashlib.sha256(body.encode()).hexdigest() if body else None,
    )
