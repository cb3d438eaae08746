"""Deliveries on their way out: who is due, taking them for one attempt, and what became of it.

An attempt is counted and its row put off to the end of a lease in one commit before anything is sent: a worker that is
lost in between leaves a delivery that another one finds due once the lease is over. What an attempt came to is written
only while that lease is the newest, so that a worker that was away too long does not undo what happened since.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.records import WebhookAttempt, WebhookDelivery
from opengage.domain.webhooks import DeliveryStatus
from opengage.ids import Id
from opengage.store import many, rows, tables
from opengage.store.contract import Transaction

_table: Final = tables.webhook_deliveries
_c: Final = _table.c

Target = tuple[int, str]
"""(account, whom it is for): what takes turns."""

# one step down the index for each account that has something coming, however much that is
_accounts: Final = sa.select(sa.func.min(_c.account_id).label("account_id")).where(_c.next_at.is_not(None))
_first_account: Final = _accounts.cte("accounts_waiting", recursive=True)
_next_account: Final = (
    sa.select(sa.func.min(_c.account_id))
    .where(_c.next_at.is_not(None), _c.account_id > _first_account.c.account_id)
    .scalar_subquery()
)
_waiting: Final = _first_account.union_all(sa.select(_next_account).where(_first_account.c.account_id.is_not(None)))
_ACCOUNTS: Final = sa.select(_waiting.c.account_id).where(_waiting.c.account_id.is_not(None))

# likewise for each target of an account, from one on and so many of them: there may be a million
_walk: Final = (
    sa.select(sa.func.min(_c.target).label("target"), sa.literal_column("1").label("place"))
    .where(_c.account_id == sa.bindparam("account_id"), _c.next_at.is_not(None), _c.target > sa.bindparam("after"))
    .cte("walk", recursive=True)
)
_step: Final = (
    sa.select(sa.func.min(_c.target))
    .where(_c.account_id == sa.bindparam("account_id"), _c.next_at.is_not(None), _c.target > _walk.c.target)
    .scalar_subquery()
)
_walked: Final = _walk.union_all(
    sa.select(_step, _walk.c.place + sa.literal_column("1")).where(
        _walk.c.target.is_not(None), _walk.c.place < sa.bindparam("most", type_=sa.Integer())
    )
)
_is_due: Final = (
    sa.exists()
    .where(
        _c.account_id == sa.bindparam("account_id"),
        _c.target == _walked.c.target,
        _c.next_at.is_not(None),
        _c.next_at <= sa.bindparam("now"),
    )
    .correlate(_walked)
)
_TARGETS: Final = sa.select(_walked.c.target, _is_due).where(_walked.c.target.is_not(None)).order_by(_walked.c.place)

_DUE: Final = (
    sa.select(*rows.columns(WebhookDelivery))
    .where(
        _c.account_id == sa.bindparam("account_id"),
        _c.target == sa.bindparam("target"),
        _c.next_at.is_not(None),
        _c.next_at <= sa.bindparam("now"),
    )
    .order_by(_c.next_at, _c.id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)  # SQLite has one writer and does without
)

_RECORD: Final = (
    sa.update(_table)
    .where(
        _c.account_id == sa.bindparam("key_account_id"),
        _c.id == sa.bindparam("key_id"),
        _c.next_at == sa.bindparam("leased_until"),
    )
    .values(
        status=sa.bindparam("status"),
        next_at=sa.bindparam("next_at"),
        delivered_at=sa.bindparam("delivered_at"),
        updated_at=sa.bindparam("now"),
    )
)

_RELEASE: Final = (
    sa.update(_table)
    .where(
        _c.account_id == sa.bindparam("key_account_id"),
        _c.id == sa.bindparam("key_id"),
        _c.next_at == sa.bindparam("leased_until"),
    )
    .values(next_at=sa.bindparam("now"), attempts=_c.attempts - 1)
)

_CANCEL: Final = (
    sa.update(_table)
    .where(
        _c.account_id == sa.bindparam("key_account_id"),
        _c.target == sa.bindparam("key_target"),
        _c.next_at.is_not(None),
    )
    .values(status=DeliveryStatus.CANCELED.value, next_at=sa.null(), updated_at=sa.bindparam("now"))
)

_RESEND: Final = (
    sa.update(_table)
    .where(_c.account_id == sa.bindparam("key_account_id"), _c.id == sa.bindparam("key_id"), _c.next_at.is_(None))
    .values(
        status=DeliveryStatus.PENDING.value, attempts=0, next_at=sa.bindparam("now"), updated_at=sa.bindparam("now")
    )
)

_OVER: Final = (
    sa.select(_c.id)
    .where(_c.account_id == sa.bindparam("account_id"), _c.id < sa.bindparam("before"), _c.next_at.is_(None))
    .limit(sa.bindparam("most"))
)


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a delivery after an attempt; `next_at` is None when there is none left."""

    delivery: WebhookDelivery
    status: DeliveryStatus
    next_at: Instant | None
    attempt: WebhookAttempt


class Round:
    """Where looks for targets go on: an account with more of them than fit one look has its others the next time."""

    def __init__(self) -> None:
        self.account = 0
        """The last one looked at."""
        self.after: dict[int, str] = {}
        """By account, the last target looked at, where there were more."""


async def targets(tx: Transaction, now: Instant, round_: Round, most: int = 256, in_all: int = 2048) -> list[Target]:
    """Targets for whom something is due: of each account up to `most`, and about `in_all`; the next look goes on."""
    accounts = [row[0] for row in await tx.rows(_ACCOUNTS)]
    last, looked_at, found = round_.account, 0, []
    for account_id in sorted(accounts, key=lambda each: (each <= last, each)):
        if looked_at >= in_all:
            break
        after = round_.after.pop(account_id, "")
        walked = await tx.rows(_TARGETS, account_id=account_id, now=now, after=after, most=most)
        if len(walked) == most:
            round_.after[account_id] = walked[-1][0]
        looked_at += 1 + len(walked)
        round_.account = account_id
        found += [(account_id, target) for target, is_due in walked if is_due]
    return found


async def take(tx: Transaction, target: Target, now: Instant, until: Instant, most: int) -> list[WebhookDelivery]:
    """Up to `most` deliveries that are due for a target, each counted one attempt further and put off until `until`.

    The records tell the attempt's number and have `until` as their `next_at`, by which `record` knows the lease.
    """
    found = await tx.rows(_DUE, account_id=target[0], target=target[1], now=now, most=most)
    taken = [rows.from_row(WebhookDelivery, row) for row in found]
    for some in many.parts(each.id for each in taken):
        await tx.run(_put_off(len(some)), key_account_id=target[0], until=until, **some)
    return [msgspec.structs.replace(each, attempts=each.attempts + 1, next_at=until) for each in taken]


@cache
def _put_off(count: int) -> sa.Update:
    return (
        sa.update(_table)
        .where(_c.account_id == sa.bindparam("key_account_id"), _c.id.in_(many.places(count)))
        .values(next_at=sa.bindparam("until"), attempts=_c.attempts + 1)
    )


async def record(tx: Transaction, verdict: Verdict, now: Instant) -> bool:
    """Write down an attempt and what follows; False when the lease had passed on, and only the attempt is kept."""
    delivery = verdict.delivery
    await rows.insert(tx, verdict.attempt)
    changed = await tx.run(
        _RECORD,
        key_account_id=delivery.account_id,
        key_id=delivery.id,
        leased_until=delivery.next_at,
        status=verdict.status.value,
        next_at=verdict.next_at,
        delivered_at=now if verdict.status is DeliveryStatus.DELIVERED else None,
        now=now,
    )
    return bool(changed)


async def release(tx: Transaction, delivery: WebhookDelivery, now: Instant) -> None:
    """Give back a delivery whose attempt was not made: it is due at once, and the attempt does not count."""
    await tx.run(
        _RELEASE, key_account_id=delivery.account_id, key_id=delivery.id, leased_until=delivery.next_at, now=now
    )


async def cancel(tx: Transaction, target: Target, now: Instant) -> int:
    """Give up on everything that a target still has coming; how much that was."""
    return await tx.run(_CANCEL, key_account_id=target[0], key_target=target[1], now=now)


async def resend(tx: Transaction, account_id: int, id_: Id, now: Instant) -> bool:
    """Let a delivery begin anew, under the same id; False when it is under way already."""
    return bool(await tx.run(_RESEND, key_account_id=account_id, key_id=id_, now=now))


async def forget(tx: Transaction, account_id: int, before: Id, most: int) -> int:
    """Delete up to `most` deliveries older than an id that have nothing to come, with their attempts; how many."""
    found = [Id(row[0]) for row in await tx.rows(_OVER, account_id=account_id, before=before, most=most)]
    for some in many.parts(found):
        await tx.run(_forget(tables.webhook_attempts, "delivery_id", len(some)), key_account_id=account_id, **some)
        await tx.run(_forget(_table, "id", len(some)), key_account_id=account_id, **some)
    return len(found)


@cache
def _forget(table: sa.Table, column: str, count: int) -> sa.Delete:
    wanted = table.c[column].in_(many.places(count))
    return sa.delete(table).where(table.c.account_id == sa.bindparam("key_account_id"), wanted)


async def of_subjects(tx: Transaction, account_id: int, ids: Sequence[Id]) -> list[WebhookDelivery]:
    """The callbacks' deliveries about these envelopes or texts, oldest first; not those of endpoints."""
    found: list[WebhookDelivery] = []
    for some in many.parts(ids):
        some_rows = await tx.rows(_of_subjects(len(some)), account_id=account_id, **some)
        found += [rows.from_row(WebhookDelivery, row) for row in some_rows]
    return sorted((each for each in found if each.endpoint_id is None), key=lambda each: each.id)


# what is found is sorted and sifted here: asked to do it, SQLite takes another index and reads all of an account
@cache
def _of_subjects(count: int) -> sa.Select[Any]:
    return sa.select(*rows.columns(WebhookDelivery)).where(
        _c.account_id == sa.bindparam("account_id"), _c.subject_id.in_(many.places(count))
    )


async def attempts_of(tx: Transaction, account_id: int, ids: Sequence[Id]) -> dict[Id, list[WebhookAttempt]]:
    """The attempts at these deliveries, oldest first."""
    attempts: list[WebhookAttempt] = []
    for some in many.parts(ids):
        some_rows = await tx.rows(_attempts_of(len(some)), account_id=account_id, **some)
        attempts += [rows.from_row(WebhookAttempt, row) for row in some_rows]
    found: dict[Id, list[WebhookAttempt]] = {id_: [] for id_ in ids}
    for attempt in sorted(attempts, key=lambda each: each.id):
        found[attempt.delivery_id].append(attempt)
    return found


@cache
def _attempts_of(count: int) -> sa.Select[Any]:
    attempts = tables.webhook_attempts.c
    return sa.select(*rows.columns(WebhookAttempt)).where(
        attempts.account_id == sa.bindparam("account_id"), attempts.delivery_id.in_(many.places(count))
    )
