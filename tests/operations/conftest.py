"""Operations on a real SQLite file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from api_client import StandingClock
from dispatch.conftest import migrated, world  # noqa: F401 - fixtures
from opengage.store import migrations
from opengage.store.sqlite import SqliteStore
from seals import seals


@pytest.fixture
def clock() -> StandingClock:
    """A clock that only the test moves."""
    return StandingClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A migrated store of its own."""
    path = tmp_path / "opengage.sqlite"
    migrations.upgrade(sa.URL.create("sqlite", database=str(path)))
    opened = SqliteStore(path, seals=seals)
    yield opened
    await opened.close()
