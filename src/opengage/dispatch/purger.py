"""Forgets what was said, and to whom, when an account has kept it for as long as it wants to.

Beside a text's path, behind its end. Walks a batch of rows in each transaction and rests between two, so that whoever
sends meanwhile waits for some milliseconds at most. Engagements bear the mark of what was forgotten of them. All else
is walked from its beginning once a day: what could not be forgotten yet, as it had not come to its end, is found then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage import logs
from opengage.clock import SECOND, Clock, Instant
from opengage.domain.errors import Unavailable
from opengage.domain.records import Account
from opengage.ids import Id, floor, to_wire
from opengage.store import forgetting, ledgers, pseudonyms, recent_texts, retention, rows, tables
from opengage.store.blobs import Blobs
from opengage.store.contract import Store, Transaction, Turn
from opengage.store.pseudonyms import Pseudonyms
from opengage.store.retention import Step

log = logs.get(__name__)

EVERY: Final = 60.0
"""Seconds between two looks."""
REST: Final = 0.05
"""Seconds between two batches."""
_AGAIN: Final = 24 * 3600.0
"""Seconds after which everything is walked from its beginning again."""
_DAY: Final = 24 * 3600 * SECOND
_FIRST: Final = Id(b"")


class Keeps(msgspec.Struct, frozen=True):
    """For how many days something is kept; None for ever."""

    bodies: int | None = None
    numbers: int | None = None


class _Cut(msgspec.Struct, frozen=True):
    """What of an account is to be forgotten now."""

    account_id: int
    before: Instant
    numbers: bool
    """The numbers; else the words."""

    @property
    def mark(self) -> str:
        """The mark on engagements of which that is forgotten."""
        return "numbers_purged_at" if self.numbers else "bodies_purged_at"


class Purger:
    """Goes through every account that keeps something for a while only, until cancelled."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock, defaults: Keeps, rest: float = REST) -> None:
        """`defaults` are for accounts that say nothing of their own."""
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._defaults = defaults
        self._rest = rest
        self._walked: dict[tuple[int, bool, str], tuple[Id, float]] = {}

    async def run(self) -> None:
        """Look now and then until cancelled; what fails is told, and tried again at the next look."""
        while True:
            try:
                await self.turn()
            except Unavailable as error:
                log.error("nothing can be forgotten now; trying again", action="purge", error=str(error))
            except Exception:
                log.exception("forgetting failed that should not have", action="purge")
            await asyncio.sleep(EVERY)

    async def turn(self) -> int:
        """Forget all that is old enough by now; in how many batches."""
        async with self._store.reading() as tx:
            accounts = await rows.every(tx, Account)
        batches = 0
        for cut in (each for account in accounts for each in self._cuts(account)):
            count = await self._engagements(cut) + await self._others(cut)
            if count:
                log.info("forgotten", action="purge", account=cut.account_id, numbers=cut.numbers, batches=count)
            batches += count
        if batches:
            await self._store.scrub()
        return batches

    def _cuts(self, account: Account) -> list[_Cut]:
        now, defaults = self._clock.now(), self._defaults
        kept = {False: account.retention_days_bodies, True: account.retention_days_numbers}
        usual = {False: defaults.bodies, True: defaults.numbers}
        days = {numbers: usual[numbers] if own is None else own for numbers, own in kept.items()}
        return [_Cut(account.account_id, Instant(now - most * _DAY), numbers) for numbers, most in days.items() if most]

    async def _engagements(self, cut: _Cut) -> int:
        """Blasts that ended long enough ago, with all their envelopes and texts."""
        async with self._store.reading() as tx:
            found = await retention.over(tx, cut.account_id, cut.mark, cut.before)
            settled = [id_ for id_ in found if (await ledgers.read(tx, cut.account_id, id_)).is_settled]
        batches = 0
        for id_ in settled:
            for table in (tables.envelopes, tables.texts):
                batches += await self._rows_of(cut, table, id_)
            async with self._store.writing() as tx:
                await retention.mark(tx, cut.account_id, id_, cut.mark, self._clock.now())
            log.info("an engagement is forgotten", action="purge", engagement_id=to_wire(id_), numbers=cut.numbers)
        return batches

    async def _rows_of(self, cut: _Cut, table: sa.Table, engagement_id: Id) -> int:
        """The envelopes or the texts of one engagement."""
        batches, after = 0, _FIRST

        async def work(tx: Transaction, known: Pseudonyms | None) -> Id | None:
            return await retention.of_engagement(tx, table, cut.account_id, engagement_id, after, known)

        while last := await self._batch(cut, work):
            after = last
            batches += 1
        return batches

    async def _batch(self, cut: _Cut, work: Callable[..., Awaitable[Any]]) -> Any:
        """One transaction of forgetting, and the rest after it. `work` is handed pseudonyms where numbers go."""
        async with self._store.writing() as tx:
            await tx.take_turn(Turn.FORGETTING, (cut.account_id,))
            known = await pseudonyms.ensure(tx, cut.account_id) if cut.numbers else None
            done = await work(tx, known)
        await asyncio.sleep(self._rest)
        return done

    async def _others(self, cut: _Cut) -> int:
        """What belongs to no blast."""
        batches = 0
        for step in retention.NUMBERS if cut.numbers else retention.BODIES:
            batches += await self._walk(cut, step)
        batches += await self._answers(cut) + await self._files(cut)
        if cut.numbers:
            batches += await self._lately(cut)
        return batches

    async def _walk(self, cut: _Cut, step: Step) -> int:
        """Go through one kind of rows, from where the last look ended."""
        key, now, batches = (cut.account_id, cut.numbers, step.name), self._clock.monotonic(), 0
        after, since = self._walked.get(key, (_FIRST, now))
        if now - since >= _AGAIN:
            after, since = _FIRST, now
        limits: dict[str, Any] = {"before": floor(cut.before), "ended": cut.before}

        async def look(tx: Transaction, known: Pseudonyms | None) -> Id | None:
            found = await retention.page(tx, step, cut.account_id, after, **limits)
            if found:
                await step.act(tx, cut.account_id, found, known, self._clock.now())
            return Id(found[-1][0]) if found else None

        while await self._is_any(cut, step, after, limits):
            after = await self._batch(cut, look) or after
            batches += 1
        self._walked[key] = (after, since)
        return batches

    async def _is_any(self, cut: _Cut, step: Step, after: Id, limits: dict[str, Any]) -> bool:
        """Whether there is anything: a look costs the writers nothing."""
        async with self._store.reading() as tx:
            return bool(await retention.page(tx, step, cut.account_id, after, **limits))

    async def _answers(self, cut: _Cut) -> int:
        """Stored answers to requests; they are kept for a day at least, as retries count on it."""
        before, batches = Instant(min(cut.before, self._clock.now() - _DAY)), 0
        while await self._batch(cut, lambda tx, _: forgetting.old_answers(tx, cut.account_id, before)):
            batches += 1
        return batches

    async def _files(self, cut: _Cut) -> int:
        """Files that contacts came in, once they were read."""
        batches = 0
        while gone := await self._batch(
            cut, lambda tx, _: forgetting.spent_files(tx, cut.account_id, cut.before, retention.BATCH)
        ):
            for blob in gone:
                await self._blobs.remove(blob)
            batches += 1
        return batches

    async def _lately(self, cut: _Cut) -> int:
        """Who was texted lately, and receipts that nobody has claimed."""
        batches = 0
        while await self._batch(cut, lambda tx, _: recent_texts.sweep(tx, cut.account_id, floor(cut.before))):
            batches += 1
        await self._batch(cut, lambda tx, _: forgetting.old_receipts(tx, cut.account_id, cut.before))
        return batches
