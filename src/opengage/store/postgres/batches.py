"""The hot path on PostgreSQL: COPY for what is new, one statement over arrays for what changes.

A look-up or a change joins its table to `unnest` of the batch's arrays. That is fast only as a loop over the batch with
an index look-up in it. So the whole key travels in the arrays, the account in each of its places: were it a parameter
of its own, a planner without statistics would take the few rows that it thinks an account to have, which are all of
them, and compare each with the batch. Other ways to join are switched off (see `options`), and a test holds each
statement to its plan. COPY needs a prepared statement, so behind a pooler new rows travel as arrays too.

Where envelopes are read to be taken, they are locked, and those that another lane is about to take are passed over.
Updates leave `status` and most of the rest out of every index, so that they stay within their page (HOT).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from asyncpg.pool import PoolConnectionProxy

from opengage.clock import SECOND, Instant
from opengage.domain.errors import Fenced
from opengage.domain.states import STATUS_OF, EnvelopeStatus, Reason, TextStatus
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Due, Intent, NewEnvelope, Outgoing, Result, Settled, Stale, Step, Unanswered

_DUE: Final = """
SELECT id, phone_number, meta, text_id FROM envelopes
WHERE account_id = $1 AND engagement_id = $2 AND is_priority = $3 AND next_at <= $4
ORDER BY next_at, id LIMIT $5
"""
_TAKE_DUE: Final = _DUE + "FOR NO KEY UPDATE SKIP LOCKED"

_SUPPRESSED: Final = """
SELECT phone_number FROM unnest($1::bigint[], $2::text[]) AS given (account, wanted)
JOIN suppressions ON account_id = given.account AND phone_number = given.wanted
"""

# Without statistics the index on the engagement's ids looks as good as the one on its numbers, and walks through all of
# the engagement for each. A range of one number, in order, is what only the latter can give.
_SENT_BEFORE: Final = """
SELECT t.recipient, t.body FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS given (account, engagement, wanted)
CROSS JOIN LATERAL (
    SELECT account_id, text_id FROM envelopes
    WHERE account_id = given.account AND engagement_id = given.engagement
        AND phone_number BETWEEN given.wanted AND given.wanted AND text_id IS NOT NULL
    ORDER BY phone_number
) AS e
JOIN texts AS t ON t.account_id = e.account_id AND t.id = e.text_id
"""

_IN_DOUBT: Final = """
SELECT recipient, account_id, id, status, segments, attempts, engagement_id, envelope_id, false FROM texts
WHERE account_id = $1 AND service_profile_id = $2 AND epoch IS NOT NULL AND status IN ('in-doubt', 'sending')
    AND recipient = ANY($3::text[])
ORDER BY id
"""

_OPEN_TEXTS: Final = """
SELECT epoch, sent_at, account_id, id, status, segments, attempts, engagement_id, envelope_id, false FROM texts
WHERE account_id = $1 AND phone_number_id = $2 AND epoch IS NOT NULL AND status = $3 AND id < $4
ORDER BY id LIMIT $5
"""

_RESUBMIT_TEXTS: Final = """
UPDATE texts SET status = 'sending', epoch = $3, attempts = attempts + 1, updated_at = $4
FROM unnest($1::bigint[], $2::bytea[]) AS given (account, wanted)
WHERE account_id = given.account AND id = given.wanted AND status = 'queued'
"""

_CANCEL_TEXTS: Final = """
UPDATE texts SET status = 'canceled', settled_at = $3, updated_at = $3
FROM unnest($1::bigint[], $2::bytea[]) AS given (account, wanted)
WHERE account_id = given.account AND id = given.wanted AND status = 'queued'
"""

_INTEND_ENVELOPES: Final = """
UPDATE envelopes SET status = 'processing', reason = 'sending', next_at = NULL, text_id = given.text,
    processed_at = $2, updated_at = $2
FROM unnest($1::bigint[], $3::bytea[], $4::bytea[]) AS given (account, wanted, text)
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted AND envelopes.next_at IS NOT NULL
"""

_SETTLE_ENVELOPES: Final = """
UPDATE envelopes SET status = given.status, reason = given.reason, next_at = NULL, processed_at = $2,
    completed_at = $2, updated_at = $2
FROM unnest($1::bigint[], $3::bytea[], $4::text[], $5::text[]) AS given (account, wanted, status, reason)
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted AND envelopes.next_at IS NOT NULL
"""

_TEXTS: Final = """
SELECT account_id, id, status, segments, attempts, engagement_id, envelope_id, settled_at IS NOT NULL
FROM unnest($1::bigint[], $2::bytea[]) AS given (account, wanted)
JOIN texts ON account_id = given.account AND id = given.wanted
"""

# newest last: carriers use their ids again after a while
_TEXTS_OF_REFS: Final = """
SELECT s.carrier_ref, s.account_id, s.text_id, t.status, t.segments, t.attempts, t.engagement_id, t.envelope_id,
    t.settled_at IS NOT NULL
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS given (account, profile, wanted)
JOIN text_segments AS s ON s.account_id = given.account AND s.service_profile_id = given.profile
    AND s.carrier_ref = given.wanted
JOIN texts AS t ON t.account_id = s.account_id AND t.id = s.text_id
ORDER BY s.text_id
"""

_ADD_REFS: Final = """
INSERT INTO text_segments (account_id, service_profile_id, carrier_ref, text_id, number, parts)
SELECT $1, $2, * FROM unnest($3::text[], $4::bytea[], $5::bigint[], $6::bigint[])
ON CONFLICT DO NOTHING
"""

# the epoch stays for as long as the text's fate is open, and with it the text in the index of the open ones
_STEP_TEXTS: Final = """
UPDATE texts SET status = given.status, code = given.code, result_id = given.result, attempts = given.attempts,
    updated_at = $2::bigint,
    sent_at = CASE WHEN given.accepted THEN coalesce(sent_at, $2::bigint) ELSE sent_at END,
    settled_at = CASE WHEN given.settled THEN $2::bigint END,
    epoch = CASE WHEN given.settled OR given.status = 'queued' THEN NULL ELSE epoch END
FROM unnest($1::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::bigint[], $8::boolean[], $9::boolean[],
        $10::text[]) AS given (account, wanted, result, status, code, attempts, accepted, settled, before)
WHERE texts.account_id = given.account AND texts.id = given.wanted AND texts.status = given.before
    AND texts.settled_at IS NULL
"""

_STEP_ENVELOPES: Final = """
UPDATE envelopes SET status = given.status, reason = given.reason, next_at = given.next_at, updated_at = $2::bigint,
    retry_attempts = given.retries,
    completed_at = CASE WHEN given.status IN ('complete', 'incomplete') THEN $2::bigint END
FROM unnest($1::bigint[], $3::bytea[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
    AS given (account, wanted, status, reason, next_at, retries)
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
"""

_NEW_ENVELOPE: Final = [
    "account_id",
    "id",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "engagement_id",
    "phone_number",
    "status",
    "reason",
    "meta",
    "next_at",
    "retry_attempts",
    "callback",
    "callback_include",
    "is_priority",
    "delay_in_seconds",
]
_NEW_TEXT: Final = [
    "account_id",
    "id",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "sender",
    "recipient",
    "direction",
    "status",
    "body",
    "segments",
    "phone_number_id",
    "service_profile_id",
    "engagement_id",
    "envelope_id",
    "epoch",
    "attempts",
    "meta",
]
_NEW_RESULT: Final = ["account_id", "id", "created_at", "updated_at", "text_id", "kind", "code"]

_STATUSES: Final = {status.value: status for status in TextStatus}
_CLOSED: Final = frozenset((EnvelopeStatus.COMPLETE, EnvelopeStatus.INCOMPLETE))
_ARRAYS: Final = {sa.BigInteger: "bigint[]", sa.LargeBinary: "bytea[]", sa.Text: "text[]", sa.Boolean: "boolean[]"}


def insertion(table: sa.Table, columns: Sequence[str]) -> str:
    """The statement that inserts rows handed over as one array for each column."""
    kinds = [_ARRAYS[type(table.c[name].type)] for name in columns]
    arrays = ", ".join(f"${place}::{kind}" for place, kind in enumerate(kinds, 1))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - our names


def _unanswered(row: Iterable[Any]) -> Unanswered:
    account_id, id_, status, segments, attempts, engagement_id, envelope_id, is_settled = row
    return Unanswered(account_id, id_, _STATUSES[status], segments, attempts, engagement_id, envelope_id, is_settled)


def _text(words: str) -> str:
    """The same words without NUL, which PostgreSQL's text cannot hold and no handset shows."""
    return words.replace("\0", "\ufffd") if "\0" in words else words


class PostgresBatches:
    """See store.contract.Batches."""

    def __init__(self, connection: "PoolConnectionProxy[asyncpg.Record]", *, writes: bool, copies: bool) -> None:
        self._connection = connection
        self._writes = writes
        self._copies = copies

    async def _run(self, statement: str, *parameters: Any) -> int:
        status = await self._connection.execute(statement, *parameters)
        return int(status.rpartition(" ")[2])

    async def _insert(self, table: sa.Table, columns: Sequence[str], new: Sequence[tuple[Any, ...]]) -> None:
        if not new:
            return
        if self._copies:
            await self._connection.copy_records_to_table(table.name, records=new, columns=columns)
        else:
            arrays: Iterable[list[Any]] = map(list, zip(*new, strict=True))
            await self._connection.execute(insertion(table, columns), *arrays)

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
        await self._insert(tables.envelopes, _NEW_ENVELOPE, rows)

    async def due(self, account_id: int, engagement_id: Id, now: Instant, limit: int) -> list[Due]:
        """See Batches.due."""
        statement = _TAKE_DUE if self._writes else _DUE
        found: list[Due] = []
        for is_priority in (True, False):
            if limit > len(found):
                wanted = (account_id, engagement_id, is_priority, now, limit - len(found))
                found += [Due(*row) for row in await self._connection.fetch(statement, *wanted)]
        return found

    async def suppressed(self, account_id: int, numbers: Sequence[str]) -> set[str]:
        """See Batches.suppressed."""
        found = await self._connection.fetch(_SUPPRESSED, [account_id] * len(numbers), numbers)
        return {row[0] for row in found}

    async def sent_before(self, account_id: int, engagement_id: Id, numbers: Sequence[str]) -> set[tuple[str, str]]:
        """See Batches.sent_before."""
        many = len(numbers)
        found = await self._connection.fetch(_SENT_BEFORE, [account_id] * many, [engagement_id] * many, numbers)
        return {(recipient, body) for recipient, body in found}

    async def in_doubt(
        self, account_id: int, service_profile_id: Id, recipients: Sequence[str]
    ) -> list[tuple[str, Unanswered]]:
        """See Batches.in_doubt."""
        rows = await self._connection.fetch(_IN_DOUBT, account_id, service_profile_id, recipients)
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
                *(lane[1], 1, "{}"),
            )
            for each in intents
            if not each.is_retry
        ]
        await self._insert(tables.texts, _NEW_TEXT, fresh)
        touched = len(fresh)
        again = [each.text_id for each in intents if each.is_retry]
        if again:
            touched += await self._run(_RESUBMIT_TEXTS, [account_id] * len(again), again, lane[1], now)
        envelopes, ids = [each.envelope_id for each in intents], [each.text_id for each in intents]
        taken = await self._run(_INTEND_ENVELOPES, [account_id] * len(ids), now, envelopes, ids)
        if not taken == touched == len(intents):
            raise Fenced("Envelopes of this batch were taken by another dispatcher; nothing was written.")

    async def settle_envelopes(self, account_id: int, settled: Sequence[Settled], now: Instant) -> None:
        """See Batches.settle_envelopes."""
        reasons = [each.reason for each in settled]
        envelopes, statuses = [each.envelope_id for each in settled], [STATUS_OF[reason] for reason in reasons]
        await self._run(_SETTLE_ENVELOPES, [account_id] * len(reasons), now, envelopes, statuses, reasons)
        deferred = [each.text_id for each in settled if each.text_id]
        if deferred:
            await self._run(_CANCEL_TEXTS, [account_id] * len(deferred), deferred, now)

    async def texts(self, account_id: int, ids: Sequence[Id]) -> dict[Id, Unanswered]:
        """See Batches.texts."""
        found = await self._connection.fetch(_TEXTS, [account_id] * len(ids), ids)
        return {row[1]: _unanswered(row) for row in found}

    async def texts_of_refs(
        self, account_id: int, service_profile_id: Id, refs: Sequence[str]
    ) -> dict[str, Unanswered]:
        """See Batches.texts_of_refs."""
        accounts, profiles = [account_id] * len(refs), [service_profile_id] * len(refs)
        found = await self._connection.fetch(_TEXTS_OF_REFS, accounts, profiles, list(map(_text, refs)))
        return {ref: _unanswered(row) for ref, *row in found}

    async def add_refs(self, account_id: int, service_profile_id: Id, refs: Sequence[tuple[str, Id, int, int]]) -> None:
        """See Batches.add_refs."""
        names, texts, numbers, parts = zip(*refs, strict=True) if refs else ((), (), (), ())
        carrier_refs = list(map(_text, names))
        await self._run(_ADD_REFS, account_id, service_profile_id, carrier_refs, texts, numbers, parts)

    async def step(self, account_id: int, steps: Sequence[Step], results: Sequence[Result], now: Instant) -> None:
        """See Batches.step."""
        # in the order of their ids, as all who move texts: two of them lock the same rows the same way round
        ordered = sorted(steps, key=lambda each: each.text.text_id)
        arrays = zip(*map(_text_row, ordered), strict=True) if ordered else [()] * 8
        if await self._run(_STEP_TEXTS, [account_id] * len(steps), now, *map(list, arrays)) != len(steps):
            raise Stale
        written = [(account_id, each.id, now, now, each.text_id, each.kind, each.code) for each in results]
        await self._insert(tables.text_results, _NEW_RESULT, written)
        of_envelopes = [_envelope_row(each, each.text.envelope_id) for each in ordered if each.text.envelope_id]
        if of_envelopes:
            columns = map(list, zip(*of_envelopes, strict=True))
            await self._run(_STEP_ENVELOPES, [account_id] * len(of_envelopes), now, *columns)

    async def open_texts(
        self, account_id: int, phone_number_id: Id, status: TextStatus, before: Id, limit: int
    ) -> list[tuple[Unanswered, int, Instant | None]]:
        """See Batches.open_texts."""
        rows = await self._connection.fetch(_OPEN_TEXTS, account_id, phone_number_id, status, before, limit)
        return [(_unanswered(row), epoch, sent_at) for epoch, sent_at, *row in rows]


def _text_row(step: Step) -> tuple[Id, Id, TextStatus, str | None, int, bool, bool, TextStatus]:
    is_settled = STATUS_OF[step.reason] in _CLOSED
    code = step.code and _text(step.code)
    text = step.text
    return text.text_id, step.result_id, step.status, code, step.attempts, step.was_accepted, is_settled, text.status


def _envelope_row(step: Step, envelope_id: Id) -> tuple[Id, EnvelopeStatus, Reason, Instant | None, int]:
    return envelope_id, STATUS_OF[step.reason], step.reason, step.next_at, max(step.attempts - 1, 0)
