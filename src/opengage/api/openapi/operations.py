"""Operations: those that every resource has by its description, and those that a noun adds by its routes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from litestar.handlers import HTTPRouteHandler

from opengage.api.documented import Documented, told
from opengage.api.openapi import parameters
from opengage.api.openapi.examples import example
from opengage.api.openapi.schemas import LINKS, Components, Schema, identifier, of_attributes, plain, ref, sent
from opengage.api.resources.registry import BY_TYPE
from opengage.api.resources.resource import Resource, ToOne
from opengage.jsonapi.request import Reader

Operation = dict[str, Any]
Anything = Resource[Any, Any]

JSON: Final = "application/json"
_PLACE: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_ALWAYS: Final = (400, 401, 403, 406, 429, 503)
_WITH_BODY: Final = (409, 413, 415)
_META: Final[Schema] = {
    "type": "object",
    "properties": {"total": {"type": "integer"}, "total-is-at-least": {"const": True}},
}


class Writer:
    """Operations with their examples, which need the components that exist when all is described."""

    def __init__(self, components: Components) -> None:
        self._components = components

    def reads(self, resource: Anything) -> Iterator[tuple[str, str, Operation]]:
        """(path, method, operation) of everything that a description gives."""
        tag, noun = resource.type, resource.noun
        one, many = self._one(resource), self._many(resource)
        address, place = f"/{tag}", parameters.path("id")
        yield address, "get", self._operation(tag, f"List every {noun}", many, parameters.of_list(resource))
        of_one = [place, *parameters.of_one(resource)]
        yield f"{address}/{{id}}", "get", self._operation(tag, f"Get one {noun}", one, of_one, 404)
        for name, relationship in resource.relationships.items():
            led = BY_TYPE.get(relationship.target)
            if led is None:
                continue
            is_one = isinstance(relationship, ToOne)
            asked = [place, *(parameters.of_one(led) if is_one else parameters.of_list(led))]
            answer = self._one_or_none(led) if is_one else self._many(led)
            summary = f"Get what “{name}” of one {noun} leads to"
            yield f"{address}/{{id}}/{name}", "get", self._operation(tag, summary, answer, asked, 404)
            held = self._linkage(relationship.target, is_one=is_one)
            summary = f"Get the linkage of “{name}” of one {noun}"
            asked = [place, *([] if is_one else parameters.of_list(led))]
            yield f"{address}/{{id}}/relationships/{name}", "get", self._operation(tag, summary, held, asked, 404)

    def writes(self, path: str, method: str, handler: HTTPRouteHandler) -> Operation:
        """The operation of a route that a noun adds."""
        tag = path.strip("/").partition("/")[0]
        places = [parameters.path("id" if name.endswith("id") else name) for name in _PLACE.findall(path)]
        summary, _, more = (handler.fn.__doc__ or handler.handler_name).strip().partition("\n")
        said, status = told(handler.opt), _status(handler, method)
        answer = self._answer(tag, path, method, said)
        asked = [*places, *(parameters.query(name, means, "") for name, means in said.query.items())]
        found = self._operation(tag, _summary(tag, path, method, summary), answer, asked)
        if more.strip():
            found["description"] = " ".join(more.split())
        done = found["responses"].pop("200")
        if said.media:
            done["content"] = {
                media.partition(";")[0]: {"schema": {"type": "string"}, "example": ""} for media in said.media
            }
        if status == HTTPStatus.NO_CONTENT:
            del done["content"]
        found["responses"] = {str(status): done, **found["responses"]}
        if places:
            found["responses"]["404"] = _error(404)
        body = self._sent(handler, said, f"{method}.{path.strip('/')}")
        if body is not None:
            found["requestBody"] = body
        if method in ("post", "patch", "put"):
            found["responses"] |= {str(status): _error(status) for status in _WITH_BODY}
        if method == "post":
            found["parameters"].append(parameters.IDEMPOTENCY_KEY)
            found["responses"]["422"] = _error(422)
        if method in ("patch", "delete"):
            found["parameters"].append(parameters.IF_MATCH)
            found["responses"]["412"] = _error(412)
        found["responses"] = dict(sorted(found["responses"].items()))
        return found

    def _sent(self, handler: HTTPRouteHandler, said: Documented, name: str) -> Schema | None:
        """The body of a route: identifiers, something plain, or what its reader reads."""
        target = said.linkage or said.points_at
        if target is not None:
            return self._identifiers(target)
        if said.takes is not None:
            schema = plain(said.takes, self._components)
            shown = example(schema, self._components)
            return {"required": True, "content": {JSON: {"schema": schema, "example": shown}}}
        reader = reader_of(handler)
        return None if reader is None else self._body(reader, name, several=said.bulk)

    def _body(self, reader: Reader[Any, Any], name: str, *, several: bool) -> Schema:
        prefix = re.sub(r"[^\w.-]+", ".", _PLACE.sub("id", name))
        one = sent(reader, prefix, self._components)
        shown = {"data": example(one, self._components)}
        schema: Schema = {"type": "object", "required": ["data"], "properties": {"data": one}}
        if several:
            schema["properties"] = {"data": {"oneOf": [one, {"type": "array", "items": one, "minItems": 1}]}}
        return {"required": True, "content": {JSON: {"schema": schema, "example": shown}}}

    def _identifiers(self, target: str) -> Schema:
        """What is sent to an address that writes a relationship to many."""
        many = {"type": "array", "items": identifier(target)}
        schema: Schema = {"type": "object", "required": ["data"], "properties": {"data": many}}
        return {"required": True, "content": {JSON: {"schema": schema, "example": example(schema, self._components)}}}

    def _answer(self, tag: str, path: str, method: str, said: Documented) -> Schema:
        """What is answered: as the route says, or the resource, where the address is that of one or of its list."""
        if isinstance(said.answers, tuple):
            one = of_attributes(*said.answers, self._components)
            return {"type": "object", "required": ["data"], "properties": {"data": one}}
        if said.linkage is not None:
            return self._linkage(said.linkage, is_one=False)
        resource = BY_TYPE.get(said.answers or tag)
        plain = said.answers is not None or path.count("/") <= (1 if method == "post" else 2)
        if resource is not None and plain and method != "delete":
            return self._one(resource)
        return {"type": "object"}

    def _operation(
        self, tag: str, summary: str, answer: Schema, asked: Sequence[Mapping[str, Any]], *statuses: int
    ) -> Operation:
        content = {"schema": answer, "example": example(answer, self._components)}
        errors = {str(status): _error(status) for status in (*_ALWAYS, *statuses)}
        done = {"description": "Done.", "content": {JSON: content}}
        return {"tags": [tag], "summary": summary, "parameters": list(asked), "responses": {"200": done, **errors}}

    def _one(self, resource: Anything) -> Schema:
        included = {"type": "array", "items": {"type": "object"}}
        properties = {"data": ref(resource.type), "included": included}
        return {"type": "object", "required": ["data"], "properties": properties}

    def _one_or_none(self, resource: Anything) -> Schema:
        return {"type": "object", "properties": {"data": {"oneOf": [ref(resource.type), {"type": "null"}]}}}

    def _many(self, resource: Anything) -> Schema:
        data = {"type": "array", "items": ref(resource.type)}
        return _listed(data, {"included": {"type": "array", "items": {"type": "object"}}})

    def _linkage(self, target: str, *, is_one: bool) -> Schema:
        one = identifier(target)
        if is_one:
            links = {"type": "object", "properties": {"self": {"type": "string"}, "related": {"type": "string"}}}
            return {"type": "object", "properties": {"links": links, "data": {"oneOf": [one, {"type": "null"}]}}}
        return _listed({"type": "array", "items": one}, {})


_VERBS: Final = {"post": "Create", "put": "Set", "patch": "Change", "delete": "Delete", "get": "Get"}


def _summary(tag: str, path: str, method: str, told: str) -> str:
    """What an operation does in a few words: as its function says, unless that only repeats the address."""
    if not told.upper().startswith(f"{method.upper()} /"):
        return told.rstrip(".")
    place = path.strip("/").split("/")
    noun = BY_TYPE[tag].noun if tag in BY_TYPE else tag
    below = place[-1] if len(place) > 1 and not _PLACE.fullmatch(place[-1]) else ""
    several = " or several" if ": one, or an array" in told else ""
    return (
        f"{_VERBS[method]} {below.replace('-', ' ')} of one {noun}"
        if below
        else f"{_VERBS[method]} one {noun}{several}"
    )


def _listed(data: Schema, more: Schema) -> Schema:
    properties = {"data": data, **more, "links": LINKS, "meta": _META}
    return {"type": "object", "required": ["data", "links", "meta"], "properties": properties}


def _status(handler: HTTPRouteHandler, method: str) -> int:
    if handler.status_code:
        return int(handler.status_code)
    return HTTPStatus.CREATED if method == "post" else HTTPStatus.OK


def _error(status: int) -> Schema:
    return {"$ref": f"#/components/responses/{status}"}


def reader_of(handler: HTTPRouteHandler) -> Reader[Any, Any] | None:
    """What reads a route's body: the reader that it says, or the first that its function names."""
    said = told(handler.opt).reader
    if said is not None:
        return said
    named = (handler.fn.__globals__.get(name) for name in handler.fn.__code__.co_names)
    return next((found for found in named if isinstance(found, Reader)), None)
