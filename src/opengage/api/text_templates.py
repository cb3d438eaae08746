"""/text-templates (wire contract 5.1). Step 1 of a text's path: the words arrive."""

from typing import Final

import msgspec
from litestar import post
from litestar.response.base import ASGIResponse

from opengage.api import answers, reads
from opengage.api.body import read_body
from opengage.api.linkage import to_one
from opengage.api.state import Api, ApiState, Member, WebRequest
from opengage.domain.records import TextTemplate
from opengage.ids import to_wire
from opengage.jsonapi.document import NONE_OF_THEM, Answer, Linked, Many, One, linked
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations import reading, text_templates

TYPE: Final = "text-templates"


class NewAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes."""

    name: str
    body: str


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What is answered, in recorded order."""

    name: str
    body: str
    created_at: str
    updated_at: str
    is_archived: bool
    deleted_at: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """In recorded order."""

    files: Many
    primary: One
    revision: One
    revisions: Linked
    tags: Many
    deleted_by: One
    created_by: One
    updated_by: One


READER: Final = Reader(TYPE, NewAttributes, NoRelationships)


def answer(api: ApiState, template: TextTemplate) -> Answer:
    """A template as its resource object."""
    id_ = to_wire(template.id)
    return Answer(
        TYPE,
        id_,
        Attributes(
            name=template.name,
            body=template.body,
            created_at=to_text(template.created_at),
            updated_at=to_text(template.updated_at),
            is_archived=template.is_archived,
            deleted_at=to_text_or_none(template.deleted_at),
        ),
        Relationships(
            files=NONE_OF_THEM,
            primary=to_one(TYPE, template.id),
            revision=to_one(TYPE, template.revision_id),
            revisions=linked(f"{api.base_url}/{TYPE}/{id_}/revisions"),
            tags=NONE_OF_THEM,
            deleted_by=to_one("memberships", template.deleted_by),
            created_by=to_one("memberships", template.created_by),
            updated_by=to_one("memberships", template.updated_by),
        ),
    )


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /text-templates."""
    sent = READER.one(await read_body(request)).attributes
    made = await text_templates.create(api.store, api.clock, api.new_id, actor, name=sent.name, body=sent.body)
    return answers.one(request, answer(api, made), 201, included=True)


READS: Final = reads.Reads[TextTemplate](
    type=TYPE,
    find=lambda api, actor, id_: reading.find(api.store, actor, TextTemplate, id_, "text template"),
    page=lambda api, actor, limit, offset: reading.page(api.store, actor, TextTemplate, limit, offset),
    answer=answer,
)

ROUTES: Final = [create, *reads.routes(READS)]
