"""/text-messages (wire contract 5.5). The words of each text, as its recipient gets them."""

from typing import Final

import msgspec

from opengage.api import reads
from opengage.api.linkage import to_one
from opengage.api.state import ApiState
from opengage.domain.records import TextMessage
from opengage.ids import to_wire
from opengage.jsonapi.document import NONE_OF_THEM, NOTHING, Answer, Many, One, raw_json
from opengage.jsonapi.timestamps import to_text
from opengage.operations import text_messages

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


def answer(_: ApiState, message: TextMessage) -> Answer:
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


READS: Final = reads.Reads[TextMessage](
    type=TYPE,
    find=lambda api, actor, id_: text_messages.find(api.store, actor, id_),
    page=lambda api, actor, limit, offset: text_messages.page(api.store, actor, limit, offset),
    answer=answer,
)

ROUTES: Final = reads.routes(READS)
