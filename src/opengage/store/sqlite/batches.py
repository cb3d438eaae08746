"""The hot path on SQLite: one statement for a whole batch, its rows handed over as one JSON array.

`json_each` unrolls the array inside SQLite, which took half the time of `executemany` in a trial of 50,000 envelopes
and gives up the interpreter's lock once a batch instead of once a row. JSON cannot hold bytes, so ids travel beside
it, packed end to end, and row `key` finds its own with `substr`.

Every update reads its rows from a subquery with LIMIT -1: that keeps SQLite from folding the subquery into the join and
then walking the whole table in its outer loop. A test holds each statement to its plan.
"""

import asyncio
import sqlite3
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import msgspec

from opengage.clock import Instant
from opengage.domain.errors import Fenced
from opengage.domain.states import STATUS_OF, EnvelopeStatus, Reason, TextStatus
from opengage.ids import Id
from opengage.store.contract import Due, Held, Intent, NewEnvelope, Outgoing, Recent, Result, Settled, Stale, Step, Unanswered

_IN_THREAD: Final = 500
"""From this many rows on, an insert leaves the event loop free while it runs."""

_INSERT_ENVELOPES: Final = """
INSERT INTO envelopes (account_id, id, created_at, updated_at, created_by, updated_by, engagement_id, phone_number,
    status, reason, meta, next_at, retry_attempts, callback, callback_include, is_priority, delay_in_seconds)
SELECT :account_id, substr(:ids, key * 16 + 1, 16), :now, :now, :author, :author, :engagement_id,
    json_extract(value, '$[0]'), 'pending', '', json_extract(value, '$[1]'),
    :now + coalesce(json_extract(value, '$[5]'), 0) * 1000000, 0,
    json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
FROM json_each(:rows)
"""

_DUE: Final = """
SELECT id, phone_number, meta, text_id, reason FROM envelopes INDEXED BY envelopes_due
WHERE account_id = ? AND engagement_id = ? AND phone_number_id IS ? AND is_priority = ? AND next_at <= ?
ORDER BY next_at, id LIMIT ?
"""

_SUPPRESSED: Final = """
SELECT phone_number FROM suppressions
WHERE account_id = ? AND phone_number IN (SELECT value FROM json_each(?))
"""

# by the index on the engagement's numbers, which holds few envelopes for each
_SENT_BEFORE: Final = """
SELECT t.recipient, t.body FROM json_each(?) AS wanted
CROSS JOIN envelopes AS e INDEXED BY envelopes_account_id_engagement_id_phone_number
    ON e.account_id = ? AND e.engagement_id = ? AND e.phone_number = wanted.value AND e.text_id IS NOT NULL
CROSS JOIN texts AS t ON t.account_id = e.account_id AND t.id = e.text_id
"""

_IN_DOUBT: Final = """
SELECT recipient, account_id, id, status, segments, attempts, engagement_id, envelope_id, 0
FROM texts INDEXED BY texts_open
WHERE account_id = ? AND service_profile_id = ? AND epoch IS NOT NULL AND status IN ('in-doubt', 'sending')
    AND recipient IN (SELECT value FROM json_each(?))
"""

_OPEN_TEXTS: Final = """
SELECT epoch, sent_at, account_id, id, status, segments, attempts, engagement_id, envelope_id, 0
FROM texts INDEXED BY texts_open
WHERE account_id = ? AND phone_number_id = ? AND epoch IS NOT NULL AND status = ? AND id < ?
ORDER BY id LIMIT ?
"""

_INSERT_TEXTS: Final = """
INSERT INTO texts (account_id, id, created_at, updated_at, created_by, updated_by, sender, recipient, direction, status,
    body, segments, phone_number_id, service_profile_id, engagement_id, envelope_id, epoch, attempts, meta,
    text_template_revision_id)
SELECT :account_id, substr(:texts, key * 16 + 1, 16), :now, :now, :author, :author, :sender,
    json_extract(value, '$[0]'), 'outbound', 'sending', json_extract(value, '$[1]'), json_extract(value, '$[2]'),
    :phone_number_id, :service_profile_id, :engagement_id, substr(:envelopes, key * 16 + 1, 16), :epoch, 1, '{}',
    :revision
FROM json_each(:rows)
"""

_RESUBMIT_TEXTS: Final = """
UPDATE texts SET status = 'sending', epoch = :epoch, attempts = attempts + 1, updated_at = :now,
    service_profile_id = :service_profile_id
FROM (SELECT :account_id AS account,
             substr(:texts, key * 16 + 1, 16) AS wanted
      FROM json_each(:rows) LIMIT -1) AS some
WHERE texts.account_id = some.account AND texts.id = some.wanted AND texts.status = 'queued'
"""

_CANCEL_TEXTS: Final = """
UPDATE texts SET status = 'canceled', settled_at = :now, updated_at = :now
FROM (SELECT :account_id AS account, substr(:texts, key * 16 + 1, 16) AS wanted
      FROM json_each(:rows) LIMIT -1) AS some
WHERE texts.account_id = some.account AND texts.id = some.wanted AND texts.status = 'queued'
"""

_INTEND_ENVELOPES: Final = """
UPDATE envelopes SET status = 'processing', reason = 'sending', next_at = NULL, text_id = some.text,
    processed_at = :now, updated_at = :now, hold_reason = NULL, hold_until = NULL
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, substr(:texts, key * 16 + 1, 16) AS text
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

_SETTLE_ENVELOPES: Final = """
UPDATE envelopes SET status = some.status, reason = some.reason, next_at = NULL, processed_at = :now,
    completed_at = :now, updated_at = :now, hold_reason = NULL, hold_until = NULL
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, json_extract(value, '$[0]') AS status,
             json_extract(value, '$[1]') AS reason
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

_HOLD_ENVELOPES: Final = """
UPDATE envelopes SET status = some.status, reason = some.reason, hold_reason = some.rule,
    hold_until = CASE WHEN some.rule IS NOT NULL THEN some.until END, next_at = some.until, updated_at = :now,
    scheduled_at = CASE WHEN some.rule IS NULL THEN some.until ELSE scheduled_at END
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, json_extract(value, '$[0]') AS status,
             json_extract(value, '$[1]') AS reason, json_extract(value, '$[2]') AS rule,
             json_extract(value, '$[3]') AS until
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

_ASSIGN: Final = """
UPDATE envelopes SET phone_number_id = some.number
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, substr(:numbers, key * 16 + 1, 16) AS number
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

_RECENT: Final = """
SELECT r.phone_number, r.text_id, r.phone_number_id FROM json_each(?) AS wanted
CROSS JOIN recent_texts AS r ON r.account_id = ? AND r.phone_number = wanted.value AND r.text_id >= ?
ORDER BY r.text_id
"""

_REMEMBER: Final = """
INSERT OR IGNORE INTO recent_texts (account_id, phone_number, text_id, phone_number_id)
SELECT :account_id, value, substr(:texts, key * 16 + 1, 16), substr(:numbers, key * 16 + 1, 16) FROM json_each(:rows)
"""

_TEXTS: Final = """
SELECT account_id, id, status, segments, attempts, engagement_id, envelope_id, settled_at IS NOT NULL FROM texts
WHERE account_id = :account_id AND id IN (SELECT substr(:texts, key * 16 + 1, 16) FROM json_each(:rows))
"""

# newest first: carriers use their ids again after a while
_TEXTS_OF_REFS: Final = """
SELECT s.carrier_ref, s.account_id, s.text_id, t.status, t.segments, t.attempts, t.engagement_id, t.envelope_id,
    t.settled_at IS NOT NULL
FROM json_each(:refs) AS wanted
CROSS JOIN text_segments AS s
    ON s.account_id = :account_id AND s.service_profile_id = :service_profile_id AND s.carrier_ref = wanted.value
CROSS JOIN texts AS t ON t.account_id = s.account_id AND t.id = s.text_id
ORDER BY s.text_id
"""

_ADD_REFS: Final = """
INSERT OR IGNORE INTO text_segments (account_id, service_profile_id, carrier_ref, text_id, number, parts)
SELECT :account_id, :service_profile_id, json_extract(value, '$[0]'), substr(:texts, key * 16 + 1, 16),
    json_extract(value, '$[1]'), json_extract(value, '$[2]')
FROM json_each(:rows)
"""

# the epoch stays for as long as the text's fate is open, and with it the text in the index of the open ones
_STEP_TEXTS: Final = """
UPDATE texts SET status = some.status, code = some.code, result_id = some.result, attempts = some.attempts,
    updated_at = :now,
    sent_at = CASE WHEN some.accepted THEN coalesce(sent_at, :now) ELSE sent_at END,
    settled_at = CASE WHEN some.settled THEN :now END,
    next_at = CASE WHEN envelope_id IS NULL THEN some.next_at END,
    epoch = CASE WHEN some.settled OR some.status = 'queued' THEN NULL ELSE epoch END
FROM (SELECT :account_id AS account, substr(:texts, key * 16 + 1, 16) AS wanted,
             substr(:results, key * 16 + 1, 16) AS result, json_extract(value, '$[0]') AS status,
             json_extract(value, '$[1]') AS code, json_extract(value, '$[2]') AS attempts,
             json_extract(value, '$[3]') AS accepted, json_extract(value, '$[4]') AS settled,
             json_extract(value, '$[5]') AS before, json_extract(value, '$[6]') AS next_at
      FROM json_each(:rows) LIMIT -1) AS some
WHERE texts.account_id = some.account AND texts.id = some.wanted AND texts.status = some.before
    AND texts.settled_at IS NULL
"""

_INSERT_RESULTS: Final = """
INSERT INTO text_results (account_id, id, created_at, updated_at, text_id, kind, code)
SELECT :account_id, substr(:results, key * 16 + 1, 16), :now, :now, substr(:texts, key * 16 + 1, 16),
    json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM json_each(:rows)
"""

_STEP_ENVELOPES: Final = """
UPDATE envelopes SET status = some.status, reason = some.reason, next_at = some.next_at, updated_at = :now,
    retry_attempts = some.retries,
    completed_at = CASE WHEN some.status IN ('complete', 'incomplete') THEN :now END
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, json_extract(value, '$[0]') AS status,
             json_extract(value, '$[1]') AS reason, json_extract(value, '$[2]') AS next_at,
             json_extract(value, '$[3]') AS retries
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted
"""


_STATUSES: Final = {status.value: status for status in TextStatus}
_REASONS: Final = {reason.value: reason for reason in Reason}
_CLOSED: Final = frozenset((EnvelopeStatus.COMPLETE, EnvelopeStatus.INCOMPLETE))


def _json(rows: Sequence[Any]) -> str:
    return msgspec.json.encode(rows).decode()


def _packed(ids: Sequence[bytes]) -> bytes:
    return b"".join(ids)


async def _to_the_end(work: Coroutine[Any, Any, Any]) -> None:
    """Wait for a thread's work even when cancelled: left alone, it might outlive its transaction and write after it."""
    running = asyncio.ensure_future(work)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _unanswered(row: Sequence[Any]) -> Unanswered:
    account_id, id_, status, segments, attempts, engagement_id, envelope_id, is_settled = row
    return Unanswered(
        account_id, id_, _STATUSES[status], segments, attempts, engagement_id, envelope_id, bool(is_settled)
    )


class SqliteBatches:
    """See store.contract.Batches."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _run(self, statement: str, **parameters: Any) -> int:
        return self._connection.execute(statement, parameters).rowcount

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
        parameters = {
            "account_id": account_id,
            "engagement_id": engagement_id,
            "author": author,
            "now": now,
            "ids": _packed(ids),
            "rows": _json(new),
        }
        if len(new) < _IN_THREAD:
            self._connection.execute(_INSERT_ENVELOPES, parameters)
        else:
            await _to_the_end(asyncio.to_thread(self._connection.execute, _INSERT_ENVELOPES, parameters))

    async def due(self, account_id: int, engagement_id: Id, lane: Id, now: Instant, limit: int) -> list[Due]:
        """See Batches.due."""
        found: list[Due] = []
        for is_priority in (True, False):
            for number in (None, lane):
                key = (account_id, engagement_id, number, is_priority, now, limit - len(found))
                found += [
                    Due(*row, _REASONS[reason]) for *row, reason in self._connection.execute(_DUE, key).fetchall()
                ]
        return found

    async def suppressed(self, account_id: int, numbers: Sequence[str]) -> set[str]:
        """See Batches.suppressed."""
        return {row[0] for row in self._connection.execute(_SUPPRESSED, (account_id, _json(numbers)))}

    async def sent_before(self, account_id: int, engagement_id: Id, numbers: Sequence[str]) -> set[tuple[str, str]]:
        """See Batches.sent_before."""
        return set(self._connection.execute(_SENT_BEFORE, (_json(numbers), account_id, engagement_id)))

    async def recent(self, account_id: int, numbers: Sequence[str], since: Id) -> list[Recent]:
        """See Batches.recent."""
        return [Recent(*row) for row in self._connection.execute(_RECENT, (_json(numbers), account_id, since))]

    async def remember(self, account_id: int, recent: Sequence[Recent]) -> None:
        """See Batches.remember."""
        self._run(
            _REMEMBER,
            account_id=account_id,
            texts=_packed([each.text_id for each in recent]),
            numbers=_packed([each.phone_number_id for each in recent]),
            rows=_json([each.phone_number for each in recent]),
        )

    async def assign(self, account_id: int, assigned: Sequence[tuple[Id, Id]], now: Instant) -> None:
        """See Batches.assign."""
        self._run(
            _ASSIGN,
            account_id=account_id,
            envelopes=_packed([envelope_id for envelope_id, _ in assigned]),
            numbers=_packed([number for _, number in assigned]),
            rows=_json([0] * len(assigned)),
        )

    async def hold_envelopes(self, account_id: int, held: Sequence[Held], now: Instant) -> None:
        """See Batches.hold_envelopes."""
        self._run(
            _HOLD_ENVELOPES,
            account_id=account_id,
            now=now,
            envelopes=_packed([each.envelope_id for each in held]),
            rows=_json([(STATUS_OF[each.reason], each.reason, each.rule, each.until) for each in held]),
        )

    async def in_doubt(
        self, account_id: int, service_profile_id: Id, recipients: Sequence[str]
    ) -> list[tuple[str, Unanswered]]:
        """See Batches.in_doubt."""
        rows = self._connection.execute(_IN_DOUBT, (account_id, service_profile_id, _json(recipients)))
        found = [(recipient, _unanswered(row)) for recipient, *row in rows]
        under_way = {recipient for recipient, text in found if text.status == TextStatus.SENDING}
        return [(recipient, text) for recipient, text in found if recipient not in under_way]

    async def intend(
        self, account_id: int, lane: tuple[Id, int], texts: Outgoing, intents: Sequence[Intent], now: Instant
    ) -> None:
        """See Batches.intend."""
        common = {"account_id": account_id, "now": now, "epoch": lane[1]}
        fresh = [intent for intent in intents if not intent.is_retry]
        self._run(
            _INSERT_TEXTS,
            **common,
            author=texts.author,
            sender=texts.sender,
            phone_number_id=texts.phone_number_id,
            service_profile_id=texts.service_profile_id,
            engagement_id=texts.engagement_id,
            revision=texts.text_template_revision_id,
            texts=_packed([intent.text_id for intent in fresh]),
            envelopes=_packed([intent.envelope_id for intent in fresh]),
            rows=_json([(intent.recipient, intent.body, intent.segments) for intent in fresh]),
        )
        again = [intent for intent in intents if intent.is_retry]
        touched = len(fresh)
        if again:
            rows = _json([0] * len(again))
            touched += self._run(
                _RESUBMIT_TEXTS,
                **common,
                service_profile_id=texts.service_profile_id,
                texts=_packed([intent.text_id for intent in again]),
                rows=rows,
            )
        taken = self._run(
            _INTEND_ENVELOPES,
            account_id=account_id,
            now=now,
            envelopes=_packed([intent.envelope_id for intent in intents]),
            texts=_packed([intent.text_id for intent in intents]),
            rows=_json([0] * len(intents)),
        )
        if not taken == touched == len(intents):
            raise Fenced("Envelopes of this batch were taken by another dispatcher; nothing was written.")

    async def settle_envelopes(self, account_id: int, settled: Sequence[Settled], now: Instant) -> None:
        """See Batches.settle_envelopes."""
        self._run(
            _SETTLE_ENVELOPES,
            account_id=account_id,
            now=now,
            envelopes=_packed([each.envelope_id for each in settled]),
            rows=_json([(STATUS_OF[each.reason], each.reason) for each in settled]),
        )
        deferred = [each.text_id for each in settled if each.text_id]
        if deferred:
            rows = _json([0] * len(deferred))
            self._run(_CANCEL_TEXTS, account_id=account_id, now=now, texts=_packed(deferred), rows=rows)

    async def texts(self, account_id: int, ids: Sequence[Id]) -> dict[Id, Unanswered]:
        """See Batches.texts."""
        parameters = {"account_id": account_id, "texts": _packed(ids), "rows": _json([0] * len(ids))}
        return {row[1]: _unanswered(row) for row in self._connection.execute(_TEXTS, parameters)}

    async def texts_of_refs(
        self, account_id: int, service_profile_id: Id, refs: Sequence[str]
    ) -> dict[str, Unanswered]:
        """See Batches.texts_of_refs."""
        parameters = {"account_id": account_id, "service_profile_id": service_profile_id, "refs": _json(refs)}
        return {row[0]: _unanswered(row[1:]) for row in self._connection.execute(_TEXTS_OF_REFS, parameters)}

    async def add_refs(self, account_id: int, service_profile_id: Id, refs: Sequence[tuple[str, Id, int, int]]) -> None:
        """See Batches.add_refs."""
        self._run(
            _ADD_REFS,
            account_id=account_id,
            service_profile_id=service_profile_id,
            texts=_packed([text_id for _, text_id, _, _ in refs]),
            rows=_json([(ref, number, parts) for ref, _, number, parts in refs]),
        )

    async def step(self, account_id: int, steps: Sequence[Step], results: Sequence[Result], now: Instant) -> None:
        """See Batches.step."""
        common = {"account_id": account_id, "now": now}
        moved = self._run(
            _STEP_TEXTS,
            **common,
            texts=_packed([step.text.text_id for step in steps]),
            results=_packed([step.result_id for step in steps]),
            rows=_json([_text_row(step) for step in steps]),
        )
        if moved != len(steps):
            raise Stale
        self._run(
            _INSERT_RESULTS,
            **common,
            texts=_packed([result.text_id for result in results]),
            results=_packed([result.id for result in results]),
            rows=_json([(result.kind, result.code) for result in results]),
        )
        of_envelopes = [(step, step.text.envelope_id) for step in steps if step.text.envelope_id]
        if of_envelopes:
            self._run(
                _STEP_ENVELOPES,
                **common,
                envelopes=_packed([envelope_id for _, envelope_id in of_envelopes]),
                rows=_json([_envelope_row(step) for step, _ in of_envelopes]),
            )

    async def open_texts(
        self, account_id: int, phone_number_id: Id, status: TextStatus, before: Id, limit: int
    ) -> list[tuple[Unanswered, int, Instant | None]]:
        """See Batches.open_texts."""
        rows = self._connection.execute(_OPEN_TEXTS, (account_id, phone_number_id, status, before, limit))
        return [(_unanswered(row), epoch, sent_at) for epoch, sent_at, *row in rows]


def _text_row(step: Step) -> tuple[TextStatus, str | None, int, bool, bool, TextStatus, Instant | None]:
    is_settled = STATUS_OF[step.reason] in _CLOSED
    return step.status, step.code, step.attempts, step.was_accepted, is_settled, step.text.status, step.next_at


def _envelope_row(step: Step) -> tuple[EnvelopeStatus, Reason, Instant | None, int]:
    return STATUS_OF[step.reason], step.reason, step.next_at, max(step.attempts - 1, 0)
