"""The API on a real SQLite file, for what only a whole server can be held to."""

from api.conftest import client, clock, http, migrated, other, settings, shared, store

__all__ = ["client", "clock", "http", "migrated", "other", "settings", "shared", "store"]
