"""Backup while serving, restore, and moves between the databases, as an operator runs them."""

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres
from blasts import Tenants
from processes import Server, Smsc, ended, until
from running import run


@pytest.fixture
def smsc(tmp_path: Path) -> Iterator[Smsc]:
    """The network, outside: it outlives the installation."""
    made = Smsc(tmp_path)
    with ended(made):
        yield made


def test_backed_up_in_mid_blast_and_restored(tmp_path: Path, smsc: Smsc) -> None:
    """The blast ends, its database is lost, the backup is restored and served: no handset rings a second time."""
    first = Server(tmp_path / "first", window="100")
    file = tmp_path / "mid.dump"
    with ended(first):
        tenants = Tenants(first.ready().url, first.data, "backup")
        tenant = tenants.new(smsc.address)
        smsc.chaos(answer_delay=0.2)
        engagement_id = tenant.blast(1000)
        until(lambda: smsc.counts()["submits"] >= 200, what="a part of the blast")
        smsc.chaos(answer_delay=3)  # the rest takes longer than a backup, however busy the machine is
        done = run("backup", str(file), "--data", str(first.data))
        assert done.returncode == 0, done.stderr
        smsc.chaos()
        assert tenant.completed(engagement_id)["total"] == 1000
        tenants.close()
    told = run("restore", str(file), "--data", str(tmp_path / "second"), "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["paused"] == 1
    before = smsc.counts()
    assert (before["submits"], before["duplicates"]) == (1000, 0)
    second = Server(tmp_path / "second")
    with ended(second):
        headers = tenant.headers  # the token is as good as before
        tenant = Tenants(second.ready().url, second.data, "after").new()
        tenant.headers = headers
        until(lambda: second.process.logged(action="lane"), what="the lane")
        assert tenant.status(engagement_id) == "paused"
        ledger = tenant.ledger(engagement_id)
        assert (ledger["total"], ledger["reasons"].get("sending", 0)) == (1000, 0)
        assert ledger["reasons"]["in-doubt"] >= 1
        tenant.http.close()
    assert smsc.counts()["submits"] == 1000


def test_a_backup_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    """Mode 0600, and a second one of the same name is refused."""
    data, file = tmp_path / "data", tmp_path / "one.dump"
    assert run("init", "--data", str(data), "--account", "firstbank").returncode == 0
    assert run("backup", str(file), "--data", str(data)).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = run("backup", str(file), "--data", str(data))
    assert (again.returncode, "never overwritten" in again.stderr) == (3, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "one.dump"]
    refused = run("restore", str(file), "--data", str(data))
    assert (refused.returncode, "not empty" in refused.stderr) == (3, True)


def test_a_damaged_file_is_refused_in_words(tmp_path: Path) -> None:
    """And so is one that is not there, and one that is no backup."""
    other = tmp_path / "other"
    other.write_text("hello")
    for file in (other, tmp_path / "nowhere"):
        done = run("restore", str(file), "--data", str(tmp_path / "new"))
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("opengage: ")


def test_there_and_back_again(tmp_path: Path, postgres_server: postgres.Server) -> None:
    """SQLite to PostgreSQL to SQLite: two backups of the same hold the same rows; no password in the command line."""
    one, other = tmp_path / "one", tmp_path / "other"
    assert run("init", "--data", str(one), "--account", "firstbank").returncode == 0
    with postgres_server.database(empty=True) as url:
        there = run("migrate-data", f"sqlite:{one}", "env:OPENGAGE_DATABASE_URL", database_url=url, data=str(tmp_path))
        assert there.returncode == 0, there.stderr
        assert "ledgers balance" in there.stdout
        twice = run("migrate-data", f"sqlite:{one}", url)
        assert (twice.returncode, "not empty" in twice.stderr) == (3, True)
        back = run("migrate-data", url, f"sqlite:{other}")
        assert back.returncode == 0, back.stderr
    assert _accounts(one) == _accounts(other)


def _accounts(data: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(data / "opengage.db")
    try:
        return connection.execute("SELECT * FROM accounts JOIN api_tokens USING (account_id)").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://shop:hunter2@127.0.0.1/x", "command line"),
        ("env:NOT_THERE", "no environment variable"),
        ("mysql://x", "A database is"),
        ("sqlite:somewhere", "same database"),
    ],
)
def test_wrong_places_are_refused(address: str, words: str) -> None:
    """In words, and without the password."""
    done = run("migrate-data", "sqlite:somewhere", address)
    assert (done.returncode, words in done.stderr) == (3, True), done.stderr
    assert "hunter2" not in done.stderr + done.stdout
