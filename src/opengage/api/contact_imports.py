"""/import-contacts (wire contract 5.15). Before a text's path begins: a file of contacts is queued and explained."""

from functools import partial
from typing import Final

import msgspec
from litestar import get, post
from litestar.params import FromPath
from litestar.response import Stream
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.documented import documented
from opengage.api.linkage import target
from opengage.api.resources.contact_imports import RESOURCE, TYPE
from opengage.api.state import Api, Member, WebRequest, charge
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import Reader, ToOne
from opengage.operations import contact_imports
from opengage.operations.contact_imports import Wanted


class ImportAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes."""

    status: str | None = None
    unique_primary_phone: bool | None = None
    mapping: dict[str, str] | None = None
    default_region: str | None = None


class ImportRelationships(msgspec.Struct, frozen=True, gc=False):
    """What is imported, and the list that its people join."""

    upload: ToOne | None = None
    list: ToOne | None = None


READER: Final = Reader(TYPE, ImportAttributes, ImportRelationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /import-contacts."""
    sent = READER.one(await read_body(request))
    problems: list[Problem] = []
    upload_id = target(sent.relationships.upload, "upload", "uploads", problems)
    joins = sent.relationships.list
    list_id = target(joins, "list", "lists", problems) if joins and joins.data else None
    if problems:
        raise Invalid(problems)
    unique = sent.attributes.unique_primary_phone
    wanted = Wanted(
        upload_id=upload_id,
        list_id=list_id,
        unique_primary_phone=True if unique is None else unique,
        mapping=sent.attributes.mapping,
        default_region=sent.attributes.default_region,
        status=sent.attributes.status,
    )
    made = await contact_imports.create(api.store, api.clock, api.new_id, actor, wanted, partial(charge, request))
    return answers.one(request, RESOURCE.answer(api.base_url, made), 201)


@get(f"/{TYPE}/{{resource_id:str}}/errors.csv", opt=documented(media=("text/csv",)))
async def errors_csv(api: Api, actor: Member, resource_id: FromPath[str]) -> Stream:
    """GET /import-contacts/{id}/errors.csv: what is wrong with the file, for a spreadsheet."""
    found = await contact_imports.find(api.store, actor, from_wire(resource_id))
    headers = {
        "content-disposition": f'attachment; filename="import-{resource_id}-errors.csv"',
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }
    return Stream(contact_imports.errors_csv(api.store, found), media_type="text/csv", headers=headers)


ROUTES: Final = [create, errors_csv]
