"""Imports: a file becomes contacts once, whatever ends the worker in between."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from dispatch.world import HandClock
from opengage.clock import SECOND, Instant
from opengage.dispatch import importer as module
from opengage.dispatch.importer import Importer
from opengage.domain import media
from opengage.domain.errors import Fenced, Unavailable
from opengage.domain.imports import ImportStatus, Unusable
from opengage.domain.records import Contact, ContactImport, ContactImportError, ContactList, Upload
from opengage.ids import Id, new_id
from opengage.store import contacts, imports, migrations, rows, tables
from opengage.store.blobs import Blobs
from opengage.store.sqlite import SqliteStore


class Office:
    """An account with a folder of uploads, and workers that import."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.store = store
        self.blobs = Blobs(folder)
        self.clock = HandClock()
        self.author = new_id()

    def worker(self, name: str = "w") -> Importer:
        """A worker of this name."""
        return Importer(self.store, self.blobs, self.clock, new_id, name)

    @property
    def written(self) -> dict[str, Any]:
        """What every record of this account owes to its author."""
        now = self.clock.now()
        return {
            "account_id": 1,
            "id": new_id(),
            "created_at": now,
            "updated_at": now,
            "created_by": self.author,
            "updated_by": self.author,
        }

    async def upload(self, content: bytes, kind: str = media.CSV) -> Id:
        """A file that has arrived; the upload's id."""
        async with self.blobs.arriving() as arrived:
            await arrived.write(content)
        upload = Upload(
            **self.written,
            name="people",
            content_type=kind,
            key=arrived.name,
            expires_at=self.clock.now(),
            blob=arrived.name,
            size_in_bytes=len(content),
            used_at=self.clock.now(),
        )
        async with self.store.writing() as tx:
            await rows.insert(tx, upload)
        return upload.id

    async def queue(self, content: bytes, kind: str = media.CSV, **wanted: Any) -> Id:
        """An import of this file, queued; its id."""
        fields: dict[str, Any] = {"unique_primary_phone": True, "upload_id": await self.upload(content, kind)} | wanted
        job = ContactImport(**self.written, **fields)
        async with self.store.writing() as tx:
            await rows.insert(tx, job)
        return job.id

    async def run(self, content: bytes, kind: str = media.CSV, **wanted: Any) -> ContactImport:
        """An import of this file, carried out."""
        id_ = await self.queue(content, kind, **wanted)
        assert await self.worker().turn()
        return await self.job(id_)

    async def job(self, id_: Id) -> ContactImport:
        """That import as it is now."""
        async with self.store.reading() as tx:
            found = await rows.find(tx, ContactImport, 1, id_)
        assert found is not None
        return found

    async def contacts(self) -> list[Contact]:
        """All contacts, as they came."""
        async with self.store.reading() as tx:
            found = await rows.every(tx, Contact, account_id=1)
        return sorted(found, key=lambda contact: contact.id)

    async def errors(self) -> list[ContactImportError]:
        """All errors, in the order of the file."""
        async with self.store.reading() as tx:
            found = await rows.every(tx, ContactImportError, account_id=1)
        return sorted(found, key=lambda error: error.id)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """An account on a fresh store."""
    path = tmp_path / "opengage.db"
    migrations.upgrade(sa.URL.create("sqlite", database=str(path)))
    store = SqliteStore(path)
    yield Office(store, tmp_path / "files")
    await store.close()


def people(count: int) -> bytes:
    """A file of so many people."""
    lines = [f"+4477009{place:05d}"[:13] + f",Ann{place}" for place in range(count)]
    return "\n".join(["phone,first name", *lines]).encode()


def counts(job: ContactImport) -> tuple[int, int, int, int, int]:
    """Rows, created, updated, unchanged, failed."""
    return job.count_rows, job.count_created, job.count_updated, job.count_unchanged, job.count_failed


async def test_a_file_becomes_contacts(office: Office) -> None:
    """Each row one contact with its merge values; the import is completed and counts them."""
    content = "Phone;First name;Policy No.\n+12025550143;Zoë;17\n202 555 0144;;\n".encode("cp1252")
    job = await office.run(content, default_region="US")
    assert (job.status, job.error, counts(job)) == (ImportStatus.COMPLETED, None, (2, 2, 0, 0, 0))
    assert [(one.phone_number, one.first_name, one.meta) for one in await office.contacts()] == [
        ("+12025550143", "Zoë", '{"policy-no":"17"}'),
        ("+12025550144", None, "{}"),
    ]


async def test_a_workbook_becomes_contacts(office: Office) -> None:
    """XLSX too, with a mapping, onto a list."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in (["Who", "Where"], ["Ann", 12025550143], ["Bob", "no"]):
        book.active.append(row)
    book.save(file)
    list_ = ContactList(**office.written, title="Customers")
    async with office.store.writing() as tx:
        await rows.insert(tx, list_)
    job = await office.run(
        file.getvalue(),
        media.XLSX,
        list_id=list_.id,
        mapping='{"Who":"first-name","Where":"phone-number"}',
        default_region="US",
    )
    assert counts(job) == (2, 1, 0, 0, 1)
    (ann,) = await office.contacts()
    async with office.store.reading() as tx:
        joined = await contacts.links(tx, tables.list_contacts, "list_id", "contact_id", 1, [list_.id])
    assert joined == {list_.id: [ann.id]}
    (error,) = await office.errors()
    assert (error.line, error.field, error.value) == (3, "Where", "no")


async def test_the_same_file_twice_makes_nobody_twice(office: Office) -> None:
    """With unique numbers: unchanged at the second time; what a row says new is taken, what it leaves out stays."""
    await office.run(people(3))
    again = await office.run(people(3))
    assert counts(again) == (3, 0, 0, 3, 0)
    changed = await office.run(b"phone,last name,city\n+447700900000,Lee,Oslo\n+447700900000,Lee,Bergen\n")
    assert counts(changed) == (2, 0, 1, 1, 0)
    first, *_ = await office.contacts()
    assert (first.first_name, first.last_name, first.meta) == ("Ann0", "Lee", '{"city":"Bergen"}')
    assert len(await office.contacts()) == 3


async def test_numbers_may_be_shared(office: Office) -> None:
    """Without unique numbers every row is a contact."""
    job = await office.run(b"phone\n+12025550143\n+12025550143\n", unique_primary_phone=False)
    assert counts(job) == (2, 2, 0, 0, 0)


@pytest.mark.parametrize("kill_at", [0, 1, 2, 3])
async def test_a_crash_makes_nobody_twice(office: Office, kill_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes it over goes on behind the last batch that was committed, also without unique numbers."""
    monkeypatch.setattr(module, "BATCH", 10)
    id_ = await office.queue(people(35), unique_primary_phone=False)
    left = kill_at
    write = imports.progress

    async def dying(*given: Any) -> ContactImport:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt  # in mid-transaction, as a kill would
        left -= 1
        return await write(*given)

    monkeypatch.setattr(imports, "progress", dying)
    with pytest.raises(KeyboardInterrupt):
        await office.worker("dead").turn()
    monkeypatch.setattr(imports, "progress", write)
    assert (await office.job(id_)).count_rows == 10 * kill_at
    assert not await office.worker("next").turn()  # its lease runs still
    await _expire(office, id_)
    assert await office.worker("next").turn()
    job = await office.job(id_)
    assert (job.status, job.epoch, counts(job)) == (ImportStatus.COMPLETED, 2, (35, 35, 0, 0, 0))
    assert len({one.phone_number for one in await office.contacts()}) == len(await office.contacts()) == 35


async def _expire(office: Office, id_: Id) -> None:
    """Let an import's lease run out."""
    async with office.store.writing() as tx:
        await rows.change(tx, await office.job(id_), expires_at=Instant(1))


async def test_a_worker_that_lost_its_lease_writes_nothing(office: Office) -> None:
    """The old epoch is fenced: neither contacts nor counts."""
    id_ = await office.queue(people(3))
    async with office.store.writing() as tx:
        old = await imports.take(tx, await office.job(id_), "old", 60, office.clock.now())
    assert old is not None
    await _expire(office, id_)
    assert await office.worker("new").turn()
    async with office.store.writing() as tx:
        with pytest.raises(Fenced):
            await imports.progress(tx, old, old, 60)
    assert counts(await office.job(id_)) == (3, 3, 0, 0, 0)


async def test_a_worker_that_lost_its_lease_fails_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it could not read, another worker is reading: the import is not failed under that one's hands."""
    id_ = await office.queue(people(3))

    async def passes_on(_: Importer, __: ContactImport) -> ContactImport:
        await _expire(office, id_)
        async with office.store.writing() as tx:
            assert await imports.take(tx, await office.job(id_), "new", 60, office.clock.now())
        raise Unusable("It was gone for a moment.")

    monkeypatch.setattr(Importer, "_read", passes_on)
    assert await office.worker("old").turn()
    job = await office.job(id_)
    assert (job.status, job.owner, job.error) == (ImportStatus.PROCESSING, "new", None)


async def test_only_one_takes_it(office: Office) -> None:
    """Of two that see the same import, the second finds it gone."""
    id_ = await office.queue(people(1))
    seen = await office.job(id_)
    async with office.store.writing() as tx:
        assert await imports.take(tx, seen, "a", 60, office.clock.now())
        assert await imports.take(tx, seen, "b", 60, office.clock.now()) is None


async def test_a_file_that_ends_its_readers_is_set_aside(office: Office) -> None:
    """After three workers were lost over the same row the import has failed, and says where."""
    id_ = await office.queue(people(3))
    for _ in range(3):
        async with office.store.writing() as tx:
            assert await imports.take(tx, await office.job(id_), "dead", 60, office.clock.now())
        await _expire(office, id_)
    assert await office.worker().turn()
    job = await office.job(id_)
    assert (job.status, job.count_rows) == (ImportStatus.FAILED, 0)
    assert "ended its reader 3 times after row 0" in str(job.error)
    assert not await office.worker().turn()


async def test_a_folder_that_cannot_be_reached(office: Office, tmp_path: Path) -> None:
    """The import is put off, not failed, however often; once the folder is back it goes on."""
    id_ = await office.queue(people(3))
    aside = (tmp_path / "files").rename(tmp_path / "aside")
    for _ in range(5):
        with pytest.raises(Unavailable):
            await office.worker().turn()
        job = await office.job(id_)
        assert (job.status, job.stalls, job.owner) == (ImportStatus.PROCESSING, 0, None)
        assert not await office.worker().turn()
        await _expire(office, id_)
    aside.rename(tmp_path / "files")
    assert await office.worker().turn()
    assert (await office.job(id_)).status is ImportStatus.COMPLETED


async def test_a_graceful_stop_lets_go(office: Office) -> None:
    """The next worker need not wait for the lease to run out."""
    id_ = await office.queue(people(3))
    async with office.store.writing() as tx:
        await imports.take(tx, await office.job(id_), "w", 60, office.clock.now())
        await imports.release(tx, "w")
    assert await office.worker("next").turn()
    assert (await office.job(id_)).status is ImportStatus.COMPLETED


async def test_a_thousand_errors_are_kept_and_all_are_counted(office: Office) -> None:
    """In the order of the file, with its row numbers; good rows among them come in."""
    lines = ["phone", *("x" for _ in range(1200)), "+12025550143"]
    job = await office.run("\n".join(lines).encode())
    assert counts(job) == (1201, 1, 0, 0, 1200)
    assert job.count_errors == 1200
    assert [error.line for error in await office.errors()] == list(range(2, 1002))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"name\nAnn\n", "No column holds phone numbers"),
        (b'phone\n+12025550143\n"+12025550144\n', "Close every quote"),
        (b"PK\x03\x04 no workbook", "no XLSX workbook"),
    ],
)
async def test_a_file_that_cannot_be_read_fails(office: Office, content: bytes, said: str) -> None:
    """With a reason and its mending, and without another try."""
    kind = media.XLSX if content.startswith(b"PK") else media.CSV
    job = await office.run(content, kind)
    assert job.status is ImportStatus.FAILED
    assert said in str(job.error)
    assert job.completed_at is not None
    assert not await office.worker().turn()


async def test_what_came_in_before_a_failure_stays(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is counted: importing the mended file again makes nobody twice."""
    monkeypatch.setattr(module, "BATCH", 2)
    content = people(4) + b'\n"broken'
    job = await office.run(content)
    assert (job.status, job.count_created) == (ImportStatus.FAILED, 4)
    mended = await office.run(people(5))
    assert counts(mended) == (5, 1, 0, 4, 0)


async def test_a_list_that_goes_meanwhile(office: Office) -> None:
    """Contacts are not left on a list that is no more."""
    job = await office.run(people(2), list_id=new_id())
    assert (job.status, job.count_created) == (ImportStatus.FAILED, 0)
    assert "list" in str(job.error)
    assert await office.contacts() == []


async def test_old_uploads_are_swept(office: Office) -> None:
    """Unused ones after a day with their row, imported ones after a week without it; files that are shown stay."""
    imported = await office.upload(people(1))
    kept = await office.upload(people(1))
    unused = await office.upload(people(1))
    async with office.store.writing() as tx:
        for id_, change in ((kept, {"file_id": new_id()}), (unused, {"used_at": None})):
            found = await rows.find(tx, Upload, 1, id_)
            assert found is not None
            await rows.change(tx, found, **change)
    for days, there in ((0.5, 3), (1.5, 2), (7.5, 1)):
        office.clock.wall = Instant(HandClock().wall + int(days * 86_400) * SECOND)
        await office.worker().sweep()
        assert len([path for path in (office.blobs._folder).glob("*/*") if path.is_file()]) == there
    async with office.store.reading() as tx:
        assert await rows.find(tx, Upload, 1, unused) is None
        spent = await rows.find(tx, Upload, 1, imported)
        assert spent is not None
        assert spent.blob is None
        assert await tx.rows(sa.select(tables.uploads.c.id).where(tables.uploads.c.blob.is_not(None))) == [(kept,)]
