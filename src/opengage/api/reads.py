"""What can be read of every resource: one, a list, a relationship, and what it leads to.

Step 1 of a text's path. The routes are the same for all; the descriptions in `api.resources` tell them apart.
"""

from typing import Any

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers, related
from opengage.api.queries import list_query, one_query
from opengage.api.related import Here
from opengage.api.resources import reading
from opengage.api.resources.resource import Resource
from opengage.api.state import Api, Member, WebRequest
from opengage.ids import from_wire


def routes(resource: Resource[Any, Any]) -> list[HTTPRouteHandler]:
    """GET /{type}, /{type}/{id}, /{type}/{id}/{relationship} and /{type}/{id}/relationships/{relationship}."""
    address = f"/{resource.type}"

    @get(f"{address}/{{resource_id:str}}", name=f"{resource.type}:one")
    async def read_one(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
        one_query(request)
        found = await reading.find(api.store, actor, resource, from_wire(resource_id))
        return answers.one(request, resource.answer(api.base_url, found))

    @get(address, name=f"{resource.type}:list")
    async def read_list(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
        query, equal = list_query(request, api, resource)
        found = await reading.page(api.store, actor, resource, limit=query.limit, offset=query.offset, equal=equal)
        shown = [resource.answer(api.base_url, item) for item in found.items]
        return answers.listing(request, api, resource.type, query, shown, found.total)

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

    return [read_one, read_list, read_related, read_relationship]
