"""The database that the settings name: where it lies, its schema, and opening it."""

from pathlib import Path

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
    """The store that the settings name. Raises Unavailable when it has not been made yet."""
    path = database_path(settings)
    if not path.is_file():
        raise Unavailable(f"There is no database at {path}. Run “opengage migrate”, or name the folder with --data.")
    return SqliteStore(path)
