"""Evens the lanes out among the workers that live: a worker with fewer asks the busiest for some, and is given them.

Asked and looked at by the dispatcher's sweep. Whoever is asked lets the lane end in order, under its lease as ever.
"""

import contextlib

from opengage.domain.errors import Unavailable
from opengage.domain.shares import share
from opengage.ids import Id
from opengage.store import shares
from opengage.store.contract import Store


class Sharing:
    """One worker's part in it."""

    def __init__(self, store: Store, owner: str, lease_seconds: float, most_lanes: int) -> None:
        self._store = store
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._most_lanes = most_lanes

    async def ask(self) -> None:
        """Ask for what is missing from our share, if anything is, and nothing that we asked for is still to come."""
        async with self._store.reading() as tx:
            spread, asking = await shares.spread(tx)
        wanted = share(spread, self._owner, self._most_lanes)
        if wanted is not None and self._owner not in asking:
            holder, most = wanted
            async with self._store.writing() as tx:
                await shares.ask(tx, holder, self._owner, most, self._lease_seconds)

    async def asked(self) -> set[tuple[int, Id]]:
        """Which of our lanes others have asked for, by account and phone number."""
        async with self._store.reading() as tx:
            return await shares.asked(tx, self._owner)

    async def withdraw(self) -> None:
        """Ask for nothing any more: we are about to end."""
        with contextlib.suppress(Unavailable):  # an ask lapses by itself too
            async with self._store.writing() as tx:
                await shares.withdraw(tx, self._owner)
