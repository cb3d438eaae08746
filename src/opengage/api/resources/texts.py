"""/texts (wire contract 5.6). What became of each recipient's message."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, Through, ToOne, as_it_is
from opengage.domain.records import Text
from opengage.domain.states import TextStatus
from opengage.ids import to_wire
from opengage.jsonapi.document import NOTHING, Answer, Linked, One, linked, raw_json
from opengage.jsonapi.timestamps import to_text, to_text_or_none

TYPE: Final = "texts"

# `from` is a word of Python's, so this struct names its members itself
_WIRE_NAMES: Final = {"sender": "from", "recipient": "to"}


class Attributes(
    msgspec.Struct, frozen=True, gc=False, rename=lambda name: _WIRE_NAMES.get(name, name.replace("_", "-"))
):
    """What is answered: the recorded members in their order, then ours."""

    sender: str
    recipient: str
    created_at: str
    updated_at: str
    direction: str
    status: str
    meta: msgspec.Raw
    callback: str | None
    callback_include: str | None
    segments: int
    attempts: int
    code: str | None
    sent_at: str | None
    settled_at: str | None
    hold_reason: str | None
    hold_until: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """In recorded order, then ours."""

    text_message: One
    contact: One
    envelope: One
    result: One
    results: Linked
    phone_number: One
    service_profile: One
    created_by: One
    updated_by: One
    engagement: One
    revision: One


def answer(base: str, text: Text) -> Answer:
    """A text as its resource object; a blast's text has its message under its own id."""
    id_ = to_wire(text.id)
    return Answer(TYPE, id_, _attributes(text), _relationships(base, id_, text))


def _attributes(text: Text) -> Attributes:
    return Attributes(
        sender=text.sender,
        recipient=text.recipient,
        created_at=to_text(text.created_at),
        updated_at=to_text(text.updated_at),
        direction=text.direction,
        status=text.status.value,
        meta=raw_json(text.meta),
        callback=text.callback,
        callback_include=text.callback_include,
        segments=text.segments,
        attempts=text.attempts,
        code=text.code,
        sent_at=to_text_or_none(text.sent_at),
        settled_at=to_text_or_none(text.settled_at),
        hold_reason=text.hold_reason,
        hold_until=to_text_or_none(text.hold_until),
    )


def _relationships(base: str, id_: str, text: Text) -> Relationships:
    return Relationships(
        text_message=to_one("text-messages", text.text_message_id or text.id),
        contact=NOTHING,
        envelope=to_one("envelopes", text.envelope_id),
        result=to_one("text-results", text.result_id),
        results=linked(f"{base}/text-results?filter[text.id]={id_}"),
        phone_number=to_one("phone-numbers", text.phone_number_id),
        service_profile=to_one("service-profiles", text.service_profile_id),
        created_by=to_one("memberships", text.created_by),
        updated_by=to_one("memberships", text.updated_by),
        engagement=to_one("engagements", text.engagement_id),
        revision=to_one("text-templates", text.text_template_revision_id),
    )


RESOURCE: Final = Resource[Text, Text](
    type=TYPE,
    noun="text",
    record=Text,
    attributes=Attributes,
    relationships={
        "text-message": ToOne("text-messages"),
        "contact": ToOne("contacts"),
        "envelope": ToOne("envelopes", "envelope_id"),
        "result": ToOne("text-results", "result_id"),
        "results": Through("text-results", "text", includable=True),
        "phone-number": ToOne("phone-numbers", "phone_number_id"),
        "service-profile": ToOne("service-profiles", "service_profile_id"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
        "engagement": ToOne("engagements", "engagement_id", indexed=True),
        "revision": ToOne("text-templates", "text_template_revision_id"),
    },
    answer=answer,
    show=as_it_is,
    fields={
        "status": Field("status", Kind.WORD, words=frozenset(TextStatus), within="engagement.id"),
        "to": Field("recipient", Kind.PHONE, within="engagement.id"),
        "hold-reason": Field("hold_reason", within="engagement.id"),
        "hold-until": Field("hold_until", Kind.INSTANT, within="engagement.id"),
        "created-at": Field("created_at", Kind.INSTANT, within="engagement.id"),
    },
    is_large=True,
)
