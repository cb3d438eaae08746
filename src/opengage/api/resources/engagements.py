"""/engagements and their ledgers (wire contract 5.2). Step 1 of a text's path: a blast is made, let go, watched.

The counts: a new engagement has none (null, as recorded in 2020); the answer to the PATCH that schedules has
`count-total` null and the others 0 (as recorded at that instant); every other answer tells the ledger's numbers.
`count-pending` and `count-processing`, which are ours, are true from that PATCH on.
"""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_many, to_one
from opengage.api.resources.resource import Field, Kind, Resource, Through, ToMany, ToOne
from opengage.domain.ledger import Ledger
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import to_wire
from opengage.jsonapi.document import NONE_OF_THEM, NOTHING, Answer, Linked, Many, One, linked, raw_json
from opengage.jsonapi.request import Identifier
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations import engagements
from opengage.operations.engagements import Shown

TYPE: Final = "engagements"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What is answered: the recorded members in their order, then ours."""

    name: str
    status: str
    is_archived: bool
    direction: str
    delivery_type: str
    delivery_time: str | None
    delivery_compliance_is_approved: bool
    created_at: str
    updated_at: str
    count_total: int | None
    count_complete: int | None
    count_incomplete: int | None
    count_hold: int | None
    queue_kind: str
    queue_batch_limit: int
    queue_progressive_ratio: float | None
    queue_throttle_hold_limit: int | None
    queue_throttle_day_limit: int | None
    queue_throttle_hour_limit: int | None
    queue_schedule_is_enabled: bool
    queue_schedule: msgspec.Raw | None
    deleted_at: str | None
    count_pending: int | None
    count_processing: int | None
    scheduled_at: str | None
    started_at: str | None
    completed_at: str | None
    count_left: int | None
    starts_at: str | None
    undo_seconds: int | None
    validity_seconds: int | None
    canary_size: int | None
    canary_wait_seconds: int | None
    canary_delivery_ratio: float | None
    canary_state: str | None
    pause_failure_ratio: float | None
    pause_opt_out_ratio: float | None
    pause_reason: str | None
    hold_reason: str | None
    hold_until: str | None
    bodies_purged_at: str | None
    numbers_purged_at: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """In recorded order."""

    activity: One
    reviews: Linked
    latest_review: One
    lists: Many
    caller_ids: Many
    email_ids: Many
    phone_numbers: Many
    deleted_by: One
    created_by: One
    updated_by: One
    copied_from: One


def answer(base: str, shown: Shown, *, total_is_told: bool = True) -> Answer:
    """An engagement as its resource object."""
    engagement = shown.engagement
    id_ = to_wire(engagement.id)
    return Answer(TYPE, id_, _attributes(engagement, shown.ledger, total_is_told), _relationships(base, id_, shown))


def _attributes(engagement: Engagement, ledger: Ledger | None, total_is_told: bool) -> Attributes:
    return Attributes(
        name=engagement.name,
        status=engagement.status.value,
        is_archived=engagement.is_archived,
        direction=engagement.direction,
        delivery_type=engagement.delivery_type,
        delivery_time=engagement.delivery_local_time or to_text_or_none(engagement.delivery_time),
        delivery_compliance_is_approved=engagement.delivery_compliance_is_approved,
        created_at=to_text(engagement.created_at),
        updated_at=to_text(engagement.updated_at),
        count_total=ledger.total if ledger and total_is_told else None,
        count_complete=ledger.complete if ledger else None,
        count_incomplete=ledger.incomplete if ledger else None,
        count_hold=ledger.hold if ledger else None,
        queue_kind=engagement.queue_kind,
        queue_batch_limit=engagement.queue_batch_limit,
        queue_progressive_ratio=engagement.queue_progressive_ratio,
        queue_throttle_hold_limit=engagement.queue_throttle_hold_limit,
        queue_throttle_day_limit=engagement.queue_throttle_day_limit,
        queue_throttle_hour_limit=engagement.queue_throttle_hour_limit,
        queue_schedule_is_enabled=engagement.queue_schedule_is_enabled,
        queue_schedule=raw_json(engagement.queue_schedule) if engagement.queue_schedule else None,
        deleted_at=to_text_or_none(engagement.deleted_at),
        count_pending=ledger.pending if ledger else None,
        count_processing=ledger.processing if ledger else None,
        scheduled_at=to_text_or_none(engagement.scheduled_at),
        started_at=to_text_or_none(engagement.started_at),
        completed_at=to_text_or_none(engagement.completed_at),
        count_left=ledger.left if ledger else None,
        starts_at=to_text_or_none(engagement.starts_at),
        undo_seconds=engagement.undo_seconds,
        validity_seconds=engagement.validity_seconds,
        canary_size=engagement.canary_size,
        canary_wait_seconds=engagement.canary_wait_seconds,
        canary_delivery_ratio=engagement.canary_delivery_ratio,
        canary_state=engagement.canary_state,
        pause_failure_ratio=engagement.pause_failure_ratio,
        pause_opt_out_ratio=engagement.pause_opt_out_ratio,
        pause_reason=engagement.pause_reason,
        hold_reason=engagement.hold_reason,
        hold_until=to_text_or_none(engagement.hold_until),
        bodies_purged_at=to_text_or_none(engagement.bodies_purged_at),
        numbers_purged_at=to_text_or_none(engagement.numbers_purged_at),
    )


def _relationships(base: str, id_: str, shown: Shown) -> Relationships:
    engagement = shown.engagement
    numbers = tuple(Identifier("phone-numbers", to_wire(number)) for number in shown.phone_number_ids)
    return Relationships(
        activity=to_one("activities", engagement.activity_id),
        reviews=linked(f"{base}/{TYPE}/{id_}/reviews"),
        latest_review=NOTHING,
        lists=to_many("lists", shown.list_ids),
        caller_ids=NONE_OF_THEM,
        email_ids=NONE_OF_THEM,
        phone_numbers=Many(numbers),
        deleted_by=to_one("memberships", engagement.deleted_by),
        created_by=to_one("memberships", engagement.created_by),
        updated_by=to_one("memberships", engagement.updated_by),
        copied_from=to_one("engagements", engagement.copied_from),
    )


RESOURCE: Final = Resource[Engagement, Shown](
    type=TYPE,
    noun="engagement",
    record=Engagement,
    attributes=Attributes,
    relationships={
        "activity": ToOne("activities", "activity_id"),
        "reviews": Through("reviews", "engagement"),
        "latest-review": ToOne("reviews"),
        "lists": ToMany("lists"),
        "caller-ids": ToMany("caller-ids"),
        "email-ids": ToMany("email-ids"),
        "phone-numbers": ToMany("phone-numbers"),
        "deleted-by": ToOne("memberships", "deleted_by"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
        "copied-from": ToOne("engagements", "copied_from"),
    },
    answer=answer,
    show=engagements.show,
    fields={
        "name": Field("name"),
        "status": Field("status", Kind.WORD, words=frozenset(EngagementStatus), sorts=False),
        "created-at": Field("created_at", Kind.INSTANT),
        "is-archived": Field("is_archived", Kind.BOOLEAN, sorts=False),
        "hold-reason": Field("hold_reason", sorts=False),
        "hold-until": Field("hold_until", Kind.INSTANT, sorts=False),
    },
)
