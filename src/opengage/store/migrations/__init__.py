"""The schema's history, replayed by Alembic: `opengage migrate`, and `opengage serve` at its start."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory


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
    """Bring a database to the newest revision; running it twice is the same as once. (revision before, after)"""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        before = current(connection)
        if before != newest():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    engine.dispose()
    return before, newest()
