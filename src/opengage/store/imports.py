"""Imports as jobs: leased by one worker at a time, fenced by an epoch, resumed at the row that was last committed."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from opengage.clock import SECOND, Instant
from opengage.domain.errors import Fenced
from opengage.domain.imports import ImportStatus
from opengage.domain.records import ContactImport, Upload
from opengage.ids import Id
from opengage.store import rows, tables
from opengage.store.contract import Transaction

_imports: Final = tables.contact_imports
_uploads: Final = tables.uploads

_WRITTEN: Final = (
    *("status", "stalls", "updated_at", "completed_at", "error"),
    *("count_rows", "count_created", "count_updated", "count_unchanged", "count_failed", "count_errors"),
)
"""What a step of an import changes."""

_FREE: Final = (
    sa.select(*rows.columns(ContactImport))
    .where(
        _imports.c.completed_at.is_(None),
        sa.or_(
            _imports.c.expires_at.is_(None),
            _imports.c.expires_at <= sa.bindparam("now"),
            _imports.c.owner == sa.bindparam("owner"),
        ),
    )
    .order_by(_imports.c.account_id, _imports.c.id)
    .limit(sa.bindparam("most"))
)

_TAKE: Final = (
    sa.update(_imports)
    .where(
        _imports.c.account_id == sa.bindparam("key_account_id"),
        _imports.c.id == sa.bindparam("key_id"),
        _imports.c.epoch == sa.bindparam("key_epoch"),
        _imports.c.completed_at.is_(None),
    )
    .values(
        status=ImportStatus.PROCESSING.value,
        owner=sa.bindparam("owner"),
        epoch=_imports.c.epoch + 1,
        stalls=_imports.c.stalls + 1,
        expires_at=sa.bindparam("expires_at"),
        started_at=sa.func.coalesce(_imports.c.started_at, sa.bindparam("now")),
        updated_at=sa.bindparam("now"),
    )
)

_PROGRESS: Final = (
    sa.update(_imports)
    .where(
        _imports.c.account_id == sa.bindparam("key_account_id"),
        _imports.c.id == sa.bindparam("key_id"),
        _imports.c.epoch == sa.bindparam("key_epoch"),
        _imports.c.count_rows == sa.bindparam("key_rows"),
        _imports.c.completed_at.is_(None),
    )
    .values({name: sa.bindparam(name) for name in ("expires_at", *_WRITTEN)})
)

_RELEASE: Final = (
    sa.update(_imports)
    .where(_imports.c.owner == sa.bindparam("own"), _imports.c.completed_at.is_(None))
    .values(expires_at=0)
)

_PUT_OFF: Final = (
    sa.update(_imports)
    .where(
        _imports.c.account_id == sa.bindparam("key_account_id"),
        _imports.c.id == sa.bindparam("key_id"),
        _imports.c.epoch == sa.bindparam("key_epoch"),
        _imports.c.completed_at.is_(None),
    )
    .values(owner=sa.null(), stalls=0, expires_at=sa.bindparam("expires_at"))
)

_SPENT: Final = (
    sa.select(*rows.columns(Upload))
    .where(_uploads.c.file_id.is_(None), _uploads.c.blob.is_not(None), _uploads.c.used_at < sa.bindparam("before"))
    .order_by(_uploads.c.account_id, _uploads.c.id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)

_READS: Final = (
    sa.select(_imports.c.id)
    .where(
        _imports.c.account_id == sa.bindparam("account_id"),
        _imports.c.upload_id == sa.bindparam("upload_id"),
        _imports.c.completed_at.is_(None),
    )
    .limit(1)
)

_EXPIRED: Final = (
    sa.select(*rows.columns(Upload))
    .where(_uploads.c.used_at.is_(None), _uploads.c.expires_at < sa.bindparam("before"))
    .order_by(_uploads.c.account_id, _uploads.c.expires_at)
    .limit(sa.bindparam("most"))
)

_FORGET: Final = sa.delete(_uploads).where(
    _uploads.c.account_id == sa.bindparam("key_account_id"),
    _uploads.c.id == sa.bindparam("key_id"),
    _uploads.c.used_at.is_(None),
)


async def free(tx: Transaction, owner: str, most: int) -> list[ContactImport]:
    """Imports that wait, whose worker has not been heard of, or that `owner` itself held under an earlier life."""
    found = await tx.rows(_FREE, now=await tx.now(), owner=owner, most=most)
    return [rows.from_row(ContactImport, row) for row in found]


async def take(tx: Transaction, job: ContactImport, owner: str, seconds: float, now: Instant) -> ContactImport | None:
    """Lease an import under a new epoch; None when somebody else was faster."""
    until = Instant(await tx.now() + int(seconds * SECOND))
    key = {"key_account_id": job.account_id, "key_id": job.id, "key_epoch": job.epoch}
    if not await tx.run(_TAKE, **key, owner=owner, expires_at=until, now=now):
        return None
    return await rows.find(tx, ContactImport, job.account_id, job.id)


async def progress(tx: Transaction, before: ContactImport, after: ContactImport, seconds: float) -> ContactImport:
    """Write how far an import has come, and hold its lease for longer; the import as it is now.

    Raises Fenced when another worker has it, or has come further.
    """
    until = Instant(await tx.now() + int(seconds * SECOND))
    values: dict[str, Any] = {name: getattr(after, name) for name in _WRITTEN}
    key = {
        "key_account_id": before.account_id,
        "key_id": before.id,
        "key_epoch": before.epoch,
        "key_rows": before.count_rows,
    }
    if not await tx.run(_PROGRESS, **key, **values, expires_at=until):
        raise Fenced("Another worker has taken this import over; nothing was written.")
    return after


async def put_off(tx: Transaction, job: ContactImport, seconds: float) -> None:
    """Let whoever comes try again after so many seconds: what kept it from going on is none of the file's doing."""
    until = Instant(await tx.now() + int(seconds * SECOND))
    await tx.run(_PUT_OFF, key_account_id=job.account_id, key_id=job.id, key_epoch=job.epoch, expires_at=until)


async def release(tx: Transaction, owner: str) -> None:
    """Let go of every import of `owner`, so that the next one need not wait."""
    await tx.run(_RELEASE, own=owner)


async def expired_uploads(tx: Transaction, before: Instant, most: int) -> list[Upload]:
    """Uploads that nothing referred to in time."""
    return [rows.from_row(Upload, row) for row in await tx.rows(_EXPIRED, before=before, most=most)]


async def spent_uploads(tx: Transaction, before: Instant, most: int) -> list[Upload]:
    """Uploads that imports have read long ago, none reads now, and that never became files; they are held."""
    found = [rows.from_row(Upload, row) for row in await tx.rows(_SPENT, before=before, most=most)]
    return [each for each in found if not await reads(tx, each.account_id, each.id)]


async def reads(tx: Transaction, account_id: int, upload_id: Id) -> bool:
    """Whether an import that is not over has this upload. Hold the upload, and it stays so."""
    return bool(await tx.rows(_READS, account_id=account_id, upload_id=upload_id))


async def forget_uploads(tx: Transaction, some: Sequence[Upload]) -> list[Upload]:
    """Delete uploads that are still unused; those that were deleted, whose bytes may go too."""
    return [each for each in some if await tx.run(_FORGET, key_account_id=each.account_id, key_id=Id(each.id))]
