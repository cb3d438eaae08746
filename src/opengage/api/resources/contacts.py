"""/contacts (wire contract 5.12). Before a text's path begins: people who may be texted."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_many, to_one
from opengage.api.resources.resource import Field, Kind, Resource, ToMany, ToOne
from opengage.domain.records import Contact
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, Many, One, raw_json
from opengage.jsonapi.timestamps import to_text
from opengage.operations import contacts
from opengage.operations.contacts import Shown

TYPE: Final = "contacts"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`phone-number` is the primary one, the first of `phone-numbers`; `meta` holds merge values."""

    first_name: str | None
    last_name: str | None
    phone_number: str
    phone_numbers: msgspec.Raw
    emails: msgspec.Raw
    notes: str | None
    meta: msgspec.Raw
    created_at: str
    updated_at: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """The lists that it is on, and who wrote it."""

    lists: Many
    created_by: One
    updated_by: One


def answer(_: str, shown: Shown) -> Answer:
    """A contact as its resource object."""
    contact = shown.contact
    return Answer(
        TYPE,
        to_wire(contact.id),
        Attributes(
            first_name=contact.first_name,
            last_name=contact.last_name,
            phone_number=contact.phone_number,
            phone_numbers=raw_json(contact.phone_numbers),
            emails=raw_json(contact.emails),
            notes=contact.notes,
            meta=raw_json(contact.meta),
            created_at=to_text(contact.created_at),
            updated_at=to_text(contact.updated_at),
        ),
        Relationships(
            lists=to_many("lists", shown.list_ids),
            created_by=to_one("memberships", contact.created_by),
            updated_by=to_one("memberships", contact.updated_by),
        ),
    )


RESOURCE: Final = Resource[Contact, Shown](
    type=TYPE,
    noun="contact",
    record=Contact,
    attributes=Attributes,
    relationships={
        "lists": ToMany("lists"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=contacts.show,
    fields={"phone-number": Field("phone_number", Kind.TEXT)},
)
