"""Raw limits: what decoding, inserting, the store and SMPP can do alone, on the same machine in the same minute.

Each is the product's own code with everything around it left out, in this process and one after the other.
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec
import uvloop

from bench.children import Simulator
from bench.client import Broken
from bench.recipients import SENDER, bulk_bodies, numbers
from opengage.api.envelope_batches import Batch, read_batch
from opengage.clock import SystemClock
from opengage.domain.callback_urls import Limits
from opengage.domain.ledger import Moves
from opengage.domain.states import Reason, TextEvent, TextStatus, change, place
from opengage.ids import Id, new_id, to_wire
from opengage.jsonapi.request import split
from opengage.smpp import coding
from opengage.smpp.contract import Answer, Loss, SessionSettings
from opengage.smpp.esme import Esme, EsmeOwner, connect
from opengage.smpp.hot import SubmitTemplate
from opengage.smpp.pdu import BindTransceiver, DeliverSm
from opengage.smpp.tlv import user_message_reference
from opengage.store import ledgers
from opengage.store.contract import Intent, Outgoing, Result, Step, Store, Transaction, Unanswered

WINDOW = 500
"""Submits without an answer, and texts of one transaction: what the worker uses by default."""

_ACCOUNT = 1
_TEXT = "Hello Quentin, text templates support variables."
_TIMEOUT = 60.0


def plain_decode(posts: int, size: int) -> float:
    """Envelopes per second of msgspec alone, into plain dicts."""
    bodies = bulk_bodies(to_wire(new_id()), posts * size, size)
    start = time.monotonic()
    for body in bodies:
        msgspec.json.decode(body)
    return posts * size / (time.monotonic() - start)


def decode(posts: int, size: int) -> float:
    """Envelopes per second of the API's own reading: parsed and every field checked."""
    return uvloop.run(_decode_timed(bulk_bodies(to_wire(new_id()), posts * size, size), posts * size))


async def _decode_timed(bodies: Sequence[bytes], envelopes: int) -> float:
    await read(bodies[0])  # the rules for phone numbers are compiled at the first one of a country
    start = time.monotonic()
    for body in bodies:
        await read(body)
    return envelopes / (time.monotonic() - start)


async def read(body: bytes) -> Batch:
    """A bulk document as the API reads it."""
    items = split(body)
    assert isinstance(items, list), "a bulk document holds an array"
    return await read_batch(items, "/data/{}".format, len(items), Limits())


def insert(store: Store, posts: int, size: int) -> float:
    """Envelopes per second into a fresh database, durable, one transaction for each would-be POST; closes the store."""
    return uvloop.run(_insert_timed(store, posts, size))


async def _insert_timed(store: Store, posts: int, size: int) -> float:
    engagement_id = new_id()
    try:
        batches = [await read(body) for body in bulk_bodies(to_wire(engagement_id), posts * size, size)]
        start = time.monotonic()
        await write(store, engagement_id, batches)
        return posts * size / (time.monotonic() - start)
    finally:
        await store.close()


async def write(store: Store, engagement_id: Id, batches: Sequence[Batch]) -> None:
    """Insert envelopes, one transaction for each batch."""
    author = new_id()
    for batch in batches:
        ids = [new_id() for _ in batch.new]
        moves = Moves()
        moves.arrive(_ACCOUNT, engagement_id, Reason.NONE, len(ids))
        async with store.writing() as tx:
            now = SystemClock().now()
            await tx.batches.insert_envelopes(_ACCOUNT, engagement_id, author, ids, batch.new, now)
            await ledgers.move(tx, moves)


def store_cycle(store: Store, texts: int) -> float:
    """Texts per second through the store alone, from due to delivered: three durable transactions for each 500."""
    return uvloop.run(_cycle_timed(store, texts))


async def _cycle_timed(store: Store, texts: int) -> float:
    cycle = Cycle(store)
    try:
        bodies = bulk_bodies(to_wire(cycle.engagement_id), texts, 10_000)
        await write(store, cycle.engagement_id, [await read(body) for body in bodies])
        start, done = time.monotonic(), 0
        while count := await cycle.turn():
            done += count
        took = time.monotonic() - start
    finally:
        await store.close()
    if done != texts:
        raise Broken(f"the store's cycle moved {done} of {texts} texts")
    return texts / took


class Cycle:
    """The statements that the dispatcher needs for a text, without the dispatcher."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clock = SystemClock()
        self.engagement_id = new_id()
        self._lane = (new_id(), 1)
        self._profile_id = new_id()
        self._refs = 0

    async def turn(self) -> int:
        """Take one batch from due to delivered; how many texts it had."""
        intents = await self._intend()
        if intents:
            refs = await self._accept(intents)
            await self._deliver(refs)
        return len(intents)

    async def _intend(self) -> list[Intent]:
        number_id = self._lane[0]
        outgoing = Outgoing(self.engagement_id, number_id, self._profile_id, SENDER, number_id)
        async with self._store.writing() as tx:
            now = self._clock.now()
            due = await tx.batches.due(_ACCOUNT, self.engagement_id, number_id, now, WINDOW)
            intents = [Intent(new_id(), each.envelope_id, each.phone_number, _TEXT, 1, False) for each in due]
            if intents:
                await tx.batches.intend(_ACCOUNT, self._lane, outgoing, intents, now)
                await self._move(tx, Reason.NONE, Reason.SENDING, len(intents))
        return intents

    async def _accept(self, intents: Sequence[Intent]) -> list[str]:
        refs = [f"{number:016x}" for number in range(self._refs, self._refs + len(intents))]
        self._refs += len(intents)
        texts = [
            Unanswered(_ACCOUNT, one.text_id, TextStatus.SENDING, 1, 1, self.engagement_id, one.envelope_id)
            for one in intents
        ]
        async with self._store.writing() as tx:
            pairs = [(ref, text.text_id, 1, 1) for ref, text in zip(refs, texts, strict=True)]
            await tx.batches.add_refs(_ACCOUNT, self._profile_id, pairs)
            await self._step(tx, texts, TextEvent.ACCEPTED)
        return refs

    async def _deliver(self, refs: Sequence[str]) -> None:
        async with self._store.writing() as tx:
            found = await tx.batches.texts_of_refs(_ACCOUNT, self._profile_id, refs)
            await self._step(tx, list(found.values()), TextEvent.DELIVERY)

    async def _step(self, tx: Transaction, texts: Sequence[Unanswered], event: TextEvent) -> None:
        before, status = texts[0].status, change(texts[0].status, event)
        assert status is not None, "the law of texts knows these events"
        reason = place(status)
        steps = [
            Step(text, status, reason, None, new_id(), text.attempts, event is TextEvent.ACCEPTED) for text in texts
        ]
        results = [Result(step.result_id, step.text.text_id, status, None) for step in steps]
        await tx.batches.step(_ACCOUNT, steps, results, self._clock.now())
        await self._move(tx, place(before), reason, len(texts))

    async def _move(self, tx: Transaction, before: Reason, after: Reason, count: int) -> None:
        moves = Moves()
        moves.leave(_ACCOUNT, self.engagement_id, before, count)
        moves.arrive(_ACCOUNT, self.engagement_id, after, count)
        await ledgers.move(tx, moves)


class Smpp(msgspec.Struct, frozen=True):
    """What SMPP took by itself."""

    rate: float
    """Texts per second by the clock: submitted, answered, and their receipts acknowledged."""
    processor_seconds: float
    """What one text took of this process's processor, in seconds: the simulator's share is its own."""


def smpp(simulator: Simulator, texts: int) -> Smpp:
    """Our session against the simulator in its own process, nothing stored anywhere."""
    return uvloop.run(_smpp(simulator, texts))


async def _smpp(simulator: Simulator, texts: int) -> Smpp:
    pump = _Pump(texts)
    settings = SessionSettings(window=WINDOW)
    bind = BindTransceiver(system_id="raw", password="raw")
    session = await connect(pump, settings, "127.0.0.1", simulator.port, bind)
    start, processor = time.monotonic(), time.process_time()
    pump.fill(session)
    async with asyncio.timeout(_TIMEOUT):
        await pump.over.wait()
    took, worked = time.monotonic() - start, time.process_time() - processor
    await session.close(1.0)
    if pump.trouble:
        raise Broken(f"SMPP alone: {pump.trouble}")
    return Smpp(texts / took, worked / texts)


class _Pump(EsmeOwner):
    """Keeps the window full, and acknowledges each receipt as it comes."""

    def __init__(self, texts: int) -> None:
        self.over = asyncio.Event()
        self.trouble = ""
        self._texts = texts
        self._numbers = [number.removeprefix("+") for number in numbers()]
        self._template = SubmitTemplate(SENDER.removeprefix("+"))
        self._payload = coding.encode_gsm7(_TEXT)
        self._submitted = self._answered = self._received = 0

    def fill(self, session: Esme) -> None:
        """Submit what the window has room for."""
        first = self._submitted
        last = self._submitted = min(self._texts, first + session.free_window)
        if first < last:
            session.submit_many([(self._body(number), number) for number in range(first, last)])

    def _body(self, number: int) -> bytes:
        to = self._numbers[number % len(self._numbers)]
        return self._template.body(to, 0, self._payload, 0, user_message_reference(number & 0xFFFF))

    def on_answers(self, session: Esme, answers: list[Answer]) -> None:
        """See SessionOwner.on_answers."""
        self._answered += len(answers)
        if any(status for _, status, _ in answers):
            self._end("the simulator refused a text")
        self._look(session)

    def on_window(self, session: Esme) -> None:
        """See SessionOwner.on_window."""
        self.fill(session)

    def on_late_answers(self, session: Esme, answers: list[Answer]) -> None:  # noqa: ARG002
        """See SessionOwner.on_late_answers: those texts have broken the run already."""
        return

    def on_timed_out(self, session: Esme, tokens: list[int]) -> None:  # noqa: ARG002
        """See SessionOwner.on_timed_out."""
        self._end(f"{len(tokens)} texts had no answer")

    def on_deliveries(self, session: Esme, deliveries: list[DeliverSm]) -> None:
        """See EsmeOwner.on_deliveries."""
        session.answer_deliveries([(delivery.sequence, 0) for delivery in deliveries])
        self._received += len(deliveries)
        self._look(session)

    def on_lost(self, session: Esme, unanswered: list[int], never_sent: list[int], loss: Loss) -> None:  # noqa: ARG002
        """See SessionOwner.on_lost."""
        if not self.over.is_set():
            self._end(f"the link was lost ({loss.cause})")

    def _look(self, session: Esme) -> None:
        if self._answered == self._received == self._texts:
            self.over.set()
        else:
            self.fill(session)

    def _end(self, trouble: str) -> None:
        self.trouble = trouble
        self.over.set()
