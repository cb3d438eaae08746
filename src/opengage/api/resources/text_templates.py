"""/text-templates (wire contract 5.1). Step 1 of a text's path: the words arrive."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, Through, ToMany, ToOne, as_it_is
from opengage.domain.records import TextTemplate
from opengage.ids import to_wire
from opengage.jsonapi.document import NONE_OF_THEM, Answer, Linked, Many, One, linked
from opengage.jsonapi.timestamps import to_text, to_text_or_none

TYPE: Final = "text-templates"


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


def answer(base: str, template: TextTemplate) -> Answer:
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
            revisions=linked(f"{base}/{TYPE}/{id_}/revisions"),
            tags=NONE_OF_THEM,
            deleted_by=to_one("memberships", template.deleted_by),
            created_by=to_one("memberships", template.created_by),
            updated_by=to_one("memberships", template.updated_by),
        ),
    )


RESOURCE: Final = Resource[TextTemplate, TextTemplate](
    type=TYPE,
    noun="text template",
    record=TextTemplate,
    attributes=Attributes,
    relationships={
        "files": ToMany("files"),
        "primary": ToOne("text-templates", "id"),
        "revision": ToOne("text-templates", "revision_id"),
        "revisions": Through("text-template-revisions", "text-template"),
        "tags": ToMany("tags"),
        "deleted-by": ToOne("memberships", "deleted_by"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=as_it_is,
    fields={
        "name": Field("name"),
        "created-at": Field("created_at", Kind.INSTANT),
        "is-archived": Field("is_archived", Kind.BOOLEAN, sorts=False),
    },
)
