"""/text-messages (wire contract 5.5). The words of each text, as its recipient gets them."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, ToMany, ToOne, as_it_is
from opengage.domain.records import TextMessage
from opengage.ids import to_wire
from opengage.jsonapi.document import NONE_OF_THEM, NOTHING, Answer, Many, One, raw_json
from opengage.jsonapi.timestamps import to_text

TYPE: Final = "text-messages"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """In recorded order."""

    is_draft: bool
    created_at: str
    updated_at: str
    meta: msgspec.Raw
    body: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """In recorded order."""

    contact: One
    files: Many
    text_template: One
    envelope: One
    created_by: One
    updated_by: One


def answer(_: str, message: TextMessage) -> Answer:
    """A text message as its resource object."""
    return Answer(
        TYPE,
        to_wire(message.id),
        Attributes(
            is_draft=message.is_draft,
            created_at=to_text(message.created_at),
            updated_at=to_text(message.updated_at),
            meta=raw_json(message.meta),
            body=message.body,
        ),
        Relationships(
            contact=NOTHING,
            files=NONE_OF_THEM,
            text_template=to_one("text-templates", message.text_template_id),
            envelope=to_one("envelopes", message.envelope_id),
            created_by=to_one("memberships", message.created_by),
            updated_by=to_one("memberships", message.updated_by),
        ),
    )


RESOURCE: Final = Resource[TextMessage, TextMessage](
    type=TYPE,
    noun="text message",
    record=TextMessage,
    attributes=Attributes,
    relationships={
        "contact": ToOne("contacts"),
        "files": ToMany("files"),
        "text-template": ToOne("text-templates", "text_template_id"),
        "envelope": ToOne("envelopes", "envelope_id"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=as_it_is,
    is_large=True,
)
