"""Whether the store can be written: asked by /readyz, so that a full disk shows before a request is refused."""

from typing import Final

import sqlalchemy as sa

from opengage.store import tables
from opengage.store.contract import Store

_NOBODY: Final = 0
"""An account that does not exist."""

_WRITE: Final = sa.insert(tables.lanes).values(
    account_id=_NOBODY, phone_number_id=bytes(16), owner="", epoch=0, expires_at=0
)
_UNDO: Final = sa.delete(tables.lanes).where(tables.lanes.c.account_id == _NOBODY)


async def require(store: Store) -> None:
    """Return when a change can be committed; none is left behind. Raises Unavailable otherwise."""
    async with store.writing() as tx:
        await tx.run(_WRITE)
        await tx.run(_UNDO)
