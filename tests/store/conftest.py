"""Stores under test. Every test of this folder runs on each database; what is one's own has a folder of its own."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from opengage.store.contract import Store
from opengage.store.migrations import upgrade
from opengage.store.postgres import PostgresOptions, PostgresStore
from opengage.store.sqlite import SqliteStore
from seals import seals

Open = Callable[[], Awaitable[Store]]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and no rows; to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "opengage.db"
    upgrade(sa.URL.create("sqlite", database=str(path)))
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Path:
    """A fresh SQLite file."""
    return Path(shutil.copy(migrated, tmp_path / "opengage.db"))


@pytest.fixture(params=["sqlite", "postgres"])
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens stores on one fresh database, as the processes of one installation would."""
    is_postgres = request.param == "postgres"
    address = request.getfixturevalue("postgres_url" if is_postgres else "database")
    opened: list[Store] = []

    async def open_() -> Store:
        store = (
            PostgresStore(PostgresOptions(address), seals=seals) if is_postgres else SqliteStore(address, seals=seals)
        )
        opened.append(store)
        await store.changed(0)  # it listens from here on
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Open) -> Store:
    """One store on a fresh database."""
    return await open_store()


@pytest.fixture
async def other_store(request: pytest.FixtureRequest, open_store: Open) -> AsyncIterator[Store]:
    """A fresh store on the other kind of database."""
    is_postgres = "sqlite" in request.node.callspec.id
    address = request.getfixturevalue("postgres_url" if is_postgres else "database")
    options = PostgresOptions(address) if is_postgres else None
    made = PostgresStore(options, seals=seals) if options else SqliteStore(address, seals=seals)
    yield made
    await made.close()
