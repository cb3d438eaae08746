"""The hot path on PostgreSQL: COPY for what is new, one statement over arrays for what changes.

COPY needs a prepared statement, so behind a pooler new rows travel as arrays too. Where envelopes are read to be taken,
they are locked, and those that another lane is about to take are passed over. Updates leave `status` and most of the
rest out of every index, so that they stay within their page (HOT).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from asyncpg.pool import PoolConnectionProxy

from opengage.clock import SECOND, Instant
from opengage.domain.errors import Fenced, Unavailable
from opengage.domain.outcomes import Receipt
from opengage.domain.states import STATUS_OF, Reason, TextStatus
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import (
    Due,
    Held,
    Intent,
    NewEnvelope,
    Outgoing,
    Recent,
    Result,
    Rows,
    Settled,
    Stale,
    Step,
    Unanswered,
)
from opengage.store.packing import fate, kinds, packed, place, segment, spelled
from opengage.store.postgres import statements as sql

_STATUSES: Final = {status.value: status for status in TextStatus}
_REASONS: Final = {reason.value: reason for reason in Reason}
_ARRAYS: Final = {
    sa.BigInteger: "bigint[]",
    sa.Float: "double precision[]",
    sa.LargeBinary: "bytea[]",
    sa.Text: "text[]",
    sa.Boolean: "boolean[]",
}


ONLY_READ: Final = (
    "Nothing was changed: this part of Opengage may only read here, which is a mistake of ours. Report it."
)


def insertion(table: sa.Table, columns: Sequence[str]) -> str:
    """The statement that inserts rows handed over as one array for each column."""
    kinds = [_ARRAYS[type(table.c[name].type)] for name in columns]
    arrays = ", ".join(f"${place}::{kind}" for place, kind in enumerate(kinds, 1))
    names = ", ".join(f'"{name}"' for name in columns)  # some are words of the language, such as window
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - our names


def _unanswered(row: Iterable[Any]) -> Unanswered:
    account_id, id_, status, segments, attempts, engagement_id, envelope_id, is_settled = row
    return Unanswered(account_id, id_, _STATUSES[status], segments, attempts, engagement_id, envelope_id, is_settled)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """The same values as one array for each column."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _text(words: str) -> str:
    """The same words without NUL, which PostgreSQL's text cannot hold and no handset shows."""
    return words.replace("\0", "\ufffd") if "\0" in words else words


class PostgresBatches:
    """See store.contract.Batches."""

    def __init__(self, connection: "PoolConnectionProxy[asyncpg.Record]", *, writes: bool, copies: bool) -> None:
        self._connection = connection
        self._writes = writes
        self._copies = copies
        self.xid: str | None = None
        """The transaction's number, once a statement has told it."""

    def _change(self) -> None:
        """Raise Unavailable where one may only read."""
        if not self._writes:
            raise Unavailable(ONLY_READ)

    async def _run(self, statement: str, *parameters: Any) -> int:
        self._change()
        status = await self._connection.execute(statement, *parameters)
        return int(status.rpartition(" ")[2])

    async def _run_counted(self, statement: str, *parameters: Any) -> int:
        self._change()
        [(count, self.xid)] = await self._connection.fetch(statement, *parameters)
        return int(count)

    async def _insert(self, table: sa.Table, columns: Sequence[str], new: Sequence[tuple[Any, ...]]) -> None:
        self._change()
        if not new:
            return
        if self._copies:
            await self._connection.copy_records_to_table(table.name, records=new, columns=columns)
        else:
            await self._connection.execute(insertion(table, columns), *_columns(new, len(columns)))

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """See Batches.load."""
        clean = [tuple(_text(value) if isinstance(value, str) else value for value in row) for row in rows]
        await self._insert(tables.metadata.tables[table], columns, clean)

    async def insert_envelopes(
        self,
        account_id: int,
        engagement_id: Id,
        author: Id,
        ids: Sequence[Id],
        new: Sequence[NewEnvelope],
        now: Instant,
    ) -> None:
        """See Batches.insert_envelopes."""
        rows = [
            (
                *(account_id, id_, now, now, author, author, engagement_id),
                *(each.phone_number, "pending", "", _text(each.meta)),
                *(now + (each.delay_in_seconds or 0) * SECOND, 0),
                *(each.callback, each.callback_include, each.is_priority, each.delay_in_seconds),
            )
            for id_, each in zip(ids, new, strict=True)
        ]
        await self._insert(tables.envelopes, sql.NEW_ENVELOPE, rows)

    async def due(
        self,
        account_id: int,
        engagement_id: Id,
        lane: Id,
        now: Instant,
        limit: int,
        priorities: Sequence[bool] = (True, False),
    ) -> list[Due]:
        """See Batches.due."""
        of_nobody = sql.TAKE_DUE_OF_NOBODY if self._writes else sql.DUE_OF_NOBODY
        of_lane = sql.TAKE_DUE_OF_LANE if self._writes else sql.DUE_OF_LANE
        found: list[Due] = []
        for is_priority in priorities:
            for statement, *number in ((of_nobody,), (of_lane, lane)):
                if limit <= len(found):
                    return found
                wanted = (account_id, engagement_id, is_priority, now, limit - len(found), *number)
                found += [
                    Due(id_, to, meta, text_id, _REASONS[reason], bool(number), is_texted)
                    for id_, to, meta, text_id, reason, is_texted in await self._connection.fetch(statement, *wanted)
                ]
        return found

    async def suppressed(self, account_id: int, numbers: Sequence[str]) -> set[str]:
        """See Batches.suppressed."""
        found = await self._connection.fetch(sql.SUPPRESSED, account_id, spelled(map(_text, numbers)))
        return {row[0] for row in found}

    async def sent_before(
        self, account_id: int, engagement_id: Id, numbers: Sequence[str]
    ) -> list[tuple[str, str, Id]]:
        """See Batches.sent_before."""
        found = await self._connection.fetch(sql.SENT_BEFORE, account_id, engagement_id, spelled(map(_text, numbers)))
        return [(recipient, body, id_) for recipient, body, id_ in found]

    async def sent_lately(
        self, account_id: int, engagement_ids: Sequence[Id], numbers: Sequence[str], since: Id
    ) -> list[tuple[Id, str]]:
        """See Batches.sent_lately."""
        found = await self._connection.fetch(
            sql.SENT_LATELY, account_id, engagement_ids, spelled(map(_text, numbers)), since
        )
        return [(id_, number) for id_, number in found]

    async def recent(self, account_id: int, numbers: Sequence[str], since: Id) -> list[Recent]:
        """See Batches.recent."""
        found = await self._connection.fetch(sql.RECENT, account_id, spelled(map(_text, numbers)), since)
        return [Recent(*row) for row in found]

    async def remember(self, account_id: int, recent: Sequence[Recent]) -> None:
        """See Batches.remember."""
        texts, own = packed(each.text_id for each in recent), packed(each.phone_number_id for each in recent)
        await self._run(sql.REMEMBER, account_id, spelled(_text(each.phone_number) for each in recent), texts, own)

    async def assign(self, account_id: int, assigned: Sequence[tuple[Id, Id]]) -> None:
        """See Batches.assign."""
        envelopes, numbers = packed(envelope_id for envelope_id, _ in assigned), packed(to for _, to in assigned)
        await self._run(sql.ASSIGN, account_id, envelopes, numbers)

    async def hold_envelopes(self, account_id: int, held: Sequence[Held], now: Instant) -> None:
        """See Batches.hold_envelopes."""
        places, shared = kinds(held, lambda each: (STATUS_OF[each.reason], each.reason, each.rule, each.until), 4)
        envelopes = packed(each.envelope_id for each in held)
        await self._run(sql.HOLD_ENVELOPES, account_id, now, envelopes, spelled(places), *shared)

    async def in_doubt(
        self, account_id: int, service_profile_id: Id, recipients: Sequence[str]
    ) -> list[tuple[str, Unanswered]]:
        """See Batches.in_doubt."""
        rows = await self._connection.fetch(sql.IN_DOUBT, account_id, service_profile_id, recipients)
        found = [(recipient, _unanswered(row)) for recipient, *row in rows]
        under_way = {recipient for recipient, text in found if text.status == TextStatus.SENDING}
        return [(recipient, text) for recipient, text in found if recipient not in under_way]

    async def intend(
        self, account_id: int, lane: tuple[Id, int], texts: Outgoing, intents: Sequence[Intent], now: Instant
    ) -> None:
        """See Batches.intend."""
        fresh = [
            (
                *(account_id, each.text_id, now, now, texts.author, texts.author, texts.sender, each.recipient),
                *("outbound", "sending", _text(each.body), each.segments),
                *(texts.phone_number_id, texts.service_profile_id, texts.engagement_id, each.envelope_id),
                *(lane[1], 1, "{}", texts.text_template_revision_id),
            )
            for each in intents
            if not each.is_retry
        ]
        await self._insert(tables.texts, sql.NEW_TEXT, fresh)
        touched = len(fresh)
        again = [each.text_id for each in intents if each.is_retry]
        if again:
            route = (texts.service_profile_id, texts.phone_number_id, texts.sender)
            touched += await self._run(sql.RESUBMIT_TEXTS, account_id, packed(again), lane[1], now, *route)
        envelopes, ids = packed(each.envelope_id for each in intents), packed(each.text_id for each in intents)
        taken = await self._run_counted(sql.INTEND_ENVELOPES, account_id, now, envelopes, ids)
        if not taken == touched == len(intents):
            raise Fenced("Envelopes of this batch were taken by another dispatcher; nothing was written.")

    async def settle_envelopes(self, account_id: int, settled: Sequence[Settled], now: Instant) -> None:
        """See Batches.settle_envelopes."""
        places, shared = kinds(settled, lambda each: (STATUS_OF[each.reason], each.reason), 2)
        envelopes = packed(each.envelope_id for each in settled)
        await self._run(sql.SETTLE_ENVELOPES, account_id, now, envelopes, spelled(places), *shared)
        deferred = [each.text_id for each in settled if each.text_id]
        if deferred:
            await self._run(sql.CANCEL_TEXTS, account_id, packed(deferred), now)

    async def texts(self, account_id: int, ids: Sequence[Id]) -> dict[Id, Unanswered]:
        """See Batches.texts."""
        found = await self._connection.fetch(sql.TEXTS, account_id, packed(ids))
        return {row[1]: _unanswered(row) for row in found}

    async def texts_of_refs(
        self, account_id: int, service_profile_id: Id, refs: Sequence[str]
    ) -> dict[str, Unanswered]:
        """See Batches.texts_of_refs."""
        found = await self._connection.fetch(
            sql.TEXTS_OF_REFS, account_id, service_profile_id, spelled(map(_text, refs))
        )
        return {ref: _unanswered(row) for ref, *row in found}

    async def add_refs(self, account_id: int, service_profile_id: Id, refs: Sequence[tuple[str, Id, int, int]]) -> None:
        """See Batches.add_refs."""
        names, texts = spelled(_text(ref[0]) for ref in refs), packed(ref[1] for ref in refs)
        places, shared = kinds(refs, segment, 2)
        await self._run(sql.ADD_REFS, account_id, service_profile_id, names, texts, spelled(places), *shared)

    async def park(self, account_id: int, service_profile_id: Id, receipts: Sequence[Receipt], now: Instant) -> None:
        """See Batches.park."""
        told = [
            (_text(each.carrier_ref), _text(each.recipient), each.reference, each.state.value, _text(each.code))
            for each in receipts
        ]
        await self._run(sql.PARK, account_id, service_profile_id, now, *_columns(told, 5))

    async def parked(self, account_id: int, service_profile_id: Id, refs: Sequence[str]) -> Rows:
        """See Batches.parked."""
        found = await self._connection.fetch(sql.PARKED, account_id, service_profile_id, spelled(map(_text, refs)))
        return [tuple(row) for row in found]

    async def forget_parked(self, account_id: int, service_profile_id: Id, refs: Sequence[str]) -> None:
        """See Batches.forget_parked."""
        await self._run(sql.FORGET_PARKED, account_id, service_profile_id, spelled(map(_text, refs)))

    async def step(self, account_id: int, steps: Sequence[Step], results: Sequence[Result], now: Instant) -> None:
        """See Batches.step."""
        # in the order of their ids, as all who move texts: two of them lock the same rows the same way round
        ordered = sorted(steps, key=lambda each: each.text.text_id)
        texts, results_ = packed(each.text.text_id for each in ordered), packed(each.result_id for each in ordered)
        places, shared = kinds(ordered, _text_fate, 8)
        fates = (texts, results_, spelled(places), *shared)
        if await self._run_counted(sql.STEP_TEXTS, account_id, now, *fates) != len(steps):
            raise Stale
        written = [
            (account_id, each.id, now, now, each.text_id, each.kind, each.code and _text(each.code)) for each in results
        ]
        await self._insert(tables.text_results, sql.NEW_RESULT, written)
        of_envelopes = [each for each in ordered if each.text.envelope_id]
        if of_envelopes:
            envelopes = packed(each.text.envelope_id for each in of_envelopes if each.text.envelope_id)
            places, shared = kinds(of_envelopes, _envelope_place, 4)
            await self._run(sql.STEP_ENVELOPES, account_id, now, envelopes, spelled(places), *shared)

    async def open_texts(
        self, account_id: int, phone_number_id: Id, status: TextStatus, before: Id, limit: int
    ) -> list[tuple[Unanswered, int, Instant | None]]:
        """See Batches.open_texts."""
        rows = await self._connection.fetch(sql.OPEN_TEXTS, account_id, phone_number_id, status, before, limit)
        return [(_unanswered(row), epoch, sent_at) for epoch, sent_at, *row in rows]


def _text_fate(step: Step) -> tuple[Any, ...]:
    status, code, *others = fate(step)
    return status, code and _text(code), *others, step.next_at


def _envelope_place(step: Step) -> tuple[Any, ...]:
    status, reason, retries = place(step)
    return status, reason, step.next_at, retries
