"""/api/v1/openapi.json and /api/docs: what the API says of itself, to programs and to people.

Beside a text's path. The page is Swagger UI, served from this package: nothing is fetched from elsewhere.
"""

from collections.abc import Iterator
from importlib import resources
from typing import Final

import msgspec
from litestar import Litestar, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from litestar.routes import HTTPRoute

from opengage.api.openapi import document
from opengage.api.state import Api, WebRequest

PREFIX: Final = "/api/v1"
OWN: Final = f"{PREFIX}/openapi.json"
_FILES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "docs.js": "text/javascript",
    "docs.css": "text/css",
    "LICENSE": "text/plain",
    "NOTICE": "text/plain",
}
_POLICY: Final = (
    "default-src 'self'; connect-src 'self' {public_url}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'"
)
"""The page may call this API, which its readers may know under another address than the one that they came by."""
_PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Opengage API</title>
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/docs.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; <a href="v1/openapi.json">the document itself</a> does not.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/docs.js"></script>
</body>
</html>
"""


@get(OWN)
async def openapi(request: WebRequest, api: Api) -> ASGIResponse:
    """GET /openapi.json: every operation of this API, as OpenAPI 3.1."""
    state = request.app.state
    if "openapi" not in state:  # it is the same as long as the process lives, and takes a while to make
        described = document.build(api.base_url, routes_of(request.app), page_limit_max=api.settings.page_limit_max)
        state["openapi"] = msgspec.json.encode(described) + b"\n"
    return ASGIResponse(body=state["openapi"], media_type="application/json")


@get("/api/docs")
async def page(api: Api) -> ASGIResponse:
    """The same for people."""
    policy = _POLICY.format(public_url=api.settings.public_url.rstrip("/"))
    return ASGIResponse(body=_PAGE, media_type="text/html", headers={"Content-Security-Policy": policy})


@get("/api/docs/{name:str}")
async def file(name: FromPath[str]) -> ASGIResponse:
    """What that page is made of."""
    if name not in _FILES:
        raise NotFoundException
    body = resources.files("opengage.api.openapi").joinpath("static", name).read_bytes()
    return ASGIResponse(body=body, media_type=_FILES[name], headers={"Cache-Control": "max-age=3600"})


def routes_of(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """(path below the API's base, handler) of every route of the API."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith(f"{PREFIX}/") and route.path != OWN:
            for handler in route.route_handlers:
                yield route.path.removeprefix(PREFIX), handler


ROUTES: Final = [openapi, page, file]
