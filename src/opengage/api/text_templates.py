"""/text-templates (wire contract 5.1). Step 1 of a text's path: the words arrive."""

from collections.abc import Sequence
from typing import Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers, related
from opengage.api.body import read_body, read_identifiers
from opengage.api.documented import documented
from opengage.api.linkage import attached, targets
from opengage.api.related import Here
from opengage.api.resources.text_templates import RESOURCE, TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.errors import Invalid, Problem
from opengage.ids import Id, from_wire
from opengage.jsonapi.request import Identifier, Reader, ToMany
from opengage.operations import text_templates
from opengage.operations.files import Wanted
from opengage.operations.text_templates import Changes

_TAGS: Final = "tags"
_RELATIONSHIP: Final = f"/{TYPE}/{{resource_id:str}}/relationships/{_TAGS}"
"""The one relationship that is written by itself."""


class NewAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes to make one."""

    name: str
    body: str


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to change one."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET
    is_archived: bool | msgspec.UnsetType = msgspec.UNSET


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """What a client points at. An empty array says nothing (wire contract 2.3): `relationships/tags` empties it."""

    tags: ToMany = ToMany()
    uploads: ToMany = ToMany()
    files: ToMany = ToMany()


NEW_READER: Final = Reader(TYPE, NewAttributes, Relationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, Relationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /text-templates."""
    sent = NEW_READER.one(await read_body(request))
    tag_ids, wanted = _pointed_at(sent.relationships)
    made = await text_templates.create(
        api.store,
        api.clock,
        api.new_id,
        actor,
        name=sent.attributes.name,
        body=sent.attributes.body,
        tag_ids=tag_ids,
        attached=wanted,
    )
    return answers.one(request, answer(api.base_url, made), 201, included=())


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /text-templates/{id}."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id)
    tag_ids, wanted = _pointed_at(sent.relationships)
    changes = Changes(
        name=sent.attributes.name,
        body=sent.attributes.body,
        is_archived=sent.attributes.is_archived,
        tag_ids=tag_ids or None,
        attached=wanted,
    )
    changed = await text_templates.update(api.store, api.clock, api.new_id, actor, from_wire(resource_id), changes)
    return answers.one(request, answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /text-templates/{id}: it can still be read, and used no more."""
    await text_templates.delete(api.store, api.clock, actor, from_wire(resource_id))


@post(_RELATIONSHIP, status_code=200, opt=documented(linkage="tags"))
async def add_tags(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """POST /text-templates/{id}/relationships/tags: these too."""
    ids = _tags(await read_identifiers(request), "/data")
    await text_templates.add_tags(api.store, actor, from_wire(resource_id), ids)
    return await related.linkage(Here(request, api, actor, RESOURCE, resource_id, _TAGS))


@patch(_RELATIONSHIP, status_code=200, opt=documented(linkage="tags"))
async def replace_tags(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /text-templates/{id}/relationships/tags: these and no others."""
    ids = _tags(await read_identifiers(request), "/data")
    await text_templates.replace_tags(api.store, actor, from_wire(resource_id), ids)
    return await related.linkage(Here(request, api, actor, RESOURCE, resource_id, _TAGS))


@delete(_RELATIONSHIP, status_code=200, opt=documented(linkage="tags"))
async def remove_tags(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """DELETE /text-templates/{id}/relationships/tags: not these any more."""
    ids = _tags(await read_identifiers(request), "/data")
    await text_templates.remove_tags(api.store, actor, from_wire(resource_id), ids)
    return await related.linkage(Here(request, api, actor, RESOURCE, resource_id, _TAGS))


def _pointed_at(sent: Relationships) -> tuple[list[Id], Wanted]:
    """The tags, and what is to be attached."""
    problems: list[Problem] = []
    tag_ids = targets(sent.tags.data, "tags", "tags", problems, "/data/relationships/tags/data")
    wanted = attached(sent.uploads, sent.files, problems)
    if problems:
        raise Invalid(problems)
    return tag_ids, wanted


def _tags(identifiers: Sequence[Identifier], pointer: str) -> list[Id]:
    problems: list[Problem] = []
    found = targets(identifiers, "tags", "tags", problems, pointer)
    if problems:
        raise Invalid(problems)
    return found


ROUTES: Final = [create, update, remove, add_tags, replace_tags, remove_tags]
