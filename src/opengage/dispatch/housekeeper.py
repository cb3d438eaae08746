"""Forgets what only the near past needed: who was texted lately, and what limits had used up.

Called by the dispatcher's sweep, now and then and a little at a time, so that no lane waits for it. What stands here
decides nothing any more: the longest frequency cap and the longest period of a budget are over.
"""

from collections.abc import Iterable
from typing import Final

from opengage.clock import SECOND, Clock, Instant
from opengage.ids import floor
from opengage.store import budget_uses, recent_texts
from opengage.store.contract import Store

EVERY: Final = 60.0
"""Seconds between two looks."""

_DAY: Final = 24 * 3600 * SECOND
KEPT_TEXTS: Final = 32 * _DAY
"""Longer than any cap looks back, and for how long a sender of a pool sticks to its recipient."""
KEPT_USES: Final = 3 * _DAY
"""Longer than any period of a budget, in any zone."""


class Housekeeper:
    """Sweeps, once in `EVERY` seconds, whatever the accounts of this worker's lanes left behind."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._swept_at = clock.monotonic()

    async def sweep(self, account_ids: Iterable[int]) -> None:
        """Forget a batch for each account, if the time has come."""
        if self._clock.monotonic() - self._swept_at < EVERY:
            return
        self._swept_at = self._clock.monotonic()
        now = self._clock.now()
        for account_id in sorted(set(account_ids)):
            async with self._store.writing() as tx:
                await recent_texts.sweep(tx, account_id, floor(Instant(now - KEPT_TEXTS)))
                await budget_uses.sweep(tx, account_id, Instant(now - KEPT_USES))
