"""/api-tokens: made by their holder or an owner, told once, ended at any time."""

from typing import Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.linkage import maybe_target
from opengage.api.resources.api_tokens import TYPE, answer, made
from opengage.api.state import Api, Member, WebRequest
from opengage.api.values import instant
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import NoRelationships, Reader, ToOne
from opengage.operations import api_tokens

_EXPIRES: Final = "expires-at"


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to make one; null: it never expires."""

    expires_at: str | None = None


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to change one."""

    expires_at: str | None


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """Whom it speaks for; whoever asks, unless somebody is named."""

    membership: ToOne | None = None


NEW_READER: Final = Reader(TYPE, NewAttributes, Relationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, NoRelationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /api-tokens: the one answer that has the secret."""
    sent = NEW_READER.one(await read_body(request))
    problems: list[Problem] = []
    membership_id = maybe_target(sent.relationships.membership, "membership", "memberships", problems)
    if problems:
        raise Invalid(problems)
    expires_at = instant(sent.attributes.expires_at, _EXPIRES)
    fresh = await api_tokens.create(
        api.store,
        api.clock,
        api.new_id,
        actor,
        membership_id=membership_id or None,
        expires_at=None if expires_at is msgspec.UNSET else expires_at,
    )
    return answers.one(request, made(fresh.token, fresh.secret), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /api-tokens/{id}."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id).attributes
    expires_at = instant(sent.expires_at, _EXPIRES)
    changed = await api_tokens.update(
        api.store,
        api.clock,
        api.new_id,
        actor,
        from_wire(resource_id),
        expires_at=None if expires_at is msgspec.UNSET else expires_at,
    )
    return answers.one(request, answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /api-tokens/{id}: it is refused from now on, and still listed."""
    await api_tokens.revoke(api.store, api.clock, api.new_id, actor, from_wire(resource_id))


ROUTES: Final = [create, update, remove]
