"""/text-templates (wire contract 5.1). Step 1 of a text's path: the words arrive."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, Through, ToMany, ToOne
from opengage.domain.records import TextTemplate
from opengage.ids import to_wire
from opengage.jsonapi.document import NONE_OF_THEM, Answer, Linked, Many, One, linked
from opengage.jsonapi.request import Identifier
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations import text_templates
from opengage.operations.text_templates import Shown

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


def answer(base: str, shown: Shown) -> Answer:
    """A template, or one of its revisions, as its resource object."""
    template = shown.template
    primary = to_wire(template.text_template_id or template.id)
    return Answer(
        TYPE,
        to_wire(template.id),
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
            primary=One(Identifier(TYPE, primary)),
            revision=to_one(TYPE, template.revision_id),
            revisions=linked(f"{base}/{TYPE}/{primary}/revisions"),
            tags=Many(tuple(Identifier("tags", to_wire(id_)) for id_ in shown.tag_ids)),
            deleted_by=to_one("memberships", template.deleted_by),
            created_by=to_one("memberships", template.created_by),
            updated_by=to_one("memberships", template.updated_by),
        ),
    )


RESOURCE: Final = Resource[TextTemplate, Shown](
    type=TYPE,
    noun="text template",
    record=TextTemplate,
    attributes=Attributes,
    relationships={
        "files": ToMany("files"),
        "primary": ToOne("text-templates"),
        "revision": ToOne("text-templates", "revision_id"),
        "revisions": Through("text-template-revisions", "primary"),
        "tags": ToMany("tags"),
        "deleted-by": ToOne("memberships", "deleted_by"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=text_templates.show,
    fields={
        "name": Field("name"),
        "created-at": Field("created_at", Kind.INSTANT),
        "is-archived": Field("is_archived", Kind.BOOLEAN, sorts=False),
    },
    equal={"deleted_at": None},
)
