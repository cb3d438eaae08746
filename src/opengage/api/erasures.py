"""/erasures: a person's number is forgotten in all of the account."""

from typing import Final

import msgspec
from litestar import post
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.documented import documented
from opengage.api.resources.erasures import answer
from opengage.api.state import Api, Member, WebRequest
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations import erasures
from opengage.operations.erasures import TYPE


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes."""

    phone_number: str


READER: Final = Reader(TYPE, NewAttributes, NoRelationships)


@post(f"/{TYPE}", status_code=202, opt=documented(may_exist=True))
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /erasures: a worker carries it out; 200 for a number that is being forgotten already."""
    sent = READER.one(await read_body(request))
    begun = await erasures.begin(api.store, api.clock, api.new_id, actor, sent.attributes.phone_number)
    return answers.one(request, answer(api.base_url, begun.erasure), 202 if begun.is_fresh else 200)


ROUTES: Final = [create]
