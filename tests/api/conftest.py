"""The API on a real SQLite file, driven over ASGI as a client drives it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api_client import SEALER, Client, Settings, StandingClock, an_account, in_process
from opengage.api.app import create_app
from opengage.api.state import ApiState
from opengage.ids import new_id
from opengage.store import migrations
from opengage.store.sqlite import SqliteStore
from seals import seals


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that a test may change before the first request."""
    return Settings(files=tmp_path / "files")


@pytest.fixture
def clock() -> StandingClock:
    """A clock that only the test moves."""
    return StandingClock()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied: replaying the history for every test would take most of their time."""
    path = tmp_path_factory.mktemp("migrated") / "opengage.sqlite"
    migrations.upgrade(sa.URL.create("sqlite", database=str(path)))
    return path


@pytest.fixture
async def store(tmp_path: Path, migrated: Path) -> AsyncIterator[SqliteStore]:
    """A migrated store of its own."""
    path = tmp_path / "opengage.sqlite"
    shutil.copyfile(migrated, path)
    opened = SqliteStore(path, seals=seals)
    yield opened
    await opened.close()


class Current:
    """What stands for one thing in the application that tests share: whatever the test at hand has put in."""

    def __init__(self) -> None:
        self.target: Any = None

    def __getattr__(self, name: str) -> Any:
        """The thing's own."""
        return getattr(self.target, name)


class Shared:
    """One application for all tests that change no setting which it reads when it is made: making it takes long."""

    def __init__(self) -> None:
        self.store, self.clock, self.settings = Current(), Current(), Current()
        self.settings.target, self.clock.target = Settings(), StandingClock()
        state: Any = ApiState(self.store, self.clock, new_id, self.settings, SEALER)
        self.app = create_app(state)


@pytest.fixture(scope="session")
def shared() -> Shared:
    """See Shared."""
    return Shared()


@pytest.fixture
async def http(
    store: SqliteStore, clock: StandingClock, settings: Settings, shared: Shared
) -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client of the API, with no header of its own choice."""
    shared.store.target, shared.clock.target, shared.settings.target = store, clock, settings
    is_usual = settings == Settings(files=settings.files) and type(clock) is StandingClock
    app = shared.app if is_usual else create_app(ApiState(store, clock, new_id, settings, SEALER))
    async with in_process(app) as client:
        yield client


@pytest.fixture
async def client(http: httpx.AsyncClient, store: SqliteStore, clock: StandingClock) -> Client:
    """The client of account `firstbank`."""
    return Client(http, await an_account(store, clock, "firstbank"))


@pytest.fixture
async def other(http: httpx.AsyncClient, store: SqliteStore, clock: StandingClock) -> Client:
    """The client of another account."""
    return Client(http, await an_account(store, clock, "otherbank"))
