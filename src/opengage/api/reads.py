"""What can be read of every resource: one, a list, a relationship, and what it leads to.

Step 1 of a text's path. The routes are the same for all; the descriptions in `api.resources` tell them apart.
"""

from typing import Any

from litestar import get, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers, queries, related
from opengage.api.related import Here
from opengage.api.resources import reading
from opengage.api.resources.documents import Reader
from opengage.api.resources.resource import Resource
from opengage.api.state import Api, Member, WebRequest


def routes(resource: Resource[Any, Any]) -> list[HTTPRouteHandler]:
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

    @get(f"{address}/{{resource_id:str}}/{{name:str}}", name=f"{resource.type}:related")
    async def read_related(
        request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str], name: FromPath[str]
    ) -> ASGIResponse:
        return await related.resources(Here(request, api, actor, resource, resource_id, name))

    @get(f"{address}/{{resource_id:str}}/relationships/{{name:str}}", name=f"{resource.type}:relationship")
    async def read_relationship(
        request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str], name: FromPath[str]
    ) -> ASGIResponse:
        return await related.linkage(Here(request, api, actor, resource, resource_id, name))

    @route(
        f"{address}/{{resource_id:str}}/relationships/{{name:str}}",
        name=f"{resource.type}:relationship-change",
        http_method=["POST", "PATCH", "DELETE"],
        status_code=403,
    )
    async def refuse_change(actor: Member, resource_id: FromPath[str], name: FromPath[str]) -> ASGIResponse:  # noqa: ARG001 - whoever it is
        raise related.fixed(resource, resource_id, name)

    return [read_one, read_list, read_related, read_relationship, refuse_change]
