"""The store on one SQLite file: WAL, synchronous=FULL, one writer at a time."""

from opengage.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
