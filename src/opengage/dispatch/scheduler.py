"""When an engagement starts and when it is done: between the API's PATCH and the lanes.

Starting is one statement. The ending is usually seen by whoever settles the last envelope; the scheduler sees the rest:
an engagement that was paused when its last receipt came, and the leftovers of a canceled one.
"""

from opengage import logs
from opengage.clock import Clock
from opengage.domain.ledger import Moves
from opengage.ids import to_wire
from opengage.store import ledgers, work
from opengage.store.contract import Store

log = logs.get(__name__)


class Scheduler:
    """Moves engagements into `processing` and out of it; each change is guarded by the state it starts from."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def start_due(self) -> None:
        """Let every scheduled engagement begin whose time has come."""
        now = self._clock.now()
        async with self._store.reading() as tx:
            due = await work.due(tx, now)
        if not due:
            return
        async with self._store.writing() as tx:
            await work.start_due(tx, now)
        for _, engagement_id in due:
            log.info("engagement started", action="started", engagement_id=to_wire(engagement_id))

    async def sweep(self) -> None:
        """Complete what is settled, and close what a canceled engagement still has to send."""
        async with self._store.reading() as tx:
            canceled = await work.canceled_with_work(tx)
            settled = [key for key in await work.processing(tx) if (await ledgers.read(tx, *key)).is_settled]
        if not canceled and not settled:
            return
        now = self._clock.now()
        async with self._store.writing() as tx:
            for key in sorted(canceled):
                await ledgers.move(tx, await work.cancel_remainder(tx, *key, now))
            for account_id, engagement_id in settled:
                moves = Moves()
                moves.touch(account_id, engagement_id)
                await ledgers.move_and_complete(tx, moves, now)
