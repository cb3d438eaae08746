"""Imports as jobs: one owner at a time, under an epoch, on every database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from opengage.clock import Instant
from opengage.domain.errors import Fenced
from opengage.domain.imports import ImportStatus
from opengage.domain.records import ContactImport, Upload
from opengage.store import imports, rows
from opengage.store.contract import Store, Transaction
from store.conftest import Open
from store.samples import ACCOUNT, AUTHOR, NOW, id_of

BASE: dict[str, Any] = {
    "account_id": ACCOUNT,
    "created_at": NOW,
    "updated_at": NOW,
    "created_by": AUTHOR,
    "updated_by": AUTHOR,
}
JOB = ContactImport(**BASE, id=id_of(80), unique_primary_phone=True, upload_id=id_of(81))


async def queued(store: Store) -> None:
    """One import that waits."""
    async with store.writing() as tx:
        await rows.insert(tx, JOB)


async def taken(store: Store, owner: str, seen: ContactImport = JOB, seconds: float = 60) -> ContactImport | None:
    """The import in the hands of `owner`, if it was fast enough."""
    async with store.writing() as tx:
        return await imports.take(tx, seen, owner, seconds, NOW)


async def free(store: Store, owner: str = "x") -> list[ContactImport]:
    """What may be taken by this worker."""
    async with store.reading() as tx:
        return await imports.free(tx, owner, 10)


async def test_one_owner(open_store: Open) -> None:
    """Of two workers that saw the same import one gets it, and nobody until its lease has run out."""
    one, two = await open_store(), await open_store()
    await queued(one)
    assert await free(one) == [JOB]
    got = [job for job in await asyncio.gather(taken(one, "a"), taken(two, "b")) if job is not None]
    assert [(job.epoch, job.stalls, job.status, job.started_at) for job in got] == [
        (1, 1, ImportStatus.PROCESSING, NOW)
    ]
    assert await free(two) == []
    # a successor under the same name need not wait: its predecessor is gone, or it would not have the name
    assert await free(two, str(got[0].owner)) == got


async def test_progress_is_fenced(store: Store) -> None:
    """Only the newest epoch writes, only from where it stands, and only until the end."""
    await queued(store)
    old = await taken(store, "a", seconds=-1)
    assert old is not None
    assert await free(store) == [old]
    new = await taken(store, "b", old)
    assert new is not None
    assert (new.epoch, new.stalls) == (2, 2)
    further = msgspec.structs.replace(new, count_rows=5, stalls=0)
    done = msgspec.structs.replace(further, status=ImportStatus.COMPLETED, completed_at=NOW)
    for before, after in ((old, further), (further, done)):
        async with store.writing() as tx:
            with pytest.raises(Fenced):
                await imports.progress(tx, before, after, 60)
    async with store.writing() as tx:
        await imports.progress(tx, new, further, 60)
        await imports.progress(tx, further, done, 60)
        with pytest.raises(Fenced):
            await imports.progress(tx, done, done, 60)
        found = await rows.find(tx, ContactImport, ACCOUNT, JOB.id)
    assert found is not None
    assert (found.count_rows, found.stalls, found.status, found.completed_at) == (5, 0, ImportStatus.COMPLETED, NOW)
    assert await free(store) == []
    assert await taken(store, "c", found) is None


async def test_letting_go(store: Store) -> None:
    """Of one's own imports, at once."""
    await queued(store)
    await taken(store, "a")
    for owner, count in (("b", 0), ("a", 1)):
        async with store.writing() as tx:
            await imports.release(tx, owner)
        assert len(await free(store)) == count


async def test_a_step_is_its_own_imports(store: Store) -> None:
    """Taking, going on with, putting off and forgetting one leaves the others as they were."""
    other = msgspec.structs.replace(JOB, id=id_of(82))
    uploads = [upload(place, expires_at=Instant(NOW - 1)) for place in range(2)]
    async with store.writing() as tx:
        await rows.insert_many(tx, [JOB, other])
        await rows.insert_many(tx, uploads)
    mine = await taken(store, "a")
    assert mine is not None
    async with store.writing() as tx:
        further = msgspec.structs.replace(mine, count_rows=5)
        assert await rows.find(tx, ContactImport, ACCOUNT, other.id) == other
        theirs = await imports.take(tx, other, "b", 60, NOW)
        assert theirs is not None
        theirs = await imports.progress(tx, theirs, msgspec.structs.replace(theirs, error="theirs"), 60)
        await imports.progress(tx, mine, further, 60)
        assert [each.error async for each in _both(tx)] == [None, "theirs"]
        await imports.put_off(tx, theirs, 60)
        assert [each.owner async for each in _both(tx)] == ["a", None]
        assert await imports.forget_uploads(tx, uploads[:1]) == uploads[:1]
        assert await rows.find(tx, Upload, ACCOUNT, uploads[1].id) == uploads[1]


async def _both(tx: Transaction) -> AsyncIterator[ContactImport]:
    """Two imports, oldest first."""
    for id_ in (JOB.id, id_of(82)):
        found = await rows.find(tx, ContactImport, ACCOUNT, id_)
        assert found is not None
        yield found


async def test_what_was_put_off_is_put_off_by_its_owner(store: Store) -> None:
    """Not by one whose lease has passed on, and not once it has ended."""
    await queued(store)
    old = await taken(store, "a", seconds=-1)
    assert old is not None
    new = await taken(store, "b", old)
    assert new is not None
    async with store.writing() as tx:
        await imports.put_off(tx, old, 60)
        found = await rows.find(tx, ContactImport, ACCOUNT, JOB.id)
        assert found is not None
        assert (found.owner, found.stalls) == ("b", 2)
        done = msgspec.structs.replace(new, status=ImportStatus.COMPLETED, completed_at=NOW)
        await imports.progress(tx, new, done, 60)
        await imports.put_off(tx, new, 60)
        found = await rows.find(tx, ContactImport, ACCOUNT, JOB.id)
        assert found is not None
        assert found.owner == "b"
        await imports.release(tx, "b")
        assert await rows.find(tx, ContactImport, ACCOUNT, JOB.id) == found


def upload(place: int, **more: Any) -> Upload:
    """An upload whose bytes are here."""
    fields = {"name": "a", "content_type": "text/csv", "key": f"{place:032x}", "expires_at": NOW, "blob": f"b{place}"}
    return Upload(**BASE | {"id": id_of(90 + place)} | fields | more)


async def test_what_nobody_needs(store: Store) -> None:
    """Unused uploads are forgotten, spent ones are named, files and what is in use stay."""
    waits, unused, used, file = (
        upload(0, expires_at=Instant(NOW + 1)),
        upload(1, expires_at=Instant(NOW - 1)),
        upload(2, expires_at=Instant(NOW - 1), used_at=Instant(NOW - 1)),
        upload(3, used_at=Instant(NOW - 1), file_id=id_of(99)),
    )
    async with store.writing() as tx:
        await rows.insert_many(tx, [waits, unused, used, file])
        assert await imports.expired_uploads(tx, NOW, 10) == [unused]
        assert await imports.forget_uploads(tx, [unused, used]) == [unused]
        assert await imports.spent_uploads(tx, NOW, 10) == [used]
        assert await imports.spent_uploads(tx, Instant(NOW - 1), 10) == []
