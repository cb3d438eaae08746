"""/webhook-deliveries. Every event that was or is to be told to somebody, with each attempt at it."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, ToOne
from opengage.domain.records import WebhookAttempt, WebhookDelivery
from opengage.domain.webhooks import DeliveryStatus
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations import webhook_deliveries
from opengage.operations.webhook_deliveries import Shown

TYPE: Final = "webhook-deliveries"


class Attempt(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """One POST: where to, what came back (`code`, the first of `body`), or why nothing did (`error`)."""

    number: int
    attempted_at: str
    url: str
    code: int | None
    error: str | None
    body: str | None
    duration_ms: int


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """The delivery's id is the `webhook-id` of every attempt; `url` is a callback's own."""

    event: str
    subject_type: str
    subject_id: str
    status: str
    url: str | None
    include: str | None
    created_at: str
    updated_at: str
    delivered_at: str | None
    next_attempt_at: str | None
    attempts: list[Attempt]


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Who is told; null for a callback."""

    endpoint: One


def answer(_: str, shown: Shown) -> Answer:
    """A delivery as its resource object."""
    delivery = shown.delivery
    return Answer(
        TYPE,
        to_wire(delivery.id),
        Attributes(
            event=delivery.event,
            subject_type=delivery.subject_type,
            subject_id=to_wire(delivery.subject_id),
            status=delivery.status,
            url=delivery.url,
            include=delivery.include,
            created_at=to_text(delivery.created_at),
            updated_at=to_text(delivery.updated_at),
            delivered_at=to_text_or_none(delivery.delivered_at),
            next_attempt_at=to_text_or_none(delivery.next_at),
            attempts=[_attempt(each) for each in shown.attempts],
        ),
        Relationships(to_one("webhook-endpoints", delivery.endpoint_id)),
    )


def _attempt(attempt: WebhookAttempt) -> Attempt:
    return Attempt(
        number=attempt.number,
        attempted_at=to_text(attempt.created_at),
        url=attempt.url,
        code=attempt.code,
        error=attempt.error,
        body=attempt.body,
        duration_ms=attempt.duration_ms,
    )


RESOURCE: Final = Resource[WebhookDelivery, Shown](
    type=TYPE,
    noun="webhook delivery",
    record=WebhookDelivery,
    attributes=Attributes,
    relationships={"endpoint": ToOne("webhook-endpoints", "endpoint_id", indexed=True)},
    answer=answer,
    show=webhook_deliveries.show,
    fields={
        "subject-id": Field("subject_id", Kind.ID),
        "status": Field("status", Kind.WORD, words=frozenset(DeliveryStatus), within="endpoint.id"),
    },
)
