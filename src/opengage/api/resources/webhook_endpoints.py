"""/webhook-endpoints. Who is told of what happens; the secret is answered once, when it is made or rotated."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, ToOne, as_it_is
from opengage.domain.records import WebhookEndpoint
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One, raw_json
from opengage.jsonapi.timestamps import to_text, to_text_or_none

TYPE: Final = "webhook-endpoints"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`secret` is null but in the answers that make a new one."""

    kind: str
    url: str | None
    events: msgspec.Raw
    include: str | None
    is_active: bool
    disabled_reason: str | None
    created_at: str
    updated_at: str
    previous_secret_until: str | None
    secret: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Whose it is."""

    created_by: One
    updated_by: One


def answer(_: str, endpoint: WebhookEndpoint, secret: str | None = None) -> Answer:
    """An endpoint as its resource object."""
    return Answer(
        TYPE,
        to_wire(endpoint.id),
        Attributes(
            kind=endpoint.kind,
            url=endpoint.url,
            events=raw_json(endpoint.events),
            include=endpoint.include,
            is_active=endpoint.is_active,
            disabled_reason=endpoint.disabled_reason,
            created_at=to_text(endpoint.created_at),
            updated_at=to_text(endpoint.updated_at),
            previous_secret_until=to_text_or_none(endpoint.previous_until),
            secret=secret,
        ),
        Relationships(to_one("memberships", endpoint.created_by), to_one("memberships", endpoint.updated_by)),
    )


RESOURCE: Final = Resource[WebhookEndpoint, WebhookEndpoint](
    type=TYPE,
    noun="webhook endpoint",
    record=WebhookEndpoint,
    attributes=Attributes,
    relationships={
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=as_it_is,
)
