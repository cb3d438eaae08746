"""/service-profiles (wire contract 5.10). What an owner does with the carrier connections of an account."""

from typing import Annotated, Any, Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.linkage import maybe_target
from opengage.api.resources.service_profiles import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.api.values import json_text, or_unset
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import Reader, Resource, ToOne
from opengage.operations import service_profiles
from opengage.operations.service_profiles import Changes

Window = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Binds = Annotated[int, msgspec.Meta(ge=1, le=100)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=31 * 24 * 3600)]


class Written(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes; null goes back to the default, where there is one."""

    name: str | msgspec.UnsetType | None = msgspec.UNSET
    kind: str | msgspec.UnsetType | None = msgspec.UNSET
    url: str | msgspec.UnsetType | None = msgspec.UNSET
    password: str | msgspec.UnsetType | None = msgspec.UNSET
    window: Window | msgspec.UnsetType | None = msgspec.UNSET
    binds: Binds | msgspec.UnsetType | None = msgspec.UNSET
    receipt_window_seconds: Seconds | msgspec.UnsetType | None = msgspec.UNSET
    in_doubt_policy: str | msgspec.UnsetType | None = msgspec.UNSET
    budgets: list[Any] | msgspec.UnsetType | None = msgspec.UNSET
    is_active: bool | msgspec.UnsetType | None = msgspec.UNSET


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """What a client points at."""

    fallback: ToOne | msgspec.UnsetType | None = msgspec.UNSET


READER: Final = Reader(TYPE, Written, Relationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /service-profiles."""
    changes = _changes(READER.one(await read_body(request)))
    made = await service_profiles.create(api.store, api.clock, api.new_id, api.sealer, actor, changes)
    return answers.one(request, answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /service-profiles/{id}."""
    changes = _changes(READER.one(await read_body(request), addressed=resource_id))
    id_ = from_wire(resource_id)
    changed = await service_profiles.update(api.store, api.clock, api.new_id, api.sealer, actor, id_, changes)
    return answers.one(request, answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /service-profiles/{id}: removed, or switched off when texts went over it."""
    await service_profiles.delete(api.store, api.clock, api.new_id, actor, from_wire(resource_id))


def _changes(sent: Resource[Written, Relationships]) -> Changes:
    problems: list[Problem] = []
    fallback_id = maybe_target(sent.relationships.fallback, "fallback", TYPE, problems)
    if problems:
        raise Invalid(problems)
    attributes = sent.attributes
    return Changes(
        name=or_unset(attributes.name),
        kind=or_unset(attributes.kind),
        url=attributes.url,
        password=attributes.password,
        window=attributes.window,
        binds=attributes.binds,
        receipt_window_seconds=attributes.receipt_window_seconds,
        in_doubt_policy=attributes.in_doubt_policy,
        budgets=json_text(attributes.budgets),
        is_active=or_unset(attributes.is_active),
        fallback_id=fallback_id,
    )


ROUTES: Final = [create, update, remove]
