"""Which schema this code works with: known without loading Alembic, and held to its history by a test."""

from typing import Final

import sqlalchemy as sa

from opengage.domain.errors import Unavailable
from opengage.store.contract import Store

NEEDED: Final = "0002"
"""The newest revision in store/migrations/versions."""

_CURRENT: Final = sa.text("SELECT version_num FROM alembic_version")


async def require(store: Store) -> None:
    """Return when the database has this version's schema. Raises Unavailable with the mending otherwise."""
    async with store.reading() as tx:
        found = await tx.rows(_CURRENT)
    revision = found[0][0] if found else None
    if revision != NEEDED:
        raise Unavailable(
            f"The database's schema is at revision {revision}, but this version of Opengage needs {NEEDED}. "
            "Run “opengage migrate”."
        )
