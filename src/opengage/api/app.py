"""The API as an ASGI application: routes, who asks, and what every answer has in common.

Step 1 of a text's path.
"""

from typing import Final

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Message, Scope

from opengage.api import (
    accounts,
    activities,
    api_tokens,
    contact_imports,
    contact_lists,
    contacts,
    documentation,
    engagement_lists,
    engagements,
    envelope_edits,
    envelopes,
    erasures,
    errors,
    files,
    health,
    logins,
    memberships,
    oauth,
    phone_numbers,
    queries,
    reads,
    resolutions,
    service_profiles,
    suppressions,
    tags,
    text_messages,
    text_templates,
    texts,
    uploads,
    webhook_deliveries,
    webhook_endpoints,
)
from opengage.api.admission.gate import V1, Gate
from opengage.api.auth import provide_actor
from opengage.api.in_flight import InFlight
from opengage.api.measured import measured
from opengage.api.resources.registry import RESOURCES
from opengage.api.state import ApiState, WebRequest, admitted

WRITES: Final = (
    text_templates,
    engagements,
    activities,
    envelopes,
    webhook_endpoints,
    webhook_deliveries,
    text_messages,
    texts,
    resolutions,
    phone_numbers,
    service_profiles,
    suppressions,
    tags,
    accounts,
    memberships,
    api_tokens,
    envelope_edits,
    contacts,
    contact_lists,
    engagement_lists,
    contact_imports,
    uploads,
    logins,
    erasures,
)
"""What is particular to a noun: whatever its description does not give it."""


def create_app(state: ApiState) -> Litestar:
    """The API on this state; it owns nothing, so closing the store is its maker's business."""
    gate = Gate(state)
    own = [route for noun in WRITES for route in noun.ROUTES]
    taken = reads.taken_by(own)

    def gated(app: ASGIApp) -> ASGIApp:
        """The gate before a route's handlers; a function, since Litestar copies what it is given."""
        return gate.before(app)

    v1 = Router(
        V1,
        middleware=[gated],
        before_request=queries.check_request,
        route_handlers=[*(route for resource in RESOURCES for route in reads.routes(resource, taken)), *own],
        dependencies={
            "actor": Provide(provide_actor, sync_to_thread=False),
            "sessions": Provide(lambda: gate.sessions, sync_to_thread=False, use_cache=True),
        },
    )
    identity = Router(
        "/",
        middleware=[gated],
        route_handlers=[Router(path, route_handlers=oauth.ROUTES) for path in oauth.PATHS],
        dependencies={
            "grants": Provide(lambda: oauth.Grants(state, gate.sessions), sync_to_thread=False, use_cache=True)
        },
    )

    def provide_api(request: WebRequest) -> ApiState:
        """The state, with the store that this request's changes go to."""
        found = admitted(request)
        return state if found is None else found.api

    in_flight = InFlight(state)

    def counted(app: ASGIApp) -> ASGIApp:
        """Every route, counted and timed, and known as long as it is not answered."""
        return measured(in_flight.around(app), state.metrics)

    made = Litestar(
        middleware=[counted],
        route_handlers=[v1, identity, *health.ROUTES, *documentation.ROUTES, *uploads.PUBLIC, *files.PUBLIC],
        dependencies={"api": Provide(provide_api, sync_to_thread=False)},
        exception_handlers=errors.handlers(state),
        before_send=[_allow_every_origin],
        request_max_body_size=state.settings.body_limit_bytes,
        openapi_config=None,
        logging_config=None,
    )
    made.state.gate = gate
    made.state.in_flight = in_flight
    return made


_ASKED: Final = (
    b"Authorization, Content-Type, Accept, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Account-Key, "
    b"Authentication"
)
"""Headers that scripts may send; the last is how the browser sample spells it when it renews its token."""
_TOLD: Final = b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed, X-Correlation-Id"
_ASK_AGAIN: Final = b"600"
"""Seconds for which a browser need not ask."""
_ANY: Final = (b"access-control-allow-origin", b"*")
_TO_ALL: Final = (_ANY, (b"access-control-expose-headers", _TOLD))
_BEFOREHAND: Final = (
    _ANY,
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", _ASKED),
    (b"access-control-max-age", _ASK_AGAIN),
)


async def _allow_every_origin(message: Message, scope: Scope) -> None:
    """CORS, as recorded on every answer: credentials travel in a header that scripts set, never in cookies."""
    if message["type"] != "http.response.start":
        return
    told = message.get("headers", ())
    if scope.get("method") == "OPTIONS":
        others = [(name, value) for name, value in told if name.lower() != b"allow"]
        message["headers"] = [*others, (b"allow", _methods(scope)), *_BEFOREHAND]
    else:
        message["headers"] = [*told, *_TO_ALL]


def _methods(scope: Scope) -> bytes:
    """What an address can do: several routes may share it, and Litestar's own answer knows one of them."""
    template = scope.get("path_template")
    routes = (route for route in scope["litestar_app"].routes if isinstance(route, HTTPRoute))
    handlers = (handler for route in routes if route.path_format == template for handler in route.route_handlers)
    served = (each for each in handlers if not (each.name or "").endswith(queries.REFUSED))
    return ", ".join(sorted({"OPTIONS", *(method for each in served for method in each.http_methods)})).encode()
