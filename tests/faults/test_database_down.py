"""A database that cannot be reached: refused in words, nothing acknowledged, and all goes on when it is back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

import postgres
from blasts import Tenant, Tenants, number
from cuttable import Relay
from processes import Server, Smsc, ended, until
from running import run


@pytest.fixture
def relay(postgres_server: postgres.Server) -> Iterator[Relay]:
    """What stands before the database server."""
    url = postgres_server.url
    made = Relay(url.host or "127.0.0.1", url.port or 5432)
    yield made
    made.close()


class Behind(NamedTuple):
    """A server, and the address of its database that leads past the relay."""

    server: Server
    url: str


@pytest.fixture
def behind(relay: Relay, postgres_server: postgres.Server, tmp_path: Path) -> Iterator[Behind]:
    """`opengage serve` on a database behind the relay."""
    with postgres_server.database(empty=True) as url:
        through = sa.make_url(url).set(port=relay.port, host="127.0.0.1").render_as_string(hide_password=False)
        made = Server(tmp_path / "behind", database_url=through)
        with ended(made):
            yield Behind(made.ready(), url)


def test_the_database_goes_and_comes_back(behind: Behind, relay: Relay, smsc: Smsc) -> None:
    """503 with Retry-After and /readyz red; receipts wait at the network; then the blast ends without a second text."""
    server = behind.server
    new = ("--account", "down", "--json", "--smsc", smsc.address("down"))
    done = run("init", "--data", str(server.data), *new, database_url=behind.url)
    assert done.returncode == 0, done.stderr
    tenants = Tenants(server.url, server.data, "down")
    tenant: Tenant = tenants.of(json.loads(done.stdout))
    before = smsc.counts()
    idle = tenant.prepare()
    smsc.chaos(answer_delay=0.2)
    engagement_id = tenant.blast(1000)
    until(lambda: smsc.counts()["submits"] - before["submits"] >= 300, what="a part of the blast")
    web, worker = server.process.child("web"), server.process.child("worker")
    relay.cut()
    answer = tenant.address(idle, [number(9500)])
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1")
    assert server.answers("/readyz") == 503
    assert (server.answers("/healthz"), server.answers("/metrics")) == (200, 200)
    until(lambda: server.process.logged(action="record", level="error"), what="the recorder's complaint")
    acknowledged = smsc.counts()["receipts"]
    until(lambda: len(server.process.logged(action="record", level="error")) > 2, what="its next tries")
    assert smsc.counts()["receipts"] == acknowledged
    relay.mend()
    until(lambda: server.answers("/readyz") == 200, what="readiness")
    assert tenant.address(idle, [number(9500)]).status_code == 201
    reasons = until(lambda: _at_rest(tenant, engagement_id), 60, "the end of the blast")
    assert sum(reasons.values()) == 1000
    assert reasons.get("delivered", 0) + reasons.get("in-doubt", 0) == 1000
    assert (server.process.child("web"), server.process.child("worker")) == (web, worker)
    assert smsc.counts()["duplicates"] == before["duplicates"]
    tenants.close()


def _at_rest(tenant: Tenant, engagement_id: str) -> dict[str, int] | None:
    ledger = tenant.ledger(engagement_id)
    reasons: dict[str, int] = ledger["reasons"]
    return None if ledger["pending"] or ledger["processing"] else reasons
