"""Fixtures of the dispatcher's tests: a world of its own for each."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatch.world import World, migrated_url
from opengage.store import migrations
from opengage.store.sqlite import SqliteStore


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "opengage.sqlite"
    migrations.upgrade(migrated_url(path))
    return path


@pytest.fixture
async def world(tmp_path: Path, migrated: Path) -> AsyncIterator[World]:
    """An empty world."""
    path = tmp_path / "opengage.sqlite"
    shutil.copyfile(migrated, path)
    store = SqliteStore(path)
    yield World(path, store)
    await store.close()
