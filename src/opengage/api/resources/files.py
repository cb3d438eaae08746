"""/files (wire contract 5.14). Beside a text's path: what goes with its words, and where everybody finds it."""

from typing import Final
from urllib.parse import quote

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, ToOne
from opengage.domain.records import File
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text
from opengage.operations import files
from opengage.operations.files import Shown

TYPE: Final = "files"
_API: Final = "/api/v1"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """The members that are on record, then ours; width and height are 0 for what is no picture."""

    url: str
    size_in_bytes: int
    content_type: str
    width: int
    height: int
    name: str
    created_at: str
    updated_at: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Who made it."""

    created_by: One
    updated_by: One


def answer(base: str, shown: Shown) -> Answer:
    """A file as its resource object."""
    file = shown.file
    return Answer(
        TYPE,
        to_wire(file.id),
        Attributes(
            url=f"{base.removesuffix(_API)}/{TYPE}/{shown.bucket}/{file.token}/{quote(file.name, safe='')}",
            size_in_bytes=file.size_in_bytes,
            content_type=file.content_type,
            width=file.width or 0,
            height=file.height or 0,
            name=file.name,
            created_at=to_text(file.created_at),
            updated_at=to_text(file.updated_at),
        ),
        Relationships(
            created_by=to_one("memberships", file.created_by), updated_by=to_one("memberships", file.updated_by)
        ),
    )


RESOURCE: Final = Resource[File, Shown](
    type=TYPE,
    noun="file",
    record=File,
    attributes=Attributes,
    relationships={
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=files.show,
)
