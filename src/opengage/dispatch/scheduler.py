"""When an engagement starts and when it is done: between the API's PATCH and the lanes.

Starting is one statement. The ending is usually seen by whoever settles the last envelope; the scheduler sees the rest:
an engagement that was paused when its last receipt came, and the leftovers of a canceled one.
"""

from opengage import logs
from opengage.clock import Clock, Instant
from opengage.domain.ledger import Moves
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import Id, NewId, to_wire
from opengage.store import endings, ledgers, pools, work
from opengage.store.contract import Store

log = logs.get(__name__)


class Scheduler:
    """Moves engagements into `processing` and out of it; each change is guarded by the state it starts from."""

    def __init__(self, store: Store, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id

    async def start_due(self) -> None:
        """Let every scheduled engagement begin whose time has come."""
        now = self._clock.now()
        async with self._store.looking() as tx:
            due = await work.due(tx, now)
        if not due:
            return
        async with self._store.writing() as tx:
            started = await work.start_due(tx, now)
            await endings.announce(tx, started, EngagementStatus.PROCESSING, now, self._new_id)
        for _, engagement_id in started:
            log.info("engagement started", action="started", engagement_id=to_wire(engagement_id))

    async def sweep(self) -> None:
        """Complete what is settled, and close what a canceled or lapsed engagement still has to send."""
        now = self._clock.now()
        async with self._store.reading() as tx:
            over = [(*key, Reason.CANCELED) for key in await work.canceled_with_work(tx)]
            over += [(*key, Reason.EXPIRED) for key in await work.lapsed(tx, now)]
            settled = [key for key in await work.processing(tx) if (await ledgers.read(tx, *key)).is_settled]
            pooled = await work.pooled(tx)
        # one transaction each: a remainder of a million is closed bit by bit, and lanes have their turns between
        for account_id, engagement_id, reason in over:
            async with self._store.writing() as tx:
                if reason is Reason.EXPIRED and not await work.hold_lapsed(tx, account_id, engagement_id, now):
                    continue
                moves = await work.close_remainder(tx, account_id, engagement_id, reason, now, self._new_id)
                await endings.move_and_complete(tx, moves, now, self._new_id)
        if settled:
            async with self._store.writing() as tx:
                for account_id, engagement_id in settled:
                    moves = Moves()
                    moves.touch(account_id, engagement_id)
                    await endings.move_and_complete(tx, moves, now, self._new_id)
        for account_id, engagement_id in pooled:
            await self._release(account_id, engagement_id, now)

    async def _release(self, account_id: int, engagement_id: Id, now: Instant) -> None:
        """Take back from numbers whose lane is down what was given to them: the others of their pool may have it."""
        async with self._store.reading() as tx:
            members = await pools.members(tx, account_id, engagement_id)
        down = [each for each in members if not each.is_healthy(now)]
        if len(down) == len(members):
            return
        async with self._store.writing() as tx:
            await pools.release(tx, account_id, engagement_id, [each.id for each in down])
