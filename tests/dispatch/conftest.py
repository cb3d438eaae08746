"""Fixtures of the dispatcher's tests: a world of its own for each."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from databases import KINDS, Database, PostgresDatabase, SqliteFile
from dispatch.workers import Workers
from dispatch.world import World, migrated_url
from opengage.dispatch import dispatcher
from opengage.store import migrations


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "opengage.sqlite"
    migrations.upgrade(migrated_url(path))
    return path


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """An empty world, on each database."""
    fixture = request.getfixturevalue
    database: Database
    if request.param == "postgres":
        database = PostgresDatabase(fixture("postgres_url"), fixture("postgres_server"))
    else:
        database = SqliteFile(Path(shutil.copyfile(fixture("migrated"), tmp_path / "opengage.sqlite")))
    store = database.open()
    yield World(database, store)
    await store.close()


@pytest.fixture
async def workers(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    """Workers of this world, who sweep more often than others."""
    monkeypatch.setattr(dispatcher, "_SWEEP", 0.2)
    made = Workers(world)
    yield made
    await made.end()
