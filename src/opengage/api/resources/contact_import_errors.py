"""/import-contact-errors. Before a text's path begins: what is wrong with a file of contacts, cell by cell."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, ToOne, as_it_is
from opengage.domain.records import ContactImportError
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text

TYPE: Final = "import-contact-errors"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`row` counts as a spreadsheet does, the header being 1; `column` is the column's name there."""

    row: int
    column: str | None
    value: str
    detail: str
    fix: str
    created_at: str
    updated_at: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """The import that met it."""

    import_contact: One


def answer(_: str, error: ContactImportError) -> Answer:
    """What is wrong with one cell, as a resource object."""
    return Answer(
        TYPE,
        to_wire(error.id),
        Attributes(
            row=error.line,
            column=error.field,
            value=error.value,
            detail=error.detail,
            fix=error.fix,
            created_at=to_text(error.created_at),
            updated_at=to_text(error.updated_at),
        ),
        Relationships(to_one("import-contacts", error.import_id)),
    )


RESOURCE: Final = Resource[ContactImportError, ContactImportError](
    type=TYPE,
    noun="import error",
    record=ContactImportError,
    attributes=Attributes,
    relationships={"import-contact": ToOne("import-contacts", "import_id", indexed=True)},
    answer=answer,
    show=as_it_is,
)
