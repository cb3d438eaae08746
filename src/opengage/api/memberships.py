"""/memberships (wire contract 5.9). What an owner does with the members of an account; they are never removed."""

from typing import Final

import msgspec
from litestar import patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.resources.memberships import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.ids import from_wire
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations import memberships


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to make one."""

    name: str
    role: str
    is_active: bool | None = None


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to change one."""

    name: str | None = None
    role: str | None = None
    is_active: bool | None = None


NEW_READER: Final = Reader(TYPE, NewAttributes, NoRelationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, NoRelationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /memberships."""
    sent = NEW_READER.one(await read_body(request)).attributes
    made = await memberships.create(
        api.store,
        api.clock,
        api.new_id,
        actor,
        name=sent.name,
        role=sent.role,
        is_active=sent.is_active is not False,
    )
    return answers.one(request, answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /memberships/{id}."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id).attributes
    changed = await memberships.update(
        api.store,
        api.clock,
        api.new_id,
        actor,
        from_wire(resource_id),
        name=sent.name,
        role=sent.role,
        is_active=sent.is_active,
    )
    return answers.one(request, answer(api.base_url, changed), 202)


ROUTES: Final = [create, update]
