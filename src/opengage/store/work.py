"""What there is to do: engagements that are due or running, and the remainder of those that were canceled."""

from typing import Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.ledger import Moves
from opengage.domain.records import Activity, Engagement
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason, TextStatus
from opengage.ids import Id
from opengage.store import rows, tables
from opengage.store.contract import Transaction

_engagements: Final = tables.engagements
_activities: Final = tables.activities
_envelopes: Final = tables.envelopes
_texts: Final = tables.texts

_START: Final = (
    sa.update(_engagements)
    .where(
        _engagements.c.status == EngagementStatus.SCHEDULED.value,
        sa.or_(_engagements.c.delivery_time.is_(None), _engagements.c.delivery_time <= sa.bindparam("now")),
    )
    .values(status=EngagementStatus.PROCESSING.value, started_at=sa.bindparam("now"), updated_at=sa.bindparam("now"))
)

_DUE: Final = sa.select(_engagements.c.account_id, _engagements.c.id).where(
    _engagements.c.status == EngagementStatus.SCHEDULED.value,
    sa.or_(_engagements.c.delivery_time.is_(None), _engagements.c.delivery_time <= sa.bindparam("now")),
)

_RUNNING: Final = (
    sa.select(*rows.columns(Engagement), *rows.columns(Activity))
    .join(
        _activities,
        sa.and_(_activities.c.account_id == _engagements.c.account_id, _activities.c.id == _engagements.c.activity_id),
    )
    .where(
        _engagements.c.account_id == sa.bindparam("account_id"),
        _engagements.c.status == EngagementStatus.PROCESSING.value,
        _activities.c.phone_number_id == sa.bindparam("phone_number_id"),
    )
    .order_by(_engagements.c.id)
)

_STILL_RUNNING: Final = (
    sa.select(_engagements.c.id)
    .where(
        _engagements.c.account_id == sa.bindparam("account_id"),
        _engagements.c.id == sa.bindparam("id"),
        _engagements.c.status == EngagementStatus.PROCESSING.value,
    )
    .with_for_update(read=True)
)

_PROCESSING: Final = sa.select(_engagements.c.account_id, _engagements.c.id).where(
    _engagements.c.status == EngagementStatus.PROCESSING.value
)

_NEXT_AT: Final = sa.select(sa.func.min(_envelopes.c.next_at)).where(
    _envelopes.c.account_id == sa.bindparam("account_id"),
    _envelopes.c.engagement_id == sa.bindparam("engagement_id"),
    # named, so that the smallest one is the index's first entry
    _envelopes.c.is_priority == sa.bindparam("is_priority"),
    _envelopes.c.next_at.is_not(None),
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
    sa.select(_envelopes.c.reason)
    .where(
        _envelopes.c.account_id == sa.bindparam("account_id"),
        _envelopes.c.engagement_id == sa.bindparam("engagement_id"),
        _envelopes.c.next_at.is_not(None),
    )
    .distinct()
)

_CANCEL_TEXTS: Final = (
    sa.update(_texts)
    .where(
        _texts.c.account_id == sa.bindparam("key_account_id"),
        _texts.c.id.in_(
            sa.select(_envelopes.c.text_id).where(
                _envelopes.c.account_id == sa.bindparam("key_account_id"),
                _envelopes.c.engagement_id == sa.bindparam("key_engagement_id"),
                _envelopes.c.next_at.is_not(None),
                _envelopes.c.text_id.is_not(None),
            )
        ),
        _texts.c.status == TextStatus.QUEUED.value,
    )
    .values(status=TextStatus.CANCELED.value, settled_at=sa.bindparam("now"), updated_at=sa.bindparam("now"))
)

# one whose text was put off in this very moment is left for the next look
_CANCEL_ENVELOPES: Final = (
    sa.update(_envelopes)
    .where(
        _envelopes.c.account_id == sa.bindparam("key_account_id"),
        _envelopes.c.engagement_id == sa.bindparam("key_engagement_id"),
        _envelopes.c.next_at.is_not(None),
        _envelopes.c.reason == sa.bindparam("key_reason"),
        sa.or_(
            _envelopes.c.text_id.is_(None),
            sa.exists().where(
                _texts.c.account_id == _envelopes.c.account_id,
                _texts.c.id == _envelopes.c.text_id,
                _texts.c.status == TextStatus.CANCELED.value,
            ),
        ),
    )
    .values(
        status=EnvelopeStatus.INCOMPLETE.value,
        reason=Reason.CANCELED.value,
        next_at=sa.null(),
        completed_at=sa.bindparam("now"),
        updated_at=sa.bindparam("now"),
    )
)


async def start_due(tx: Transaction, now: Instant) -> None:
    """Scheduled engagements whose time has come are processing from here on."""
    await tx.run(_START, now=now)


async def due(tx: Transaction, now: Instant) -> list[tuple[int, Id]]:
    """(account, engagement) of what `start_due` would start."""
    return [(account_id, id_) for account_id, id_ in await tx.rows(_DUE, now=now)]


async def processing(tx: Transaction) -> list[tuple[int, Id]]:
    """(account, engagement) of all that is running."""
    return [(account_id, id_) for account_id, id_ in await tx.rows(_PROCESSING)]


async def running(tx: Transaction, account_id: int, phone_number_id: Id) -> list[tuple[Engagement, Activity]]:
    """The running engagements that send from this phone number, with their activities."""
    width = len(Engagement.__struct_fields__)
    found = await tx.rows(_RUNNING, account_id=account_id, phone_number_id=phone_number_id)
    return [(rows.from_row(Engagement, row[:width]), rows.from_row(Activity, row[width:])) for row in found]


async def hold_running(tx: Transaction, account_id: int, engagement_id: Id) -> bool:
    """Whether an engagement runs; if so, nobody pauses, cancels or completes it before this transaction has ended."""
    return bool(await tx.rows(_STILL_RUNNING, account_id=account_id, id=engagement_id))


async def next_at(tx: Transaction, account_id: int, engagement_id: Id) -> Instant | None:
    """When the engagement's next envelope may be taken; None when there is none to take."""
    key = {"account_id": account_id, "engagement_id": engagement_id}
    found = [(await tx.rows(_NEXT_AT, **key, is_priority=each))[0][0] for each in (True, False)]
    return min((Instant(each) for each in found if each is not None), default=None)


async def canceled_with_work(tx: Transaction) -> list[tuple[int, Id]]:
    """(account, engagement) of canceled engagements that came to have envelopes to send all the same.

    A text that the carrier put off while its engagement was being canceled ends up here.
    """
    return [(account_id, id_) for account_id, id_ in await tx.rows(_CANCELED_WITH_WORK)]


async def cancel_remainder(tx: Transaction, account_id: int, engagement_id: Id, now: Instant) -> Moves:
    """Close every envelope that has not left; the moves that the ledger must make. Those under way are not touched.

    What moves is what was changed, reason by reason: others may put texts off while this goes on.
    """
    moves = Moves()
    found = await tx.rows(_REMAINDER, account_id=account_id, engagement_id=engagement_id)
    key = {"key_account_id": account_id, "key_engagement_id": engagement_id, "now": now}
    await tx.run(_CANCEL_TEXTS, **key)
    for (reason,) in sorted(found):
        count = await tx.run(_CANCEL_ENVELOPES, **key, key_reason=reason)
        moves.leave(account_id, engagement_id, Reason(reason), count)
        moves.arrive(account_id, engagement_id, Reason.CANCELED, count)
    return moves
