"""Which schema this code works with: known without loading Alembic, and held to its history by a test.

Migrations expand first and contract a release later. So code works on the schema of its own release, and on that of the
next one, which has only more: processes are restarted one by one while the database is migrated already.
"""

from typing import Final

import sqlalchemy as sa

from opengage.domain.errors import Unavailable
from opengage.store.contract import Store

NEEDED: Final = "0002"
"""The newest revision in store/migrations/versions."""
AHEAD: Final = 1
"""How many revisions after it may be there: each release makes at most one, and takes away only what the release before
it no longer used."""

_CURRENT: Final = sa.text("SELECT version_num FROM alembic_version")


async def current(store: Store) -> str | None:
    """The revision that the database stands at. Raises Unavailable when there is none to be read."""
    async with store.reading() as tx:
        found = await tx.rows(_CURRENT)
    return str(found[0][0]) if found else None


async def require(store: Store) -> str:
    """The database's revision, when this code can work with it. Raises Unavailable with the mending otherwise."""
    found = await current(store)
    if found is None or not _is_usable(found):
        raise Unavailable(
            f"The database's schema is at revision {found}, but this version of Opengage needs {NEEDED}. "
            f"{_mending(found)}"
        )
    return found


async def require_exactly(store: Store) -> None:
    """Raise Unavailable unless the schema is this version's own: who copies whole tables must know every column."""
    found = await current(store)
    if found != NEEDED:
        raise Unavailable(
            f"The database's schema is at revision {found}, but here it must be {NEEDED}. {_mending(found)}"
        )


def _is_usable(found: str) -> bool:
    """Revisions are numbers in a row."""
    return found.isdecimal() and 0 <= int(found) - int(NEEDED) <= AHEAD


def _mending(found: str | None) -> str:
    if found is not None and found > NEEDED:
        return "Update Opengage on this machine."
    return "Run “opengage migrate”."
