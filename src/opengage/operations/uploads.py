"""Uploads: a promise to take one file, the form that proves it, and the bytes when they come (wire contract 5.13).

Beside a text's path. The form is presigned: whoever has it may send one file to its address for an hour, without
credentials. Its policy is base64 of JSON that names what may be sent, and its signature an HMAC-SHA256 of that base64,
under a key that is kept in the database, so that every web process of an installation knows it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import SECOND, Clock, Instant
from opengage.domain import media
from opengage.domain.errors import Code, Conflict, Forbidden, Invalid, Problem
from opengage.domain.records import Account, Upload
from opengage.ids import Id, NewId, to_wire
from opengage.operations.actors import Actor, require_writer
from opengage.store import rows, tables
from opengage.store.blobs import Arriving, Blobs
from opengage.store.contract import Store, Transaction

VALID_SECONDS: Final = 3600
"""As recorded: exactly one hour."""
ACL: Final = "private"
_LONGEST_KIND: Final = 200
_PURPOSE: Final = "upload-policy"
_REFUSED: Final = "The form's policy or signature is not one of ours, or was changed. POST /uploads for a new form."

_KEEP_KEY: Final = sa.text(
    "INSERT INTO account_keys (account_id, purpose, value) VALUES (:account_id, :purpose, :value)"
    " ON CONFLICT (account_id, purpose) DO NOTHING"
).bindparams(sa.bindparam("value", type_=sa.LargeBinary))
_READ_KEY: Final = sa.select(tables.account_keys.c.value).where(
    tables.account_keys.c.account_id == sa.bindparam("account_id"),
    tables.account_keys.c.purpose == sa.bindparam("purpose"),
)
_ARRIVED: Final = (
    sa.update(tables.uploads)
    .where(
        tables.uploads.c.account_id == sa.bindparam("key_account_id"),
        tables.uploads.c.id == sa.bindparam("key_id"),
        tables.uploads.c.used_at.is_(None),
    )
    .values(
        {
            name: sa.bindparam(name)
            for name in ("blob", "content_type", "size_in_bytes", "width", "height", "updated_at")
        }
    )
)


class Form(msgspec.Struct, frozen=True):
    """What a client needs to send its file: the upload, and the fields of the form in order."""

    upload: Upload
    bucket: str
    fields: list[tuple[str, str]]


async def create(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    *,
    name: str,
    content_type: str,
    size: int | None,
    limit: int,
) -> Form:
    """Promise to take a file of at most `limit` bytes. Raises Invalid, Forbidden."""
    require_writer(actor)
    _check(content_type, size, limit)
    now = clock.now()
    upload = Upload(
        account_id=actor.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        created_by=actor.membership_id,
        updated_by=actor.membership_id,
        name=media.safe_name(name),
        content_type=media.plain(content_type)[:_LONGEST_KIND],
        key=secrets.token_hex(16),
        expires_at=Instant(now + VALID_SECONDS * SECOND),
    )
    async with store.writing() as tx:
        signing = await _signing_key(tx, actor.account_id)
        await rows.insert(tx, upload)
    policy = _policy(upload, actor.account_key, limit)
    fields = [
        ("acl", ACL),
        ("AWSAccessKeyId", to_wire(upload.id)),
        ("key", f"uploads/{upload.key}/${{filename}}"),
        ("policy", policy),
        ("signature", _signature(signing, policy)),
    ]
    return Form(upload, actor.account_key, fields)


def _check(content_type: str, size: int | None, limit: int) -> None:
    if size is not None and size > limit:
        detail = f"The file has {size} bytes; at most {limit} are taken. Make it smaller, or split it."
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, "/size")])
    if size is not None and size < 0:
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, "“size” is below 0. Send the file's size in bytes.", "/size")])
    wanted = media.plain(content_type)
    if wanted and not media.may_be_taken(wanted):
        detail = f"Files of type “{wanted[:80]}” are not taken. Send one of: {', '.join(media.KINDS)}."
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, "/type")])


def _policy(upload: Upload, bucket: str, limit: int) -> str:
    until = datetime.fromtimestamp(upload.expires_at / SECOND, UTC).isoformat(timespec="milliseconds")
    conditions = [
        {"acl": ACL},
        {"bucket": bucket},
        ["starts-with", "$key", f"uploads/{upload.key}/"],
        ["starts-with", "$Content-Type", ""],
        ["content-length-range", 0, limit],
    ]
    document = {"expiration": until.replace("+00:00", "Z"), "conditions": conditions}
    return base64.b64encode(msgspec.json.encode(document)).decode()


def _signature(key: bytes, policy: str) -> str:
    return base64.b64encode(hmac.digest(key, policy.encode(), hashlib.sha256)).decode()


async def _signing_key(tx: Transaction, account_id: int) -> bytes:
    """The account's key for policies, made when it is first needed."""
    named: dict[str, Any] = {"account_id": account_id, "purpose": _PURPOSE}
    found = await tx.rows(_READ_KEY, **named)
    if not found:
        await tx.run(_KEEP_KEY, **named, value=secrets.token_bytes(32))
        found = await tx.rows(_READ_KEY, **named)
    return bytes(found[0][0])


class Ticket(msgspec.Struct, frozen=True):
    """A form that was checked: whose file may come, and how large it may be."""

    upload: Upload
    limit: int


async def check_form(store: Store, clock: Clock, bucket: str, fields: Mapping[str, str]) -> Ticket:
    """Whether a form is one of ours and in time. Raises Forbidden, Conflict when its file is in use already."""
    policy, signature = fields.get("policy", ""), fields.get("signature", "")
    async with store.reading() as tx:
        account = await rows.first(tx, Account, key=bucket)
        account_id = account.account_id if account and account.is_active else 0
        found = await tx.rows(_READ_KEY, account_id=account_id, purpose=_PURPOSE)
        key = _key_of(fields.get("key", ""))
        upload = await rows.first(tx, Upload, account_id=account_id, key=key) if key else None
    signing = bytes(found[0][0]) if found else bytes(32)
    genuine = hmac.compare_digest(_signature(signing, policy).encode(), signature.encode())
    if not genuine or not found or upload is None:
        raise _forbidden(_REFUSED)
    limit = _limit_of(policy, bucket, upload)
    if upload.expires_at <= clock.now():
        raise _forbidden("The form has expired: it was good for an hour. POST /uploads for a new one.")
    if upload.used_at is not None:
        raise Conflict("The file of this form is in use already and cannot be replaced. POST /uploads for a new form.")
    return Ticket(upload, limit)


def _forbidden(detail: str) -> Forbidden:
    return Forbidden([Problem(Code.UPLOAD_FORM, detail)])


def _key_of(field: str) -> str | None:
    """The key within `uploads/KEY/name`."""
    parts = field.split("/", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "uploads" and len(parts[1]) == 32 else None


def _limit_of(policy: str, bucket: str, upload: Upload) -> int:
    """The size that a genuine policy allows this upload. Raises Forbidden when it is another upload's."""
    try:
        conditions = msgspec.json.decode(base64.b64decode(policy, validate=True))["conditions"]
        is_own = {"bucket": bucket} in conditions and ["starts-with", "$key", f"uploads/{upload.key}/"] in conditions
        limit = next(int(each[2]) for each in conditions if list(each)[:1] == ["content-length-range"]) if is_own else 0
    except (msgspec.DecodeError, binascii.Error, LookupError, TypeError, ValueError, StopIteration):
        is_own, limit = False, 0
    if not is_own:
        raise _forbidden(_REFUSED)
    return limit


async def receive(store: Store, blobs: Blobs, clock: Clock, ticket: Ticket, arrived: Arriving, announced: str) -> None:
    """Look at bytes that have come and remember them as the upload's. Raises Invalid, Conflict; they are gone then.

    Sent twice, the later bytes win, as long as nothing refers to the upload.
    """
    try:
        before = await _remember(store, blobs, clock, ticket.upload, arrived, announced)
    except BaseException:
        await blobs.remove(arrived.name)
        raise
    if before is not None:
        await blobs.remove(before)


async def _remember(
    store: Store, blobs: Blobs, clock: Clock, upload: Upload, arrived: Arriving, announced: str
) -> str | None:
    """The blob that this one takes the place of."""
    with await blobs.open(arrived.name) as file:
        try:
            kind = media.kind_of(file.read(media.HEAD), announced or upload.content_type)
        except media.Refused as error:
            raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, str(error))]) from error
        size = media.picture_size(file, kind)
    values = {
        "blob": arrived.name,
        "content_type": kind,
        "size_in_bytes": arrived.size,
        "width": size.width if size else None,
        "height": size.height if size else None,
        "updated_at": clock.now(),
    }
    async with store.writing() as tx:
        before = await rows.find_locked(tx, Upload, upload.account_id, upload.id)
        if before is None or not await tx.run(_ARRIVED, key_account_id=upload.account_id, key_id=upload.id, **values):
            raise Conflict("The file of this form is in use already. POST /uploads for a new form.")
    return before.blob


async def use(tx: Transaction, actor: Actor, id_: Id, now: Instant) -> Upload | str:
    """An upload whose bytes are here, marked as used so that they stay as they are; or what is wrong with it."""
    upload = await rows.find_locked(tx, Upload, actor.account_id, id_)
    if upload is None:
        return "There is no upload with this id in this account. Check the id, or POST /uploads."
    if upload.blob is None:
        return "The upload's file has not arrived. Send it by the form that POST /uploads answered, then try again."
    return upload if upload.used_at is not None else await rows.change(tx, upload, used_at=now)
