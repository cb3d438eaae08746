"""What can be read of every resource: one, a list, a relationship, and what it leads to.

Step 1 of a text's path. The routes are the same for all; the descriptions in `api.resources` tell them apart.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from litestar import get, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from litestar.types import Method

from opengage.api import answers, queries, related
from opengage.api.related import Here
from opengage.api.resources import reading
from opengage.api.resources.documents import Reader
from opengage.api.resources.resource import Resource
from opengage.api.state import Api, Member, WebRequest

Anything = Resource[Any, Any]
Taken = Mapping[str, set[str]]
"""By path, the methods that nouns have routes of their own for; places in paths are empty braces."""

_PLACE: Final = re.compile(r"\{[^}]*\}")
_CHANGES: Final[tuple[Method, ...]] = ("POST", "PATCH", "DELETE")


def routes(resource: Anything, taken: Taken) -> list[HTTPRouteHandler]:
    """GET /{type}, /{type}/{id}, /{type}/{id}/{relationship} and /{type}/{id}/relationships/{relationship}."""
    address = f"/{resource.type}"

    @get(f"{address}/{{resource_id:str}}", name=f"{resource.type}:one")
    async def read_one(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
        selection, reader = queries.of_one(request), Reader(actor.account_id, api.base_url, actor)
        found = await reading.one(api.store, reader, resource, resource_id, selection)
        return answers.one(request, found.primary[0], included=found.included)

    @get(address, name=f"{resource.type}:list")
    async def read_list(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
        query, reader = queries.of_list(request, api), Reader(actor.account_id, api.base_url, actor)
        found = await reading.page(api.store, reader, resource, query)
        return answers.listing(request, api, resource.type, query, found)

    return [read_one, read_list, *_relationships(resource), *_beside(resource, taken)]


def taken_by(handlers: Iterable[HTTPRouteHandler]) -> dict[str, set[str]]:
    """What these routes take."""
    found: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            found.setdefault(_PLACE.sub("{}", path), set()).update(handler.http_methods)
    return found


def _relationships(resource: Anything) -> list[HTTPRouteHandler]:
    """For all relationships by name, and for names that are none."""
    address = f"/{resource.type}/{{resource_id:str}}"

    @get(f"{address}/{{name:str}}", name=f"{resource.type}:related")
    async def read_related(
        request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str], name: FromPath[str]
    ) -> ASGIResponse:
        return await related.resources(Here(request, api, actor, resource, resource_id, name))

    @get(f"{address}/relationships/{{name:str}}", name=f"{resource.type}:relationship")
    async def read_relationship(
        request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str], name: FromPath[str]
    ) -> ASGIResponse:
        return await related.linkage(Here(request, api, actor, resource, resource_id, name))

    @route(
        f"{address}/relationships/{{name:str}}",
        name=f"{resource.type}:relationship-change",
        http_method=_CHANGES,
        status_code=403,
    )
    async def refuse_change(actor: Member, resource_id: FromPath[str], name: FromPath[str]) -> ASGIResponse:  # noqa: ARG001 - whoever it is
        raise related.fixed(resource, resource_id, name)

    return [read_related, read_relationship, refuse_change]


def _beside(resource: Anything, taken: Taken) -> Iterator[HTTPRouteHandler]:
    """The same beside a noun's own routes at a relationship's address, which would hide those by name."""
    for name in resource.relationships:
        methods = taken.get(f"/{resource.type}/{{}}/{name}", {"GET"})
        if "GET" not in methods:
            yield _related(resource, name)
        methods = taken.get(f"/{resource.type}/{{}}/relationships/{name}", {"GET", *_CHANGES})
        if "GET" not in methods:
            yield _linkage(resource, name)
        refused = [method for method in _CHANGES if method not in methods]
        if refused:
            yield _refusal(resource, name, refused)


def _related(resource: Anything, relationship: str) -> HTTPRouteHandler:
    @get(f"/{resource.type}/{{resource_id:str}}/{relationship}", name=f"{resource.type}.{relationship}:related")
    async def read_related(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
        return await related.resources(Here(request, api, actor, resource, resource_id, relationship))

    return read_related


def _linkage(resource: Anything, relationship: str) -> HTTPRouteHandler:
    path = f"/{resource.type}/{{resource_id:str}}/relationships/{relationship}"

    @get(path, name=f"{resource.type}.{relationship}:relationship")
    async def read_linkage(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
        return await related.linkage(Here(request, api, actor, resource, resource_id, relationship))

    return read_linkage


def _refusal(resource: Anything, relationship: str, methods: list[Method]) -> HTTPRouteHandler:
    path = f"/{resource.type}/{{resource_id:str}}/relationships/{relationship}"

    @route(path, name=f"{resource.type}.{relationship}:relationship-change", http_method=methods, status_code=403)
    async def refuse_change(actor: Member, resource_id: FromPath[str]) -> ASGIResponse:  # noqa: ARG001 - whoever it is
        raise related.fixed(resource, resource_id, relationship)

    return refuse_change
