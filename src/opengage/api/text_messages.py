"""/text-messages (wire contract 5.5). The words of single texts: written, and changed while they are a draft."""

from typing import Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.linkage import maybe_target
from opengage.api.resources.text_messages import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.api.values import MergeValue, json_text, or_unset
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import Reader, Resource, ToOne
from opengage.operations import text_messages
from opengage.operations.text_messages import Changes


class Written(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes; null says the same as nothing."""

    body: str | msgspec.UnsetType | None = msgspec.UNSET
    is_draft: bool | msgspec.UnsetType | None = msgspec.UNSET
    meta: dict[str, MergeValue] | msgspec.UnsetType | None = msgspec.UNSET


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client points at."""

    text_template: ToOne | msgspec.UnsetType | None = msgspec.UNSET


READER: Final = Reader(TYPE, Written, Relationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /text-messages."""
    changes = _changes(READER.one(await read_body(request)))
    made = await text_messages.create(api.store, api.clock, api.new_id, actor, changes)
    return answers.one(request, answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /text-messages/{id}, while it is a draft."""
    changes = _changes(READER.one(await read_body(request), addressed=resource_id))
    changed = await text_messages.update(api.store, api.clock, actor, from_wire(resource_id), changes)
    return answers.one(request, answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /text-messages/{id}, while it is a draft."""
    await text_messages.delete(api.store, actor, from_wire(resource_id))


def _changes(sent: Resource[Written, Relationships]) -> Changes:
    problems: list[Problem] = []
    template_id = maybe_target(sent.relationships.text_template, "text-template", "text-templates", problems)
    if problems:
        raise Invalid(problems)
    attributes = sent.attributes
    return Changes(
        body=or_unset(attributes.body),
        is_draft=or_unset(attributes.is_draft),
        meta=json_text(or_unset(attributes.meta)),
        text_template_id=template_id,
    )


ROUTES: Final = [create, update, remove]
