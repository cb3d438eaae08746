"""The schema's history, replayed by Alembic: `opengage migrate`, and `opengage serve` at its start.

On SQLite the revisions run over a connection. On PostgreSQL Alembic writes them down as one script, and asyncpg runs
that: the driver that everything else here uses is no driver of SQLAlchemy's without threads of its own. A database that
is in use already is upgraded in small parts (`online`).
"""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from opengage.domain.errors import Unavailable
from opengage.store.migrations import online

_LOCK_TIMEOUT: Final = 60.0
"""Seconds to wait for another process's upgrade of an SQLite file."""
_LOOK: Final = 0.1
"""Seconds between two looks whether another process's upgrade is done."""

_TURN: Final = 0x4F47_0000_0000_0000
"""The advisory lock of upgrades; `store.postgres` has its own in the numbers above it."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def newest() -> str:
    """The last revision of the history; `store.revision.NEEDED` names the same one."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current(connection: sa.Connection) -> str | None:
    """The revision that a database stands at, None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


Revisions = tuple[str | None, str]
"""(revision before, None when the database was empty; revision after)"""


def upgrade(url: sa.URL, to: str | None = None) -> Revisions:
    """Bring an SQLite database to a revision, the newest if none is named; running it twice is the same as once.

    All or nothing: an upgrade that fails, or whose process dies, leaves the database as it was. Processes that upgrade
    at the same time take turns, and those that come later find it done.
    """
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            before = current(connection)
            after = target(before, to)
            if before != after:
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, after)
    finally:
        engine.dispose()
    return before, after


def target(before: str | None, to: str | None) -> str:
    """The revision that an upgrade leads to: the one that was named, or the newest.

    A database that a later version of Opengage has upgraded already stays as it is: a restart on the old version
    (a rollback, a rolling restart) is no reason to stop, and `store.revision` says whether that schema can be used.
    """
    history = ScriptDirectory.from_config(_config())
    known = {script.revision for script in history.walk_revisions()}
    if before is not None and before not in known:
        return before
    return to or newest()


def script(before: str | None, after: str = "head") -> str:
    """The statements that bring a PostgreSQL database from one revision to another, the newest if none is named."""
    config = _config()
    config.output_buffer = io.StringIO()
    config.attributes["dialect"] = "postgresql"
    command.upgrade(config, f"{before or 'base'}:{after}", sql=True)
    return config.output_buffer.getvalue()


def upgrade_postgres(url: str, to: str | None = None) -> Revisions:
    """The same for a PostgreSQL database, named as in the setting `database_url`.

    An empty one is made in one transaction. One in use is upgraded beside its users, a part at a time: an upgrade that
    fails or whose process dies goes on where it stopped when it is run again, and until its end the database counts as
    one of the revision before. Raises Unavailable when it cannot get its turn or its locks.
    """
    with ThreadPoolExecutor(1) as thread:  # the caller may be within an event loop
        return thread.submit(asyncio.run, _upgrade_postgres(url, to)).result()


async def _upgrade_postgres(url: str, to: str | None) -> Revisions:
    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        before = await _revision(connection)
        if before is not None and before == target(before, to):
            return before, before
        async with _turn(url):
            before = await _revision(connection)
            after = target(before, to)
            if before is None:
                async with connection.transaction():
                    await connection.execute(script(before, after))
            else:
                # an index may take hours, whatever the role's limit for statements is
                await connection.execute("SET statement_timeout = 0")
                for one, next_ in _steps(before, after):
                    await online.advance(connection, online.plan(script(one, next_)), next_)
    finally:
        await connection.close()
    return before, after


async def _revision(connection: "asyncpg.Connection[Any]") -> str | None:
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return found


def _steps(before: str, after: str) -> list[tuple[str, str]]:
    """The way from one revision to another, one at a time."""
    if before == after:
        return []
    history = ScriptDirectory.from_config(_config()).iterate_revisions(after, before)
    way = [before, *reversed([each.revision for each in history])]
    return list(pairwise(way))


@contextlib.asynccontextmanager
async def _turn(url: str) -> AsyncIterator[None]:
    """Be the only one that upgrades, until the block ends or this process does.

    The lock is asked for and not waited for: who waits holds a snapshot, and an index that is built CONCURRENTLY waits
    for those. It belongs to a transaction on a connection of its own, which a pooler lets be.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + online.PATIENCE
    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        while True:
            async with connection.transaction():
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                if await connection.fetchval(f"SELECT pg_try_advisory_xact_lock({_TURN})"):
                    await connection.execute("SELECT 1")  # in place of the answer above, which keeps its snapshot
                    yield
                    return
            if loop.time() > deadline:
                raise Unavailable("Another process upgrades the database still. Wait for it, then run this again.")
            await asyncio.sleep(_LOOK)
    finally:
        await connection.close()


def _engine(url: sa.URL) -> sa.Engine:
    # Python's driver begins a transaction before the first INSERT, and leaves what creates tables outside of it
    options = {"isolation_level": None, "timeout": _LOCK_TIMEOUT}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)
    sa.event.listen(engine, "begin", _begin_immediately)
    return engine


def _begin_immediately(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
