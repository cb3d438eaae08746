"""The schema's history: replayed from nothing it is the declared schema, and a broken replay leaves nothing behind."""

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from opengage.store.migrations import current, newest, upgrade
from opengage.store.tables import metadata


@pytest.fixture
def url(tmp_path: Path) -> sa.URL:
    """An SQLite file that does not exist yet."""
    return sa.URL.create("sqlite", database=str(tmp_path / "opengage.db"))


@pytest.fixture
def replayed(url: sa.URL) -> Iterator[sa.Connection]:
    """A database that every revision ran on."""
    upgrade(url)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def ddl(connection: sa.Connection) -> dict[str, str]:
    """The statement behind each table and index, in one spelling."""
    found = connection.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {name: _plain(sql) for name, sql in found if name != "alembic_version"}


def _plain(sql: str) -> str:
    return re.sub(r"\s+", "", sql).replace('"', "").lower()


def parts(sql: str) -> list[str]:
    """A table's definitions in an order of their own, since constraints may be listed in any; an index as it is."""
    if not sql.startswith("createtable"):
        return [sql]
    head, _, rest = sql.partition("(")
    body, _, tail = rest.rpartition(")")
    definitions, depth = [""], 0
    for character in body:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            definitions.append("")
        else:
            definitions[-1] += character
    return [head, *sorted(definitions), tail]


def test_a_replay_is_the_declared_schema(replayed: sa.Connection) -> None:
    """Alembic sees no difference, and neither does a look at the statements themselves (which CHECKs need)."""
    context = MigrationContext.configure(replayed, opts={"compare_type": True, "compare_server_default": True})
    assert compare_metadata(context, metadata) == []
    declared = sa.create_engine("sqlite://")
    with declared.connect() as connection:
        metadata.create_all(connection)
        wanted, found = ddl(connection), ddl(replayed)
    declared.dispose()
    assert set(found) == set(wanted)
    assert {name: parts(sql) for name, sql in found.items()} == {name: parts(sql) for name, sql in wanted.items()}


def test_an_upgrade_says_where_it_came_from(url: sa.URL, tmp_path: Path) -> None:
    """From nothing to the newest; a second time changes nothing."""
    assert upgrade(url) == (None, newest())
    before = (tmp_path / "opengage.db").read_bytes()
    assert upgrade(url) == (newest(), newest())
    assert (tmp_path / "opengage.db").read_bytes() == before


def test_a_broken_upgrade_leaves_nothing(url: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it fails halfway the database is as it was, and the next try starts from there."""
    create = op.create_table

    def fail_at_texts(name: str, *columns: object, **options: object) -> object:
        if name == "texts":
            raise RuntimeError("power cut")
        return create(name, *columns, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(op, "create_table", fail_at_texts)
        with pytest.raises(RuntimeError):
            upgrade(url)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
        assert current(connection) is None
    engine.dispose()
    assert upgrade(url) == (None, newest())


def test_two_upgrades_at_once(url: sa.URL) -> None:
    """Processes that start together take turns; one migrates, the other finds it done."""
    with ThreadPoolExecutor(2) as pool:
        done = sorted(pool.map(upgrade, [url, url]), key=str)
    assert done == [(newest(), newest()), (None, newest())]


def test_an_upgrade_keeps_what_is_there(url: sa.URL, tmp_path: Path) -> None:
    """Rows of an existing installation survive."""
    upgrade(url)
    with sqlite3.connect(tmp_path / "opengage.db") as connection:
        connection.execute("INSERT INTO memberships VALUES (1, x'00', 1, 1, 'Ada', 'owner', 1, NULL, NULL)")
    connection.close()
    upgrade(url)
    with sqlite3.connect(tmp_path / "opengage.db") as connection:
        assert connection.execute("SELECT name FROM memberships").fetchall() == [("Ada",)]
    connection.close()
