"""Dumps keep every value: each column of each table, empty or at the ends of its type, from any database to any."""

import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import postgres
from opengage.store import dumps, tables
from opengage.store.contract import Store
from opengage.store.dump_format import Header, Page, Reader, Writer
from opengage.store.postgres import PostgresOptions, PostgresStore
from opengage.store.sqlite import SqliteStore
from store.samples import NOW

MADE = sorted(tables.metadata.tables.items())
_QUOTED = re.compile(r"(\w+) = '([^']*)'")


def allowed(table: sa.Table) -> dict[str, list[str]]:
    """The values of those columns that take a few only."""
    found: dict[str, list[str]] = {}
    for check in table.constraints:
        if isinstance(check, sa.CheckConstraint):
            for name, value in _QUOTED.findall(str(check.sqltext)):
                found.setdefault(name, []).append(value)
    return found


def value(column: "sa.Column[Any]", place: int) -> Any:
    """Something that a column of this type may hold; places differ wherever the type is large enough."""
    kinds: list[tuple[type, Callable[[], Any]]] = [
        (sa.Boolean, lambda: place % 2 == 0),
        (sa.BigInteger, lambda: (place, -place, (1 << 63) - place, place - (1 << 63))[place % 4]),
        (sa.Float, lambda: (place / 3, -1e308, 5e-324, 0.0)[place % 4]),
        (sa.LargeBinary, lambda: bytes((place, 0, 255)) + bytes(range(256)) if place else b""),
        (sa.Text, lambda: f"{place} Zoë “👍” \\N \t\n\r '\";--" if place else ""),
    ]
    return next(made() for kind, made in kinds if isinstance(column.type, kind))


def a_row(table: sa.Table, place: int, *, empty: bool) -> tuple[Any, ...]:
    """A row of this table, each column that may be NULL with nothing in it or with something."""
    few = allowed(table)
    return tuple(
        None
        if empty and column.nullable
        else few[column.name][place % len(few[column.name])]
        if column.name in few
        else value(column, place)
        for column in table.c
    )


def contents() -> list[Page]:
    """Eight full rows and an empty one of every table."""
    return [
        Page(
            str(name),
            list(table.c.keys()),
            [*(a_row(table, place, empty=False) for place in range(8)), a_row(table, 9, empty=True)],
        )
        for name, table in MADE
    ]


async def loaded(store: Store, pages: list[Page]) -> None:
    """Write pages into a store."""
    async with store.writing() as tx:
        for page in pages:
            await dumps.load(tx, page)


async def read(store: Store) -> list[Page]:
    """Everything in a store."""
    async with store.reading() as tx:
        return [page async for page in dumps.pages(tx)]


@pytest.fixture
async def stores(migrated: Path, tmp_path: Path, postgres_server: postgres.Server) -> AsyncIterator[list[Store]]:
    """Two empty ones of each kind."""
    with postgres_server.database() as one, postgres_server.database() as two:
        files = [Path(shutil.copy(migrated, tmp_path / name)) for name in ("one.db", "two.db")]
        made: list[Store] = [
            SqliteStore(files[0]),
            PostgresStore(PostgresOptions(one)),
            SqliteStore(files[1]),
            PostgresStore(PostgresOptions(two)),
        ]
        yield made
        for store in made:
            await store.close()


def through_a_file(pages: list[Page], path: Path) -> list[Page]:
    """The same pages, written down and read."""
    with path.open("wb") as stream:
        writer = Writer(stream, Header("0002", NOW, "0.1.0"))
        for page in pages:
            writer.page(page)
        writer.end()
    with path.open("rb") as stream:
        return list(Reader(stream).pages())


async def test_every_value_of_every_column_comes_back(stores: list[Store], tmp_path: Path) -> None:
    """SQLite to PostgreSQL to SQLite to PostgreSQL, with a file in between: equal in value and in type each time."""
    wanted = contents()
    pages = wanted
    for place, store in enumerate(stores):
        await loaded(store, pages)
        pages = through_a_file(await read(store), tmp_path / f"{place}.gz")
        assert [page.table for page in pages] == [page.table for page in wanted]
        for found, page in zip(pages, wanted, strict=True):
            assert sorted(map(repr, found.rows)) == sorted(map(repr, page.rows)), (place, page.table)


def test_every_kind_of_value_is_in_it() -> None:
    """NULL in every column that may be empty, both booleans, and no column left out."""
    for page in contents():
        table = tables.metadata.tables[page.table]
        for column, values in zip(table.c, zip(*page.rows, strict=True), strict=True):
            assert (None in values) is bool(column.nullable), column
            if isinstance(column.type, sa.Boolean):
                assert {True, False} <= set(values)
