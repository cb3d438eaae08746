"""/suppressions: numbers that must not be texted, one or ten thousand at a time."""

from typing import Final

import msgspec
from litestar import delete, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_items
from opengage.api.bulk import read_all
from opengage.api.documented import documented
from opengage.api.resources.suppressions import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.ids import from_wire
from opengage.jsonapi import document
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations import suppressions
from opengage.operations.suppressions import MANUAL, New


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes."""

    phone_number: str
    reason: str | None = None


READER: Final = Reader(TYPE, NewAttributes, NoRelationships)


@post(f"/{TYPE}", status_code=201, opt=documented(bulk=True))
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /suppressions with one or an array: 200 for one that was there already, which stays as it is."""
    data = await read_items(request)
    is_bulk = isinstance(data, list)
    items = data if isinstance(data, list) else [data]

    def place(number: int) -> str:
        return f"/data/{number}" if is_bulk else "/data"

    sent = await read_all(READER, items, place, api.settings.bulk_limit)
    new = [New(each.attributes.phone_number, each.attributes.reason or MANUAL) for each in sent]
    added = await suppressions.add(api.store, api.clock, api.new_id, actor, new, place)
    if not is_bulk:
        (one,) = added.suppressions
        return answers.one(request, answer(api.base_url, one), 201 if one.id in added.fresh else 200)
    shown = [document.resource(answer(api.base_url, each)) for each in added.suppressions]
    return answers.send(request, document.many(shown), 201)


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def remove(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /suppressions/{id}: the number may be texted again."""
    await suppressions.delete(api.store, api.clock, api.new_id, actor, from_wire(resource_id))


ROUTES: Final = [create, remove]
