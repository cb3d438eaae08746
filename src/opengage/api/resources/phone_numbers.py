"""/phone-numbers (wire contract 5.8). The senders that an account has."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, ToOne, as_it_is
from opengage.domain.records import PhoneNumber
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One, raw_json
from opengage.jsonapi.timestamps import to_text

TYPE: Final = "phone-numbers"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`rate` is segments per second, null for no limit of ours."""

    phone_number: str
    label: str | None
    created_at: str
    updated_at: str
    rate: float | None
    is_active: bool
    budgets: msgspec.Raw | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """The carrier connection that it is on."""

    service_profile: One


def answer(_: str, number: PhoneNumber) -> Answer:
    """A phone number as its resource object."""
    return Answer(
        TYPE,
        to_wire(number.id),
        Attributes(
            phone_number=number.phone_number,
            label=number.label,
            created_at=to_text(number.created_at),
            updated_at=to_text(number.updated_at),
            rate=number.rate,
            is_active=number.is_active,
            budgets=raw_json(number.budgets) if number.budgets else None,
        ),
        Relationships(to_one("service-profiles", number.service_profile_id)),
    )


RESOURCE: Final = Resource[PhoneNumber, PhoneNumber](
    type=TYPE,
    noun="phone number",
    record=PhoneNumber,
    attributes=Attributes,
    relationships={"service-profile": ToOne("service-profiles", "service_profile_id")},
    answer=answer,
    show=as_it_is,
    fields={
        "phone-number": Field("phone_number", Kind.PHONE),
        "is-active": Field("is_active", Kind.BOOLEAN, sorts=False),
    },
)
