"""What a crash or a silent carrier leaves behind: texts whose answer or receipt will not come.

A text that stands at `sending` under an older epoch of its lane was written by a worker that is gone: its bytes may
have left. It becomes in-doubt, by name, and is never sent again blindly. A text without a receipt at the end of the
receipt window stays `sent`, and its envelope is closed as sent-unconfirmed.
"""

import contextlib
from typing import Final

from opengage import logs
from opengage.clock import SECOND, Clock, Instant
from opengage.dispatch.settling import Chance, Settling
from opengage.domain.states import TextEvent, TextStatus
from opengage.ids import Id, NewId, to_wire
from opengage.store import receipts
from opengage.store.contract import Stale, Store, Unanswered
from opengage.store.lanes import Lease

log = logs.get(__name__)

_BATCH: Final = 1000
_TRIES: Final = 5
"""How often texts that others move meanwhile are read again."""
_EVERYTHING: Final = Id(b"\xff" * 16)


class Rescuer:
    """Names what is in doubt, and closes what nobody will confirm."""

    def __init__(self, store: Store, clock: Clock, new_id: NewId, chance: Chance) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._chance = chance

    async def rescue(self, lease: Lease) -> int:
        """Put what earlier owners of this lane left at `sending` in doubt; how many texts that were."""
        rescued = 0
        while True:
            async with self._store.reading() as tx:
                found = await tx.batches.open_texts(
                    lease.account_id, lease.phone_number_id, TextStatus.SENDING, _EVERYTHING, _BATCH
                )
            left = [text for text, epoch, _ in found if epoch < lease.epoch]
            if not left:
                return rescued
            await self._settle(lease.account_id, left, TextEvent.NO_ANSWER, "worker-lost")
            rescued += len(left)
            for text in left:
                log.warning(
                    "its worker was lost: in doubt, and not sent again",
                    action="in-doubt",
                    text_id=to_wire(text.text_id),
                )

    async def close_unconfirmed(self, lease: Lease, service_profile_id: Id, window_seconds: float) -> int:
        """Close envelopes whose receipt has not come within the window; how many texts that were."""
        before = Instant(self._clock.now() - int(window_seconds * SECOND))
        async with self._store.reading() as tx:
            found = await tx.batches.open_texts(
                lease.account_id, lease.phone_number_id, TextStatus.SENT, _floor(before), _BATCH
            )
            stale = await receipts.stale(tx, lease.account_id, service_profile_id, before)
        late = [text for text, _, sent_at in found if sent_at is not None and sent_at < before]
        if late:
            await self._settle(lease.account_id, late, TextEvent.RECEIPT_WINDOW_OVER, None)
        if stale:
            async with self._store.writing() as tx:
                await receipts.expire(tx, lease.account_id, service_profile_id, before)
        return len(late)

    async def _settle(self, account_id: int, texts: list[Unanswered], event: TextEvent, code: str | None) -> None:
        """Apply one event to texts as they stand when they are written. Raises Stale when they do not stand still."""
        for _ in range(_TRIES):
            with contextlib.suppress(Stale):
                await self._settle_once(account_id, texts, event, code)
                return
        raise Stale

    async def _settle_once(self, account_id: int, texts: list[Unanswered], event: TextEvent, code: str | None) -> None:
        settling = Settling(self._clock.now(), self._new_id, self._chance)
        async with self._store.writing() as tx:
            fresh = await tx.batches.texts(account_id, [text.text_id for text in texts])
            for text in fresh.values():
                settling.apply(text, event, code)
            await settling.write(tx)


def _floor(instant: Instant) -> Id:
    """An id above which no UUIDv7 was made before `instant`."""
    return Id((instant // 1000 + 1).to_bytes(6, "big") + bytes(10))
