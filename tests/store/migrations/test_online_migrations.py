"""An upgrade of a PostgreSQL database in use: nobody waits behind it, and once interrupted it goes on."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
from alembic.script import ScriptDirectory

import postgres
from opengage.domain.errors import Unavailable
from opengage.store import migrations
from opengage.store.migrations import newest, online, upgrade_postgres
from store.migrations.test_postgres_migrations import schema

SOON = 5.0
"""Seconds in which whoever uses the database must have been served, whatever the upgrade waits for."""
WORK = """
CREATE TABLE fresh (account_id BIGINT NOT NULL, name TEXT);

CREATE INDEX fresh_name ON fresh (account_id, name);

ALTER TABLE tags ADD COLUMN more BIGINT;

ALTER TABLE tags ADD CONSTRAINT tags_more CHECK (more IS NULL OR more > 0);

CREATE INDEX tags_more_id ON tags (account_id, more);

DROP INDEX texts_single;

CREATE INDEX texts_single ON texts (account_id, recipient, created_at);

ALTER TABLE memberships ADD CONSTRAINT memberships_one UNIQUE (account_id, id, name);

-- Running upgrade
ALTER INDEX texts_single SET (fillfactor = 50);

UPDATE alembic_version SET version_num='9999' WHERE alembic_version.version_num = '{before}';

"""
ADD_TAG = "INSERT INTO tags VALUES ({account}, '\\x01', 1, 1, '\\x01', '\\x01', 'Spring')"
Open = Callable[[], Awaitable["asyncpg.Connection[Any]"]]


@pytest.fixture
def url(postgres_server: postgres.Server) -> Iterator[str]:
    """A database in use, at the newest revision."""
    with postgres_server.database() as made:
        yield made


@pytest.fixture
async def open_(url: str) -> AsyncIterator[Open]:
    """Opens connections to it, as its users would: they wait so long and no longer."""
    async with contextlib.AsyncExitStack() as all_of_them:

        async def one() -> "asyncpg.Connection[Any]":
            made = await asyncpg.connect(url, server_settings={"statement_timeout": f"{SOON * 1000:.0f}"})
            all_of_them.push_async_callback(made.close)
            return made

        yield one


@pytest.fixture
async def upgrading(url: str) -> AsyncIterator[Open]:
    """Opens connections of an upgrade, which have no limit."""
    async with contextlib.AsyncExitStack() as all_of_them:

        async def one() -> "asyncpg.Connection[Any]":
            made = await asyncpg.connect(url, statement_cache_size=0)
            all_of_them.push_async_callback(made.close)
            return made

        yield one


def work() -> online.Plan:
    """An upgrade with something of every kind."""
    return online.plan(WORK.format(before=newest()))


async def seen(connection: "asyncpg.Connection[Any]", question: str, *parameters: Any) -> None:
    """Wait until a question is answered with yes."""
    async with asyncio.timeout(30):
        while not await connection.fetchval(question, *parameters):
            await asyncio.sleep(0.01)


WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1)"


def test_what_would_hold_others_up_is_parted_from_what_does_not() -> None:
    """Catalogue changes first, checks not valid yet; indexes aside; what takes a place, and the revision, at last."""
    made = work()
    assert [each.split()[:3] for each in made.first] == [
        ["CREATE", "TABLE", "fresh"],
        ["CREATE", "INDEX", "fresh_name"],
        ["ALTER", "TABLE", "tags"],
        ["ALTER", "TABLE", "tags"],
    ]
    assert made.first[3].endswith(" NOT VALID")
    assert made.looks == ["ALTER TABLE tags VALIDATE CONSTRAINT tags_more"]
    assert [each.statement for each in made.indexes] == [
        "CREATE INDEX CONCURRENTLY tags_more_id ON tags (account_id, more)",
        "CREATE INDEX CONCURRENTLY texts_single_next ON texts (account_id, recipient, created_at)",
        "CREATE UNIQUE INDEX CONCURRENTLY memberships_one ON memberships (account_id, id, name)",
    ]
    assert made.last == [
        "DROP INDEX texts_single",
        "ALTER INDEX texts_single_next RENAME TO texts_single",
        "ALTER TABLE memberships ADD CONSTRAINT memberships_one UNIQUE USING INDEX memberships_one",
        "ALTER INDEX texts_single SET (fillfactor = 50)",
        f"UPDATE alembic_version SET version_num='9999' WHERE alembic_version.version_num = '{newest()}'",
    ]


HARMLESS = re.compile(
    r"CREATE TABLE |CREATE INDEX |COMMENT "
    r"|ALTER TABLE \w+ (ADD COLUMN (?!.* NOT NULL$)|ADD COLUMN .* DEFAULT \S+ NOT NULL$"
    r"|ALTER COLUMN \w+ SET STATISTICS \d+(, ALTER COLUMN \w+ SET STATISTICS \d+)*$"
    r"|ALTER COLUMN \w+ DROP NOT NULL$|DROP CONSTRAINT |SET \(|ADD CONSTRAINT .* NOT VALID$)",
    re.DOTALL,
)


def test_no_revision_holds_others_up() -> None:
    """What every revision after the first does at once is quick however many rows there are."""
    history = ScriptDirectory.from_config(migrations._config())
    revisions = [each for each in history.walk_revisions() if each.down_revision]
    assert revisions
    for each in revisions:
        made = online.plan(migrations.script(str(each.down_revision), each.revision))
        assert made.last, "the revision counts at the end"
        for statement in made.first:
            assert HARMLESS.match(statement), f"{each.revision} would make others wait: {statement}"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE texts SET code = ''",
        "ALTER TABLE texts ALTER COLUMN code SET NOT NULL",
        "ALTER TABLE texts ALTER COLUMN code TYPE BIGINT",
        "ALTER TABLE texts ADD COLUMN x BIGINT NOT NULL",
        "ALTER TABLE texts ALTER COLUMN code DROP DEFAULT",
        "ALTER TABLE texts ADD CONSTRAINT x CHECK (true)",
        "ALTER TABLE texts DROP COLUMN code",
    ],
)
def test_the_list_of_what_is_harmless_bites(statement: str) -> None:
    """What looks at every row, rewrites a table, or takes away what the running version uses is not on it."""
    assert not HARMLESS.match(statement)


async def test_a_long_reader_holds_up_the_upgrade_and_nobody_else(open_: Open, upgrading: Open) -> None:
    """While the upgrade waits for its table, others read and write it; when the reader ends, it comes to its end."""
    reader, user, watcher = await open_(), await open_(), await open_()
    await reader.execute("BEGIN; SELECT count(*) FROM tags")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(online.advance(await upgrading(), work(), "9999"))
        for account in range(2):
            await seen(watcher, WAITS, "LOCK TABLE%")
            await user.execute(ADD_TAG.format(account=account))
        assert await user.fetchval("SELECT count(*) FROM tags") == 2
        await reader.execute("COMMIT")
    assert await user.fetchval("SELECT version_num FROM alembic_version") == "9999"


async def test_a_long_writer_holds_up_an_index_and_nobody_else(open_: Open, upgrading: Open) -> None:
    """An index is built beside whoever writes; the one that it replaces is there until it is done."""
    writer, user, watcher = await open_(), await open_(), await open_()
    await writer.execute(f"BEGIN; {ADD_TAG.format(account=1)}")
    index = work().indexes[1]
    first = online.Index("tags_name", "tags", "(account_id, name)")
    async with asyncio.TaskGroup() as tasks:
        upgrade = await upgrading()
        tasks.create_task(online.build(upgrade, first))
        await seen(watcher, WAITS, "CREATE INDEX%")
        await user.execute(ADD_TAG.format(account=2))
        await writer.execute("COMMIT")
    await online.build(upgrade, index)
    found = await user.fetch("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'texts_single%' ORDER BY indexname")
    assert ["created_at" in row[0] for row in found] == [False, True]


async def test_everything_takes_its_place(open_: Open, upgrading: Open) -> None:
    """Indexes are valid, checks were looked through, the replaced index has its name, and no mark is left."""
    user = await open_()
    await online.advance(await upgrading(), work(), "9999")
    assert await user.fetchval("SELECT bool_and(indisvalid) FROM pg_index")
    assert await user.fetchval("SELECT bool_and(convalidated) FROM pg_constraint")
    definition = await user.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = 'texts_single'")
    assert definition.endswith("(account_id, recipient, created_at) WITH (fillfactor='50')")
    assert await user.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_next'") == 0
    assert await user.fetchval("SELECT contype FROM pg_constraint WHERE conname = 'memberships_one'") == b"u"
    assert await user.fetchval("SELECT obj_description('alembic_version'::regclass)") is None
    with pytest.raises(asyncpg.CheckViolationError):
        await user.execute(ADD_TAG.format(account=3).replace(")", ", 0)"))


async def test_an_interrupted_build_is_built_anew(open_: Open, upgrading: Open) -> None:
    """The upgrade's process dies over an index: the database counts as before, and the next one goes on from there."""
    writer, user = await open_(), await open_()
    dying = await upgrading()
    pid = dying.get_server_pid()
    made = work()
    await online._at_once(dying, [*made.first, "COMMENT ON TABLE alembic_version IS 'expanded to 9999'"])
    await writer.execute(f"BEGIN; {ADD_TAG.format(account=1)}")
    task = asyncio.create_task(online.advance(dying, made, "9999"))
    await seen(user, WAITS, "CREATE INDEX%")
    await user.execute(f"SELECT pg_terminate_backend({pid})")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await task
    await writer.execute("COMMIT")
    is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'tags_more_id'::regclass"
    assert await user.fetchval(is_valid) is False
    assert await user.fetchval("SELECT version_num FROM alembic_version") == newest()
    await online.advance(await upgrading(), made, "9999")
    assert await user.fetchval(is_valid) is True
    assert await user.fetchval("SELECT version_num FROM alembic_version") == "9999"


async def test_who_is_in_the_way_is_told(open_: Open, upgrading: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so long the upgrade gives up, with nothing done, and names the oldest transactions."""
    monkeypatch.setattr(online, "PATIENCE", 0.1)
    reader = await open_()
    await reader.execute("BEGIN; SELECT count(*) FROM tags")
    with pytest.raises(Unavailable, match=rf"process {reader.get_server_pid()} "):
        await online.advance(await upgrading(), work(), "9999")
    assert await reader.fetchval("SELECT to_regclass('fresh')") is None


def test_two_upgrades_of_a_database_in_use(postgres_server: postgres.Server) -> None:
    """They take turns, though one waits while the other builds indexes; the schema is that of a fresh database."""
    with postgres_server.database(empty=True) as old, postgres_server.database() as fresh:
        postgres_server.execute(old, migrations.script(None, "0001"))
        with ThreadPoolExecutor(2) as pool:
            done = sorted(pool.map(upgrade_postgres, [old, old]))
        assert done == [("0001", newest()), (newest(), newest())]
        assert schema(postgres_server, old) == schema(postgres_server, fresh)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_upgrade_that_dies_again_and_again_goes_on(
    postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Each try dies at a later statement of its own than the one before; in the end the schema is a fresh one's."""
    execute, left = asyncpg.Connection.execute, [0]

    async def dying(self: "asyncpg.Connection[Any]", query: str, *rest: Any, **named: Any) -> Any:
        if query.startswith("SET LOCAL idle"):
            return await execute(self, query, *rest, **named)  # the turn's own connection
        left[0] -= 1
        if when == "after":
            done = await execute(self, query, *rest, **named)
        if left[0] < 0:
            self.terminate()
            raise ConnectionResetError
        return done if when == "after" else await execute(self, query, *rest, **named)

    with postgres_server.database(empty=True) as old, postgres_server.database() as fresh:
        postgres_server.execute(old, migrations.script(None, "0001"))
        monkeypatch.setattr(asyncpg.Connection, "execute", dying)
        done, first = None, len(online.plan(migrations.script("0001", newest())).first)
        for left[0] in (first // 2, first + 14, *range(6, 400, 12)):
            with contextlib.suppress(OSError, asyncpg.InterfaceError):
                done = upgrade_postgres(old)
                break
        monkeypatch.undo()
        assert done == ("0001", newest())
        assert schema(postgres_server, old) == schema(postgres_server, fresh)
