"""What a crash or a silent carrier leaves behind: texts whose answer or receipt will not come.

A text that stands at `sending` under an older epoch of its lane was written by a worker that is gone: its bytes may
have left. It becomes in-doubt, by name, and is never sent again blindly. A text without a receipt at the end of the
receipt window stays `sent`, and its envelope is closed as sent-unconfirmed.
"""

from collections.abc import Iterable
from typing import Final

from opengage import logs
from opengage.clock import SECOND, Clock, Instant
from opengage.domain.records import Engagement, ServiceProfile, Text
from opengage.domain.states import EngagementStatus, TextEvent, TextStatus
from opengage.ids import LAST, Id, NewId, floor, to_wire
from opengage.operations.settling import Chance, Settling, unless_stale
from opengage.store import receipts, rows
from opengage.store.contract import Store, Transaction, Unanswered
from opengage.store.lanes import Lease

log = logs.get(__name__)

_BATCH: Final = 1000
_RESEND_AFTER: Final = 60.0
"""Seconds for which a late answer or receipt may still resolve a doubt before the policy `resend` acts."""
_MOST_ATTEMPTS: Final = 3
RESEND: Final = "resend"


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
                    lease.account_id, lease.phone_number_id, TextStatus.SENDING, LAST, _BATCH
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

    async def resend_doubtful(self, lease: Lease, profile: ServiceProfile) -> int:
        """Where the service profile's policy says so, take the risk: send again what has been in doubt for a while.

        A text that went in doubt `_MOST_ATTEMPTS` times stays there, for an operator to decide; and so does one of an
        engagement that no longer runs: it would be closed as canceled, though it may have arrived.
        """
        if profile.in_doubt_policy != RESEND:
            return 0
        account_id, before = lease.account_id, floor(self._long_ago())
        async with self._store.reading() as tx:
            found = await tx.batches.open_texts(account_id, lease.phone_number_id, TextStatus.IN_DOUBT, before, _BATCH)
            again = await self._to_resend(tx, account_id, [text for text, _, _ in found], hold=False)
        return await unless_stale(lambda: self._resend(account_id, again)) if again else 0

    def _long_ago(self) -> Instant:
        """What is in doubt since then has had its time."""
        return Instant(self._clock.now() - int(_RESEND_AFTER * SECOND))

    async def _resend(self, account_id: int, ids: list[Id]) -> int:
        """Send those again of which all still holds; how many texts that were."""
        settling = Settling(self._clock.now(), self._new_id, self._chance)
        async with self._store.writing() as tx:
            fresh = await tx.batches.texts(account_id, ids)
            again = await self._to_resend(tx, account_id, fresh.values(), hold=True)
            count = sum(settling.apply(fresh[text_id], TextEvent.RESEND, None) for text_id in again)
            await settling.write(tx)
        return count

    async def _to_resend(
        self, tx: Transaction, account_id: int, texts: Iterable[Unanswered], *, hold: bool
    ) -> list[Id]:
        """Those that the policy sends again; with `hold`, their engagements run until this transaction has ended.

        Those whose engagement somebody changes at the moment are left to the next sweep: leases are kept by whoever
        sweeps, and must not wait for that.
        """
        may = [text for text in texts if text.status is TextStatus.IN_DOUBT and text.attempts < _MOST_ATTEMPTS]
        ids = sorted({text.engagement_id for text in may if text.engagement_id is not None})
        if hold:
            engagements = await rows.hold_free(tx, Engagement, account_id, ids)
        else:
            engagements = await rows.find_many(tx, Engagement, account_id, ids)
        running = {each.id for each in engagements.values() if each.status is EngagementStatus.PROCESSING}
        may = [text for text in may if text.engagement_id is None or text.engagement_id in running]
        # nothing else changes a text while it is in doubt; its id is of when it was written, maybe long before
        known = await rows.find_many(tx, Text, account_id, [text.text_id for text in may])
        return [each.id for each in known.values() if each.updated_at < self._long_ago()]

    async def close_unconfirmed(self, lease: Lease, service_profile_id: Id, window_seconds: float) -> int:
        """Close envelopes whose receipt has not come within the window; how many texts that were."""
        before = Instant(self._clock.now() - int(window_seconds * SECOND))
        async with self._store.reading() as tx:
            found = await tx.batches.open_texts(
                lease.account_id, lease.phone_number_id, TextStatus.SENT, floor(before), _BATCH
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
        await unless_stale(lambda: self._settle_once(account_id, texts, event, code))

    async def _settle_once(self, account_id: int, texts: list[Unanswered], event: TextEvent, code: str | None) -> None:
        settling = Settling(self._clock.now(), self._new_id, self._chance)
        async with self._store.writing() as tx:
            fresh = await tx.batches.texts(account_id, [text.text_id for text in texts])
            for text in fresh.values():
                settling.apply(text, event, code)
            await settling.write(tx)
