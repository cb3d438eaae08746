"""/text-results (wire contract 5.7). Every event in a text's fate, one resource each."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Field, Kind, Resource, ToOne, as_it_is
from opengage.domain.records import TextResult
from opengage.domain.states import TextStatus
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text

TYPE: Final = "text-results"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`kind` is the status that the text came to, `code` the carrier's own word for it."""

    kind: str
    created_at: str
    updated_at: str
    code: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """Whose fate it is."""

    text: One


def answer(_: str, result: TextResult) -> Answer:
    """A text result as its resource object."""
    return Answer(
        TYPE,
        to_wire(result.id),
        Attributes(result.kind, to_text(result.created_at), to_text(result.updated_at), result.code),
        Relationships(to_one("texts", result.text_id)),
    )


RESOURCE: Final = Resource[TextResult, TextResult](
    type=TYPE,
    noun="text result",
    record=TextResult,
    attributes=Attributes,
    relationships={"text": ToOne("texts", "text_id", indexed=True)},
    answer=answer,
    show=as_it_is,
    fields={"kind": Field("kind", Kind.WORD, words=frozenset(TextStatus), within="text.id")},
    is_large=True,
)
