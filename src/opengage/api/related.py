"""What a resource's relationships lead to: /{type}/{id}/{name}, and as mere linkage /{type}/{id}/relationships/{name}.

Step 1 of a text's path.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.queries import list_query, one_query
from opengage.api.resources import reading
from opengage.api.resources.resource import Resource, Through
from opengage.api.state import ApiState, WebRequest
from opengage.ids import from_wire
from opengage.jsonapi import document
from opengage.jsonapi.document import Answer, Identifiers
from opengage.jsonapi.query import Query
from opengage.jsonapi.request import Identifier
from opengage.operations.actors import Actor


class Here(msgspec.Struct, frozen=True):
    """One relationship of one resource, as an address names it, and who asks."""

    request: WebRequest
    api: ApiState
    actor: Actor
    resource: Resource[Any, Any]
    id: str
    name: str

    @property
    def path(self) -> str:
        """The address of the resource, below the base."""
        return f"{self.resource.type}/{self.id}"


async def resources(here: Here) -> ASGIResponse:
    """The resource or resources that a relationship leads to. Raises NotFound."""
    led = reading.target(here.resource, here.name)
    relationship = here.resource.relationships[here.name]
    linked = () if isinstance(relationship, Through) else await _linked(here)
    if linked is None or isinstance(linked, Identifier):
        one_query(here.request)
        return await _one(here, led, linked)
    query, equal = list_query(here.request, here.api, led)
    if isinstance(relationship, Through):
        shown, total = await _leading_here(here, led, relationship, query, equal)
    else:
        total = len(linked)
        ids = [id_ for one in linked[query.offset : query.offset + query.limit] if (id_ := from_wire(one.id))]
        found = await reading.find_many(here.api.store, here.actor, led, ids)
        shown = [led.answer(here.api.base_url, item) for item in found]
    return answers.listing(here.request, here.api, f"{here.path}/{here.name}", query, shown, total)


async def linkage(here: Here) -> ASGIResponse:
    """The identifiers that a relationship holds. Raises NotFound."""
    led = reading.target(here.resource, here.name)
    relationship = here.resource.relationships[here.name]
    path, base = f"{here.path}/relationships/{here.name}", here.api.base_url
    links: dict[str, str | None] = {"self": f"{base}/{path}", "related": f"{base}/{here.path}/{here.name}"}
    if not isinstance(relationship, Through):
        one_query(here.request)
        return answers.send(here.request, document.identifiers(Identifiers(links, await _linked(here))))
    query, equal = list_query(here.request, here.api, led)
    shown, total = await _leading_here(here, led, relationship, query, equal)
    links = answers.links(here.api, path, query, total) | {"related": links["related"]}
    some = [Identifier(one.type, one.id) for one in shown]
    return answers.send(here.request, document.identifiers(Identifiers(links, some, {"total": total})))


async def _one(here: Here, led: Resource[Any, Any], linked: Identifier | None) -> ASGIResponse:
    if linked is None:
        return answers.send(here.request, document.NULL)
    shown = await reading.find(here.api.store, here.actor, led, from_wire(linked.id))
    return answers.one(here.request, led.answer(here.api.base_url, shown))


async def _leading_here(
    here: Here, led: Resource[Any, Any], relationship: Through, query: Query, equal: dict[str, Any]
) -> tuple[list[Answer], int]:
    """A page of the target's list whose inverse leads here, and how many there are. Raises NotFound."""
    id_ = from_wire(here.id)
    await reading.find(here.api.store, here.actor, here.resource, id_)
    asked = equal | {reading.inverse_column(led, relationship): id_}
    found = await reading.page(here.api.store, here.actor, led, limit=query.limit, offset=query.offset, equal=asked)
    return [led.answer(here.api.base_url, item) for item in found.items], found.total


async def _linked(here: Here) -> Identifier | Sequence[Identifier] | None:
    """The linkage that the resource itself tells."""
    shown = await reading.find(here.api.store, here.actor, here.resource, from_wire(here.id))
    answer: Answer = here.resource.answer(here.api.base_url, shown)
    linked: Identifier | Sequence[Identifier] | None = getattr(answer.relationships, here.name.replace("-", "_")).data
    return linked
