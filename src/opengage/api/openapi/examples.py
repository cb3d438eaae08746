"""Examples that fit a schema: by a member's name where that says more, else by its type."""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

ID: Final = "qCMRuyJ7gvBvzeSzvH2aJ2"
_INSTANT: Final = "2026-12-01T09:00:00.000000+00:00"
_NAMED: Final[Mapping[str, Any]] = {
    "id": ID,
    "name": "Spring offer",
    "body": "Hi {{ first-name }}, your table is ready.",
    "phone-number": "+12025550123",
    "from": "+12025550100",
    "to": "+12025550123",
    "direction": "outbound",
    "kind": "text",
    "delivery-type": "immediately",
    "meta": {"first-name": "Ann"},
    "related": "https://texts.example.org/api/v1/text-results?filter[text.id]=" + ID,
}
_PLAIN: Final[Mapping[str, Any]] = {
    "string": "text",
    "integer": 1,
    "number": 0.5,
    "boolean": False,
    "null": None,
}


def example(schema: Schema, components: Mapping[str, Schema], name: str = "") -> Any:
    """A value that the schema allows. Optional members of objects are there too."""
    if "$ref" in schema:
        return example(components[schema["$ref"].rpartition("/")[2]], components, name)
    for known in ("const", "default"):
        if known in schema and schema[known] not in ({}, None):
            return schema[known]
    for several in ("examples", "enum"):
        if several in schema:
            return schema[several][0]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options and "properties" not in schema:
        return example(options[0], components, name)
    return _of_type(schema, components, name)


def _of_type(schema: Schema, components: Mapping[str, Schema], name: str) -> Any:
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object" and "properties" in schema:
        return {key: example(value, components, key) for key, value in schema["properties"].items()}
    if kind == "array":
        return [example(schema["items"], components, name)] if schema.get("items") else []
    if schema.get("format") == "date-time":
        return _INSTANT
    if name in _NAMED and kind in (None, "string", "object"):
        return _NAMED[name]
    if kind == "object" or kind is None:
        return {}
    return max(_PLAIN[kind], schema.get("minimum", _PLAIN[kind])) if kind in ("integer", "number") else _PLAIN[kind]
