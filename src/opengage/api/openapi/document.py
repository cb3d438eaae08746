"""The OpenAPI document, whole."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from litestar.handlers import HTTPRouteHandler

import opengage
from opengage.api import errors
from opengage.api.openapi import outside
from opengage.api.openapi.operations import JSON, Writer
from opengage.api.openapi.schemas import ERROR, Components, answered, ref
from opengage.api.resources.registry import RESOURCES
from opengage.domain.errors import Code

_READS: Final = re.compile(r":(one|list|related|relationship|relationship-change)\Z")
"""How the routes end their names that every resource has by its description."""
PREFIX: Final = "/api/v1"
_PLACE: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_STATUSES: Final[dict[int, tuple[str, Code]]] = {
    400: ("The request cannot be carried out as it is written, or the state does not allow it.", Code.BAD_PARAMETER),
    401: ("The credentials are missing or not valid.", Code.CREDENTIALS),
    403: ("The role does not allow it, or it is not done this way.", Code.ROLE),
    404: ("There is no such thing in this account.", Code.MISSING),
    406: ("The answer cannot be given in the form that is asked for.", Code.NOT_ACCEPTABLE),
    409: ("The document contradicts its address.", Code.CONFLICT),
    412: ("The resource was changed since the client saw it.", Code.CHANGED),
    413: ("The body is too large.", Code.BODY_TOO_LARGE),
    415: ("The media type is not spoken here.", Code.MEDIA_TYPE),
    422: ("The Idempotency-Key came with another request before.", Code.KEY_REUSED),
    429: ("Too many requests: wait for Retry-After seconds.", Code.TOO_MANY_REQUESTS),
    503: ("It cannot be done durably now: send it again after Retry-After seconds.", Code.UNAVAILABLE),
}
_ABOUT: Final = (
    "Self-hosted bulk texting that proves the fate of every recipient. JSON:API 1.1; filters, order, pages, includes "
    "and sparse fields are the same for every list. Every error says what is wrong and how to mend it."
)
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    429: outside.RETRY_AFTER,
    503: outside.RETRY_AFTER,
}
"""What an error says beside its document."""


def build(base_url: str, handlers: Iterable[tuple[str, HTTPRouteHandler]], *, page_limit_max: int) -> dict[str, Any]:
    """The document of what these routes serve; each comes with its path below `base_url`."""
    components: Components = {"Error": ERROR}
    for resource in RESOURCES:
        answered(resource, components)
    writer = Writer(components, page_limit_max)
    paths: dict[str, dict[str, Any]] = {}
    for resource in RESOURCES:
        for path, method, operation in writer.reads(resource):
            _add(paths, path, method, operation)
    for path, handler in handlers:
        if _READS.search(handler.name or ""):
            continue
        for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
            _add(paths, _shown(path), method.lower(), writer.writes(path, method.lower(), handler))
    public_url = base_url.removesuffix(PREFIX)
    for path, item in outside.paths(public_url):
        for method in item.keys() & {"get", "post"}:
            item[method] = {"operationId": _name(method, path), **item[method]}
        paths[path] = item
    return {
        "openapi": "3.1.0",
        "info": {"title": "Opengage", "version": opengage.__version__, "description": _ABOUT},
        "servers": [{"url": base_url}],
        "security": [{"token": []}, {"bearer": []}, {"oauth": []}],
        "tags": [{"name": tag} for tag in _tags(paths.values())],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(status): _response(status, *told) for status, told in _STATUSES.items()},
            "securitySchemes": outside.schemes(public_url),
        },
    }


def _shown(path: str) -> str:
    """A path with the place of the id named as in the others."""
    return _PLACE.sub(lambda place: "{id}" if place[1].endswith("id") else f"{{{place[1]}}}", path)


def _add(paths: dict[str, dict[str, Any]], path: str, method: str, operation: dict[str, Any]) -> None:
    if method not in paths.setdefault(path, {}):
        paths[path][method] = {"operationId": _name(method, path), **operation}


def _name(method: str, path: str) -> str:
    return re.sub(r"\W+", "-", f"{method}{path}").strip("-")


def _tags(items: Iterable[dict[str, Any]]) -> list[str]:
    return list(
        dict.fromkeys(tag for item in items for name in item if name != "servers" for tag in item[name]["tags"])
    )


def _response(status: int, description: str, code: Code) -> dict[str, Any]:
    errors_: Sequence[dict[str, Any]] = [
        {"status": str(status), "code": int(code), "title": errors.TITLES[code], "detail": description}
    ]
    schema = {
        "type": "object",
        "required": ["errors"],
        "properties": {"errors": {"type": "array", "items": ref("Error")}},
    }
    told = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    return {"description": description, **told, "content": {JSON: {"schema": schema, "example": {"errors": errors_}}}}
