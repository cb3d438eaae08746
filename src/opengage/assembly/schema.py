"""The database's schema, brought to what this version needs. Apart from `store`: only this needs Alembic."""

import fcntl

import sqlalchemy as sa

from opengage.assembly.store import database_path
from opengage.domain.errors import Unavailable
from opengage.settings import Settings
from opengage.store import migrations


def migrate(settings: Settings) -> tuple[str | None, str]:
    """Make the data folder and bring its database to this version's schema; (revision before, revision after).

    Raises Unavailable when the folder or the file cannot be used.
    """
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # two processes that start at once on a new folder must not both make its tables
        with (settings.data / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return migrations.upgrade(sa.URL.create("sqlite", database=str(database_path(settings))))
    except (OSError, sa.exc.DatabaseError) as error:
        raise Unavailable(
            f"The data folder {settings.data} cannot be used ({error}). Check that it is yours to write and on a disk "
            "with free space, or name another one with --data."
        ) from error
