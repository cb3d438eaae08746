"""Parameters of operations, out of what each resource offers."""

from typing import Any, Final

from opengage.api.openapi.examples import ID
from opengage.api.openapi.schemas import ID_SCHEMA
from opengage.api.resources import asking
from opengage.api.resources.registry import BY_TYPE
from opengage.api.resources.resource import Field, Kind, Resource
from opengage.api.resources.values import offered

Parameter = dict[str, Any]

_EXAMPLES: Final = {
    Kind.ID: f"eq:{ID}",
    Kind.TEXT: "like:Spring%",
    Kind.PHONE: "eq:+12025550123",
    Kind.WHOLE: "gte:1",
    Kind.NUMBER: "lt:0.5",
    Kind.BOOLEAN: "true",
    Kind.INSTANT: "gte:2026-12-01T09:00:00+00:00",
}
_NOT_NEGATIVE: Final = {"type": "integer", "minimum": 0}

IDEMPOTENCY_KEY: Final[Parameter] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and the same request get the same answer, and nothing is done twice.",
    "schema": {"type": "string", "maxLength": 255},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
IF_MATCH: Final[Parameter] = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of what the client saw: nothing is changed when it is another now.",
    "schema": {"type": "string"},
    "example": "*",
}


def query(name: str, description: str, example: Any, schema: dict[str, Any] | None = None) -> Parameter:
    """A query parameter; brackets in names may be sent as they are."""
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": schema or {"type": "string"},
        "example": example,
    }


def path(name: str) -> Parameter:
    """A place in the address."""
    schema = ID_SCHEMA if name.endswith("id") else {"type": "string"}
    example = ID if schema is ID_SCHEMA else name
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def of_list(resource: Resource[Any, Any]) -> list[Parameter]:
    """Everything that a list takes."""
    sortable = sorted(asking.sortable(resource))
    return [
        *(_filter(offer) for offer in _fields(resource).items()),
        query("sort", f"Keys, each with a minus for descending: {', '.join(sortable)}.", "-created-at"),
        query("page[limit]", "Resources on a page.", 50, {"type": "integer", "minimum": 1}),
        query("page[offset]", "How many to leave out.", 0, _NOT_NEGATIVE),
        query("page[number]", "The same in pages, from 1.", 1, {"type": "integer", "minimum": 1}),
        query("page[after]", "A cursor of a “next” link, empty for the first page: fast however far in.", ""),
        *of_one(resource),
    ]


def of_one(resource: Resource[Any, Any]) -> list[Parameter]:
    """What a document of a resource can be asked to hold."""
    includable = asking.includable(resource)
    members = [*resource.members, *resource.relationships]
    found = query(f"fields[{resource.type}]", f"Only these members: {', '.join(members)}.", members[0])
    if not includable:
        return [found]
    paths = f"Paths of relationships to include, such as {', '.join(includable)}, and what these lead to."
    return [query("include", paths, includable[0]), found]


def _fields(resource: Resource[Any, Any]) -> dict[str, Field]:
    """By path, what a list can be filtered by."""
    found = dict(resource.filters)
    for walked in asking.filterable(resource):
        name, _, rest = walked.partition(".")
        if walked not in found:
            found[walked] = BY_TYPE[resource.relationships[name].target].filters[rest]
    return found


def _filter(offer: tuple[str, Field]) -> Parameter:
    name, field = offer
    words = f" One of {', '.join(sorted(field.words))}." if field.words else ""
    within = f" Only together with filter[{field.within}]." if field.within else ""
    operators = ", ".join(sorted(offered(field.kind)))
    description = f"VALUE or OPERATOR:VALUE,VALUE with {operators}, each also after ~.{words}{within}"
    example = min(field.words) if field.words else _EXAMPLES[field.kind]
    return query(f"filter[{name}]", description, example)
