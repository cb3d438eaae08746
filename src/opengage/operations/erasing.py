"""Carrying out an erasure: one round through all that an account keeps, after which one number is nowhere.

Beside a text's path. What has not left is canceled first; what is with the network at this moment, or in doubt, is left
for a later round, since its number is needed to tell what became of it. Every step can be repeated: a round that is cut
off is begun anew.
"""

import zlib
from collections import Counter
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage import logs
from opengage.clock import Clock
from opengage.domain.callback_urls import origin
from opengage.domain.erasures import ErasureStatus
from opengage.domain.ledger import Moves
from opengage.domain.records import Contact, Erasure, Text, TextResult
from opengage.domain.states import Reason, TextEvent, TextStatus, change
from opengage.domain.webhooks import Event, Happening
from opengage.ids import Id, NewId, to_wire
from opengage.operations.erasures import number_of
from opengage.store import (
    canceling,
    contacts,
    endings,
    erasing,
    forgetting,
    outbox,
    retention,
    rows,
    suppressions,
    tables,
)
from opengage.store.blobs import Blobs
from opengage.store.contract import Rows, Settled, Store, Transaction, Turn

log = logs.get(__name__)

_UNDER_WAY: Final = (TextStatus.SENDING, TextStatus.IN_DOUBT, TextStatus.QUEUED)


async def carry_out(store: Store, blobs: Blobs, clock: Clock, new_id: NewId, erasure: Erasure) -> Erasure:
    """One round; the erasure as it is now: completed, or waiting for texts that are under way.

    One that somebody else carries out at this moment is left to them.
    """
    now = clock.now()
    async with store.writing() as tx:
        number = number_of(tx, erasure)
        if number is None or not await erasing.take(tx, erasure, now):
            return erasure
    count = await _Round(store, blobs, clock, new_id, erasure, number).run()
    await store.scrub()
    return await _note(store, clock, erasure, count)


async def _note(store: Store, clock: Clock, erasure: Erasure, count: Counter[str]) -> Erasure:
    """Write down what a round came to; at the end the number itself goes."""
    now, is_over = clock.now(), not count["waiting"]
    async with store.writing() as tx:
        found = await rows.find(tx, Erasure, erasure.account_id, erasure.id, lock=True)
        assert found is not None, "erasures are never deleted"
        totals = {f"count_{name}": getattr(found, f"count_{name}") + count[name] for name in _COUNTED}
        end = {"number": None, "completed_at": now, "status": ErasureStatus.COMPLETED} if is_over else {}
        done = await rows.change(tx, found, **totals, **end, count_waiting=count["waiting"], updated_at=now)
    log.info("erased", action="erase", erasure_id=to_wire(done.id), status=done.status, waiting=count["waiting"])
    return done


_COUNTED: Final = ("contacts", "envelopes", "texts", "canceled", "others")


class _Round:
    """One walk through an account."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock, new_id: NewId, erasure: Erasure, number: str) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._new_id = new_id
        self._author = erasure.created_by
        self._account_id = erasure.account_id
        self._number = number
        self._digits = number.lstrip("+")
        self._pseudonym = erasure.pseudonym
        self._imports: set[Id] = set()
        self.count: Counter[str] = Counter()

    async def run(self) -> Counter[str]:
        """Forget the number wherever it is; how much of each kind was found."""
        async with self._store.reading() as tx:
            self._imports |= await erasing.open_imports(tx, self._account_id)
        await self._contacts()
        await self._engagements()
        await self._singles()
        await self._suppressions()
        await self._others()
        await self._answers()
        await self._files()
        return self.count

    async def _contacts(self) -> None:
        """The person in the address book, and their number where it is another one's second."""
        while True:
            async with self._store.writing() as tx:
                await tx.take_turn(Turn.PEOPLE, (self._account_id,))
                ids = await erasing.contacts(tx, self._account_id, self._number)
                await contacts.remove(tx, self._account_id, ids)
            self.count["contacts"] += len(ids)
            if not ids:
                break
        async for page in erasing.everything(self._store, tables.contacts, ("phone_numbers",), self._account_id):
            for id_ in [Id(row[0]) for row in page if self._number in row[1]]:
                async with self._store.writing() as tx:
                    await self._shorten(tx, await rows.find(tx, Contact, self._account_id, id_, lock=True))

    async def _shorten(self, tx: Transaction, contact: Contact | None) -> None:
        if contact is not None:
            left = [each for each in msgspec.json.decode(contact.phone_numbers) if each != self._number]
            await rows.change(tx, contact, phone_numbers=msgspec.json.encode(left).decode())
            self.count["contacts"] += 1

    async def _engagements(self) -> None:
        """All blasts, those too that were made meanwhile: a copy takes over whom the walk has not come to yet."""
        seen: set[Id] = set()
        while True:
            async with self._store.reading() as tx:
                fresh = [id_ for id_ in await erasing.engagements(tx, self._account_id) if id_ not in seen]
            if not fresh:
                break
            for engagement_id in fresh:
                await self._engagement(engagement_id)
            seen.update(fresh)

    async def _engagement(self, engagement_id: Id) -> None:
        """A blast: what has not left is closed, what is over is forgotten, and what is under way must end first."""
        key = (self._account_id, engagement_id, self._number)
        async with self._store.reading() as tx:
            if not await erasing.of_engagement(tx, *key, hold=False):
                return
        moves = Moves()
        async with self._store.writing() as tx:
            await tx.take_turn(Turn.PEOPLE, (self._account_id,))
            found = await erasing.of_engagement(tx, *key, hold=True)
            waiting = [row for row in found if row[3] is None and row[4] in _UNDER_WAY]
            await self._close(tx, engagement_id, [row for row in found if row[3] is not None], moves)
            over = [row for row in found if row not in waiting]
            await self._forget(tx, over)
            await endings.move_and_complete(tx, moves, self._clock.now(), self._new_id)
        self.count["waiting"] += len(waiting)

    async def _close(self, tx: Transaction, engagement_id: Id, due: Rows, moves: Moves) -> None:
        """Close envelopes that have not left, for the reason for which they never will."""
        if not due:
            return
        is_suppressed = await suppressions.suppressed(tx, self._account_id, [self._number])
        reason = Reason.OPTED_OUT if is_suppressed else Reason.CANCELED
        settled = [Settled(Id(id_), reason, text_id) for id_, _, text_id, _, _ in due]
        await endings.close(tx, self._account_id, engagement_id, settled, self._clock.now(), self._new_id)
        for _, before, *_ in due:
            moves.leave(self._account_id, engagement_id, Reason(before))
            moves.arrive(self._account_id, engagement_id, reason)
        self.count["canceled"] += len(due)

    async def _forget(self, tx: Transaction, found: Rows) -> None:
        """Envelopes that are over, and their texts."""
        envelopes, texts = [Id(row[0]) for row in found], [Id(row[2]) for row in found if row[2]]
        for table, column, ids in (
            (tables.envelopes, "phone_number", envelopes),
            (tables.texts, "recipient", texts),
        ):
            await self._forget_in(tx, table, column, ids)
        self.count["envelopes"] += len(envelopes)
        self.count["texts"] += len(texts)

    async def _forget_in(self, tx: Transaction, table: sa.Table, column: str, ids: list[Id]) -> None:
        await retention.blank(tx, table, self._account_id, ids)
        named = dict.fromkeys(ids, self._pseudonym)
        await retention.rename(tx, table, column, self._account_id, named, callback=None)

    async def _singles(self) -> None:
        """Texts of no blast, to the person or from them; and messages that nobody else was ever sent."""
        mine: dict[str, list[Id]] = {"outbound": [], "inbound": []}
        messages: Counter[Id] = Counter()
        others: set[Id] = set()
        async for page in erasing.singles(self._store, self._account_id):
            for id_, direction, sender, recipient, message_id in page:
                is_mine = self._number == (recipient if direction == "outbound" else sender)
                if is_mine:
                    mine[direction].append(Id(id_))
                if message_id:
                    messages[Id(message_id)] += is_mine
                    others |= set() if is_mine or recipient == self._pseudonym else {Id(message_id)}
        for direction, column in (("outbound", "recipient"), ("inbound", "sender")):
            for start in range(0, len(mine[direction]), retention.BATCH):
                some = mine[direction][start : start + retention.BATCH]
                async with self._store.writing() as tx:
                    await self._forget_singles(tx, column, some)
        async with self._store.writing() as tx:
            theirs = [id_ for id_, count in messages.items() if count and id_ not in others]
            await retention.blank(tx, tables.text_messages, self._account_id, theirs)

    async def _forget_singles(self, tx: Transaction, column: str, ids: list[Id]) -> None:
        texts = await rows.hold(tx, Text, self._account_id, ids)
        over = []
        for text in texts.values():
            if text.status is TextStatus.QUEUED and text.next_at is not None:
                over += [text.id] if await self._cancel(tx, text) else []
            elif text.status not in _UNDER_WAY:
                over.append(text.id)
        await self._forget_in(tx, tables.texts, column, over)
        self.count["texts"] += len(over)
        self.count["waiting"] += len(texts) - len(over)

    async def _cancel(self, tx: Transaction, text: Text) -> bool:
        """Take back a text that waits; False when it has been taken meanwhile."""
        now, result_id, fate = self._clock.now(), self._new_id(), change(text.status, TextEvent.CANCEL)
        if fate is None or not await canceling.cancel(tx, text, fate, result_id, self._author, now):
            return False
        base: dict[str, Any] = {"account_id": self._account_id, "created_at": now, "updated_at": now}
        await rows.insert(tx, TextResult(**base, id=result_id, text_id=text.id, kind=fate.value))
        happened = Happening(self._account_id, Event.TEXT_CANCELED, "texts", text.id)
        await outbox.announce(tx, [happened], now, self._new_id)
        self.count["canceled"] += 1
        return True

    async def _suppressions(self) -> None:
        """Whoever has opted out stays opted out, under the pseudonym."""
        async with self._store.writing() as tx:
            await tx.take_turn(Turn.CONSENT, (self._account_id,))
            if await tx.batches.suppressed(self._account_id, [self._number]):
                self.count["others"] += await suppressions.hide(tx, self._account_id, [self._number], self._clock.now())
            self.count["others"] += await erasing.lately(tx, self._account_id, self._number)

    async def _others(self) -> None:
        """Wherever else it may have been written: faults of imports, audits, addresses and answers of webhooks."""
        for table, columns in (
            (tables.contact_import_errors, ("value", "detail")),
            (tables.audit_events, ("detail",)),
            (tables.webhook_deliveries, ("url",)),
            (tables.webhook_attempts, ("url", "error", "body")),
        ):
            async for page in erasing.everything(self._store, table, columns, self._account_id):
                found = [row for row in page if any(self._digits in str(value) for value in row[1:])]
                if found:
                    async with self._store.writing() as tx:
                        await self._forget_in_others(tx, table, found)
                    self.count["others"] += len(found)

    async def _forget_in_others(self, tx: Transaction, table: sa.Table, found: Rows) -> None:
        ids = [Id(row[0]) for row in found]
        if table is tables.contact_import_errors:
            await retention.delete(tx, table, self._account_id, ids)
        elif table is tables.audit_events:
            told = {Id(id_): detail.replace(self._number, self._pseudonym) for id_, detail in found}
            await retention.rename(tx, table, "detail", self._account_id, told)
        else:
            urls = {Id(row[0]): f"{origin(row[1])}/" for row in found if row[1]}
            nulls = {"error": None, "body": None} if table is tables.webhook_attempts else {}
            await retention.rename(tx, table, "url", self._account_id, urls, **nulls)
        if table is tables.webhook_deliveries:
            await erasing.give_up(tx, self._account_id, ids)

    async def _answers(self) -> None:
        """Stored answers that tell of the number; their keys stay, so that no request is carried out twice."""
        wanted = self._digits.encode()
        async for page in erasing.answers(self._store, self._account_id):
            found = [(member, key) for member, key, body in page if body and wanted in zlib.decompress(body)]
            if found:
                async with self._store.writing() as tx:
                    for member, key in found:
                        await forgetting.forget_answer(tx, self._account_id, Id(member), key)
                self.count["others"] += len(found)

    async def _files(self) -> None:
        """Files that contacts came in; one that is being read must be through first."""
        while True:
            async with self._store.writing() as tx:
                now = self._clock.now()
                gone = await forgetting.spent_files(tx, self._account_id, now, retention.BATCH)
                self._imports |= await erasing.open_imports(tx, self._account_id)
            for blob in gone:
                await self._blobs.remove(blob)
            self.count["others"] += len(gone)
            if not gone:
                break
        self.count["waiting"] += len(self._imports)
