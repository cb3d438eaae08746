"""Health and metrics: what operators and their machines ask, without credentials."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from api.conftest import Shared
from api_client import SEALER, Client, Settings, StandingClock, in_process
from opengage.api import health
from opengage.api.app import create_app
from opengage.api.state import ApiState
from opengage.domain.errors import Unavailable
from opengage.ids import new_id
from opengage.metrics import FAMILIES
from opengage.store.sqlite import SqliteStore


@pytest.fixture
def shared() -> Shared:
    """An application of its own: requests of other tests must not be counted here."""
    return Shared()


def refuse() -> None:
    """A check that does not hold."""
    raise Unavailable("This process is about to stop. Send requests to another one.")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_all_is_well(http: httpx.AsyncClient, path: str) -> None:
    """Green, and without credentials."""
    assert (await http.get(path)).status_code == 200


async def test_a_draining_process_lives_and_is_not_ready(
    store: SqliteStore, clock: StandingClock, settings: Settings
) -> None:
    """/readyz is red with the cause and Retry-After, /healthz green."""
    async with in_process(create_app(ApiState(store, clock, new_id, settings, SEALER, checks=(refuse,)))) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "about to stop" in answer.json()["errors"][0]["detail"]
        assert (await http.get("/healthz")).status_code == 200


async def test_routes_are_counted_and_ids_are_not(client: Client, http: httpx.AsyncClient) -> None:
    """Requests to many addresses of one route are one series; nothing of an address is a label."""
    for _ in range(3):
        await client.http.get("/api/v1/engagements/2222222222222222222222", headers=client.headers)
    text = (await http.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("opengage_http_requests_total")]
    assert len([line for line in lines if "engagements" in line]) == 1
    assert "222222" not in text
    assert [line.split()[-1] for line in lines if "engagements" in line] == ["3"]


async def test_every_gauge_of_the_database_is_there(http: httpx.AsyncClient) -> None:
    """Each has a value though there is nothing yet, so that its absence means something."""
    answer = await http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = {line.split("{")[0].split()[0] for line in answer.text.splitlines() if not line.startswith("#")}
    gauges = {name for name, family in FAMILIES.items() if family.kind == "gauge"}
    assert gauges - told == {"opengage_disk_free_bytes"}


class Down(SqliteStore):
    """A database that cannot be reached."""

    def reading(self, *, is_hot: bool = False) -> Any:
        """See Store.reading."""
        raise Unavailable("The database could not be used (gone).")


class Slow(SqliteStore):
    """A database whose readers wait for ever."""

    @contextlib.asynccontextmanager
    async def reading(self, *, is_hot: bool = False) -> AsyncIterator[Any]:
        """See Store.reading."""
        yield await asyncio.Event().wait()


@pytest.mark.parametrize("kind", [Down, Slow])
async def test_metrics_without_the_database(
    kind: type[SqliteStore],
    store: SqliteStore,
    clock: StandingClock,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """200 with what the process itself knows, its 503s among them; the rest is missing, and a metric says so."""
    monkeypatch.setattr(health, "METRICS_WITHIN", 0.01)
    monkeypatch.setattr(health, "READY_WITHIN", 0.01)
    gone = kind(tmp_path / "opengage.sqlite")
    state = ApiState(gone, clock, new_id, settings, SEALER, disk_free=lambda: 7)
    try:
        async with in_process(create_app(state)) as http:
            assert (await http.get("/readyz")).status_code == 503
            answer = await http.get("/metrics")
    finally:
        await gone.close()
    assert answer.status_code == 200
    told = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert (told["opengage_database_up"], told["opengage_disk_free_bytes"]) == ("0", "7")
    assert told['opengage_http_requests_total{method="GET",route="/readyz",status="503"}'] == "1"
    assert "opengage_queue_envelopes" not in told


async def test_metrics_with_the_database(http: httpx.AsyncClient) -> None:
    """Its part is there, and the same metric says so."""
    assert "opengage_database_up 1\n" in (await http.get("/metrics")).text


def test_the_state_can_be_told_apart() -> None:
    """Each process counts for itself."""
    fields = {field.name: field for field in msgspec.structs.fields(ApiState)}
    assert fields["metrics"].default_factory is not msgspec.NODEFAULT
