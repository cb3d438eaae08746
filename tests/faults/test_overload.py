"""A web process that gets more than it can do: it says so at once, and serves whatever else there is (bar R14)."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from blasts import Tenant, add_account
from opengage.assembly.store import DATABASE
from opengage.store import migrations
from processes import Process, free_port, until

IN_FLIGHT = 8
OF_ONE = 6
"""Three quarters: what one account may have under way."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """`opengage web` with little room, on a folder with nothing in it."""
    migrations.upgrade(sa.URL.create("sqlite", database=str(tmp_path / DATABASE)))
    port = free_port()
    process = Process("web", "--data", str(tmp_path), "--port", str(port), requests_in_flight=str(IN_FLIGHT))
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(address) or not process.runs, what="an answer")
        assert process.runs, process.lines[-5:]
        yield address
    finally:
        process.stop()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Another program holds the database: whoever writes must wait."""
    with contextlib.closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def flood(url: str, tenant: Tenant, other: Tenant, data: Path) -> tuple[list[httpx.Response], list[Any]]:
    """Sixty POSTs at once while none can be written; what the refused ones heard, and all that heard anything else."""
    limits = httpx.Limits(max_connections=100)
    body = {"data": {"type": "engagements", "attributes": {"name": "x"}}}
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as http:
        with locked(data):
            posts = [
                asyncio.create_task(http.post("/api/v1/engagements", json=body, headers=tenant.headers))
                for _ in range(60)
            ]
            refused: list[httpx.Response] = []
            for post in asyncio.as_completed(posts):
                refused.append(await post)
                if len(refused) == len(posts) - OF_ONE:
                    break
            health = await http.get("/healthz")
            read = await http.get("/api/v1/engagements", headers=other.headers)
        served = [answer for answer in await asyncio.gather(*posts) if answer not in refused]
    return refused, [health.status_code, read.status_code, *[answer.status_code for answer in served]]


def test_a_flood(url: str, tmp_path: Path) -> None:
    """What fits is carried out in the end; the rest hears at once when to come back; others and health are served."""
    tenant, other = (Tenant(url, add_account(tmp_path, key)) for key in ("floodbank", "otherbank"))
    with contextlib.closing(tenant.http), contextlib.closing(other.http):
        refused, served = asyncio.run(flood(url, tenant, other, tmp_path))
        assert {answer.status_code for answer in refused} == {429}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert served == [200, 200, *[201] * OF_ONE]
        assert tenant.get("/engagements")["meta"]["total"] == OF_ONE
