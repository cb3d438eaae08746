"""What is SQLite's own runs on SQLite alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opengage.store.contract import Store
from opengage.store.sqlite import SqliteStore


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    """One store on a fresh file."""
    opened = SqliteStore(database)
    yield opened
    await opened.close()
