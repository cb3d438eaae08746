"""The outbox empties: deliveries are taken, posted, and put down with what came of them.

One writing transaction a turn puts down every attempt that has ended and takes those that come next. Targets (an
endpoint, or the server of callbacks) take turns, each with a few calls at once, and one that was slow or out of reach
with a single one: a receiver that hangs keeps others from nothing. A worker that is killed leaves deliveries whose
lease runs out: they are made again under the same `webhook-id`.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from opengage import logs
from opengage.clock import SECOND, Clock, Instant
from opengage.dispatch.callouts import Answer
from opengage.domain.errors import NotFound, Unavailable
from opengage.domain.records import Account, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from opengage.domain.webhooks import DeliveryStatus, next_attempt, signature
from opengage.ids import Id, NewId, floor, to_wire
from opengage.jsonapi.timestamps import to_text
from opengage.operations import webhook_endpoints
from opengage.operations.settling import Chance
from opengage.sealing import Sealer, Unsealable
from opengage.store import deliveries, rows
from opengage.store.contract import Store, Transaction
from opengage.store.deliveries import Target, Verdict

log = logs.get(__name__)

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[Answer]]
"""URL, headers, body: makes one call and never raises for what the other side does."""

_GATHER: Final = 0.01
"""Seconds in which attempts that end are gathered into one commit, once one has."""

_TOO_MANY: Final = (429, 503)
"""Answers whose Retry-After counts."""

_SWEEP: Final = 3600.0
"""Seconds between looks for deliveries that are kept long enough."""

_SWEPT_AT_ONCE: Final = 500

_GONE: Final = 410

_MOST_SLOW: Final = 10_000
"""Targets remembered as slow; with more of them, all begin anew."""


class Render(Protocol):
    """Makes the document of what a delivery is about."""

    async def __call__(self, account_id: int, subject_type: str, subject_id: Id, include: str | None) -> bytes:
        """The JSON:API document of a resource of the account with these include paths. Raises NotFound."""
        ...


class Pace(msgspec.Struct, frozen=True):
    """How much at once, and how long. `lease` and `poll` are in seconds."""

    calls: int = 256
    calls_per_account: int = 64
    calls_per_target: int = 8
    lease: float = 90.0
    """Longer than the longest call: after it, an attempt counts as lost."""
    poll: float = 0.5
    keep: float = 30 * 86_400.0
    """Seconds that a delivery which has ended is kept, to be looked at and sent again."""
    grace: float = 5.0
    """How long a stop waits for calls under way."""


class _Call(msgspec.Struct, frozen=True):
    """A delivery taken, and what it needs to be made."""

    target: Target
    delivery: WebhookDelivery
    url: str
    secrets: list[str]


class Deliverer:
    """Everything that one worker does about webhooks."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        new_id: NewId,
        chance: Chance,
        post: Post,
        render: Render,
        sealer: Sealer,
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._chance = chance
        self._post = post
        self._render = render
        self._sealer = sealer
        self._pace = pace or Pace()
        self._under_way: dict[asyncio.Task[None], _Call] = {}
        self._ended: list[tuple[_Call, Verdict]] = []
        self._something = asyncio.Event()
        self._slow: set[Target] = set()
        self._round = deliveries.Round()
        self._last: Target = (0, "")
        self._swept_at = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then finish what is under way, or give it back."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            took = await self._safe_turn()
            ended = asyncio.create_task(self._something.wait())
            pause = _GATHER if took else self._pace.poll
            await asyncio.wait((stopping, ended), timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if self._something.is_set():
                await asyncio.sleep(_GATHER)
        await self._stop()

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return len(self._under_way)

    @property
    def is_busy(self) -> bool:
        """Whether calls are under way, or have ended and are not put down."""
        return bool(self._under_way or self._ended)

    async def ended(self) -> None:
        """Return once a call has ended since the last turn; at once when none is under way."""
        if self._under_way:
            await self._something.wait()

    def abandon(self) -> None:
        """Drop everything as a crash would: nothing is put down or given back."""
        for task in self._under_way:
            task.cancel()

    async def _safe_turn(self) -> int:
        try:
            took = await self.turn()
            if self._clock.monotonic() - self._swept_at >= _SWEEP:
                self._swept_at = self._clock.monotonic()
                await self.sweep()
            return took
        except Unavailable as error:
            log.error("the store cannot be used; trying again", action="webhooks", error=str(error))
            return 0

    async def turn(self) -> int:
        """Put down what has ended, and begin what is due and has room; how many calls were begun."""
        self._something.clear()
        now = self._clock.now()
        async with self._store.reading() as tx:
            due = await deliveries.targets(tx, now, self._round)
        shares = self._shares(due)
        if not shares and not self._ended:
            return 0
        ended = list(self._ended)
        async with self._store.writing() as tx:
            for call, verdict in ended:
                await self._put_down(tx, call, verdict, now)
            calls = [call for target, most in shares for call in await self._take(tx, target, most, now)]
        del self._ended[: len(ended)]
        for call in calls:
            task = asyncio.create_task(self._make(call))
            self._under_way[task] = call
            task.add_done_callback(self._done)
        return len(calls)

    async def sweep(self) -> None:
        """Delete what is kept long enough, bit by bit: others have their turns between."""
        before = floor(Instant(self._clock.now() - int(self._pace.keep * SECOND)))
        async with self._store.reading() as tx:
            accounts = [account.account_id for account in await rows.every(tx, Account)]
        for account_id in accounts:
            count = _SWEPT_AT_ONCE
            while count == _SWEPT_AT_ONCE:
                async with self._store.writing() as tx:
                    count = await deliveries.forget(tx, account_id, before, _SWEPT_AT_ONCE)

    def _shares(self, due: Sequence[Target]) -> list[tuple[Target, int]]:
        """How many calls each target may begin now: in turns, beginning after whoever came last."""
        by_target = Counter(call.target for call in self._under_way.values())
        by_account = Counter(call.target[0] for call in self._under_way.values())
        free = self._pace.calls - len(self._under_way)
        ordered = sorted(due, key=lambda target: (target <= self._last, target))
        shares: list[tuple[Target, int]] = []
        for place, target in enumerate(ordered):
            room = 1 if target in self._slow else self._pace.calls_per_target
            fair = max(1, free // (len(ordered) - place))
            share = min(room - by_target[target], self._pace.calls_per_account - by_account[target[0]], fair, free)
            if share > 0:
                shares.append((target, share))
                by_account[target[0]] += share
                free -= share
                self._last = target
        return shares

    async def _take(self, tx: Transaction, target: Target, most: int, now: Instant) -> list[_Call]:
        until = Instant(now + int(self._pace.lease * SECOND))
        taken = await deliveries.take(tx, target, now, until, most)
        if not taken:
            return []
        endpoint = await self._signer(tx, taken[0])
        if endpoint is None or not endpoint.is_active:  # switched off while its event was being written
            await deliveries.cancel(tx, target, now)
            return []
        secrets = self._secrets(endpoint, now)
        return [_Call(target, each, each.url or endpoint.url or "", secrets) for each in taken]

    async def _signer(self, tx: Transaction, delivery: WebhookDelivery) -> WebhookEndpoint | None:
        """The endpoint that a delivery is for; for a callback the one that holds the account's signing secret."""
        if delivery.endpoint_id is not None:
            return await rows.find(tx, WebhookEndpoint, delivery.account_id, delivery.endpoint_id)
        now = self._clock.now()
        return await webhook_endpoints.callback_key(tx, self._sealer, now, self._new_id, delivery.account_id)

    def _secrets(self, endpoint: WebhookEndpoint, now: Instant) -> list[str]:
        """The secrets that sign, the newest first; none when they do not open."""
        try:
            return webhook_endpoints.open_secrets(self._sealer, endpoint, now)
        except Unsealable as error:
            log.error(
                "a webhook cannot be signed", action="webhooks", endpoint_id=to_wire(endpoint.id), error=str(error)
            )
            return []

    async def _make(self, call: _Call) -> None:
        """One attempt, to its end."""
        began = self._clock.now()
        try:
            answer = await self._answer(call, began)
        except Unavailable:
            answer = Answer(error="the store could not be read")
        except Exception as error:
            log.error("a webhook could not be made", action="webhooks", exc_info=error)
            answer = Answer(error="the document could not be made")
        if answer.code is None:
            if len(self._slow) >= _MOST_SLOW:
                self._slow.clear()
            self._slow.add(call.target)
        else:
            self._slow.discard(call.target)
        self._ended.append((call, self._verdict(call, answer, began)))

    async def _answer(self, call: _Call, began: Instant) -> Answer:
        if not call.secrets:
            return Answer(error="the signing secret could not be opened")
        delivery = call.delivery
        key = (delivery.account_id, delivery.subject_type, delivery.subject_id)
        try:
            document = await self._render(*key, delivery.include)
        except NotFound:
            document = msgspec.json.encode({"data": {"type": key[1], "id": to_wire(key[2])}})
        body = message(delivery, document)
        return await self._post(call.url, _headers(call, began, body), body)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._something.set()

    def _verdict(self, call: _Call, answer: Answer, began: Instant) -> Verdict:
        """What follows from an answer."""
        delivery = call.delivery
        attempt = WebhookAttempt(
            account_id=delivery.account_id,
            id=self._new_id(),
            created_at=began,
            updated_at=self._clock.now(),
            delivery_id=delivery.id,
            number=delivery.attempts,
            url=call.url,
            code=answer.code,
            error=answer.error,
            body=answer.body,
            duration_ms=answer.duration_ms,
        )
        if answer.code is not None and 200 <= answer.code < 300:
            return Verdict(delivery, DeliveryStatus.DELIVERED, None, attempt)
        asked = answer.retry_after if answer.code in _TOO_MANY else None
        delay = None if answer.code == _GONE else next_attempt(delivery.attempts, self._chance(), asked)
        if delay is None:
            return Verdict(delivery, DeliveryStatus.FAILED, None, attempt)
        next_at = Instant(attempt.updated_at + int(delay * SECOND))
        return Verdict(delivery, DeliveryStatus.PENDING, next_at, attempt)

    async def _put_down(self, tx: Transaction, call: _Call, verdict: Verdict, now: Instant) -> None:
        if not await deliveries.record(tx, verdict, now):
            log.warning("an attempt outlived its lease", action="webhooks", delivery_id=to_wire(call.delivery.id))
        if verdict.attempt.code == _GONE and call.delivery.endpoint_id is not None:
            await self._switch_off(tx, call, call.delivery.endpoint_id, now)

    async def _switch_off(self, tx: Transaction, call: _Call, endpoint_id: Id, now: Instant) -> None:
        """Its receiver is gone for good: nothing more is sent there."""
        if await webhook_endpoints.gone(tx, call.delivery.account_id, endpoint_id, call.url, now):
            await deliveries.cancel(tx, call.target, now)
            log.warning("an endpoint is gone and is switched off", action="webhooks", endpoint_id=call.target[1])

    async def _stop(self) -> None:
        """Let calls end that soon do; give back the others, which are due again at once."""
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=self._pace.grace)
        left = dict(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        now = self._clock.now()
        with contextlib.suppress(Unavailable):  # their leases run out
            async with self._store.writing() as tx:
                for call, verdict in self._ended:
                    await self._put_down(tx, call, verdict, now)
                for call in left.values():
                    await deliveries.release(tx, call.delivery, now)
            self._ended.clear()


def message(delivery: WebhookDelivery, document: bytes) -> bytes:
    """The body that is posted: what happened, when, and the document of what it happened to."""
    return b'{"type":"%s","timestamp":"%s","data":%s}' % (
        delivery.event.encode(),
        to_text(delivery.created_at).encode(),
        document.strip(),
    )


def _headers(call: _Call, now: Instant, body: bytes) -> dict[str, str]:
    """Standard Webhooks: the id stays the same for every attempt, timestamp and signature are this attempt's own."""
    id_, seconds = to_wire(call.delivery.id), now // SECOND
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(call.secrets, id_, seconds, body),
    }
