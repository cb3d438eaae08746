"""Which schemas this version works with: its own, and the next release's, so that restarts can go one by one."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from opengage.domain.errors import Unavailable
from opengage.store import revision
from opengage.store.contract import Store

SET = sa.text("UPDATE alembic_version SET version_num = :revision")
AHEAD = f"{int(revision.NEEDED) + revision.AHEAD:04d}"
TOO_FAR = f"{int(revision.NEEDED) + revision.AHEAD + 1:04d}"


async def stand_at(store: Store, found: str) -> None:
    """Let the database say that it is at a revision."""
    async with store.writing() as tx:
        await tx.run(SET, revision=found)


@pytest.fixture(autouse=True)
async def back_again(store: Store) -> AsyncIterator[None]:
    """The server's database is shared by tests: it stands where it stood when the next one comes."""
    yield
    await stand_at(store, revision.NEEDED)


@pytest.mark.parametrize("found", [revision.NEEDED, AHEAD])
async def test_usable_schemas(store: Store, found: str) -> None:
    """The own one, and the one that has only more."""
    await stand_at(store, found)
    assert await revision.require(store) == found


@pytest.mark.parametrize(
    ("found", "mending"), [("0001", "opengage migrate"), (TOO_FAR, "Update Opengage"), ("zebra", "Update Opengage")]
)
async def test_other_schemas_are_refused(store: Store, found: str, mending: str) -> None:
    """Too old, two releases ahead, or of something else: with the mending."""
    await stand_at(store, found)
    with pytest.raises(Unavailable, match=mending):
        await revision.require(store)


async def test_whole_copies_need_the_very_schema(store: Store) -> None:
    """A column that this version does not know would be missing from a backup."""
    await revision.require_exactly(store)
    await stand_at(store, AHEAD)
    with pytest.raises(Unavailable, match="Update Opengage"):
        await revision.require_exactly(store)
