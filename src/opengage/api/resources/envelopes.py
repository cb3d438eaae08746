"""/envelopes (wire contract 5.4). Step 1 of a text's path, on the way back: the recipients, and where each stands."""

from typing import Final

import msgspec

from opengage.api.resources.callback_status import Attempt, attempts
from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, ToOne
from opengage.domain.records import Engagement, Envelope
from opengage.domain.states import EnvelopeStatus, Reason
from opengage.ids import to_wire
from opengage.jsonapi.document import NOTHING, Answer, One, raw_json
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations import envelopes
from opengage.operations.activities import TEXT
from opengage.operations.envelopes import Shown

TYPE: Final = "envelopes"
REASONS: Final = frozenset(reason.value for reason in Reason if reason)


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What is answered: the recorded members in their order, then ours."""

    email_address: str | None
    phone_number: str
    status: str
    kind: str | None
    retry_attempts: int
    direction: str
    created_at: str
    updated_at: str
    meta: msgspec.Raw
    callback: str | None
    callback_include: str | None
    is_priority: bool
    delay_in_seconds: int | None
    scheduled_at: str | None
    processed_at: str | None
    completed_at: str | None
    callback_status: list[Attempt]
    reason: str | None
    hold_reason: str | None
    hold_until: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """In recorded order."""

    created_by: One
    updated_by: One
    contact: One
    engagement: One
    activity: One
    call: One
    email: One
    text: One
    identity: One
    assigned: One
    sender: One


def answer(_: str, shown: Shown) -> Answer:
    """An envelope as its resource object; kind and activity follow from the engagement, once it has one."""
    envelope, engagement = shown.envelope, shown.engagement
    return Answer(TYPE, to_wire(envelope.id), _attributes(shown), _relationships(envelope, engagement))


def _attributes(shown: Shown) -> Attributes:
    envelope, engagement = shown.envelope, shown.engagement
    # what its own rule does not hold, a gate of its engagement may
    waits = envelope.next_at is not None and envelope.hold_reason is None
    gate = engagement.hold_reason if waits else None
    until = engagement.hold_until if gate else envelope.hold_until
    return Attributes(
        email_address=None,
        phone_number=envelope.phone_number,
        status=str(envelope.status),
        kind=TEXT if engagement.activity_id else None,
        retry_attempts=envelope.retry_attempts,
        direction=engagement.direction,
        created_at=to_text(envelope.created_at),
        updated_at=to_text(envelope.updated_at),
        meta=raw_json(envelope.meta),
        callback=envelope.callback,
        callback_include=envelope.callback_include,
        is_priority=envelope.is_priority,
        delay_in_seconds=envelope.delay_in_seconds,
        scheduled_at=to_text_or_none(envelope.scheduled_at),
        processed_at=to_text_or_none(envelope.processed_at),
        completed_at=to_text_or_none(envelope.completed_at),
        callback_status=attempts(shown.callbacks),
        reason=str(envelope.reason) or None,
        hold_reason=envelope.hold_reason or gate,
        hold_until=to_text_or_none(until),
    )


def _relationships(envelope: Envelope, engagement: Engagement) -> Relationships:
    return Relationships(
        created_by=to_one("memberships", envelope.created_by),
        updated_by=to_one("memberships", envelope.updated_by),
        contact=NOTHING,
        engagement=to_one("engagements", envelope.engagement_id),
        activity=to_one("activities", engagement.activity_id),
        call=NOTHING,
        email=NOTHING,
        text=to_one("texts", envelope.text_id),
        identity=NOTHING,
        assigned=NOTHING,
        sender=to_one("phone-numbers", envelope.phone_number_id),
    )


RESOURCE: Final = Resource[Envelope, Shown](
    type=TYPE,
    noun="envelope",
    record=Envelope,
    attributes=Attributes,
    relationships={
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
        "contact": ToOne("contacts"),
        "engagement": ToOne("engagements", "engagement_id", indexed=True),
        "activity": ToOne("activities"),
        "call": ToOne("calls"),
        "email": ToOne("emails"),
        "text": ToOne("texts", "text_id"),
        "identity": ToOne("identities"),
        "assigned": ToOne("memberships"),
        "sender": ToOne("phone-numbers", "phone_number_id"),
    },
    answer=answer,
    show=envelopes.show,
    fields={
        "status": Field("status", Kind.WORD, words=frozenset(EnvelopeStatus), within="engagement.id"),
        "reason": Field("reason", Kind.WORD, words=REASONS, within="engagement.id"),
        "phone-number": Field("phone_number", Kind.PHONE, within="engagement.id"),
        "is-priority": Field("is_priority", Kind.BOOLEAN, within="engagement.id"),
        "created-at": Field("created_at", Kind.INSTANT, within="engagement.id"),
        "completed-at": Field("completed_at", Kind.INSTANT, within="engagement.id"),
        "hold-reason": Field("hold_reason", within="engagement.id"),
    },
    total=envelopes.total,
    is_large=True,
)
