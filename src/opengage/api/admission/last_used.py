"""When API tokens were last used: noted beside the requests, and at most once a minute for each token.

Beside the text's path.
"""

import asyncio
import logging
from typing import Final

from opengage.api.state import ApiState
from opengage.clock import SECOND, Instant
from opengage.domain.errors import Unavailable
from opengage.ids import Id
from opengage.store import tokens
from opengage.store.tokens import Holder

_log: Final = logging.getLogger("opengage.api")

EVERY: Final = 60 * SECOND


class LastUsed:
    """Notes uses in a task of its own; one that cannot be written is noted with the next."""

    def __init__(self, state: ApiState) -> None:
        self._state = state
        self._due: dict[tuple[int, Id], Instant] = {}
        self._noting: asyncio.Task[None] | None = None

    def note(self, holder: Holder) -> None:
        """A token was used just now."""
        now = self._state.clock.now()
        if holder.last_used_at is not None and holder.last_used_at > now - EVERY:
            return
        self._due[(holder.account_id, holder.token_id)] = now
        if self._noting is None or self._noting.done():
            self._noting = asyncio.get_running_loop().create_task(self._write())

    async def settle(self) -> None:
        """Return when what was noted is written, or could not be."""
        if self._noting is not None:
            await asyncio.wait([self._noting])

    async def _write(self) -> None:
        while self._due:
            due, self._due = self._due, {}
            try:
                async with self._state.store.writing() as tx:
                    for (account_id, token_id), now in due.items():
                        await tokens.mark_used(tx, account_id, token_id, now)
            except Unavailable:
                _log.info("a token's last use could not be noted")
                return
            except Exception:
                _log.exception("a token's last use could not be noted")
                return
