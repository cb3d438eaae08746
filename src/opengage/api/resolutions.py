"""Doubts are resolved, by somebody: those of a blast's envelopes, or that of a single text. Step 1 of a text's path."""

from typing import Final

import msgspec
from litestar import post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.documented import documented
from opengage.api.linkage import targets
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire, to_wire
from opengage.jsonapi.document import Answer
from opengage.jsonapi.request import NoRelationships, Reader, ToMany
from opengage.jsonapi.timestamps import to_text
from opengage.operations import doubts

TYPE: Final = "resolutions"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to resolve doubts."""

    verb: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """The envelopes whose doubt is resolved; without any, all of them."""

    envelopes: ToMany | msgspec.UnsetType = msgspec.UNSET


class Resolved(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a resolution came to."""

    verb: str
    count: int
    left_in_doubt: int
    created_at: str


MANY_READER: Final = Reader(TYPE, Attributes, Relationships)
ONE_READER: Final = Reader(TYPE, Attributes, NoRelationships)
_ANSWERED: Final = documented(answers=(TYPE, Resolved))


@post("/engagements/{resource_id:str}/resolutions", status_code=201, opt=_ANSWERED)
async def resolve_many(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """POST /engagements/{id}/resolutions."""
    sent = MANY_READER.one(await read_body(request))
    problems: list[Problem] = []
    chosen = sent.relationships.envelopes
    some = () if chosen is msgspec.UNSET else chosen.data
    wanted = targets(some, "envelopes", "envelopes", problems, "/data/relationships/envelopes/data")
    if problems:
        raise Invalid(problems)
    id_, verb = from_wire(resource_id), sent.attributes.verb
    done = await doubts.resolve(api.store, api.clock, api.new_id, actor, id_, verb=verb, envelope_ids=wanted)
    return answers.one(request, _answer(done), 201)


@post("/texts/{resource_id:str}/resolutions", status_code=201, opt=_ANSWERED)
async def resolve_one(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """POST /texts/{id}/resolutions."""
    verb = ONE_READER.one(await read_body(request)).attributes.verb
    done = await doubts.resolve_text(api.store, api.clock, api.new_id, actor, from_wire(resource_id), verb=verb)
    return answers.one(request, _answer(done), 201)


def _answer(done: doubts.Resolved) -> Answer:
    attributes = Resolved(done.verb, done.count, done.left, to_text(done.event.created_at))
    return Answer(TYPE, to_wire(done.event.id), attributes)


ROUTES: Final = [resolve_many, resolve_one]
