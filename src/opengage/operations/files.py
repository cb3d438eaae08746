"""Files: uploads that something refers to, kept under an address that nobody can guess (wire contract 5.14).

Beside a text's path: pictures, cards and documents that go with its words.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain import media
from opengage.domain.errors import Code, NotFound, Problem
from opengage.domain.records import Account, File, Upload
from opengage.ids import Id, NewId
from opengage.operations import uploads
from opengage.operations.actors import Actor
from opengage.operations.fields import missing
from opengage.store import contacts, rows, tables
from opengage.store.blobs import Blobs
from opengage.store.contract import Store, Transaction

OWNERS: Final[Mapping[str, tuple[sa.Table, str]]] = {
    "text-templates": (tables.text_template_files, "text_template_id"),
    "text-messages": (tables.text_message_files, "text_message_id"),
}
"""Types that files can be attached to: the table of their files, and its column for them."""
MOST_FILES: Final = 10
"""Of one template or message; carriers take fewer still."""


class Wanted(msgspec.Struct, frozen=True):
    """What a client wants attached, beside what is there: uploads, which become files, and files."""

    upload_ids: Sequence[Id] = ()
    file_ids: Sequence[Id] = ()


NOTHING: Final = Wanted()


async def attach(
    tx: Transaction,
    new_id: NewId,
    actor: Actor,
    now: Instant,
    owner: tuple[str, Id],
    *,
    upload_ids: Sequence[Id] = (),
    file_ids: Sequence[Id] = (),
    problems: list[Problem],
    pointer: str = "/data",
) -> int:
    """Add files to a template or message: uploads become files, those that are there stay, nothing means nothing.

    How many came new. `owner` is (type, id). What is wrong is added to `problems`; whoever calls refuses them, which
    undoes it all.
    """
    if max(len(upload_ids), len(file_ids)) > MOST_FILES:
        problems.append(_too_many(max(len(upload_ids), len(file_ids)), pointer))
        return 0
    if not upload_ids and not file_ids:
        return 0
    table, column = OWNERS[owner[0]]
    before = (await contacts.links(tx, table, column, "file_id", actor.account_id, [owner[1]]))[owner[1]]
    wanted = await _uploaded(tx, new_id, actor, now, upload_ids, problems, pointer)
    found = await rows.find_many(tx, File, actor.account_id, file_ids)
    for place, id_ in enumerate(file_ids):
        if id_ not in found:
            problems.append(
                Problem(Code.UNKNOWN_TARGET, missing("file"), f"{pointer}/relationships/files/data/{place}")
            )
        wanted.append(id_)
    fresh = [id_ for id_ in dict.fromkeys(wanted) if id_ not in before]
    if len(before) + len(fresh) > MOST_FILES:
        problems.append(_too_many(len(before) + len(fresh), pointer))
    if problems:
        return 0
    for id_ in fresh:
        await tx.run(sa.insert(table), account_id=actor.account_id, **{column: owner[1]}, file_id=id_)
    return len(fresh)


def _too_many(count: int, pointer: str) -> Problem:
    detail = f"That would make {count} files; at most {MOST_FILES} fit. Leave some out."
    return Problem(Code.TOO_MANY, detail, f"{pointer}/relationships")


async def _uploaded(
    tx: Transaction,
    new_id: NewId,
    actor: Actor,
    now: Instant,
    upload_ids: Sequence[Id],
    problems: list[Problem],
    pointer: str,
) -> list[Id]:
    """The files of uploads, made where they are not yet."""
    made: list[Id] = []
    await rows.hold(tx, Upload, actor.account_id, upload_ids)  # in the order of their ids, whatever the request's is
    for place, id_ in enumerate(upload_ids):
        upload = await uploads.use(tx, actor, id_, now)
        if isinstance(upload, str):
            problems.append(Problem(Code.UNKNOWN_TARGET, upload, f"{pointer}/relationships/uploads/data/{place}"))
            continue
        if upload.file_id is None:
            assert upload.blob is not None, "its bytes are here"
            assert upload.size_in_bytes is not None, "and were counted"
            file = File(
                account_id=actor.account_id,
                id=new_id(),
                created_at=now,
                updated_at=now,
                created_by=actor.membership_id,
                updated_by=actor.membership_id,
                name=upload.name,
                content_type=upload.content_type,
                blob=upload.blob,
                token=secrets.token_urlsafe(32),
                size_in_bytes=upload.size_in_bytes,
                width=upload.width,
                height=upload.height,
            )
            await rows.insert(tx, file)
            upload = await rows.change(tx, upload, file_id=file.id)
        assert upload.file_id is not None
        made.append(upload.file_id)
    return made


async def detach(tx: Transaction, kind: str, account_id: int, owner: Id) -> None:
    """Let a template or message have no files; the files stay."""
    table, column = OWNERS[kind]
    await contacts.remove_where(tx, table, column, [owner], account_id)


async def of(tx: Transaction, kind: str, account_id: int, owners: Sequence[Id]) -> Mapping[Id, list[Id]]:
    """The files of each of these templates or messages."""
    table, column = OWNERS[kind]
    return await contacts.links(tx, table, column, "file_id", account_id, owners)


class Shown(msgspec.Struct, frozen=True):
    """A file, and the account's key, which its address begins with."""

    file: File
    bucket: str


async def show(tx: Transaction, account_id: int, some: Sequence[File]) -> list[Shown]:
    """Files with what their addresses are made of."""
    account = await rows.first(tx, Account, account_id=account_id)
    assert account is not None, "whoever reads has an account"
    return [Shown(file, account.key) for file in some]


async def at(store: Store, bucket: str, token: str) -> File:
    """The file at a public address. Raises NotFound."""
    async with store.reading() as tx:
        account = await rows.first(tx, Account, key=bucket)
        found = await rows.first(tx, File, account_id=account.account_id, token=token) if account else None
    if found is None:
        raise NotFound("There is no file at this address. Use the “url” that GET /files/{id} answers.")
    return found


async def content(blobs: Blobs, file: File) -> AsyncIterator[bytes]:
    """The bytes of a file, piece by piece; raises Unavailable before the first when they are not there."""
    opened = await blobs.open(file.blob)
    return blobs.pieces(opened)


def is_inline(file: File) -> bool:
    """Whether a browser may show it in place."""
    return file.content_type in media.INLINE
