"""The database's schema, brought to what this version needs. Apart from `store`: only this needs Alembic."""

import contextlib
import fcntl
import sqlite3
from pathlib import Path

import asyncpg
import sqlalchemy as sa

from opengage.assembly.store import database_path
from opengage.domain.errors import Unavailable
from opengage.settings import Settings
from opengage.store import migrations


def migrate(settings: Settings, to: str | None = None) -> tuple[str | None, str]:
    """Make the data folder and bring its database to this version's schema; (revision before, revision after).

    `to` names an earlier revision, for what an earlier version has backed up.

    Raises Unavailable when the folder, the file or the server cannot be used.
    """
    if settings.database_url is not None:
        return _migrate_server(settings, settings.database_url, to)
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # two processes that start at once on a new folder must not both make its tables
        with (settings.data / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            revisions = migrations.upgrade(sa.URL.create("sqlite", database=str(database_path(settings))), to)
            _write_ahead(database_path(settings))
            return revisions
    except (OSError, sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        # the driver's own words: SQLAlchemy adds the statement and an address of its manual
        cause = getattr(error, "orig", None) or error
        raise Unavailable(
            f"The data folder {settings.data} cannot be used ({cause}). Check that it is yours to write and on a disk "
            "with free space, or name another one with --data."
        ) from error


def _migrate_server(settings: Settings, url: str, to: str | None) -> migrations.Revisions:
    """The same on PostgreSQL. The folder holds what is this machine's own, and nothing that another one needs."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return migrations.upgrade_postgres(url, to)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(
            f"The database server or the data folder {settings.data} cannot be used ({error}). Check that the server "
            "runs, and that OPENGAGE_DATABASE_URL names a database of UTF-8 whose owner is its user."
        ) from error


def _write_ahead(path: Path) -> None:
    """Switch the file to WAL for good: the switch cannot wait for others, so nobody may do it later, in mid-use."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
