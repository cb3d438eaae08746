"""/contacts (wire contract 5.12). Before a text's path begins: people are made, changed and deleted, one or many."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from litestar import delete, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers, places
from opengage.api.body import read_body, read_identifiers, read_items
from opengage.api.documented import documented
from opengage.api.errors import problems_of
from opengage.api.linkage import targets
from opengage.api.resources.contacts import RESOURCE, TYPE
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.errors import Invalid, Problem
from opengage.ids import Id, from_wire
from opengage.jsonapi import document
from opengage.jsonapi.faults import Fault
from opengage.jsonapi.request import Reader, ToMany
from opengage.operations import contacts
from opengage.operations.contacts import Changes, MergeValue, New

_SLICE: Final = 250
"""Items after which others get their turn."""


class ContactAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes; `unique-primary-phone` asks for one contact for each primary number."""

    first_name: str | msgspec.UnsetType | None = msgspec.UNSET
    last_name: str | msgspec.UnsetType | None = msgspec.UNSET
    phone_number: str | msgspec.UnsetType = msgspec.UNSET
    phone_numbers: list[str] | msgspec.UnsetType = msgspec.UNSET
    emails: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    notes: str | msgspec.UnsetType | None = msgspec.UNSET
    meta: dict[str, MergeValue] | msgspec.UnsetType | None = msgspec.UNSET
    unique_primary_phone: bool | None = None


class ContactRelationships(msgspec.Struct, frozen=True, gc=False):
    """The lists that it joins; those that it is on already stay."""

    lists: ToMany | None = None


READER: Final = Reader(TYPE, ContactAttributes, ContactRelationships)


def _changes(sent: ContactAttributes) -> Changes:
    return Changes(
        first_name=sent.first_name,
        last_name=sent.last_name,
        phone_number=sent.phone_number,
        phone_numbers=sent.phone_numbers,
        emails=sent.emails,
        notes=sent.notes,
        meta=sent.meta,
    )


def _lists(sent: ContactRelationships, at: str, problems: list[Problem]) -> list[Id]:
    some = sent.lists.data if sent.lists else ()
    return targets(some, "lists", "lists", problems, f"{at}/relationships/lists/data")


async def _read(items: Sequence[msgspec.Raw], place: places.Place) -> tuple[list[New], bool]:
    """Every item, and whether any of them asks for unique numbers. Raises Invalid with every problem."""
    new: list[New] = []
    faults: list[Fault] = []
    problems: list[Problem] = []
    unique = False
    for number, raw in enumerate(items):
        if number % _SLICE == _SLICE - 1:
            await asyncio.sleep(0)
        sent = READER.read(raw)
        if sent is None:
            faults += READER.faults(raw, place(number)) if len(faults) < places.MOST_FAULTS else faults[-1:]
            continue
        unique = unique or bool(sent.attributes.unique_primary_phone)
        new.append(New(_changes(sent.attributes), _lists(sent.relationships, place(number), problems)))
    places.refuse_faults(faults, problems)
    if problems:
        raise Invalid([*problems_of(faults), *problems])
    return new, unique


@post(f"/{TYPE}", status_code=201, opt=documented(reader=READER, bulk=True))
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /contacts: one, or an array of them; all or none."""
    data = await read_items(request)
    is_bulk = isinstance(data, list)
    items = data if isinstance(data, list) else [data]
    place = places.in_array if is_bulk else places.only
    places.check_size(len(items), api.settings.bulk_limit, "contacts")
    new, unique = await _read(items, place)
    made = await contacts.create(api.store, api.clock, api.new_id, actor, new, place, unique=unique)
    if not is_bulk:
        return answers.one(request, RESOURCE.answer(api.base_url, made[0]), 201)
    shown = [document.resource(RESOURCE.answer(api.base_url, each)) for each in made]
    return answers.send(request, document.many(shown), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /contacts/{id}."""
    sent = READER.one(await read_body(request), addressed=resource_id)
    problems: list[Problem] = []
    lists = _lists(sent.relationships, "/data", problems)
    if problems:
        raise Invalid(problems)
    changed = await contacts.update(
        api.store, api.clock, actor, from_wire(resource_id), _changes(sent.attributes), lists
    )
    return answers.one(request, RESOURCE.answer(api.base_url, changed), 202)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def delete_one(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /contacts/{id}."""
    await contacts.delete(api.store, actor, [from_wire(resource_id)], None)


@delete(f"/{TYPE}", status_code=204, opt=documented(points_at=TYPE))
async def delete_many(request: WebRequest, api: Api, actor: Member) -> None:
    """DELETE /contacts: those of an array; all or none."""
    some = await read_identifiers(request)
    places.check_size(len(some), api.settings.bulk_limit, "contacts")
    places.check_types(some, TYPE)
    await contacts.delete(api.store, actor, [from_wire(one.id) for one in some], places.in_array)


ROUTES: Final = [create, update, delete_one, delete_many]
