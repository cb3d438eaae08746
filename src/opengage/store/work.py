"""What there is to do: engagements that are due or running, and the remainder of those that were canceled."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from opengage.clock import SECOND, Instant
from opengage.domain.ledger import Moves
from opengage.domain.records import Activity, Engagement
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import Id, NewId
from opengage.store import endings, rows, tables
from opengage.store.contract import Settled, Transaction

_engagements: Final = tables.engagements
_activities: Final = tables.activities
_envelopes: Final = tables.envelopes
_pools: Final = tables.engagement_numbers
_numbers: Final = tables.phone_numbers

_IN_POOL: Final = (
    _pools.c.account_id == _engagements.c.account_id,
    _pools.c.engagement_id == _engagements.c.id,
)

_STARTS_AT: Final = sa.func.coalesce(_engagements.c.starts_at, _engagements.c.delivery_time)
_MAY_START: Final = sa.or_(_STARTS_AT.is_(None), sa.bindparam("now") >= _STARTS_AT)

_START: Final = (
    sa.update(_engagements)
    .where(
        _engagements.c.account_id == sa.bindparam("key_account_id"),
        _engagements.c.id == sa.bindparam("key_id"),
        _engagements.c.status == EngagementStatus.SCHEDULED.value,
        _MAY_START,
    )
    .values(status=EngagementStatus.PROCESSING.value, started_at=sa.bindparam("now"), updated_at=sa.bindparam("now"))
)

_DUE: Final = sa.select(_engagements.c.account_id, _engagements.c.id).where(
    _engagements.c.status == EngagementStatus.SCHEDULED.value,
    _MAY_START,
)

_WIDTH: Final = len(Engagement.__struct_fields__)
"""Columns of an engagement, before those of its activity."""

_HAS_ACTIVITY: Final = sa.and_(
    _activities.c.account_id == _engagements.c.account_id, _activities.c.id == _engagements.c.activity_id
)
_RUNS_HERE: Final = (
    _engagements.c.account_id == sa.bindparam("account_id"),
    _engagements.c.status == EngagementStatus.PROCESSING.value,
    # a pool says which numbers; without one it is the activity's
    sa.or_(
        sa.and_(_activities.c.phone_number_id == sa.bindparam("phone_number_id"), ~sa.exists().where(*_IN_POOL)),
        sa.exists().where(*_IN_POOL, _pools.c.phone_number_id == sa.bindparam("phone_number_id")),
    ),
)

_RUNNING: Final = (
    sa.select(*rows.columns(Engagement), *rows.columns(Activity))
    .join(_activities, _HAS_ACTIVITY)
    .where(*_RUNS_HERE)
    .order_by(_engagements.c.id)
)

_any_pool: Final = tables.engagement_numbers.alias("any_pool")
_RUNNING_ONE: Final = (
    sa.select(
        *rows.columns(Engagement),
        *rows.columns(Activity),
        sa.select(tables.text_templates.c.revision_id)
        .where(
            tables.text_templates.c.account_id == _activities.c.account_id,
            tables.text_templates.c.id == _activities.c.text_template_id,
        )
        .scalar_subquery(),
        sa.exists().where(_any_pool.c.account_id == _engagements.c.account_id),
    )
    .join(_activities, _HAS_ACTIVITY)
    .where(
        *_RUNS_HERE,
        _engagements.c.id == sa.bindparam("id"),
    )
)

# By itself, once the lane is held: what is read while a lock is waited for is what was before. The two rows that are
# locked here are read anew after each wait, the number's first.
_STILL_RUNNING: Final = (
    sa.select(_engagements.c.id)
    .select_from(_numbers.join(_engagements, _engagements.c.account_id == _numbers.c.account_id))
    .where(
        _numbers.c.account_id == sa.bindparam("account_id"),
        _numbers.c.id == sa.bindparam("phone_number_id"),
        _numbers.c.is_active,
        _engagements.c.id == sa.bindparam("id"),
        _engagements.c.status == EngagementStatus.PROCESSING.value,
    )
    .with_for_update(read=True)
)

_UNHELD: Final = (
    sa.select(_engagements.c.id)
    .where(_engagements.c.account_id == sa.bindparam("account_id"), _engagements.c.id == sa.bindparam("id"))
    .with_for_update(key_share=True, skip_locked=True)
)

_PROCESSING: Final = sa.select(_engagements.c.account_id, _engagements.c.id).where(
    _engagements.c.status == EngagementStatus.PROCESSING.value
)


def _next_at(*, is_priority: bool, of_nobody: bool) -> sa.ScalarSelect[Any]:
    """When the next envelope that waits like this is due: the first one in the index's own order.

    Not min(), for which PostgreSQL would look at every envelope: it knows no order where a column IS NULL, and on
    PostgreSQL 15 none as long as it has no statistics.
    """
    due = (
        _envelopes.c.account_id == sa.bindparam("account_id"),
        _envelopes.c.engagement_id == sa.bindparam("engagement_id"),
        _envelopes.c.is_priority == sa.literal(is_priority),
        _envelopes.c.next_at.is_not(None),
    )
    number = _envelopes.c.phone_number_id
    whose = number.is_(None) if of_nobody else number == sa.bindparam("lane")
    order = (number, _envelopes.c.next_at) if of_nobody else (_envelopes.c.next_at,)
    return sa.select(_envelopes.c.next_at).where(*due, whose).order_by(*order).limit(1).scalar_subquery()


_NEXT_AT: Final = sa.select(
    *(_next_at(is_priority=priority, of_nobody=nobody) for priority in (True, False) for nobody in (True, False))
)

_SHOW_HOLD: Final = (
    sa.update(_engagements)
    .where(_engagements.c.account_id == sa.bindparam("key_account_id"), _engagements.c.id == sa.bindparam("key_id"))
    .values(hold_reason=sa.bindparam("rule"), hold_until=sa.bindparam("until"))
)

_CANCELED_WITH_WORK: Final = sa.select(_engagements.c.account_id, _engagements.c.id).where(
    _engagements.c.status == EngagementStatus.CANCELED.value,
    sa.exists().where(
        _envelopes.c.account_id == _engagements.c.account_id,
        _envelopes.c.engagement_id == _engagements.c.id,
        _envelopes.c.next_at.is_not(None),
    ),
)

_REMAINDER: Final = (
    sa.select(_envelopes.c.id, _envelopes.c.reason, _envelopes.c.text_id)
    .where(
        _envelopes.c.account_id == sa.bindparam("account_id"),
        _envelopes.c.engagement_id == sa.bindparam("engagement_id"),
        _envelopes.c.next_at.is_not(None),
    )
    .limit(sa.bindparam("most"))
    # what somebody is editing or takes back is closed at the next look: they hold some and want others
    .with_for_update(skip_locked=True)
)

_IS_OVER: Final = (
    sa.or_(
        _engagements.c.status == EngagementStatus.PROCESSING.value,
        _engagements.c.status == EngagementStatus.PAUSED.value,
    ),
    _engagements.c.started_at + _engagements.c.validity_seconds * SECOND <= sa.bindparam("now"),
)

_STILL_OVER: Final = (
    sa.select(_engagements.c.id)
    .where(_engagements.c.account_id == sa.bindparam("account_id"), _engagements.c.id == sa.bindparam("id"), *_IS_OVER)
    .with_for_update(read=True, skip_locked=True)
)

_LAPSED: Final = sa.select(_engagements.c.account_id, _engagements.c.id).where(
    *_IS_OVER,
    sa.exists().where(
        _envelopes.c.account_id == _engagements.c.account_id,
        _envelopes.c.engagement_id == _engagements.c.id,
        _envelopes.c.next_at.is_not(None),
    ),
)

_WATCHED: Final = sa.select(*rows.columns(Engagement)).where(
    _engagements.c.status == EngagementStatus.PROCESSING.value,
    sa.or_(
        _engagements.c.canary_state == "waiting",
        _engagements.c.pause_failure_ratio.is_not(None),
        _engagements.c.pause_opt_out_ratio.is_not(None),
    ),
)

_POOLED: Final = (
    sa.select(_engagements.c.account_id, _engagements.c.id)
    .where(
        _engagements.c.status == EngagementStatus.PROCESSING.value,
        sa.exists().where(
            _pools.c.account_id == _engagements.c.account_id, _pools.c.engagement_id == _engagements.c.id
        ),
    )
    .order_by(_engagements.c.id)
)

_GO_ON: Final = sa.update(_engagements).where(
    _engagements.c.account_id == sa.bindparam("key_account_id"),
    _engagements.c.id == sa.bindparam("key_id"),
    _engagements.c.status == EngagementStatus.PROCESSING.value,
)

_PASS: Final = _GO_ON.values(canary_state="passed", hold_reason=sa.null(), hold_until=sa.null())

_PAUSE: Final = _GO_ON.where(
    _engagements.c.guard_base.is_not_distinct_from(sa.bindparam("seen", type_=sa.Text()))
).values(
    status=EngagementStatus.PAUSED.value,
    pause_reason=sa.bindparam("why"),
    canary_state=sa.case((_engagements.c.canary_state == "waiting", "failed"), else_=_engagements.c.canary_state),
    updated_at=sa.bindparam("now"),
)


class Running(NamedTuple):
    """An engagement that sends, with all that each of its batches needs to know."""

    engagement: Engagement
    activity: Activity
    revision_id: Id
    """How the activity's template reads at the moment."""
    has_pools: bool
    """Whether any engagement of the account has a sender pool, and so asks which number texted somebody last."""


CHUNK: Final = 20_000
"""Envelopes closed in one transaction, at most: others must have their turn."""


async def start_due(tx: Transaction, now: Instant) -> list[tuple[int, Id]]:
    """Scheduled engagements whose time has come are processing from here on; (account, engagement) of each."""
    return [key for key in await due(tx, now) if await tx.run(_START, key_account_id=key[0], key_id=key[1], now=now)]


async def due(tx: Transaction, now: Instant) -> list[tuple[int, Id]]:
    """(account, engagement) of what `start_due` would start."""
    return [(account_id, id_) for account_id, id_ in await tx.rows(_DUE, now=now)]


async def processing(tx: Transaction) -> list[tuple[int, Id]]:
    """(account, engagement) of all that is running."""
    return [(account_id, id_) for account_id, id_ in await tx.rows(_PROCESSING)]


async def running(tx: Transaction, account_id: int, phone_number_id: Id) -> list[tuple[Engagement, Activity]]:
    """The running engagements that send from this phone number, with their activities."""
    found = await tx.rows(_RUNNING, account_id=account_id, phone_number_id=phone_number_id)
    return [_pair(row) for row in found]


async def running_one(tx: Transaction, account_id: int, engagement_id: Id, phone_number_id: Id) -> Running | None:
    """An engagement, if it runs and sends from this phone number."""
    key = {"account_id": account_id, "id": engagement_id, "phone_number_id": phone_number_id}
    for *row, revision_id, has_pools in await tx.rows(_RUNNING_ONE, **key):
        return Running(*_pair(row), revision_id, bool(has_pools))
    return None


def _pair(row: Sequence[Any]) -> tuple[Engagement, Activity]:
    """Both from one row of their columns."""
    return rows.from_row(Engagement, row[:_WIDTH]), rows.from_row(Activity, row[_WIDTH:])


async def hold_running(tx: Transaction, account_id: int, engagement_id: Id, phone_number_id: Id) -> bool:
    """Whether an engagement runs and a phone number is switched on.

    If so, nobody pauses, cancels or completes the one, or switches off the other, before this transaction has ended.
    """
    key = {"account_id": account_id, "id": engagement_id, "phone_number_id": phone_number_id}
    return bool(await tx.rows(_STILL_RUNNING, **key))


async def next_at(
    tx: Transaction, account_id: int, engagement_id: Id, lane: Id
) -> tuple[Instant | None, Instant | None]:
    """When the next envelopes that this phone number may take are due: with priority, and without; None for none."""
    [times] = await tx.rows(_NEXT_AT, account_id=account_id, engagement_id=engagement_id, lane=lane)
    urgent, others = ([Instant(each) for each in some if each is not None] for some in (times[:2], times[2:]))
    return min(urgent, default=None), min(others, default=None)


async def may_change(tx: Transaction, account_id: int, engagement_id: Id) -> bool:
    """Whether an engagement can be changed here and now, without waiting for anybody who holds it."""
    return bool(await tx.rows(_UNHELD, account_id=account_id, id=engagement_id))


async def show_hold(tx: Transaction, engagement: Engagement, rule: str | None, until: Instant | None) -> None:
    """Say on an engagement which gate keeps it waiting, and until when; nothing is written that is there already.

    Lanes of one pool hold their engagement together, and none may wait for another to let go: the next one says it.
    """
    until = until if rule else None
    if (engagement.hold_reason, engagement.hold_until) != (rule, until):
        if not await may_change(tx, engagement.account_id, engagement.id):
            return
        key = {"key_account_id": engagement.account_id, "key_id": engagement.id}
        await tx.run(_SHOW_HOLD, **key, rule=rule, until=until)


async def canceled_with_work(tx: Transaction) -> list[tuple[int, Id]]:
    """(account, engagement) of canceled engagements that came to have envelopes to send all the same.

    A text that the carrier put off while its engagement was being canceled ends up here.
    """
    return [(account_id, id_) for account_id, id_ in await tx.rows(_CANCELED_WITH_WORK)]


async def lapsed(tx: Transaction, now: Instant) -> list[tuple[int, Id]]:
    """(account, engagement) of all whose validity is over and that still have envelopes to send."""
    return [(account_id, id_) for account_id, id_ in await tx.rows(_LAPSED, now=now)]


async def hold_lapsed(tx: Transaction, account_id: int, engagement_id: Id, now: Instant) -> bool:
    """Whether an engagement's validity is over; if so, nobody prolongs it before this transaction has ended.

    False as long as somebody changes it: leases are kept by whoever asks, and must not wait for that.
    """
    return bool(await tx.rows(_STILL_OVER, account_id=account_id, id=engagement_id, now=now))


async def watched(tx: Transaction) -> list[Engagement]:
    """The running engagements with a canary out, or with a limit at which they are paused."""
    return [rows.from_row(Engagement, row) for row in await tx.rows(_WATCHED)]


async def pooled(tx: Transaction) -> list[tuple[int, Id]]:
    """(account, engagement) of all running ones with a sender pool."""
    return [(account_id, id_) for account_id, id_ in await tx.rows(_POOLED)]


async def pass_canary(tx: Transaction, engagement: Engagement) -> bool:
    """Let the rest follow; False when the engagement no longer runs."""
    return bool(await tx.run(_PASS, key_account_id=engagement.account_id, key_id=engagement.id))


async def pause(tx: Transaction, engagement: Engagement, why: str, now: Instant) -> bool:
    """Stop a running engagement until somebody has looked; False when it no longer runs, or somebody has just looked.

    Whoever resumed it since it was read has forgiven what it would be paused for.
    """
    key = {"key_account_id": engagement.account_id, "key_id": engagement.id}
    return bool(await tx.run(_PAUSE, **key, seen=engagement.guard_base, why=why, now=now))


async def close_remainder(
    tx: Transaction, account_id: int, engagement_id: Id, reason: Reason, now: Instant, new_id: NewId
) -> Moves:
    """Close envelopes that have not left, up to `CHUNK` of them; the moves that the ledger must make.

    Those under way are not touched.
    """
    moves = Moves()
    found = await tx.rows(_REMAINDER, account_id=account_id, engagement_id=engagement_id, most=CHUNK)
    if found:
        settled = [Settled(id_, reason, text_id) for id_, _, text_id in found]
        await endings.close(tx, account_id, engagement_id, settled, now, new_id)
    for before, count in Counter(before for _, before, _ in found).items():
        moves.leave(account_id, engagement_id, Reason(before), count)
        moves.arrive(account_id, engagement_id, reason, count)
    return moves
