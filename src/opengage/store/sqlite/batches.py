"""The hot path on SQLite: one of `statements` for a whole batch, its rows handed over as one JSON array.

`json_each` unrolls the array inside SQLite, which took half the time of `executemany` in a trial of 50,000 envelopes
and gives up the interpreter's lock once a batch instead of once a row. Of a batch that is recorded most rows differ in
nothing but their ids: such rows go together, and what they share is bound instead of unpacked from JSON for each.
"""

import asyncio
import sqlite3
from collections.abc import Coroutine, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from opengage.clock import Instant
from opengage.domain.errors import Fenced
from opengage.domain.outcomes import Receipt
from opengage.domain.states import STATUS_OF, Reason, TextStatus
from opengage.ids import Id
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
from opengage.store.packing import alike, fate, packed, place, segment
from opengage.store.sqlite import statements as sql

_IN_THREAD: Final = 500
"""From this many rows on, an insert leaves the event loop free while it runs."""


_Row = TypeVar("_Row")

_STATUSES: Final = {status.value: status for status in TextStatus}
_REASONS: Final = {reason.value: reason for reason in Reason}


def _json(rows: Sequence[Any]) -> str:
    return msgspec.json.encode(rows).decode()


@lru_cache(maxsize=64)
def _places(count: int) -> str:
    """Rows that have nothing but their places."""
    return _json([None] * count)


def _times(steps: Sequence[Step]) -> str:
    """When each is to be tried again: by chance, so that hardly two have it in common."""
    times = [step.next_at for step in steps]
    return _json(times) if any(times) else _places(len(times))


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

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """See Batches.load."""
        names, places = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
        statement = f'INSERT INTO "{table}" ({names}) VALUES ({places})'  # noqa: S608 - names of ours
        self._connection.executemany(statement, rows)

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
            "ids": packed(ids),
            "rows": _json(new),
        }
        if len(new) < _IN_THREAD:
            self._connection.execute(sql.INSERT_ENVELOPES, parameters)
        else:
            await _to_the_end(asyncio.to_thread(self._connection.execute, sql.INSERT_ENVELOPES, parameters))

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
        found: list[Due] = []
        for is_priority in priorities:
            for number in (None, lane):
                key = (account_id, engagement_id, number, is_priority, now, limit - len(found))
                rows = self._connection.execute(sql.DUE, key).fetchall()
                found += [
                    Due(id_, to, meta, text_id, _REASONS[reason], number is not None, bool(is_texted))
                    for id_, to, meta, text_id, reason, is_texted in rows
                ]
        return found

    async def suppressed(self, account_id: int, numbers: Sequence[str]) -> set[str]:
        """See Batches.suppressed."""
        return {row[0] for row in self._connection.execute(sql.SUPPRESSED, (account_id, _json(numbers)))}

    async def sent_before(
        self, account_id: int, engagement_id: Id, numbers: Sequence[str]
    ) -> list[tuple[str, str, Id]]:
        """See Batches.sent_before."""
        return self._connection.execute(sql.SENT_BEFORE, (_json(numbers), account_id, engagement_id)).fetchall()

    async def sent_lately(
        self, account_id: int, engagement_ids: Sequence[Id], numbers: Sequence[str], since: Id
    ) -> list[tuple[Id, str]]:
        """See Batches.sent_lately."""
        wanted = {"account_id": account_id, "since": since, "rows": _json(numbers)}
        wanted |= {"engagements": packed(engagement_ids), "places": _places(len(engagement_ids))}
        return self._connection.execute(sql.SENT_LATELY, wanted).fetchall()

    async def recent(self, account_id: int, numbers: Sequence[str], since: Id) -> list[Recent]:
        """See Batches.recent."""
        return [Recent(*row) for row in self._connection.execute(sql.RECENT, (_json(numbers), account_id, since))]

    async def remember(self, account_id: int, recent: Sequence[Recent]) -> None:
        """See Batches.remember."""
        self._run(
            sql.REMEMBER,
            account_id=account_id,
            texts=packed([each.text_id for each in recent]),
            numbers=packed([each.phone_number_id for each in recent]),
            rows=_json([each.phone_number for each in recent]),
        )

    async def assign(self, account_id: int, assigned: Sequence[tuple[Id, Id]]) -> None:
        """See Batches.assign."""
        self._run(
            sql.ASSIGN,
            account_id=account_id,
            envelopes=packed([envelope_id for envelope_id, _ in assigned]),
            numbers=packed([number for _, number in assigned]),
            rows=_places(len(assigned)),
        )

    async def hold_envelopes(self, account_id: int, held: Sequence[Held], now: Instant) -> None:
        """See Batches.hold_envelopes."""
        self._run(
            sql.HOLD_ENVELOPES,
            account_id=account_id,
            now=now,
            envelopes=packed([each.envelope_id for each in held]),
            rows=_json([(STATUS_OF[each.reason], each.reason, each.rule, each.until) for each in held]),
        )

    async def in_doubt(
        self, account_id: int, service_profile_id: Id, recipients: Sequence[str]
    ) -> list[tuple[str, Unanswered]]:
        """See Batches.in_doubt."""
        rows = self._connection.execute(sql.IN_DOUBT, (account_id, service_profile_id, _json(recipients)))
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
            sql.INSERT_TEXTS,
            **common,
            author=texts.author,
            sender=texts.sender,
            phone_number_id=texts.phone_number_id,
            service_profile_id=texts.service_profile_id,
            engagement_id=texts.engagement_id,
            revision=texts.text_template_revision_id,
            texts=packed([intent.text_id for intent in fresh]),
            envelopes=packed([intent.envelope_id for intent in fresh]),
            rows=_json([(intent.recipient, intent.body, intent.segments) for intent in fresh]),
        )
        again = [intent for intent in intents if intent.is_retry]
        touched = len(fresh)
        if again:
            rows = _places(len(again))
            touched += self._run(
                sql.RESUBMIT_TEXTS,
                **common,
                sender=texts.sender,
                phone_number_id=texts.phone_number_id,
                service_profile_id=texts.service_profile_id,
                texts=packed([intent.text_id for intent in again]),
                rows=rows,
            )
        taken = self._run(
            sql.INTEND_ENVELOPES,
            account_id=account_id,
            now=now,
            envelopes=packed([intent.envelope_id for intent in intents]),
            texts=packed([intent.text_id for intent in intents]),
            rows=_places(len(intents)),
        )
        if not taken == touched == len(intents):
            raise Fenced("Envelopes of this batch were taken by another dispatcher; nothing was written.")

    async def settle_envelopes(self, account_id: int, settled: Sequence[Settled], now: Instant) -> None:
        """See Batches.settle_envelopes."""
        self._run(
            sql.SETTLE_ENVELOPES,
            account_id=account_id,
            now=now,
            envelopes=packed([each.envelope_id for each in settled]),
            rows=_json([(STATUS_OF[each.reason], each.reason) for each in settled]),
        )
        deferred = [each.text_id for each in settled if each.text_id]
        if deferred:
            rows = _places(len(deferred))
            self._run(sql.CANCEL_TEXTS, account_id=account_id, now=now, texts=packed(deferred), rows=rows)

    async def texts(self, account_id: int, ids: Sequence[Id]) -> dict[Id, Unanswered]:
        """See Batches.texts."""
        parameters = {"account_id": account_id, "texts": packed(ids), "rows": _places(len(ids))}
        return {row[1]: _unanswered(row) for row in self._connection.execute(sql.TEXTS, parameters)}

    async def texts_of_refs(
        self, account_id: int, service_profile_id: Id, refs: Sequence[str]
    ) -> dict[str, Unanswered]:
        """See Batches.texts_of_refs."""
        parameters = {"account_id": account_id, "service_profile_id": service_profile_id, "refs": _json(refs)}
        return {row[0]: _unanswered(row[1:]) for row in self._connection.execute(sql.TEXTS_OF_REFS, parameters)}

    async def add_refs(self, account_id: int, service_profile_id: Id, refs: Sequence[tuple[str, Id, int, int]]) -> None:
        """See Batches.add_refs."""
        for (number, parts), some in alike(refs, segment):
            self._run(
                sql.ADD_REFS,
                account_id=account_id,
                service_profile_id=service_profile_id,
                number=number,
                parts=parts,
                texts=packed(text_id for _, text_id, _, _ in some),
                rows=_json([ref for ref, _, _, _ in some]),
            )

    async def park(self, account_id: int, service_profile_id: Id, receipts: Sequence[Receipt], now: Instant) -> None:
        """See Batches.park."""
        told = [(each.carrier_ref, each.recipient, each.reference, each.state.value, each.code) for each in receipts]
        names = {"account_id": account_id, "service_profile_id": service_profile_id}
        self._run(sql.PARK, **names, now=now, rows=_json(told))

    async def parked(self, account_id: int, service_profile_id: Id, refs: Sequence[str]) -> Rows:
        """See Batches.parked."""
        names = {"account_id": account_id, "service_profile_id": service_profile_id}
        return self._connection.execute(sql.PARKED, names | {"refs": _json(refs)}).fetchall()

    async def forget_parked(self, account_id: int, service_profile_id: Id, refs: Sequence[str]) -> None:
        """See Batches.forget_parked."""
        names = {"account_id": account_id, "service_profile_id": service_profile_id}
        self._run(sql.FORGET_PARKED, **names, refs=_json(refs))

    async def step(self, account_id: int, steps: Sequence[Step], results: Sequence[Result], now: Instant) -> None:
        """See Batches.step."""
        common = {"account_id": account_id, "now": now}
        moved = 0
        for shared, some in alike(steps, fate):
            moved += self._run(
                sql.STEP_TEXTS,
                **common,
                **dict(zip(_FATE, shared, strict=True)),
                texts=packed(step.text.text_id for step in some),
                results=packed(step.result_id for step in some),
                rows=_times(some),
            )
        if moved != len(steps):
            raise Stale
        for (kind, code), told in alike(results, _event):
            self._run(
                sql.INSERT_RESULTS,
                **common,
                kind=kind,
                code=code,
                texts=packed(result.text_id for result in told),
                results=packed(result.id for result in told),
                rows=_places(len(told)),
            )
        for goal, some in alike((step for step in steps if step.text.envelope_id), place):
            self._run(
                sql.STEP_ENVELOPES,
                **common,
                **dict(zip(_PLACE, goal, strict=True)),
                envelopes=packed(step.text.envelope_id for step in some if step.text.envelope_id),
                rows=_times(some),
            )

    async def open_texts(
        self, account_id: int, phone_number_id: Id, status: TextStatus, before: Id, limit: int
    ) -> list[tuple[Unanswered, int, Instant | None]]:
        """See Batches.open_texts."""
        rows = self._connection.execute(sql.OPEN_TEXTS, (account_id, phone_number_id, status, before, limit))
        return [(_unanswered(row), epoch, sent_at) for epoch, sent_at, *row in rows]


_FATE: Final = ("status", "code", "attempts", "accepted", "settled", "before", "tried")
_PLACE: Final = ("status", "reason", "retries")


def _event(result: Result) -> tuple[TextStatus, str | None]:
    return result.kind, result.code
