"""Parameters of operations, out of what each resource offers."""

import re
from typing import Any, Final

from opengage.api.openapi.examples import ID
from opengage.api.openapi.members import ID_PATTERN, ID_SCHEMA, MOST_PATHS, any_of, list_of, paths_of
from opengage.api.resources import asking
from opengage.api.resources.registry import BY_TYPE
from opengage.api.resources.resource import Field, Kind, Resource
from opengage.api.resources.values import offered
from opengage.jsonapi.query import LARGEST
from opengage.jsonapi.query_filters import MOST_VALUES

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
_VALUES: Final = {
    Kind.ID: ID_PATTERN,
    Kind.TEXT: r"([^\0\\,]|\\[^\0])+",
    Kind.PHONE: r"([^\0\\,]|\\[^\0])+",
    Kind.WHOLE: "-?[0-9]{1,18}",
    Kind.NUMBER: r"-?[0-9]{1,18}(\.[0-9]{1,18})?",
    Kind.BOOLEAN: "(true|false)",
    Kind.INSTANT: (
        "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        r"(\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-2]):?[0-5][0-9])"
    ),
}
"""How values are written."""
_EQUAL: Final = {"eq", "ne", "in"}
"""The operators that an empty value goes with."""

IDEMPOTENCY_KEY: Final[Parameter] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and the same request get the same answer, and nothing is done twice.",
    "schema": {"type": "string", "pattern": r'^("[ !#-\[\]-~]{1,255}"|[!#-~][ -~]{0,254})$'},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
PREFER: Final[Parameter] = {
    "name": "Prefer",
    "in": "header",
    "description": "return=minimal: counts are answered in place of the resources (RFC 7240). Others are ignored.",
    "schema": {"type": "string"},
    "example": "return=representation",
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


def one_of(name: str, description: str, pattern: str) -> Parameter:
    """A query parameter of a route's own; the example is the first word of its pattern."""
    return query(name, description, re.findall(r"\w+", pattern)[0], {"type": "string", "pattern": pattern})


def path(name: str) -> Parameter:
    """A place in the address."""
    schema = ID_SCHEMA if name.endswith("id") else {"type": "string"}
    example = ID if schema is ID_SCHEMA else name
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def of_list(resource: Resource[Any, Any], most: int) -> list[Parameter]:
    """Everything that a list takes; `most` is the largest page."""
    sortable = sorted(asking.sortable(resource))
    return [
        *(_filter(offer) for offer in _fields(resource).items()),
        query(
            "sort",
            f"Keys, each with a minus for descending: {', '.join(sortable)}.",
            "-created-at",
            list_of(f"[-+]?({any_of(sortable)})", MOST_PATHS),
        ),
        query("page[limit]", "Resources on a page.", min(50, most), _from(1, most)),
        query("page[offset]", "How many to leave out.", 0, _from(0, LARGEST)),
        query("page[number]", "The same in pages, from 1.", 1, _from(1, LARGEST // most)),
        query(
            "page[after]",
            "A cursor of a “next” link, empty for the first page: fast however far in. Not with an offset or a number.",
            "",
            {"type": "string", "pattern": "^[\\w=-]*$"},
        ),
        *of_one(resource),
    ]


def of_one(resource: Resource[Any, Any]) -> list[Parameter]:
    """What a document of a resource can be asked to hold."""
    includable = asking.includable(resource)
    members = [*resource.members, *resource.relationships]
    only = list_of(f"({any_of(members)})")
    found = query(f"fields[{resource.type}]", f"Only these members: {', '.join(members)}.", members[0], only)
    if not includable:
        return [found]
    paths = f"Paths of relationships to include, such as {', '.join(includable)}, and what these lead to."
    return [query("include", paths, includable[0], {"type": "string", **paths_of(includable)}), found]


def _from(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


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
    return query(f"filter[{name}]", description, example, _filter_schema(field))


def _filter_schema(field: Field) -> dict[str, Any]:
    """Values behind an operator, two behind a range; for what has none, an empty one, which equals only."""
    one = f"({any_of(field.words)})" if field.words else _VALUES[field.kind]
    more = f"{{0,{MOST_VALUES - 1}}}"
    ordered = sorted(offered(field.kind) - _EQUAL - {"range"})
    ways = [f"(~?({'|'.join(sorted(_EQUAL))}):)?({one})?(,({one})?){more}"]
    ways += [f"~?({'|'.join(ordered)}):{one}(,{one}){more}"] if ordered else []
    ways += [f"~?range:{one},{one}"] if "range" in offered(field.kind) else []
    return {"type": "string", "pattern": f"^({'|'.join(ways)})$"}
