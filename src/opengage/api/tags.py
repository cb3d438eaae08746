"""/tags (wire contract 5.12). What can be done with them beside reading."""

from typing import Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.resources.tags import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.ids import from_wire
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations import tags


class Written(msgspec.Struct, frozen=True, gc=False):
    """What a client writes."""

    name: str


READER: Final = Reader(TYPE, Written, NoRelationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /tags."""
    sent = READER.one(await read_body(request)).attributes
    made = await tags.create(api.store, api.clock, api.new_id, actor, name=sent.name)
    return answers.one(request, answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /tags/{id}."""
    sent = READER.one(await read_body(request), addressed=resource_id).attributes
    changed = await tags.update(api.store, api.clock, actor, from_wire(resource_id), name=sent.name)
    return answers.one(request, answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /tags/{id}."""
    await tags.delete(api.store, actor, from_wire(resource_id))


ROUTES: Final = [create, update, remove]
