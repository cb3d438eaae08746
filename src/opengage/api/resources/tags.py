"""/tags (wire contract 5.12). Words that templates are filed under."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Resource, ToOne, as_it_is
from opengage.domain.records import Tag
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text

TYPE: Final = "tags"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """No two tags of an account have the same name."""

    name: str
    created_at: str
    updated_at: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Who wrote it."""

    created_by: One
    updated_by: One


def answer(_: str, tag: Tag) -> Answer:
    """A tag as its resource object."""
    return Answer(
        TYPE,
        to_wire(tag.id),
        Attributes(tag.name, to_text(tag.created_at), to_text(tag.updated_at)),
        Relationships(to_one("memberships", tag.created_by), to_one("memberships", tag.updated_by)),
    )


RESOURCE: Final = Resource[Tag, Tag](
    type=TYPE,
    noun="tag",
    record=Tag,
    attributes=Attributes,
    relationships={
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=as_it_is,
    fields={"name": Field("name")},
)
