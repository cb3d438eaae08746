"""/service-profiles (wire contract 5.10). The carrier connections of an account; where they lead is never told."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, ToOne, as_it_is
from opengage.domain.records import ServiceProfile
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One, raw_json
from opengage.jsonapi.timestamps import to_text
from opengage.operations.service_profiles import HOLD

TYPE: Final = "service-profiles"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Null stands for the default. `url` and `password` are written and never shown."""

    name: str
    kind: str
    is_active: bool
    created_at: str
    updated_at: str
    window: int | None
    binds: int | None
    receipt_window_seconds: int | None
    in_doubt_policy: str
    budgets: msgspec.Raw | None


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """The connection that takes over while this one fails."""

    fallback: One


def answer(_: str, profile: ServiceProfile) -> Answer:
    """A service profile as its resource object."""
    return Answer(
        TYPE,
        to_wire(profile.id),
        Attributes(
            name=profile.name,
            kind=profile.kind,
            is_active=profile.is_active,
            created_at=to_text(profile.created_at),
            updated_at=to_text(profile.updated_at),
            window=profile.window,
            binds=profile.binds,
            receipt_window_seconds=profile.receipt_window_seconds,
            in_doubt_policy=profile.in_doubt_policy or HOLD,
            budgets=raw_json(profile.budgets) if profile.budgets else None,
        ),
        Relationships(to_one(TYPE, profile.fallback_id)),
    )


RESOURCE: Final = Resource[ServiceProfile, ServiceProfile](
    type=TYPE,
    noun="service profile",
    record=ServiceProfile,
    attributes=Attributes,
    relationships={"fallback": ToOne("service-profiles", "fallback_id")},
    answer=answer,
    show=as_it_is,
)
