"""Operations: those that every resource has by its description, and those that a noun adds by its routes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from litestar.handlers import HTTPRouteHandler

from opengage.api.documented import Documented, told
from opengage.api.openapi import parameters
from opengage.api.openapi.examples import example
from opengage.api.openapi.members import ID_SCHEMA, identifier, narrow
from opengage.api.openapi.schemas import LINKS, Components, Schema, of_attributes, plain, ref, sent
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

    def __init__(self, components: Components, page_limit_max: int) -> None:
        self._components = components
        self._most = page_limit_max

    def reads(self, resource: Anything) -> Iterator[tuple[str, str, Operation]]:
        """(path, method, operation) of everything that a description gives."""
        tag, noun = resource.type, resource.noun
        one, many = self._one(resource), self._many(resource)
        address, place = f"/{tag}", parameters.path("id")
        yield address, "get", self._operation(tag, f"List every {noun}", many, parameters.of_list(resource, self._most))
        of_one = [place, *parameters.of_one(resource)]
        yield f"{address}/{{id}}", "get", self._operation(tag, f"Get one {noun}", one, of_one, 404)
        for name, relationship in resource.relationships.items():
            led = BY_TYPE.get(relationship.target)
            if led is None:
                continue
            is_one = isinstance(relationship, ToOne)
            asked = [place, *(parameters.of_one(led) if is_one else parameters.of_list(led, self._most))]
            answer = self._one_or_none(led) if is_one else self._many(led)
            summary = f"Get what “{name}” of one {noun} leads to"
            yield f"{address}/{{id}}/{name}", "get", self._operation(tag, summary, answer, asked, 404)
            held = self._linkage(relationship.target, is_one=is_one)
            summary = f"Get the linkage of “{name}” of one {noun}"
            asked = [place, *([] if is_one else parameters.of_list(led, self._most))]
            yield f"{address}/{{id}}/relationships/{name}", "get", self._operation(tag, summary, held, asked, 404)

    def writes(self, path: str, method: str, handler: HTTPRouteHandler) -> Operation:
        """The operation of a route that a noun adds."""
        tag = path.strip("/").partition("/")[0]
        places = [parameters.path("id" if name.endswith("id") else name) for name in _PLACE.findall(path)]
        summary, _, text = (handler.fn.__doc__ or handler.handler_name).strip().partition("\n")
        said, status = told(handler.opt), _status(handler, method)
        answer = self._answer(tag, path, method, said)
        asked = [*places, *(parameters.one_of(name, *said.query[name]) for name in said.query)]
        found = self._operation(tag, _summary(tag, path, method, summary), answer, asked)
        if text.strip():
            found["description"] = " ".join(text.split())
        done = found["responses"].pop("200")
        if said.media:
            done["content"] = {
                media.partition(";")[0]: {"schema": {"type": "string"}, "example": ""} for media in said.media
            }
        if status == HTTPStatus.NO_CONTENT:
            del done["content"]
        found["responses"] = {str(status): done, **found["responses"]}
        if said.may_exist:
            found["responses"]["200"] = {**done, "description": "It was there already, and stays as it is."}
        body = self._sent(handler, said, f"{method}.{path.strip('/')}")
        if body is not None:
            found["requestBody"] = body
        for parameter in _headers(method, path, said):
            found["parameters"].append(parameter)
        for more in _refusals(method, path, has_body=body is not None):
            found["responses"][str(more)] = _error(more)
        found["responses"] = dict(sorted(found["responses"].items()))
        return found

    def _sent(self, handler: HTTPRouteHandler, said: Documented, name: str) -> Schema | None:
        """The body of a route: identifiers, something plain, or what its reader reads."""
        target = said.linkage or said.points_at
        if target is not None:
            return self._identifiers(target, 0 if "{" in name else 1)
        if said.takes is not None:
            schema = plain(said.takes, self._components)
            narrow(name.replace("/", "."), schema)
            shown = example(schema, self._components)
            return {"required": True, "content": {JSON: {"schema": schema, "example": shown}}}
        reader = reader_of(handler)
        return None if reader is None else self._body(reader, name, said)

    def _body(self, reader: Reader[Any, Any], name: str, said: Documented) -> Schema:
        prefix = re.sub(r"[^\w.-]+", ".", _PLACE.sub("id", name))
        one = sent(reader, prefix, self._components)
        shown = {"data": example(one, self._components)}
        schema: Schema = {"type": "object", "required": ["data"], "properties": {"data": one}}
        if said.each_has_id:
            named = {**one, "required": [*one["required"], "id"], "properties": {**one["properties"], "id": ID_SCHEMA}}
            schema["properties"] = {"data": {"type": "array", "items": named, "minItems": 1}}
            shown = example(schema, self._components)
        elif said.bulk:
            schema["properties"] = {"data": {"oneOf": [one, {"type": "array", "items": one, "minItems": 1}]}}
        return {"required": True, "content": {JSON: {"schema": schema, "example": shown}}}

    def _identifiers(self, target: str, least: int) -> Schema:
        """What is sent to an address that writes a relationship to many, or deletes several."""
        many = {"type": "array", "items": identifier(target), "minItems": least}
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
            return self._several(resource, said) if said.bulk else self._one(resource)
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

    def _several(self, resource: Anything, said: Documented) -> Schema:
        """One or an array, as it was sent; counts where they are preferred."""
        one = ref(resource.type)
        data: Schema = {"anyOf": [one, {"type": "array", "items": one}]}
        needed = [{"required": ["data"]}, *([{"required": ["meta"]}] if said.minimal else [])]
        return {"type": "object", "anyOf": needed, "properties": {"data": data, "meta": {"type": "object"}}}

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


def _headers(method: str, path: str, said: Documented) -> Iterator[Schema]:
    """The headers that an operation obeys."""
    if said.minimal:
        yield parameters.PREFER
    if method == "post":
        yield parameters.IDEMPOTENCY_KEY
    if method in ("patch", "delete") and path.endswith("}"):
        yield parameters.IF_MATCH


def _refusals(method: str, path: str, *, has_body: bool) -> Iterator[int]:
    """The statuses of what may be refused beside what always may."""
    yield from (404,) if "{" in path else ()
    yield from _WITH_BODY if method in ("post", "patch", "put") or has_body else ()
    yield from (422,) if method == "post" else ()
    yield from (412,) if method in ("patch", "delete") and path.endswith("}") else ()


_VERBS: Final = {"post": "Create", "put": "Set", "patch": "Change", "delete": "Delete", "get": "Get"}


def _summary(tag: str, path: str, method: str, told: str) -> str:
    """What an operation does in a few words: as its function says, unless that only repeats the address."""
    if not told.upper().startswith(f"{method.upper()} /"):
        return told.rstrip(".")
    place = path.strip("/").split("/")
    noun = BY_TYPE[tag].noun if tag in BY_TYPE else tag
    below = place[-1] if len(place) > 1 and not _PLACE.fullmatch(place[-1]) else ""
    if below:
        return f"{_VERBS[method]} {below.replace('-', ' ')} of one {noun}"
    if len(place) == 1 and method != "post":
        return f"{_VERBS[method]} several {tag.replace('-', ' ')}"
    several = " or several" if "an array" in told else ""
    return f"{_VERBS[method]} one {noun}{several}"


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
