"""The main job with PostgreSQL underneath, and what it is there for: several machines on one database."""

import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

import postgres
from blasts import Tenant, Tenants, number
from processes import Process, Server, Smsc, ended, until
from running import run

PASSWORD = "hunter2"
"""The server trusts everybody; what is in the address must not be seen all the same."""

KEY = base64.b64encode(bytes(range(32))).decode()
"""What seals secrets: every machine on one database must have the same."""


@pytest.fixture(scope="module")
def url(postgres_server: postgres.Server) -> Iterator[str]:
    """An empty database: `opengage serve` makes the tables."""
    with postgres_server.database(empty=True) as made:
        yield sa.make_url(made).set(password=PASSWORD).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[Server]:
    """`opengage serve` on it."""
    made = Server(tmp_path_factory.mktemp("postgres") / "data", database_url=url, secret_key=KEY, lease_seconds="11")
    with ended(made):
        yield made.ready()


@pytest.fixture
def smsc(tmp_path: Path) -> Iterator[Smsc]:
    """The network, outside."""
    made = Smsc(tmp_path)
    with ended(made):
        yield made


@pytest.fixture
def tenants(server: Server) -> Iterator[Tenants]:
    """Clients of accounts that `opengage init` made."""
    made = Tenants(server.url, server.data, "postgres")
    yield made
    made.close()


def init(url: str, data: Path, key: str, *more: str) -> dict[str, str]:
    """What `opengage init` tells."""
    done = run("init", "--data", str(data), "--account", key, "--json", *more, database_url=url, secret_key=KEY)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def test_five_calls_and_every_handset_rings(server: Server, tenants: Tenants, url: str) -> None:
    """Everything is as with SQLite, nothing of it is in the data folder, and no log shows the password."""
    tenant = tenants.of(init(url, server.data, "firstbank"))
    ledger = tenant.completed(tenant.blast(1000))
    assert (ledger["total"], ledger["reasons"]) == (1000, {"delivered": 1000})
    assert len(tenant.every("texts")) == 1000
    assert [path.name for path in server.data.iterdir()] == ["worker.lock"]
    assert PASSWORD not in json.dumps(server.process.lines)


def test_a_second_machine_takes_over(server: Server, tenants: Tenants, url: str, smsc: Smsc, tmp_path: Path) -> None:
    """Its worker shares the numbers; when the first machine's is killed, nobody is texted twice and nobody is lost."""
    second = Process("worker", "--data", str(tmp_path / "second"), database_url=url, secret_key=KEY, lease_seconds="11")
    try:
        until(lambda: second.logged(action="start"), what="the second worker")
        numbers = [f"+120255501{place:02d}" for place in range(10, 14)]
        some = [tenants.of(init(url, server.data, f"shop-{at}", *_number(smsc, at, numbers))) for at in range(4)]
        smsc.chaos(answer_delay=0.1)
        blasts = {tenant.key: _blast_at_once(tenant) for tenant in some}
        until(lambda: smsc.counts()["submits"] >= 300, what="the first texts")
        server.process.kill("worker")
        for tenant in some:
            ledger = until(partial(_at_rest, tenant, blasts[tenant.key]), 60, "the end of the blast")
            assert ledger["total"] == 500
            assert ledger["reasons"].get("delivered", 0) + ledger["reasons"].get("in-doubt", 0) == 500
        counts = smsc.counts()
        assert counts["duplicates"] == 0
        assert counts["submits"] <= 2000
    finally:
        second.stop()
    owners = {line["owner"] for process in (server.process, second) for line in process.logged(action="start")}
    assert len(owners) == 2


def _number(smsc: Smsc, at: int, numbers: list[str]) -> tuple[str, ...]:
    return ("--smsc", smsc.address(f"shop-{at}"), "--phone-number", numbers[at])


def _blast_at_once(tenant: Tenant) -> str:
    engagement_id = tenant.prepare()
    assert tenant.address(engagement_id, [number(each) for each in range(500)]).status_code == 201
    tenant.schedule(engagement_id)
    return engagement_id


def _at_rest(tenant: Tenant, engagement_id: str) -> dict[str, dict[str, int]] | None:
    ledger = tenant.ledger(engagement_id)
    return None if ledger["pending"] or ledger["processing"] else ledger
