"""Dumps: every row of one database in another, whichever they are, and files that say when they are not whole."""

import gzip
import io
import re
import struct
from typing import Any

import msgspec
import pytest

from opengage.domain.errors import Conflict
from opengage.store import dump_format, dumps, rows, tables
from opengage.store.contract import NewEnvelope, Store
from opengage.store.dump_format import Header, Page, Reader, Unreadable, Writer
from store.conftest import Open
from store.samples import ACCOUNT, AUTHOR, ENGAGEMENT, NOW, NUMBER_ID, RECORDS, envelope_id, id_of, number

HEADER = Header("0002", NOW, "0.1.0")
PAGES = [Page("lanes", ["a", "b"], [(1, b"x"), (2, b"y")]), Page("texts", ["c"], [(None,), ("é",)])]


def written(pages: list[Page] | None = None, header: Header = HEADER, *, ends: bool = True) -> bytes:
    """A dump as a file's content."""
    stream = io.BytesIO()
    writer = Writer(stream, header)
    for page in PAGES if pages is None else pages:
        writer.page(page)
    if ends:
        writer.end()
    else:
        writer._zipped.close()
    return stream.getvalue()


def read(content: bytes) -> list[Page]:
    """Every page of a dump."""
    return list(Reader(io.BytesIO(content)).pages())


def test_what_was_written_is_read() -> None:
    """The header, and every page with values of every kind."""
    reader = Reader(io.BytesIO(written()))
    assert reader.header == HEADER
    assert list(reader.pages()) == PAGES
    assert reader.counts == {"lanes": 2, "texts": 2}


def test_two_dumps_of_the_same_are_the_same() -> None:
    """No time and no name of a file is in them, so copies can be compared."""
    assert written() == written()


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_a_dump_that_was_cut_off_is_told(part: float) -> None:
    """Wherever it ends, it is not taken for a whole one."""
    content = written([Page("texts", ["c"], [(f"{place * 7919}",) for place in range(2000)])] * 3)
    with pytest.raises(Unreadable, match=r"no whole backup"):
        read(content[: int(len(content) * part)])


def test_a_dump_without_its_end_is_told() -> None:
    """Though the compression is whole."""
    with pytest.raises(Unreadable, match=r"ends in the middle"):
        read(written(ends=False))


def test_changed_rows_are_told() -> None:
    """Whoever changes a value would have to change the sum, too."""
    plain = gzip.decompress(written())
    assert plain.count("é".encode()) == 1
    with pytest.raises(Unreadable, match=r"was changed"):
        read(gzip.compress(plain.replace("é".encode(), "è".encode())))


def test_a_page_that_was_taken_out_is_told() -> None:
    """The sum is over all of them."""
    plain = gzip.decompress(written())
    frame = struct.pack(">I", len(msgspec.msgpack.encode(PAGES[0]))) + msgspec.msgpack.encode(PAGES[0])
    with pytest.raises(Unreadable, match=r"was changed"):
        read(gzip.compress(plain.replace(frame, b"")))


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip at all", gzip.compress(b"hello"), gzip.compress(b"\0\0\0\5hello")],
    ids=["empty", "no gzip at all", "gzip of words", "gzip of a size"],
)
def test_other_files_are_refused(content: bytes) -> None:
    """In words."""
    with pytest.raises(Unreadable):
        read(content)


def test_what_follows_the_end_is_refused() -> None:
    """A second dump behind the first is no part of it."""
    with pytest.raises(Unreadable, match=r"follows the end"):
        read(written() + written())


def test_a_later_format_is_refused() -> None:
    """With the version that can read it."""
    with pytest.raises(Unreadable, match=re.escape("version 9.9")):
        read(written(header=Header("0002", NOW, "9.9", version=2)))


async def everything(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a store, by table."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    async with store.reading() as tx:
        async for page in dumps.pages(tx):
            found.setdefault(page.table, []).extend(page.rows)
    return found


async def fill(store: Store, count: int) -> None:
    """One of each noun, and so many envelopes."""
    async with store.writing() as tx:
        for record in RECORDS:
            await rows.insert(tx, record)
        ids = [envelope_id(place) for place in range(count)]
        new = [NewEnvelope(number(place), "{}", is_priority=place % 2 == 0) for place in range(count)]
        await tx.batches.insert_envelopes(ACCOUNT, ENGAGEMENT, AUTHOR, ids, new, NOW)
        key = {"account_id": ACCOUNT, "phone_number_id": NUMBER_ID, "owner": "one"}
        await tx.run(tables.lanes.insert().values(**key, epoch=4, expires_at=2**62, rate=2.5))


async def test_every_row_is_read_once(store: Store) -> None:
    """Over many pages, in the order of the keys, with the types that both databases share."""
    await fill(store, 2 * dumps.PAGE + 1)
    found = await everything(store)
    assert len(found["envelopes"]) == 2 * dumps.PAGE + 2
    keys = [row[:2] for row in found["envelopes"]]
    assert keys == sorted(set(keys))
    assert {len(found[rows.TABLES[type(record)].name]) for record in RECORDS} == {1, 2 * dumps.PAGE + 2}
    marked = list(tables.envelopes.c.keys()).index("is_priority")
    assert {type(row[marked]) for row in found["envelopes"]} == {bool}


async def test_a_dump_is_one_moment(open_store: Open) -> None:
    """What others write while it is read is not in it."""
    store, other = await open_store(), await open_store()
    await fill(store, 10)
    seen = 0
    async with store.reading() as tx:
        async for page in dumps.pages(tx):
            if not seen:
                async with other.writing() as writing:
                    await writing.batches.insert_envelopes(
                        ACCOUNT, ENGAGEMENT, AUTHOR, [id_of(99_999)], [NewEnvelope(number(50), "{}")], NOW
                    )
            seen += len(page.rows) if page.table == "envelopes" else 1
            if page.table == "envelopes":
                assert len(page.rows) == 11


async def test_rows_travel_from_one_database_to_the_other(store: Store, other_store: Store) -> None:
    """Every value of every table arrives as it was, whichever way."""
    await fill(store, 100)
    async with store.reading() as old, other_store.writing() as new:
        async for page in dumps.pages(old):
            await dumps.load(new, page)
    assert await everything(other_store) == await everything(store)


async def test_only_an_empty_database_is_filled(store: Store) -> None:
    """One row anywhere is enough to refuse."""
    async with store.writing() as tx:
        await dumps.require_empty(tx)
        await rows.insert(tx, RECORDS[-1])
        with pytest.raises(Conflict, match=r"not empty: it has rows in"):
            await dumps.require_empty(tx)


@pytest.mark.parametrize("page", [Page("nowhere", ["id"], []), Page("texts", ["id", 'x" --'], [])])
async def test_unknown_tables_and_columns_are_refused(store: Store, page: Page) -> None:
    """Their names are no part of any statement."""
    async with store.writing() as tx:
        with pytest.raises(dump_format.Unreadable, match=r"not as this version knows it"):
            await dumps.load(tx, page)


async def test_lanes_are_held_and_let_go(store: Store) -> None:
    """Whoever had one is fenced by an epoch that nobody can have reached, and nobody gets one before the end."""
    await fill(store, 0)
    async with store.writing() as tx:
        assert await dumps.worker(tx) == "one"
        await dumps.hold_lanes(tx)
        assert await dumps.worker(tx) == dumps.HOLDER
        lanes = await tx.rows(tables.lanes.select())
        # that of the sample's phone number had never been taken
        assert sorted(row[3] for row in lanes) == [dumps.EPOCHS, dumps.EPOCHS + 4]
        await dumps.let_go(tx)
        assert await dumps.worker(tx) is None


async def test_a_ledger_that_does_not_balance_is_named(store: Store) -> None:
    """Envelopes without a count are found, and so is a count without envelopes."""
    await fill(store, 3)
    sample = next(record for record in RECORDS if rows.TABLES[type(record)] is tables.engagements)
    async with store.reading() as tx:
        assert await dumps.unbalanced(tx) is None  # the sample has no envelopes
    async with store.writing() as tx:
        await tx.run(
            tables.ledger.insert().values(account_id=ACCOUNT, engagement_id=sample.id, reason="queued", count=1)
        )
    async with store.reading() as tx:
        assert await dumps.unbalanced(tx) == (ACCOUNT, sample.id)
