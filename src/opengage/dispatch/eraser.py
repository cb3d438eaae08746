"""Carries out erasures: within seconds, and again once a minute for what had to end first.

Beside a text's path. Of several workers one takes each round, by the state in which it found the erasure.
"""

import asyncio
from typing import Final

from opengage import logs
from opengage.clock import SECOND, Clock
from opengage.domain.erasures import ErasureStatus
from opengage.domain.errors import Unavailable
from opengage.ids import NewId
from opengage.operations.erasing import carry_out
from opengage.sealing import Unsealable
from opengage.store import erasing
from opengage.store.blobs import Blobs
from opengage.store.contract import Store

log = logs.get(__name__)

LOOK: Final = 1.0
"""Seconds between looks for erasures that nobody has begun."""
AGAIN: Final = 60
"""Seconds before another round of one that waits, or whose worker was lost."""


class Eraser:
    """Looks for erasures and carries them out, until cancelled."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._new_id = new_id

    async def run(self) -> None:
        """Look now and then until cancelled; what fails is told, and tried again."""
        while True:
            try:
                await self.turn()
            except (Unavailable, Unsealable) as error:
                log.error("an erasure cannot go on now; trying again", action="erase", error=str(error))
            except Exception:
                log.exception("an erasure failed that should not have", action="erase")
            await asyncio.sleep(LOOK)

    async def turn(self) -> int:
        """Carry out a round of every erasure whose turn it is; how many those were."""
        async with self._store.reading() as tx:
            found = await erasing.unfinished(tx)
        since = self._clock.now() - AGAIN * SECOND
        due = [each for each in found if each.status is ErasureStatus.PENDING or each.updated_at <= since]
        for erasure in due:
            await carry_out(self._store, self._blobs, self._clock, self._new_id, erasure)
        return len(due)
