"""/lists (wire contract 5.12). Before a text's path begins: lists, and who is on them, from either side."""

from collections.abc import Sequence
from typing import Final

import msgspec
from litestar import delete, get, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers, places, related
from opengage.api.body import read_body, read_identifiers
from opengage.api.documented import documented
from opengage.api.linkage import targets
from opengage.api.related import Here
from opengage.api.resources import contacts as described
from opengage.api.resources.contact_lists import RESOURCE, TYPE
from opengage.api.state import Api, ApiState, Member, WebRequest, charge
from opengage.domain.errors import Code, Invalid, Problem
from opengage.ids import Id, from_wire
from opengage.jsonapi.request import Reader, ToMany
from opengage.operations import contact_lists

_MEMBERS: Final = f"/{TYPE}/{{resource_id:str}}/relationships/contacts"
_PEOPLE: Final = "/data/relationships/contacts/data"
_LISTS: Final = "/contacts/{resource_id:str}/relationships/lists"


class ListAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes: a title, which may be called its name."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET


class ListRelationships(msgspec.Struct, frozen=True, gc=False):
    """Who is on it from the start."""

    contacts: ToMany | None = None


READER: Final = Reader(TYPE, ListAttributes, ListRelationships)


def _title(sent: ListAttributes) -> str | None:
    title = sent.name if sent.title is msgspec.UNSET else sent.title
    return title if isinstance(title, str) else None


def _contacts(request: WebRequest, api: ApiState, sent: ListRelationships) -> Sequence[Id] | None:
    """The ids of those who are to be on it; None where none are named, not even one. Raises Invalid, TooMany."""
    if sent.contacts is None or not sent.contacts.data:
        return None
    places.check_size(len(sent.contacts.data), api.settings.bulk_limit, "contacts", _PEOPLE)
    problems: list[Problem] = []
    charge(request, len(sent.contacts.data))
    ids = targets(sent.contacts.data, "contacts", "contacts", problems, _PEOPLE)
    _refuse(problems)
    return ids


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /lists."""
    sent = READER.one(await read_body(request))
    title = _title(sent.attributes)
    ids = _contacts(request, api, sent.relationships) or ()
    if title is None:
        detail = "“title” is missing. Add it to /data/attributes."
        raise Invalid([Problem(Code.REQUIRED, detail, "/data/attributes/title")])
    made = await contact_lists.create(api.store, api.clock, api.new_id, actor, title=title, contact_ids=ids)
    return answers.one(request, RESOURCE.answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /lists/{id}: another title, or other contacts and no others."""
    sent = READER.one(await read_body(request), addressed=resource_id)
    title, ids = _title(sent.attributes), _contacts(request, api, sent.relationships)
    id_ = from_wire(resource_id)
    changed = await contact_lists.change(api.store, api.clock, actor, id_, title=title, contact_ids=ids)
    return answers.one(request, RESOURCE.answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def delete_one(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /lists/{id}: its contacts stay."""
    await contact_lists.delete(api.store, actor, from_wire(resource_id))


@get(_MEMBERS)
async def read_members(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """GET /lists/{id}/relationships/contacts."""
    return await related.linkage(Here(request, api, actor, RESOURCE, resource_id, "contacts"))


@get(_LISTS)
async def read_lists(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """GET /contacts/{id}/relationships/lists."""
    return await related.linkage(Here(request, api, actor, described.RESOURCE, resource_id, "lists"))


@post(_MEMBERS, status_code=204, opt=documented(points_at="contacts"))
async def add_members(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """POST /lists/{id}/relationships/contacts: these join."""
    await contact_lists.add(api.store, actor, from_wire(resource_id), await _ids(request, api, "contacts"))


@patch(_MEMBERS, status_code=204, opt=documented(points_at="contacts"))
async def replace_members(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """PATCH /lists/{id}/relationships/contacts: these and nobody else."""
    await contact_lists.replace(api.store, actor, from_wire(resource_id), await _ids(request, api, "contacts"))


@delete(_MEMBERS, status_code=204, opt=documented(points_at="contacts"))
async def remove_members(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /lists/{id}/relationships/contacts: these leave."""
    await contact_lists.take_off(api.store, actor, from_wire(resource_id), await _ids(request, api, "contacts"))


@post(_LISTS, status_code=204, opt=documented(points_at="lists"))
async def join(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """POST /contacts/{id}/relationships/lists: the contact joins these."""
    await contact_lists.join(api.store, actor, from_wire(resource_id), await _ids(request, api, "lists"))


@patch(_LISTS, status_code=204, opt=documented(points_at="lists"))
async def join_only(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """PATCH /contacts/{id}/relationships/lists: the contact is on these and no others."""
    await contact_lists.join(api.store, actor, from_wire(resource_id), await _ids(request, api, "lists"), only=True)


@delete(_LISTS, status_code=204, opt=documented(points_at="lists"))
async def leave(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /contacts/{id}/relationships/lists: the contact leaves these."""
    await contact_lists.leave(api.store, actor, from_wire(resource_id), await _ids(request, api, "lists"))


async def _ids(request: WebRequest, api: ApiState, kind: str) -> Sequence[Id]:
    """The ids of a relationship document. Raises Invalid, DocumentError."""
    some = await read_identifiers(request)
    if len(some) > api.settings.bulk_limit:
        places.check_size(len(some), api.settings.bulk_limit, kind)
    problems: list[Problem] = []
    ids = targets(some, kind, kind, problems, "/data")
    _refuse(problems)
    return ids


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(problems)


ROUTES: Final = [
    *(create, update, delete_one, read_members),
    *(add_members, replace_members, remove_members, read_lists, join, join_only, leave),
]
