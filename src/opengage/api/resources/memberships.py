"""/memberships (wire contract 5.9). Who has a place in the account, and what they may do there."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, ToOne
from opengage.domain.records import Membership
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text
from opengage.operations import memberships
from opengage.operations.memberships import Shown

TYPE: Final = "memberships"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`role` is `owner`, `sender` or `viewer`."""

    created_at: str
    updated_at: str
    is_active: bool
    name: str
    role: str


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """The account that it is in."""

    account: One


def answer(_: str, shown: Shown) -> Answer:
    """A membership as its resource object."""
    member = shown.membership
    return Answer(
        TYPE,
        to_wire(member.id),
        Attributes(
            created_at=to_text(member.created_at),
            updated_at=to_text(member.updated_at),
            is_active=member.is_active,
            name=member.name,
            role=member.role,
        ),
        Relationships(to_one("accounts", shown.account_id)),
    )


RESOURCE: Final = Resource[Membership, Shown](
    type=TYPE,
    noun="membership",
    record=Membership,
    attributes=Attributes,
    relationships={"account": ToOne("accounts")},
    answer=answer,
    show=memberships.show,
    fields={"is-active": Field("is_active", Kind.BOOLEAN, sorts=False)},
)
