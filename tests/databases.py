"""The databases under test, side by side: opened as a process does, and looked at as a stranger does."""

import re
import sqlite3
from pathlib import Path
from typing import Any, Protocol

import postgres
from opengage.store.contract import Store
from opengage.store.postgres import PostgresOptions, PostgresStore
from opengage.store.sqlite import SqliteStore
from seals import seals

Rows = list[tuple[Any, ...]]

KINDS = ("sqlite", "postgres")


class Database(Protocol):
    """A database with the newest schema. `look` and `change` take a statement with ? for each parameter."""

    keeps_nul: bool
    """Whether its texts can hold the character NUL."""

    def open(self) -> Store:
        """A store on it, as another process of the same installation would have one."""
        ...

    def look(self, statement: str, *parameters: Any) -> Rows:
        """What is committed."""
        ...

    def change(self, statement: str, *parameters: Any) -> None:
        """A change from outside."""
        ...


class SqliteFile:
    """See Database."""

    keeps_nul = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> Store:
        """See Database.open."""
        return SqliteStore(self._path, seals=seals)

    def look(self, statement: str, *parameters: Any) -> Rows:
        """See Database.look."""
        connection = sqlite3.connect(self._path)
        try:
            with connection:
                return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()

    def change(self, statement: str, *parameters: Any) -> None:
        """See Database.change."""
        self.look(statement, *parameters)


class PostgresDatabase:
    """See Database."""

    keeps_nul = False

    def __init__(self, url: str, server: postgres.Server) -> None:
        self.url = url
        self._server = server

    def open(self, **options: Any) -> Store:
        """See Database.open."""
        return PostgresStore(PostgresOptions(self.url, **options), seals=seals)

    def look(self, statement: str, *parameters: Any) -> Rows:
        """See Database.look."""
        places = iter(range(1, statement.count("?") + 1))
        return self._server.look(self.url, re.sub(r"\?", lambda _: f"${next(places)}", statement), *parameters)

    def change(self, statement: str, *parameters: Any) -> None:
        """See Database.change."""
        self.look(statement, *parameters)
