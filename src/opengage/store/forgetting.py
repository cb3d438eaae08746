"""Forgetting what lies beside texts: stored answers, files that were read, receipts without a text."""

from typing import Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.ids import Id
from opengage.store import imports, tables
from opengage.store.contract import Transaction

_keys: Final = tables.idempotency_keys.c
_uploads: Final = tables.uploads.c
_imports: Final = tables.contact_imports.c
_parked: Final = tables.parked_receipts.c

_ANSWERS: Final = 100
"""Stored answers of one transaction: each may be large."""

_OLD_ANSWERS: Final = (
    sa.select(_keys.membership_id, _keys.key)
    .where(
        _keys.account_id == sa.bindparam("account_id"),
        _keys.created_at < sa.bindparam("before"),
        _keys.body.is_not(None),
    )
    .order_by(_keys.created_at)
    .limit(_ANSWERS)
)
_FORGET_ANSWER: Final = (
    sa.update(tables.idempotency_keys)
    .where(
        _keys.account_id == sa.bindparam("key_account_id"),
        _keys.membership_id == sa.bindparam("key_membership_id"),
        _keys.key == sa.bindparam("key_key"),
    )
    .values(status=sa.null(), headers=sa.null(), body=sa.null())
)
_SPENT: Final = (
    sa.select(_uploads.id, _uploads.blob)
    .where(
        _uploads.account_id == sa.bindparam("account_id"),
        _uploads.file_id.is_(None),
        _uploads.blob.is_not(None),
        _uploads.used_at < sa.bindparam("before"),
        # one that is being read is still needed
        ~sa.exists().where(
            _imports.account_id == _uploads.account_id,
            _imports.upload_id == _uploads.id,
            _imports.completed_at.is_(None),
        ),
    )
    .order_by(_uploads.id)
    .limit(sa.bindparam("most"))
    .with_for_update()
)
_EMPTY: Final = (
    sa.update(tables.uploads)
    .where(_uploads.account_id == sa.bindparam("key_account_id"), _uploads.id == sa.bindparam("key_id"))
    .values(blob=sa.null())
)
_OLD_RECEIPTS: Final = sa.delete(tables.parked_receipts).where(
    _parked.account_id == sa.bindparam("account_id"), _parked.received_at < sa.bindparam("before")
)


async def old_answers(tx: Transaction, account_id: int, before: Instant) -> int:
    """Forget some of the stored answers from before an instant; how many there were."""
    found = await tx.rows(_OLD_ANSWERS, account_id=account_id, before=before)
    for membership_id, key in found:
        await forget_answer(tx, account_id, membership_id, key)
    return len(found)


async def forget_answer(tx: Transaction, account_id: int, membership_id: Id, key: str) -> None:
    """Forget a stored answer; its key still keeps the request from being carried out twice."""
    await tx.run(_FORGET_ANSWER, key_account_id=account_id, key_membership_id=membership_id, key_key=key)


async def spent_files(tx: Transaction, account_id: int, before: Instant, most: int) -> list[str]:
    """Let go of files that imports had read before an instant; the blobs, which are the caller's to remove."""
    found = await tx.rows(_SPENT, account_id=account_id, before=before, most=most)
    # asked again now that they are held: whoever was waited for may want to import one once more
    gone = [(id_, blob) for id_, blob in found if not await imports.reads(tx, account_id, id_)]
    for id_, _ in gone:
        await tx.run(_EMPTY, key_account_id=account_id, key_id=id_)
    return [str(blob) for _, blob in gone]


async def old_receipts(tx: Transaction, account_id: int, before: Instant) -> int:
    """Drop receipts that came before an instant and that no text has claimed; how many there were."""
    return await tx.run(_OLD_RECEIPTS, account_id=account_id, before=before)
