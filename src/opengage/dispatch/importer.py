"""Imports of contacts, carried out: one file at a time, a batch of rows in each transaction.

Beside a text's path: the list that a blast will address. How far an import has come is committed together with the
contacts that it has made, under an epoch: whoever takes it over after a crash goes on with the next row and makes
nobody twice. Memory holds one batch, however long the file. An import that is lost three times over the same batch is
set aside as failed, so that a file that ends its reader ends only three of them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec

from opengage import logs
from opengage.clock import SECOND, Clock, Instant
from opengage.domain import media
from opengage.domain.errors import Fenced, Unavailable
from opengage.domain.imports import Column, Fault, ImportStatus, Person, Unusable, columns, read_row
from opengage.domain.records import Contact, ContactImport, ContactImportError, ContactList, Upload
from opengage.ids import NewId, to_wire
from opengage.operations import csv_rows
from opengage.operations.contact_imports import MOST_ERRORS
from opengage.operations.contacts import Saved, keep_numbers, save
from opengage.store import contacts, imports, rows
from opengage.store.blobs import Blobs
from opengage.store.contract import Store, Transaction, Turn

log = logs.get(__name__)

BATCH: Final = 500
"""Rows in one transaction: some ten milliseconds of the database's time."""
_LOOK: Final = 0.5
"""Seconds between looks for imports that wait."""
_LEASE: Final = 60.0
"""Seconds that a worker may be silent before another one takes its import over."""
_MOST_STALLS: Final = 3
_TRY_AGAIN: Final = 5.0
"""Seconds before an import is tried again when the folder or the database could not be used."""
_SWEEP: Final = 600.0
"""Seconds between looks for uploads that nobody needs any more."""
_UNUSED_FOR: Final = 24 * 3600
_SPENT_FOR: Final = 7 * 24 * 3600

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.decode
Row = tuple[int, list[str]]
Read = tuple[int, Person | list[Fault]]


class Importer:
    """Carries out imports, one after the other, until cancelled."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock, new_id: NewId, owner: str) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._new_id = new_id
        self._owner = owner
        self._swept_at = float("-inf")

    async def run(self) -> None:
        """Look for imports and carry them out until cancelled, then let go of the one in hand."""
        try:
            while True:
                if not await self._safely(self.turn):
                    await asyncio.sleep(_LOOK)
                if self._clock.monotonic() - self._swept_at >= _SWEEP:
                    self._swept_at = self._clock.monotonic()
                    await self._safely(self.sweep)
        finally:
            with contextlib.suppress(Unavailable):
                async with self._store.writing() as tx:
                    await imports.release(tx, self._owner)

    async def _safely(self, work: Callable[[], Any]) -> bool:
        """Do a piece of work; whether there was any. What fails is told, and tried again later."""
        try:
            return bool(await work())
        except Unavailable as error:
            log.error("an import cannot go on now; trying again", action="import", error=str(error))
        except Exception:
            log.exception("an import failed that should not have", action="import")
        return False

    async def turn(self) -> bool:
        """Carry out the next import that waits; whether there was one."""
        async with self._store.reading() as tx:
            waiting = await imports.free(tx, self._owner, 10)
        for one in waiting:
            async with self._store.writing() as tx:
                job = await imports.take(tx, one, self._owner, _LEASE, self._clock.now())
            if job is not None:
                await self._carry_out(job)
                return True
        return False

    async def _carry_out(self, job: ContactImport) -> None:
        log.info("import taken", action="import", import_id=to_wire(job.id), rows=job.count_rows, epoch=job.epoch)
        try:
            job = await self._to_its_end(job)
        except Fenced:
            log.warning("the import has passed to another worker", action="fenced", import_id=to_wire(job.id))
            return
        except Unavailable:
            async with self._store.writing() as tx:
                await imports.put_off(tx, job, _TRY_AGAIN)
            raise
        log.info("import ended", action="import", import_id=to_wire(job.id), status=job.status, rows=job.count_rows)

    async def _to_its_end(self, job: ContactImport) -> ContactImport:
        """Read all of it, or say why that cannot be done. Raises Fenced when it has passed to another worker."""
        try:
            if job.stalls > _MOST_STALLS:
                raise Unusable(
                    f"The file ended its reader {_MOST_STALLS} times after row {job.count_rows}. Save it as “CSV "
                    "UTF-8”, split it there, and import the parts."
                )
            return await self._read(job)
        except Unusable as error:
            async with self._store.writing() as tx:
                return await self._end(tx, await self._fresh(tx, job), ImportStatus.FAILED, str(error))

    async def _fresh(self, tx: Transaction, job: ContactImport) -> ContactImport:
        found = await rows.find(tx, ContactImport, job.account_id, job.id)
        if found is None or found.epoch != job.epoch:
            raise Fenced("Another worker has taken this import over.")
        return found

    async def _read(self, job: ContactImport) -> ContactImport:
        async with self._store.reading() as tx:
            upload = await rows.find(tx, Upload, job.account_id, job.upload_id)
        if upload is None or upload.blob is None:
            raise Unusable("The uploaded file is no longer here. Upload it again, and import that.")
        with (
            await self._blobs.open(upload.blob) as file,
            contextlib.closing(_Batches(file, upload.content_type, job)) as batches,
        ):
            while batch := await self._following(job, batches):
                async with self._store.writing() as tx:
                    job = await self._take_in(tx, job, batch)
            async with self._store.writing() as tx:
                return await self._end(tx, job, ImportStatus.COMPLETED, None)

    async def _following(self, job: ContactImport, batches: "_Batches") -> list[Read]:
        """The next batch; to find its place in a long file again may take longer than the lease lasts."""
        reading = asyncio.ensure_future(asyncio.to_thread(batches.following))
        try:
            while not (await asyncio.wait((reading,), timeout=_LEASE / 3))[0]:
                async with self._store.writing() as tx:
                    await imports.progress(tx, job, job, _LEASE)
        except BaseException:
            await asyncio.wait((reading,))  # its file must stay open until it is done
            reading.cancel()
            raise
        return await reading

    async def _take_in(self, tx: Transaction, job: ContactImport, batch: list[Read]) -> ContactImport:
        """Write one batch and how far that brings the import, together."""
        now = self._clock.now()
        people = [person for _, person in batch if isinstance(person, Person)]
        faulty = [(line, faults) for line, faults in batch if not isinstance(faults, Person)]
        await tx.take_turn(Turn.PEOPLE, (job.account_id,), shared=True)
        if job.list_id is not None and await rows.find(tx, ContactList, job.account_id, job.list_id) is None:
            raise Unusable(
                "The list that the contacts should join was deleted. Import the file again with another list."
            )
        saved = await save(
            tx,
            self._new_id,
            (job.account_id, job.created_by),
            now,
            [_values(person) for person in people],
            unique=job.unique_primary_phone,
            combine=_combine,
        )
        if job.list_id is not None:
            await contacts.add_members(tx, job.account_id, job.list_id, [each.id for each in saved.contacts])
        await self._note(tx, job, faulty, now)
        return await imports.progress(tx, job, _further(job, len(batch), saved, faulty, now), _LEASE)

    async def _note(
        self, tx: Transaction, job: ContactImport, faulty: list[tuple[int, list[Fault]]], now: Instant
    ) -> None:
        """Keep what is wrong, as far as there is room for it."""
        told = ((line, fault) for line, faults in faulty for fault in faults)
        room = max(0, MOST_ERRORS - job.count_errors)
        kept = [
            ContactImportError(
                account_id=job.account_id,
                id=self._new_id(),
                created_at=now,
                updated_at=now,
                import_id=job.id,
                line=line,
                field=fault.field,
                value=fault.value,
                detail=fault.detail,
                fix=fault.fix,
            )
            for line, fault in islice(told, room)
        ]
        await rows.insert_many(tx, kept)

    async def _end(self, tx: Transaction, job: ContactImport, status: ImportStatus, error: str | None) -> ContactImport:
        now = self._clock.now()
        ended = msgspec.structs.replace(job, status=status, error=error, completed_at=now, updated_at=now)
        return await imports.progress(tx, job, ended, 0.0)

    async def sweep(self) -> bool:
        """Remove uploads that nothing referred to within a day, and the files of imports after a week."""
        now = self._clock.now()
        async with self._store.writing() as tx:
            expired = await imports.expired_uploads(tx, Instant(now - _UNUSED_FOR * SECOND), 1000)
            gone = await imports.forget_uploads(tx, expired)
            spent = await imports.spent_uploads(tx, Instant(now - _SPENT_FOR * SECOND), 1000)
            for each in spent:
                await rows.change(tx, each, blob=None)
        for upload in (*gone, *spent):
            if upload.blob is not None:
                await self._blobs.remove(upload.blob)
        await self._blobs.sweep(now / SECOND - _UNUSED_FOR)
        return False


class _Batches:
    """A file's rows after those that were taken in before, a batch at a time; its work belongs in a thread."""

    def __init__(self, file: BinaryIO, kind: str, job: ContactImport) -> None:
        self._rows = _rows(file, kind)
        self._job = job
        self._columns: list[Column] = []

    def following(self) -> list[Read]:
        """The next batch, read; an empty one at the end. Raises Unusable."""
        if not self._columns:
            self._begin()
        region = self._job.default_region
        return [(line, read_row(self._columns, cells, region)) for line, cells in islice(self._rows, BATCH)]

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()

    def _begin(self) -> None:
        _, header = next(self._rows, (0, []))
        if not header:
            raise Unusable("The file is empty. Its first line names the columns, and each further one is a person.")
        self._columns = columns(header, _decode(self._job.mapping) if self._job.mapping else None)
        for _ in islice(self._rows, self._job.count_rows):
            pass


def _rows(file: BinaryIO, kind: str) -> Generator[Row, None, None]:
    if kind != media.XLSX:
        return csv_rows.rows(file)
    # here, because openpyxl is 8 MB that a worker should not hold for files that few send
    from opengage.operations import xlsx_rows  # noqa: PLC0415

    return xlsx_rows.rows(file)


def _further(
    job: ContactImport, count: int, saved: Saved, faulty: list[tuple[int, list[Fault]]], now: Instant
) -> ContactImport:
    return msgspec.structs.replace(
        job,
        updated_at=now,
        stalls=0,
        count_rows=job.count_rows + count,
        count_created=job.count_created + saved.created,
        count_updated=job.count_updated + saved.updated,
        count_unchanged=job.count_unchanged + saved.unchanged,
        count_failed=job.count_failed + len(faulty),
        count_errors=job.count_errors + sum(len(faults) for _, faults in faulty),
    )


def _values(person: Person) -> dict[str, Any]:
    """A row's columns; those that it has nothing for are left out, so that they stay as they are."""
    plain = {"first_name": person.first_name, "last_name": person.last_name, "notes": person.notes}
    return {name: value for name, value in plain.items() if value is not None} | {
        "phone_number": person.phone_numbers[0],
        "phone_numbers": _encode(person.phone_numbers[:10]).decode(),
        "emails": _encode(person.emails[:10]).decode(),
        "meta": _encode(person.meta).decode(),
    }


def _combine(before: Contact, values: dict[str, Any]) -> dict[str, Any]:
    """A row's values over those of the contact that has its number: what the row does not say stays."""
    emails = list(dict.fromkeys([*_decode(values["emails"]), *_decode(before.emails)]))[:10]
    meta = _decode(before.meta) | _decode(values["meta"])
    together = values | {"emails": _encode(emails).decode(), "meta": _encode(meta).decode()}
    return keep_numbers(before, together)
