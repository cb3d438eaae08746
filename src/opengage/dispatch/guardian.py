"""Watches running engagements: whether the canary did well, and whether too many fail or opt out.

Called by the dispatcher's sweep, about once a second. It decides by the ledger's counts (`domain.guard`) and writes a
guarded change: an engagement that is no longer running is left alone.
"""

from opengage import logs
from opengage.clock import Clock, Instant
from opengage.dispatch.gates import CANARY, WAITING
from opengage.domain import guard
from opengage.domain.guard import Counts, Fail, Limits, Pass
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import NewId, to_wire
from opengage.operations import guarding
from opengage.store import endings, work
from opengage.store.contract import Store

log = logs.get(__name__)


class Guardian:
    """Lets canaries pass, and pauses what goes wrong."""

    def __init__(self, store: Store, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id

    async def sweep(self) -> None:
        """Look at every engagement that has a canary out or a limit."""
        async with self._store.reading() as tx:
            watched = [(each, await guarding.counts(tx, each.account_id, each.id)) for each in await work.watched(tx)]
        now = self._clock.now()
        for engagement, counts in watched:
            verdict = _verdict(engagement, counts.since(guard.from_base(engagement.guard_base)), now)
            if isinstance(verdict, Pass):
                await self._pass(engagement)
            elif isinstance(verdict, Fail):
                await self._pause(engagement, verdict.why, now)

    async def _pass(self, engagement: Engagement) -> None:
        async with self._store.writing() as tx:
            await work.pass_canary(tx, engagement)
        log.info("the canary passed", action="canary", engagement_id=to_wire(engagement.id))

    async def _pause(self, engagement: Engagement, why: str, now: Instant) -> None:
        async with self._store.writing() as tx:
            paused = await work.pause(tx, engagement, why, now)
            if paused:
                key = (engagement.account_id, engagement.id)
                await endings.announce(tx, [key], EngagementStatus.PAUSED, now, self._new_id)
        if paused:
            log.warning("engagement paused", action="paused", engagement_id=to_wire(engagement.id), why=why)


def _verdict(engagement: Engagement, counts: Counts, now: Instant) -> guard.Wait | guard.Continue | Pass | Fail:
    limits = Limits(max_failed=engagement.pause_failure_ratio, max_opt_outs=engagement.pause_opt_out_ratio)
    if engagement.canary_state == WAITING:
        until = engagement.hold_until if engagement.hold_reason == CANARY else None
        wanted = limits._replace(min_delivered=engagement.canary_delivery_ratio)
        return guard.canary(counts, wanted, now, until)
    return guard.watch(counts, limits)
