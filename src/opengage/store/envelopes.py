"""Envelopes as sets: what one statement does to all of an engagement that still wait."""

from typing import Any, Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.states import EnvelopeStatus, Reason
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

_ENVELOPES: Final = tables.envelopes.c

_WAITING: Final[tuple[Any, ...]] = (
    _ENVELOPES.account_id == sa.bindparam("key_account_id"),
    _ENVELOPES.engagement_id == sa.bindparam("key_engagement_id"),
    _ENVELOPES.next_at.is_not(None),
)

_COUNT: Final = (
    sa.select(_ENVELOPES.reason, sa.func.count())
    .where(*_WAITING, _ENVELOPES.text_id.is_(None))
    .group_by(_ENVELOPES.reason)
)

_CANCEL: Final = (
    sa.update(tables.envelopes)
    .where(*_WAITING, _ENVELOPES.text_id.is_(None))
    .values(
        status=sa.bindparam("new_status"),
        reason=sa.bindparam("new_reason"),
        next_at=sa.null(),
        completed_at=sa.bindparam("now"),
        updated_at=sa.bindparam("now"),
        updated_by=sa.bindparam("author"),
    )
)

_DEFERRED: Final = sa.select(_ENVELOPES.text_id, _ENVELOPES.reason).where(*_WAITING, _ENVELOPES.text_id.is_not(None))


async def cancel_unsent(
    tx: Transaction, account_id: int, engagement_id: Id, author: Id, now: Instant
) -> list[tuple[Reason, int]]:
    """Cancel every envelope that waits and has no text yet; how many of each reason there were."""
    key = {"key_account_id": account_id, "key_engagement_id": engagement_id}
    counts = await tx.rows(_COUNT, **key)
    if counts:
        values = {"new_status": EnvelopeStatus.INCOMPLETE.value, "new_reason": Reason.CANCELED.value}
        await tx.run(_CANCEL, **key, **values, now=now, author=author)
    return [(Reason(reason), count) for reason, count in counts]


async def deferred(tx: Transaction, account_id: int, engagement_id: Id) -> list[tuple[Id, Reason]]:
    """(text, reason) of every envelope that waits to have its text tried again."""
    rows = await tx.rows(_DEFERRED, key_account_id=account_id, key_engagement_id=engagement_id)
    return [(text_id, Reason(reason)) for text_id, reason in rows]
