"""/lists (wire contract 5.12). Before a text's path begins: named sets of contacts, which an engagement may address."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Across, Resource, ToOne
from opengage.domain.records import ContactList
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, Linked, One, linked
from opengage.jsonapi.timestamps import to_text
from opengage.operations import contact_lists
from opengage.operations.contact_lists import Shown

TYPE: Final = "lists"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`count-contacts` is how many are on it."""

    title: str
    created_at: str
    updated_at: str
    count_contacts: int


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Its contacts, of which there may be a million: an address."""

    contacts: Linked
    created_by: One
    updated_by: One


def answer(base: str, shown: Shown) -> Answer:
    """A list as its resource object."""
    one, id_ = shown.list, to_wire(shown.list.id)
    return Answer(
        TYPE,
        id_,
        Attributes(one.title, to_text(one.created_at), to_text(one.updated_at), shown.count),
        Relationships(
            contacts=linked(f"{base}/{TYPE}/{id_}/contacts"),
            created_by=to_one("memberships", one.created_by),
            updated_by=to_one("memberships", one.updated_by),
        ),
    )


RESOURCE: Final = Resource[ContactList, Shown](
    type=TYPE,
    noun="list",
    record=ContactList,
    attributes=Attributes,
    relationships={
        "contacts": Across("contacts", "list_contacts", "list_id", "contact_id"),
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=contact_lists.show,
)
