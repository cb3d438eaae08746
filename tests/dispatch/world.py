"""A small world for the dispatcher: a real store, a clock that stands still, and a carrier that does as told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from databases import Database
from opengage.assembly.legal_clock import built_in
from opengage.carriers.contract import Sink
from opengage.clock import SECOND, Instant, SystemClock
from opengage.dispatch.intent import Intents
from opengage.dispatch.law import Law
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.sender import Pace, Sender
from opengage.dispatch.singles import Singles
from opengage.domain.errors import Unavailable
from opengage.domain.ledger import Ledger, Moves, balance
from opengage.domain.legal_clock import LegalClock, parse
from opengage.domain.outcomes import Accepted, Outcome, Receipt, ReceiptState, Submission, reference_of
from opengage.domain.records import (
    Account,
    Activity,
    Engagement,
    PhoneNumber,
    Record,
    ServiceProfile,
    Suppression,
    Text,
    TextTemplate,
)
from opengage.domain.states import EngagementStatus, Reason, TextStatus
from opengage.ids import Id, new_id
from opengage.operations.accounts import create_account
from opengage.store import lanes, ledgers, pools, rows, suppressions
from opengage.store.contract import NewEnvelope, Store, Transaction

R = TypeVar("R", bound=Record)

HELLO = "Hello {{first-name}}"
LONG = "{{first-name}} " + "x" * 400
"""Three segments of GSM-7."""


def recipient(number: int) -> str:
    """A fictional number."""
    return f"+1{202 + number // 100}55501{number % 100:02d}"


async def until(predicate: Callable[[], object], within: float = 5.0) -> None:
    """Return once `predicate` holds. Raises TimeoutError when it does not within so many seconds."""
    async with asyncio.timeout(within):
        while not predicate():
            await asyncio.sleep(0.001)


class HandClock(SystemClock):
    """A clock that only the test moves. Ids are made by the real one, so it starts at the real time."""

    def __init__(self) -> None:
        self.wall = super().now()
        self.seconds = 1000.0

    def now(self) -> Instant:
        """See Clock.now."""
        return self.wall

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.wall = Instant(self.wall + int(seconds * SECOND))
        self.seconds += seconds


class ScriptedCarrier:
    """See carriers.contract.Carrier: keeps what it is given and says what the test tells it to say."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.submitted: list[Submission] = []
        self.acknowledged: list[tuple[int, bool]] = []
        self.answer: Callable[[Submission], Outcome | None] = lambda _: None
        self.on_submit: Callable[[Sequence[Submission]], None] = lambda _: None
        self.is_bound = True
        self.room = 10_000
        self.stopped = False
        self.last_words: Callable[[], list[Outcome]] = list

    def start(self, sink: Sink) -> None:
        """See Carrier.start."""
        self.sink = sink

    def capacity(self) -> int:
        """See Carrier.capacity."""
        return self.room

    def submit(self, submissions: Sequence[Submission]) -> None:
        """See Carrier.submit."""
        self.on_submit(submissions)
        self.submitted += submissions
        outcomes = []
        for each in submissions:
            if (outcome := self.answer(each)) is not None:
                outcome.attempt = each.attempt
                outcomes.append(outcome)
        if outcomes and self.sink is not None:
            self.sink.outcomes(outcomes)

    def acknowledge(self, tokens: Sequence[int], *, stored: bool) -> None:
        """See Carrier.acknowledge."""
        self.acknowledged += [(token, stored) for token in tokens]

    async def stop(self, within: float) -> None:
        """See Carrier.stop."""
        self.stopped = True
        if self.sink is not None:
            self.sink.outcomes(self.last_words())

    @property
    def recipients(self) -> list[str]:
        """Who was texted, in order."""
        return [submission.recipient for submission in self.submitted]


def accept(submission: Submission) -> Outcome:
    """The carrier takes it, under an id made of the recipient's number."""
    return Accepted(submission.text_id, (f"ref-{submission.recipient}",), submission.attempt)


def receipt_for(submission: Submission, state: ReceiptState = ReceiptState.DELIVERED, **changes: Any) -> Receipt:
    """The receipt of a text that was taken by `accept`."""
    told = {
        "carrier_ref": f"ref-{submission.recipient}",
        "state": state,
        "code": "DELIVRD" if state is ReceiptState.DELIVERED else "UNDELIV:001",
        "sender": submission.sender,
        "recipient": submission.recipient,
        "reference": reference_of(submission.text_id),
        "token": 1,
    }
    return Receipt(**{**told, **changes})


async def _nothing() -> None:
    return


class HookedStore:
    """A store in front of which the test can step, and whose commits it can let fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.before_writing: Callable[[], Awaitable[None]] = _nothing
        self.before_commit: Callable[[], Awaitable[None]] = _nothing
        self.failures = 0
        """How many of the next commits fail."""
        self.lies = 0
        """How many of the next commits are reported as failed, though they are durable."""

    def reading(self, *, is_hot: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """See Store.reading."""
        return self._store.reading(is_hot=is_hot)

    def looking(self) -> AbstractAsyncContextManager[Transaction]:
        """See Store.looking."""
        return self._store.looking()

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[Transaction]:
        """See Store.writing."""
        await self.before_writing()
        async with self._store.writing(is_hot=is_hot) as tx:
            yield tx
            await self.before_commit()
            if self.failures:
                self.failures -= 1
                raise Unavailable("The disk is full. Make room.")
        if self.lies:
            self.lies -= 1
            raise Unavailable("The connection was lost. Nobody knows whether the transaction was committed.")

    async def changed(self, within: float) -> None:
        """See Store.changed."""
        await self._store.changed(within)

    async def scrub(self) -> None:
        """See Store.scrub."""
        await self._store.scrub()

    async def close(self) -> None:
        """See Store.close."""
        await self._store.close()


class Tenant(msgspec.Struct):
    """An account with a number."""

    account_id: int
    member: Id
    number: PhoneNumber
    profile: ServiceProfile


class World:
    """Everything that a test of the dispatcher touches."""

    def __init__(self, database: Database, store: Store) -> None:
        self.database = database
        self.store = store
        self.clock = HandClock()
        self.carrier = ScriptedCarrier()
        self.law = Law(LegalClock(parse(built_in())))

    # made before the dispatcher comes

    async def tenant(self, key: str = "firstbank", rate: float | None = None) -> Tenant:
        """An account with one number on an SMPP profile."""
        made = await create_account(
            self.store, self.clock, new_id, key=key, phone_number="+12025550100", rate=rate, smsc="smpp://a:b@127.0.0.1"
        )
        async with self.store.reading() as tx:
            number = await rows.first(tx, PhoneNumber, id=made.phone_number_id)
            profile = await rows.first(tx, ServiceProfile, id=made.service_profile_id)
        assert number
        assert profile
        return Tenant(number.account_id, made.membership_id, number, profile)

    async def second_number(self, tenant: Tenant) -> PhoneNumber:
        """Another number on the same service profile."""
        return await self.another_number(tenant, 1)

    async def another_number(self, tenant: Tenant, last: int) -> PhoneNumber:
        """Yet another, by its last two digits."""
        number = msgspec.structs.replace(tenant.number, id=new_id(), phone_number=f"+120255501{last:02d}")
        async with self.store.writing() as tx:
            await rows.insert(tx, number)
        return number

    async def engagement(
        self,
        tenant: Tenant,
        recipients: int | Sequence[str] = 1,
        *,
        body: str = HELLO,
        meta: str = '{"first-name":"Ann"}',
        number: PhoneNumber | None = None,
        **values: Any,
    ) -> Engagement:
        """A running engagement with envelopes; `values` are fields of its record."""
        now, common = self.clock.now(), self._common(tenant)
        template = TextTemplate(**common, id=new_id(), name="Template", body=body, revision_id=new_id())
        activity_id = new_id()
        fields = {"name": "Blast", "status": EngagementStatus.PROCESSING, "activity_id": activity_id} | values
        engagement = Engagement(**common, id=new_id(), **fields)
        activity = Activity(
            **common,
            id=activity_id,
            engagement_id=engagement.id,
            name="Blast",
            kind="text",
            phone_number_id=(number or tenant.number).id,
            text_template_id=template.id,
        )
        async with self.store.writing() as tx:
            for record in (template, activity, engagement):
                await rows.insert(tx, record)
        numbers = [recipient(each) for each in range(recipients)] if isinstance(recipients, int) else recipients
        await self.envelopes(tenant, engagement, [(each, meta) for each in numbers], now)
        return engagement

    async def envelopes(
        self, tenant: Tenant, engagement: Engagement, new: Sequence[tuple[str, str]], now: Instant
    ) -> None:
        """More recipients: (number, meta)."""
        moves = Moves()
        moves.arrive(tenant.account_id, engagement.id, Reason.NONE, len(new))
        async with self.store.writing() as tx:
            await tx.batches.insert_envelopes(
                tenant.account_id,
                engagement.id,
                tenant.member,
                [new_id() for _ in new],
                [NewEnvelope(number, meta) for number, meta in new],
                now,
            )
            await ledgers.move(tx, moves)

    def _common(self, tenant: Tenant) -> dict[str, Any]:
        now = self.clock.now()
        author = {"created_by": tenant.member, "updated_by": tenant.member}
        return {"account_id": tenant.account_id, "created_at": now, "updated_at": now, **author}

    async def suppress(self, tenant: Tenant, number: str) -> None:
        """This number must not be texted."""
        now = self.clock.now()
        record = Suppression(
            account_id=tenant.account_id,
            id=new_id(),
            created_at=now,
            updated_at=now,
            phone_number=number,
            reason="opted-out",
        )
        async with self.store.writing() as tx:
            await rows.insert(tx, record)

    async def hide(self, tenant: Tenant, number: str) -> None:
        """This number was suppressed, and its pseudonym is all that is left of it."""
        await self.suppress(tenant, number)
        async with self.store.writing() as tx:
            assert await suppressions.hide(tx, tenant.account_id, [number], self.clock.now()) == 1

    async def set(self, record: R, **fields: Any) -> R:
        """Change fields of a record, behind everybody's back."""
        async with self.store.writing() as tx:
            return await rows.change(tx, record, **fields)

    # parts of the dispatcher

    def recorder(self, tenant: Tenant, store: Store | None = None) -> Recorder:
        """A recorder on the scripted carrier; nothing runs yet."""
        recorder = Recorder(tenant.profile, self.carrier, store or self.store, self.clock, new_id, lambda: 0.0)
        self.carrier.start(recorder)
        return recorder

    async def lease(self, number: PhoneNumber, owner: str = "one", seconds: float = 60.0) -> lanes.Lease:
        """The number's lane, taken."""
        async with self.store.writing() as tx:
            lease = await lanes.take(tx, number, owner, seconds)
        assert lease is not None
        return lease

    async def account(self, tenant: Tenant, **fields: Any) -> None:
        """Change the tenant's account."""
        async with self.store.reading() as tx:
            found = await rows.first(tx, Account, account_id=tenant.account_id)
        assert found
        await self.set(found, **fields)

    async def pool(self, engagement: Engagement, *numbers: PhoneNumber) -> None:
        """Make these the engagement's sender pool."""
        async with self.store.writing() as tx:
            await pools.replace(tx, engagement.account_id, engagement.id, [number.id for number in numbers])

    async def single(self, tenant: Tenant, to: str, **values: Any) -> Text:
        """A single text that is due."""
        text = Text(
            **self._common(tenant),
            **{
                "id": new_id(),
                "sender": tenant.number.phone_number,
                "recipient": to,
                "direction": "outbound",
                "status": TextStatus.QUEUED,
                "body": "Hello",
                "segments": 1,
                "phone_number_id": tenant.number.id,
                "service_profile_id": tenant.profile.id,
                "next_at": self.clock.now(),
                **values,
            },
        )
        async with self.store.writing() as tx:
            await rows.insert(tx, text)
        return text

    async def fallback(self, tenant: Tenant) -> tuple[Recorder, "ScriptedCarrier"]:
        """A second service profile of the tenant, with a carrier of its own."""
        profile = msgspec.structs.replace(tenant.profile, id=new_id(), name="Second", url="smpp://b@127.0.0.1")
        async with self.store.writing() as tx:
            await rows.insert(tx, profile)
        carrier = ScriptedCarrier()
        recorder = Recorder(profile, carrier, self.store, self.clock, new_id, lambda: 0.0)
        carrier.start(recorder)
        return recorder, carrier

    async def sender(
        self,
        tenant: Tenant,
        recorder: Recorder,
        window: int = 500,
        number: PhoneNumber | None = None,
        store: Store | None = None,
        others: Sequence[Recorder] = (),
        careful_for: int = 0,
    ) -> Sender:
        """A sender that holds its lane; `others` are the carriers that take over from its own."""
        lane = number or tenant.number
        sender = Sender(
            lane,
            await self.lease(lane),
            [recorder, *others],
            store or self.store,
            self.clock,
            Intents(lane, self.clock, new_id, self.law, 10),
            Singles(lane, self.clock, new_id, self.law, 10, lambda: 0.0),
            Pace(window=window),
            careful_for=careful_for,
        )
        sender.valid_until = self.clock.monotonic() + 60.0
        return sender

    def wait(self, seconds: float, *senders: Sender) -> None:
        """Let time pass for senders whose leases are kept meanwhile."""
        self.clock.advance(seconds)
        for sender in senders:
            sender.valid_until = self.clock.monotonic() + 60.0

    def expire_lanes(self) -> None:
        """Let every lease run out."""
        self.change("UPDATE lanes SET expires_at = 0")

    # what a stranger sees

    def look(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is committed, seen through a connection of its own."""
        return self.database.look(statement, *parameters)

    def change(self, statement: str, *parameters: Any) -> None:
        """A change from outside."""
        self.database.change(statement, *parameters)

    def statuses(self) -> dict[str, str]:
        """Status of every outbound text, by its recipient."""
        return dict(self.look("SELECT recipient, status FROM texts WHERE direction = 'outbound' ORDER BY id"))

    def reasons(self) -> dict[str, str]:
        """Reason of every envelope, by its number."""
        return dict(self.look("SELECT phone_number, reason FROM envelopes ORDER BY id"))

    async def ledger(self, engagement: Engagement) -> Ledger:
        """The engagement's ledger, once it is shown to agree with a recount of the envelopes."""
        async with self.store.reading() as tx:
            kept = await ledgers.read(tx, engagement.account_id, engagement.id)
        counted = self.look(
            "SELECT reason, count(*) FROM envelopes WHERE engagement_id = ? GROUP BY reason", engagement.id
        )
        assert kept == balance([(Reason(reason), count) for reason, count in counted])
        return kept

    def engagement_status(self, engagement: Engagement) -> str:
        """The engagement's status as it is stored."""
        status: str = self.look("SELECT status FROM engagements WHERE id = ?", engagement.id)[0][0]
        return status


def migrated_url(path: Path) -> sa.URL:
    """The address of a SQLite file, for migrations."""
    return sa.URL.create("sqlite", database=str(path))
