"""The store on PostgreSQL: a pool of connections, concurrent writers, COPY on the way in."""

from opengage.store.postgres.options import PostgresOptions
from opengage.store.postgres.store import PostgresStore

__all__ = ["PostgresOptions", "PostgresStore"]
