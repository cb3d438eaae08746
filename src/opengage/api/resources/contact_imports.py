"""/import-contacts (wire contract 5.15). Before a text's path begins: a file of contacts on its way in."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, Through, ToOne, as_it_is
from opengage.domain.records import ContactImport
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, Linked, One, linked, raw_json
from opengage.jsonapi.timestamps import to_text, to_text_or_none

TYPE: Final = "import-contacts"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Rows are counted as they are taken in; `count-errors` counts every fault, the first thousand are kept."""

    status: str
    unique_primary_phone: bool
    created_at: str
    updated_at: str
    mapping: msgspec.Raw | None
    default_region: str | None
    count_rows: int
    count_created: int
    count_updated: int
    count_unchanged: int
    count_failed: int
    count_errors: int
    error: str | None
    started_at: str | None
    completed_at: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What is read, the list that its people join, and what was wrong with it."""

    upload: One
    list: One
    errors: Linked
    created_by: One
    updated_by: One


def answer(base: str, one: ContactImport) -> Answer:
    """An import as its resource object."""
    id_ = to_wire(one.id)
    return Answer(
        TYPE,
        id_,
        Attributes(
            status=one.status.value,
            unique_primary_phone=one.unique_primary_phone,
            created_at=to_text(one.created_at),
            updated_at=to_text(one.updated_at),
            mapping=raw_json(one.mapping) if one.mapping else None,
            default_region=one.default_region,
            count_rows=one.count_rows,
            count_created=one.count_created,
            count_updated=one.count_updated,
            count_unchanged=one.count_unchanged,
            count_failed=one.count_failed,
            count_errors=one.count_errors,
            error=one.error,
            started_at=to_text_or_none(one.started_at),
            completed_at=to_text_or_none(one.completed_at),
        ),
        Relationships(
            upload=to_one("uploads", one.upload_id),
            list=to_one("lists", one.list_id),
            errors=linked(f"{base}/{TYPE}/{id_}/errors"),
            created_by=to_one("memberships", one.created_by),
            updated_by=to_one("memberships", one.updated_by),
        ),
    )


RESOURCE: Final = Resource[ContactImport, ContactImport](
    type=TYPE,
    noun="import",
    record=ContactImport,
    attributes=Attributes,
    relationships={
        "upload": ToOne("uploads", "upload_id"),
        "list": ToOne("lists", "list_id"),
        "errors": Through("import-contact-errors", "import-contact"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=as_it_is,
)
