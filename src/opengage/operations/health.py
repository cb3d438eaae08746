"""Whether this process can serve: the store answers, and its schema is the one that this code needs."""

from functools import cache
from typing import Final

import sqlalchemy as sa

from opengage.domain.errors import Unavailable
from opengage.store import migrations
from opengage.store.contract import Store

_REVISION: Final = sa.text("SELECT version_num FROM alembic_version")


@cache
def _needed() -> str:
    return migrations.newest()


async def check(store: Store) -> None:
    """Return when requests can be served. Raises Unavailable with the mending otherwise."""
    async with store.reading() as tx:
        found = await tx.rows(_REVISION)
    revision = found[0][0] if found else None
    if revision != _needed():
        raise Unavailable(
            f"The database's schema is at revision {revision}, but this version of Opengage needs {_needed()}. "
            "Run “opengage migrate”."
        )
