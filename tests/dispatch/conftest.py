"""Fixtures of the dispatcher's tests: a world of its own for each."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import postgres
from databases import KINDS, Database, PostgresDatabase, SqliteFile
from dispatch.world import World, migrated_url
from opengage.store import migrations


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "opengage.sqlite"
    migrations.upgrade(migrated_url(path))
    return path


@pytest.fixture
def sqlite_database(tmp_path: Path, migrated: Path) -> SqliteFile:
    """A fresh file."""
    return SqliteFile(Path(shutil.copyfile(migrated, tmp_path / "opengage.sqlite")))


@pytest.fixture
def postgres_database(postgres_url: str, postgres_server: postgres.Server) -> PostgresDatabase:
    """A clean database on a server."""
    return PostgresDatabase(postgres_url, postgres_server)


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """An empty world, on each database."""
    database: Database = request.getfixturevalue(f"{request.param}_database")
    store = database.open()
    yield World(database, store)
    await store.close()
