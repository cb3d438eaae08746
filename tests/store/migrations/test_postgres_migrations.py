"""The schema's history on PostgreSQL: the same promises as on SQLite, read from the server's catalogues."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

import postgres
from opengage.store import migrations
from opengage.store.migrations import newest, upgrade_postgres
from opengage.store.tables import metadata

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
    a.attstattarget
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
STORAGE = """
SELECT relname, array_to_string(ARRAY(SELECT unnest(reloptions) ORDER BY 1), ', ') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def url(postgres_server: postgres.Server) -> Iterator[str]:
    """A database without tables."""
    with postgres_server.database(empty=True) as made:
        yield made


def schema(server: postgres.Server, url: str) -> dict[str, list[Any]]:
    """All that the catalogues know of the tables, in an order of their own."""
    asked = {"columns": COLUMNS, "constraints": CONSTRAINTS, "indexes": INDEXES, "storage": STORAGE}
    return {
        name: sorted((row for row in server.look(url, query) if not row[0].startswith("alembic_version")), key=str)
        for name, query in asked.items()
    }


def declared() -> str:
    """What `store.tables` declares, as statements."""
    statements: list[str] = []

    def keep(statement: Any, *_: Any, **__: Any) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = sa.create_mock_engine("postgresql+asyncpg://", keep)
    metadata.create_all(engine, checkfirst=False)
    return ";\n".join(statements)


def test_a_replay_is_the_declared_schema(postgres_server: postgres.Server, url: str) -> None:
    """Columns, keys, checks, indexes with their predicates, and how the rows are kept."""
    upgrade_postgres(url)
    with postgres_server.database(empty=True) as other:
        postgres_server.execute(other, declared())
        wanted, found = schema(postgres_server, other), schema(postgres_server, url)
    assert len(wanted["columns"]) > 200
    assert any("fillfactor=75" in (options or "") for _, options in wanted["storage"])
    assert ("envelopes_pkey", "fillfactor=50") in wanted["storage"]
    assert found == wanted


def test_an_upgrade_says_where_it_came_from(url: str) -> None:
    """From nothing to the newest; a second time changes nothing."""
    assert upgrade_postgres(url) == (None, newest())
    assert upgrade_postgres(url) == (newest(), newest())


def test_an_upgrade_goes_on_where_the_last_one_ended(postgres_server: postgres.Server, url: str) -> None:
    """A database of an earlier release gets what it lacks, and keeps its rows."""
    postgres_server.execute(url, migrations.script(None, "0001"))
    postgres_server.execute(url, "INSERT INTO memberships VALUES (1, '\\x00', 1, 1, 'Ada', 'owner', true)")
    assert upgrade_postgres(url) == ("0001", newest())
    assert postgres_server.look(url, "SELECT name FROM memberships") == [("Ada",)]


def test_a_broken_upgrade_leaves_nothing(
    postgres_server: postgres.Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it fails at its very end the database is as it was, and the next try starts from there."""
    script = migrations.script
    with monkeypatch.context() as broken:
        broken.setattr(migrations, "script", lambda *between: script(*between) + "SELECT 1 / 0;")
        with pytest.raises(asyncpg.DivisionByZeroError):
            upgrade_postgres(url)
    assert postgres_server.look(url, TABLES) == []
    assert upgrade_postgres(url) == (None, newest())


def test_two_upgrades_at_once(url: str) -> None:
    """Processes that start together take turns; one migrates, the other finds it done."""
    with ThreadPoolExecutor(2) as pool:
        done = sorted(pool.map(upgrade_postgres, [url, url]), key=str)
    assert done == [(newest(), newest()), (None, newest())]
