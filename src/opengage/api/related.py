"""What a resource's relationships lead to: /{type}/{id}/{name}, and as mere linkage /{type}/{id}/relationships/{name}.

Step 1 of a text's path.
"""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from opengage.api import answers, queries
from opengage.api.resources import reading
from opengage.api.resources.documents import Reader
from opengage.api.resources.resource import Resource, ToOne
from opengage.api.state import ApiState, WebRequest
from opengage.domain.errors import Code, Forbidden, Problem
from opengage.jsonapi import document
from opengage.jsonapi.document import Identifiers
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

    @property
    def reader(self) -> Reader:
        """For whom the document is made."""
        return Reader(self.actor.account_id, self.api.base_url, self.actor)

    @property
    def is_to_one(self) -> bool:
        """Whether it leads to one resource at most."""
        return isinstance(self.resource.relationships[self.name], ToOne)


def fixed(resource: Resource[Any, Any], id_: str, name: str) -> Forbidden:
    """What is said to whoever would change a relationship by its own address: it changes with its resource."""
    detail = f"“{name[:40]}” of the {resource.noun} {id_[:40]} is not changed at an address of its own. "
    mending = f"PATCH /{resource.type}/{id_[:40]} if it can be changed at all."
    return Forbidden([Problem(Code.METHOD, detail + mending)])


async def resources(here: Here) -> ASGIResponse:
    """The resource or resources that a relationship leads to. Raises NotFound."""
    led, store = reading.target(here.resource, here.name), here.api.store
    if not here.is_to_one:
        query = queries.of_list(here.request, here.api)
        page = await reading.related_page(store, here.reader, here.resource, here.id, here.name, query)
        return answers.listing(here.request, here.api, f"{here.path}/{here.name}", query, page)
    selection = queries.of_one(here.request)
    held = await reading.linkage(store, here.reader, here.resource, here.id, here.name)
    assert held is None or isinstance(held, Identifier), "it leads to one at most"
    found = await reading.related(store, here.reader, held, led, selection)
    return answers.one(here.request, found.primary[0] if found.primary else None, included=found.included)


async def linkage(here: Here) -> ASGIResponse:
    """The identifiers that a relationship holds. Raises NotFound."""
    reading.target(here.resource, here.name)
    path, base, store = f"{here.path}/relationships/{here.name}", here.api.base_url, here.api.store
    related = f"{base}/{here.path}/{here.name}"
    if here.is_to_one:
        queries.of_one(here.request)
        held = await reading.linkage(store, here.reader, here.resource, here.id, here.name)
        links: dict[str, str | None] = {"self": f"{base}/{path}", "related": related}
        return answers.send(here.request, document.identifiers(Identifiers(links, held)))
    query = queries.of_list(here.request, here.api)
    page = await reading.related_page(store, here.reader, here.resource, here.id, here.name, query)
    links = answers.links(here.api, path, query, page) | {"related": related}
    shown = Identifiers(links, reading.identifiers(page.parts.primary), answers.meta(page))
    return answers.send(here.request, document.identifiers(shown))
