"""Taking back a single text that waits: the dispatcher may take it at the same moment, and one of the two wins."""

from typing import Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.records import Text
from opengage.domain.states import TextStatus
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

_texts: Final = tables.texts.c

_CANCEL: Final = (
    sa.update(tables.texts)
    .where(
        _texts.account_id == sa.bindparam("key_account_id"),
        _texts.id == sa.bindparam("key_id"),
        _texts.status == sa.bindparam("key_status"),
        _texts.next_at.is_not(None),
    )
    .values(
        status=sa.bindparam("status"),
        next_at=sa.null(),
        epoch=sa.null(),
        hold_reason=sa.null(),
        hold_until=sa.null(),
        settled_at=sa.bindparam("now"),
        updated_at=sa.bindparam("now"),
        updated_by=sa.bindparam("author"),
        result_id=sa.bindparam("result_id"),
    )
)


async def cancel(tx: Transaction, text: Text, fate: TextStatus, result_id: Id, author: Id, now: Instant) -> bool:
    """Move a text that still waits as it was read to `fate`; False when it has been taken meanwhile."""
    key = {"key_account_id": text.account_id, "key_id": text.id, "key_status": text.status.value}
    changed = await tx.run(_CANCEL, **key, status=fate.value, result_id=result_id, author=author, now=now)
    return changed == 1
