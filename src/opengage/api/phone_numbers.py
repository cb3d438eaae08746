"""/phone-numbers (wire contract 5.8). What an owner does with the senders of an account."""

from typing import Any, Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.linkage import maybe_target
from opengage.api.resources.phone_numbers import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.api.values import json_text, or_unset
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import Reader, ToOne
from opengage.operations import phone_numbers
from opengage.operations.phone_numbers import Changes


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to change one; the number itself stays."""

    label: str | msgspec.UnsetType | None = msgspec.UNSET
    rate: float | msgspec.UnsetType | None = msgspec.UNSET
    is_active: bool | msgspec.UnsetType | None = msgspec.UNSET
    budgets: list[Any] | msgspec.UnsetType | None = msgspec.UNSET


class NewAttributes(ChangedAttributes, frozen=True, gc=False, kw_only=True, rename="kebab"):
    """What a client writes to make one."""

    phone_number: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client points at; without it, the account's only service profile is meant."""

    service_profile: ToOne | msgspec.UnsetType | None = msgspec.UNSET


NEW_READER: Final = Reader(TYPE, NewAttributes, Relationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, Relationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /phone-numbers."""
    sent = NEW_READER.one(await read_body(request))
    changes = _changes(sent.attributes, sent.relationships)
    number = sent.attributes.phone_number
    made = await phone_numbers.create(api.store, api.clock, api.new_id, actor, phone_number=number, changes=changes)
    return answers.one(request, answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /phone-numbers/{id}."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id)
    changes = _changes(sent.attributes, sent.relationships)
    changed = await phone_numbers.update(api.store, api.clock, api.new_id, actor, from_wire(resource_id), changes)
    return answers.one(request, answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /phone-numbers/{id}: removed, or switched off when something has it."""
    await phone_numbers.delete(api.store, api.clock, api.new_id, actor, from_wire(resource_id))


def _changes(attributes: ChangedAttributes, relationships: Relationships) -> Changes:
    problems: list[Problem] = []
    profile_id = maybe_target(relationships.service_profile, "service-profile", "service-profiles", problems)
    if problems:
        raise Invalid(problems)
    return Changes(
        label=attributes.label,
        rate=attributes.rate,
        is_active=or_unset(attributes.is_active),
        budgets=json_text(attributes.budgets),
        service_profile_id=or_unset(profile_id),
    )


ROUTES: Final = [create, update, remove]
