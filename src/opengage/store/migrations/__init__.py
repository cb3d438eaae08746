"""The schema's history, replayed by Alembic: `opengage migrate`, and `opengage serve` at its start.

On SQLite the revisions run over a connection. On PostgreSQL Alembic writes them down as one script, and asyncpg runs
that: the driver that everything else here uses is no driver of SQLAlchemy's without threads of its own.
"""

import asyncio
import io
import threading
from pathlib import Path
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

_LOCK_TIMEOUT: Final = 60.0
"""Seconds to wait for another process's upgrade."""

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


def upgrade(url: sa.URL) -> tuple[str | None, str]:
    """Bring a database to the newest revision; running it twice is the same as once. (revision before, after)

    All or nothing: an upgrade that fails, or whose process dies, leaves the database as it was. Processes that upgrade
    at the same time take turns, and those that come later find it done.
    """
    if url.get_backend_name() == "postgresql":
        return _aside(_upgrade_postgres, url)
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            before = current(connection)
            if before != newest():
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    finally:
        engine.dispose()
    return before, newest()


def script(before: str | None) -> str:
    """The statements that bring a PostgreSQL database from one revision to the newest."""
    config = _config()
    config.output_buffer = io.StringIO()
    config.attributes["dialect"] = "postgresql"
    command.upgrade(config, f"{before or 'base'}:head", sql=True)
    return config.output_buffer.getvalue()


async def _upgrade_postgres(url: sa.URL) -> tuple[str | None, str]:
    connection = await asyncpg.connect(url.render_as_string(hide_password=False), statement_cache_size=0)
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {int(_LOCK_TIMEOUT * 1000)}")
            await connection.execute(f"SELECT pg_advisory_xact_lock({_TURN})")
            before: str | None = None
            if await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
                before = await connection.fetchval("SELECT version_num FROM alembic_version")
            if before != newest():
                await connection.execute(script(before))
    finally:
        await connection.close()
    return before, newest()


def _aside(work: Any, url: sa.URL) -> tuple[str | None, str]:
    """Run a coroutine to its end whether or not the caller has an event loop."""
    told: list[Any] = []

    def run() -> None:
        try:
            told.append(asyncio.run(work(url)))
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(told[0], BaseException):
        raise told[0]
    found: tuple[str | None, str] = told[0]
    return found


def _engine(url: sa.URL) -> sa.Engine:
    # Python's driver begins a transaction before the first INSERT, and leaves what creates tables outside of it
    options = {"isolation_level": None, "timeout": _LOCK_TIMEOUT}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)
    sa.event.listen(engine, "begin", _begin_immediately)
    return engine


def _begin_immediately(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
