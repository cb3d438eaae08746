"""/webhook-endpoints: telling Opengage whom to tell."""

from typing import Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.resources import callback_includes
from opengage.api.resources.webhook_endpoints import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.errors import Code, Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations import webhook_endpoints
from opengage.operations.webhook_endpoints import Changes


class SentAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes."""

    kind: str | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType | None = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    include: str | msgspec.UnsetType | None = msgspec.UNSET
    is_active: bool | msgspec.UnsetType = msgspec.UNSET


READER: Final = Reader(TYPE, SentAttributes, NoRelationships)


def _changes(sent: SentAttributes) -> Changes:
    """What the client wants. Raises Invalid for includes that nothing has which events are about."""
    if isinstance(sent.include, str) and (wrong := callback_includes.refusal(callback_includes.SUBJECTS, sent.include)):
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, wrong, "/data/attributes/include")])
    return Changes(kind=sent.kind, url=sent.url, events=sent.events, include=sent.include, is_active=sent.is_active)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /webhook-endpoints: its secret is in this answer and in no other."""
    changes = _changes(READER.one(await read_body(request)).attributes)
    told = await webhook_endpoints.create(api.store, api.clock, api.new_id, api.sealer, api.limits, actor, changes)
    return answers.one(request, answer(api.base_url, told.endpoint, told.secret), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /webhook-endpoints/{id}."""
    changes = _changes(READER.one(await read_body(request), addressed=resource_id).attributes)
    changed = await webhook_endpoints.update(api.store, api.clock, api.limits, actor, from_wire(resource_id), changes)
    return answers.one(request, answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /webhook-endpoints/{id}."""
    await webhook_endpoints.delete(api.store, api.clock, actor, from_wire(resource_id))


@post(f"/{TYPE}/{{resource_id:str}}/rotate-secret", status_code=200)
async def rotate(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """POST /webhook-endpoints/{id}/rotate-secret: the new secret; the old one signs too for a day."""
    told = await webhook_endpoints.rotate(api.store, api.clock, api.sealer, actor, from_wire(resource_id))
    return answers.one(request, answer(api.base_url, told.endpoint, told.secret))


ROUTES: Final = [create, update, remove, rotate]
