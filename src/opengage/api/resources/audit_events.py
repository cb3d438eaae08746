"""/audit-events: what operators did that the machine would not have done by itself. Written by the operations alone."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, ToOne, as_it_is
from opengage.domain.records import AuditEvent
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One, raw_json
from opengage.jsonapi.timestamps import to_text
from opengage.operations.actors import require_owner

TYPE: Final = "audit-events"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`action` was done to the resource of `subject-type` and `subject-id`, which may be gone."""

    action: str
    subject_type: str
    subject_id: str
    detail: msgspec.Raw
    created_at: str
    updated_at: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Who did it."""

    created_by: One


def answer(_: str, event: AuditEvent) -> Answer:
    """An audit event as its resource object."""
    return Answer(
        TYPE,
        to_wire(event.id),
        Attributes(
            action=event.action,
            subject_type=event.subject_type,
            subject_id=to_wire(event.subject_id),
            detail=raw_json(event.detail),
            created_at=to_text(event.created_at),
            updated_at=to_text(event.updated_at),
        ),
        Relationships(to_one("memberships", event.created_by)),
    )


RESOURCE: Final = Resource[AuditEvent, AuditEvent](
    type=TYPE,
    noun="audit event",
    record=AuditEvent,
    attributes=Attributes,
    relationships={"created-by": ToOne("memberships", "created_by")},
    answer=answer,
    show=as_it_is,
    fields={"subject-id": Field("subject_id", Kind.ID, sorts=False)},
    require=require_owner,
)
