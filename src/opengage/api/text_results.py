"""/text-results (wire contract 5.7). Every event in a text's fate, one resource each."""

from typing import Final

import msgspec

from opengage.api import reads
from opengage.api.linkage import to_one
from opengage.api.state import ApiState
from opengage.domain.records import TextResult
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text
from opengage.operations import reading

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


def answer(_: ApiState, result: TextResult) -> Answer:
    """A text result as its resource object."""
    return Answer(
        TYPE,
        to_wire(result.id),
        Attributes(result.kind, to_text(result.created_at), to_text(result.updated_at), result.code),
        Relationships(to_one("texts", result.text_id)),
    )


READS: Final = reads.Reads[TextResult](
    type=TYPE,
    find=lambda api, actor, id_: reading.find(api.store, actor, TextResult, id_, "text result"),
    page=lambda api, actor, limit, offset, **equal: reading.page(api.store, actor, TextResult, limit, offset, **equal),
    answer=answer,
    filters={"text.id": "text_id"},
)

ROUTES: Final = reads.routes(READS)
