"""/text-templates (wire contract 5.1). Step 1 of a text's path: the words arrive."""

from typing import Final

import msgspec
from litestar import post
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.resources.text_templates import RESOURCE, TYPE
from opengage.api.state import Api, Member, WebRequest
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations import text_templates


class NewAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes."""

    name: str
    body: str


READER: Final = Reader(TYPE, NewAttributes, NoRelationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /text-templates."""
    sent = READER.one(await read_body(request)).attributes
    made = await text_templates.create(api.store, api.clock, api.new_id, actor, name=sent.name, body=sent.body)
    return answers.one(request, RESOURCE.answer(api.base_url, made), 201, included=())


ROUTES: Final = [create]
