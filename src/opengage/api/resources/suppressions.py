"""/suppressions: the numbers that an account must not text."""

from typing import Final

import msgspec

from opengage.api.resources.resource import Field, Kind, Resource, as_it_is
from opengage.domain.records import Suppression
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer
from opengage.jsonapi.timestamps import to_text

TYPE: Final = "suppressions"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`reason` is `opted-out` (the person said STOP), `manual` or `imported`."""

    phone_number: str
    reason: str
    created_at: str
    updated_at: str


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """None: a STOP has no author."""


def answer(_: str, suppression: Suppression) -> Answer:
    """A suppression as its resource object."""
    return Answer(
        TYPE,
        to_wire(suppression.id),
        Attributes(
            phone_number=suppression.phone_number,
            reason=suppression.reason,
            created_at=to_text(suppression.created_at),
            updated_at=to_text(suppression.updated_at),
        ),
        Relationships(),
    )


RESOURCE: Final = Resource[Suppression, Suppression](
    type=TYPE,
    noun="suppression",
    record=Suppression,
    attributes=Attributes,
    relationships={},
    answer=answer,
    show=as_it_is,
    fields={"phone-number": Field("phone_number", Kind.PHONE)},
)
