"""/engagements/{id}/relationships/lists. Step 1 of a text's path: whose contacts become the envelopes."""

from typing import Final

from litestar import patch
from litestar.params import FromPath

from opengage.api.body import read_body
from opengage.api.linkage import targets
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.errors import Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import identifiers
from opengage.operations import contact_lists


@patch("/engagements/{resource_id:str}/relationships/lists", status_code=204)
async def replace(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """PATCH /engagements/{id}/relationships/lists: these and no others; an empty array takes all away."""
    problems: list[Problem] = []
    ids = targets(identifiers(await read_body(request)), "lists", "lists", problems, "/data")
    if problems:
        raise Invalid(problems)
    await contact_lists.address_these(api.store, api.clock, actor, from_wire(resource_id), ids)


ROUTES: Final = [replace]
