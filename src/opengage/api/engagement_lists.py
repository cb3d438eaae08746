"""/engagements/{id}/relationships/lists. Step 1 of a text's path: whose contacts become the envelopes."""

from typing import Final

from litestar import get, patch
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import related
from opengage.api.body import read_identifiers
from opengage.api.documented import documented
from opengage.api.linkage import targets
from opengage.api.related import Here
from opengage.api.resources.engagements import RESOURCE
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire
from opengage.operations import contact_lists

_LISTS: Final = "/engagements/{resource_id:str}/relationships/lists"


@get(_LISTS)
async def read(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """GET /engagements/{id}/relationships/lists."""
    return await related.linkage(Here(request, api, actor, RESOURCE, resource_id, "lists"))


@patch(_LISTS, status_code=204, opt=documented(points_at="lists"))
async def replace(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """PATCH /engagements/{id}/relationships/lists: these and no others; an empty array takes all away."""
    problems: list[Problem] = []
    ids = targets(await read_identifiers(request), "lists", "lists", problems, "/data")
    if problems:
        raise Invalid(problems)
    await contact_lists.address_these(api.store, api.clock, actor, from_wire(resource_id), ids)


ROUTES: Final = [read, replace]
