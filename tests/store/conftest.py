"""Stores under test. Every test of this folder runs on each database; SQLite is the one there is so far."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from opengage.store.contract import Store
from opengage.store.migrations import upgrade
from opengage.store.sqlite import SqliteStore

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


@pytest.fixture(params=["sqlite"])
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens stores on one fresh database, as the processes of one installation would."""
    path: Path = request.getfixturevalue("database")
    opened: list[Store] = []

    async def open_() -> Store:
        opened.append(SqliteStore(path))
        return opened[-1]

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Open) -> Store:
    """One store on a fresh database."""
    return await open_store()
