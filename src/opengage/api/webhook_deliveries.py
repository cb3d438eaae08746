"""/webhook-deliveries: sending one again by hand; reading them is the description's."""

from typing import Final

from litestar import post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.resources.webhook_deliveries import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.ids import from_wire
from opengage.operations import webhook_deliveries


@post(f"/{TYPE}/{{resource_id:str}}/resend", status_code=202)
async def resend(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """POST /webhook-deliveries/{id}/resend: the schedule begins anew, under the same `webhook-id`."""
    shown = await webhook_deliveries.resend(api.store, api.clock, actor, from_wire(resource_id))
    return answers.one(request, answer(api.base_url, shown), 202)


ROUTES: Final = [resend]
