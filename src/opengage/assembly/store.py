"""The database that the settings name: where it lies, its schema, and opening it."""

from functools import cache, partial
from pathlib import Path

from opengage.assembly.secrets import sealer
from opengage.domain.errors import Unavailable
from opengage.settings import Settings
from opengage.store.contract import Store
from opengage.store.sqlite import SqliteStore

DATABASE = "opengage.db"
"""The SQLite file in the data folder."""


def database_path(settings: Settings) -> Path:
    """Where the embedded database lies."""
    return settings.data / DATABASE


def open_store(settings: Settings) -> Store:
    """The store that the settings name. Raises Unavailable when it has not been made yet.

    A PostgreSQL server is connected to at the first use.
    """
    seals = cache(partial(sealer, settings))
    if settings.database_url is not None:
        # here, because the driver and what it needs are 4 MB that no process on an embedded database should hold
        from opengage.store.postgres import PostgresOptions, PostgresStore  # noqa: PLC0415

        return PostgresStore(
            PostgresOptions(
                url=settings.database_url,
                pool_size=settings.database_pool_size,
                statement_timeout=settings.database_statement_timeout_seconds,
                is_pooled=settings.database_is_pooled,
            ),
            seals=seals,
        )
    path = database_path(settings)
    if not path.is_file():
        raise Unavailable(f"There is no database at {path}. Run “opengage migrate”, or name the folder with --data.")
    return SqliteStore(path, seals=seals)
