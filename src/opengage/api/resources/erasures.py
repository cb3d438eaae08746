"""/erasures: numbers that an account forgets at once. None of them is told again: only its pseudonym."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, ToOne, as_it_is
from opengage.domain.records import Erasure
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations.actors import require_owner
from opengage.operations.erasures import NOUN, TYPE


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`status` is `pending`, `waiting` (for `count-waiting` texts that must end first) or `completed`."""

    pseudonym: str
    status: str
    count_contacts: int
    count_envelopes: int
    count_texts: int
    count_canceled: int
    count_waiting: int
    count_others: int
    created_at: str
    updated_at: str
    completed_at: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Who asked for it."""

    created_by: One
    updated_by: One


def answer(_: str, erasure: Erasure) -> Answer:
    """An erasure as its resource object."""
    return Answer(
        TYPE,
        to_wire(erasure.id),
        Attributes(
            pseudonym=erasure.pseudonym,
            status=erasure.status.value,
            count_contacts=erasure.count_contacts,
            count_envelopes=erasure.count_envelopes,
            count_texts=erasure.count_texts,
            count_canceled=erasure.count_canceled,
            count_waiting=erasure.count_waiting,
            count_others=erasure.count_others,
            created_at=to_text(erasure.created_at),
            updated_at=to_text(erasure.updated_at),
            completed_at=to_text_or_none(erasure.completed_at),
        ),
        Relationships(to_one("memberships", erasure.created_by), to_one("memberships", erasure.updated_by)),
    )


RESOURCE: Final = Resource[Erasure, Erasure](
    type=TYPE,
    noun=NOUN,
    record=Erasure,
    attributes=Attributes,
    relationships={
        "created-by": ToOne("memberships", "created_by"),
        "updated-by": ToOne("memberships", "updated_by"),
    },
    answer=answer,
    show=as_it_is,
    require=require_owner,
)
