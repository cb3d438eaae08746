"""/engagements and their ledgers (wire contract 5.2). Step 1 of a text's path: a blast is made, let go, watched.

The counts: a new engagement has none (null, as recorded in 2020); the answer to the PATCH that schedules has
`count-total` null and the others 0 (as recorded at that instant); every other answer tells the ledger's numbers.
`count-pending` and `count-processing`, which are ours, are true from that PATCH on.
"""

from typing import Annotated, Final

import msgspec
from litestar import get, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers, reads
from opengage.api.body import read_body
from opengage.api.linkage import to_one
from opengage.api.state import Api, ApiState, Member, WebRequest
from opengage.clock import Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.ledger import Ledger
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import from_wire, to_wire
from opengage.jsonapi.document import NONE_OF_THEM, NOTHING, Answer, Linked, Many, One, linked, raw_json
from opengage.jsonapi.request import Identifier, NoRelationships, Reader
from opengage.jsonapi.timestamps import from_text, to_text, to_text_or_none
from opengage.operations import engagements
from opengage.operations.engagements import Changes, Shown

TYPE: Final = "engagements"
BatchLimit = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to make one."""

    name: str
    direction: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    delivery_type: str | msgspec.UnsetType = msgspec.UNSET
    delivery_time: str | msgspec.UnsetType | None = msgspec.UNSET
    queue_batch_limit: BatchLimit | msgspec.UnsetType = msgspec.UNSET


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to change one."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    direction: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    delivery_type: str | msgspec.UnsetType = msgspec.UNSET
    delivery_time: str | msgspec.UnsetType | None = msgspec.UNSET
    queue_batch_limit: BatchLimit | msgspec.UnsetType = msgspec.UNSET


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


class LedgerAttributes(msgspec.Struct, frozen=True, gc=False):
    """Where every envelope stands; the five counts sum up to `total`."""

    total: int
    pending: int
    processing: int
    hold: int
    complete: int
    incomplete: int
    reasons: dict[str, int]


NEW_READER: Final = Reader(TYPE, NewAttributes, NoRelationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, NoRelationships)


def answer(api: ApiState, shown: Shown, *, total_is_told: bool = True) -> Answer:
    """An engagement as its resource object."""
    engagement = shown.engagement
    id_ = to_wire(engagement.id)
    return Answer(TYPE, id_, _attributes(engagement, shown.ledger, total_is_told), _relationships(api, id_, shown))


def _attributes(engagement: Engagement, ledger: Ledger | None, total_is_told: bool) -> Attributes:
    return Attributes(
        name=engagement.name,
        status=engagement.status.value,
        is_archived=engagement.is_archived,
        direction=engagement.direction,
        delivery_type=engagement.delivery_type,
        delivery_time=to_text_or_none(engagement.delivery_time),
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
    )


def _relationships(api: ApiState, id_: str, shown: Shown) -> Relationships:
    engagement, activity = shown.engagement, shown.activity
    numbers = (Identifier("phone-numbers", to_wire(activity.phone_number_id)),) if activity else ()
    return Relationships(
        activity=to_one("activities", engagement.activity_id),
        reviews=linked(f"{api.base_url}/{TYPE}/{id_}/reviews"),
        latest_review=NOTHING,
        lists=NONE_OF_THEM,
        caller_ids=NONE_OF_THEM,
        email_ids=NONE_OF_THEM,
        phone_numbers=Many(numbers),
        deleted_by=to_one("memberships", engagement.deleted_by),
        created_by=to_one("memberships", engagement.created_by),
        updated_by=to_one("memberships", engagement.updated_by),
    )


def _changes(sent: NewAttributes | ChangedAttributes) -> Changes:
    return Changes(
        name=sent.name,
        direction=sent.direction,
        status=sent.status,
        delivery_type=sent.delivery_type,
        delivery_time=_instant(sent.delivery_time),
        queue_batch_limit=sent.queue_batch_limit,
    )


def _instant(text: str | msgspec.UnsetType | None) -> Instant | msgspec.UnsetType | None:
    """A delivery time must name an instant: wall-clock time without an offset names another one in every zone."""
    if not isinstance(text, str):
        return text
    try:
        return Instant(from_text(text))
    except (ValueError, OverflowError) as error:
        detail = f"“{text[:40]}” is no instant. Write date, time and offset, as in 2026-12-01T09:00:00+00:00."
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/delivery-time")]) from error


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /engagements."""
    sent = NEW_READER.one(await read_body(request)).attributes
    made = await engagements.create(api.store, api.clock, api.new_id, actor, _changes(sent))
    return answers.one(request, answer(api, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /engagements/{id}."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id).attributes
    changed = await engagements.update(api.store, api.clock, actor, from_wire(resource_id), _changes(sent))
    waits = changed.engagement.status is EngagementStatus.SCHEDULED
    return answers.one(request, answer(api, changed, total_is_told=not waits), 202)


@get(f"/{TYPE}/{{resource_id:str}}/ledger")
async def read_ledger(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """GET /engagements/{id}/ledger."""
    engagement, ledger = await engagements.read_ledger(api.store, actor, from_wire(resource_id))
    attributes = LedgerAttributes(*msgspec.structs.astuple(ledger))
    return answers.one(request, Answer("ledgers", to_wire(engagement.id), attributes))


READS: Final = reads.Reads[Shown](
    type=TYPE,
    find=lambda api, actor, id_: engagements.find(api.store, actor, id_),
    page=lambda api, actor, limit, offset: engagements.page(api.store, actor, limit, offset),
    answer=answer,
)

ROUTES: Final = [create, update, read_ledger, *reads.routes(READS)]
