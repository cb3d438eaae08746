"""The schema's history, replayed by Alembic: `opengage migrate`, and `opengage serve` at its start."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

_LOCK_TIMEOUT: Final = 60.0
"""Seconds to wait for another process's upgrade."""


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


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, poolclass=sa.NullPool)
    # Python's driver begins a transaction before the first INSERT, and leaves what creates tables outside of it
    options = {"isolation_level": None, "timeout": _LOCK_TIMEOUT}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)
    sa.event.listen(engine, "begin", _begin_immediately)
    return engine


def _begin_immediately(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
