"""The API as an ASGI application: routes, who asks, and what every answer has in common.

Step 1 of a text's path.
"""

from typing import Final

from litestar import Litestar, Router
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.types import Message, Scope

from opengage.api import (
    activities,
    contact_imports,
    contact_lists,
    contacts,
    engagement_lists,
    engagements,
    envelope_edits,
    envelopes,
    errors,
    files,
    health,
    reads,
    text_templates,
    uploads,
)
from opengage.api.auth import provide_actor
from opengage.api.resources.registry import RESOURCES
from opengage.api.state import ApiState

WRITES: Final = (
    text_templates,
    engagements,
    activities,
    envelopes,
    envelope_edits,
    contacts,
    contact_lists,
    engagement_lists,
    contact_imports,
    uploads,
)
"""What is particular to a noun: whatever its description does not give it."""


def create_app(state: ApiState) -> Litestar:
    """The API on this state; it owns nothing, so closing the store is its maker's business."""
    v1 = Router(
        "/api/v1",
        route_handlers=[
            *(route for resource in RESOURCES for route in reads.routes(resource)),
            *(route for noun in WRITES for route in noun.ROUTES),
        ],
        dependencies={"actor": Provide(provide_actor)},
    )
    return Litestar(
        route_handlers=[v1, *health.ROUTES, *uploads.PUBLIC, *files.PUBLIC],
        dependencies={"api": Provide(lambda: state, sync_to_thread=False, use_cache=True)},
        exception_handlers=errors.handlers(state),
        before_send=[_allow_every_origin],
        request_max_body_size=state.settings.body_limit_bytes,
        openapi_config=None,
        logging_config=None,
    )


async def _allow_every_origin(message: Message, _: Scope) -> None:
    """CORS, as recorded on every answer: credentials travel in a header that scripts set, never in cookies."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message)["access-control-allow-origin"] = "*"
