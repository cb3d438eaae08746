"""The OpenAPI document as it is, but that its ids and numbers are such as exist: else every request would miss."""

import re
from collections.abc import Mapping
from typing import Any

from api.cases import V1, Ids
from opengage.api.openapi.members import DEEPER, PHONE_PATTERN, URL_PATTERN

Schema = dict[str, Any]
REPEATED = re.compile(r"\{0,(19|99)\}")

FICTIONAL = r"^\+1(202|212|312)55501[0-9]{2}$"
PUBLIC = r"^https://[a-z]{3,8}\.example\.com/[a-z]{1,8}$"


def with_real_ids(document: Schema, ids: Ids, changed: Ids, deleted: Ids) -> Schema:
    """What is read and pointed at, what is changed, and what is deleted are different resources."""
    for path, item in document["paths"].items():
        kind = path.strip("/").partition("/")[0]
        for method in item.keys() - {"servers"}:
            operation = item[method]
            chosen = {"get": ids, "delete": deleted}.get(method, changed)
            _give(operation.get("parameters", []), chosen.get(kind))
            for media in operation.get("requestBody", {}).get("content", {}).values():
                media["schema"] = _narrowed(media["schema"], chosen if method == "delete" else ids)
                media["example"] = _pointed(media.get("example"), chosen if method == "delete" else ids)
    schemas = document["components"]["schemas"]
    for name in schemas:
        if name.startswith(("post.", "patch.", "put.")):
            schemas[name] = _narrowed(schemas[name], ids)
    document["paths"] = {whole(path, item): item for path, item in document["paths"].items()}
    for item in document["paths"].values():
        item.pop("servers", None)
    return document


def whole(path: str, item: Schema) -> str:
    """A path below the public URL itself, whichever server it has."""
    return path if "servers" in item else f"{V1}{path}"


def _give(parameters: list[Schema], id_: str | None) -> None:
    """Ids in the address that exist, cursors and includes that lead somewhere, keys that are used once."""
    for parameter in parameters:
        schema = parameter["schema"]
        if "pattern" in schema:  # a few values tell as much as a hundred, and are made much faster
            schema["pattern"] = REPEATED.sub("{0,1}", schema["pattern"])
        if parameter["name"] == "id" and id_ is not None:
            parameter |= {"schema": {"type": "string", "enum": [id_]}, "example": id_}
        elif parameter["name"] == "page[after]":
            parameter["schema"] = {"type": "string", "enum": [""]}
            del parameter["example"]  # it does not go with an offset, and examples come together
        elif parameter["name"] == "Idempotency-Key":
            del parameter["example"]
        elif parameter["name"] == "include":
            schema["pattern"] = schema["pattern"].replace(DEEPER, "")


def _narrowed(schema: Any, ids: Mapping[str, str]) -> Any:
    """The same schema with ids that exist and numbers and addresses that are nobody's."""
    if isinstance(schema, list):
        return [_narrowed(each, ids) for each in schema]
    if not isinstance(schema, dict):
        return schema
    properties = schema.get("properties", {})
    kind = str(properties["type"].get("const")) if {"type", "id"} <= set(properties) else ""
    if kind in ids:
        return {**schema, "properties": {**properties, "id": {"type": "string", "enum": [ids[kind]]}}}
    patterns = {PHONE_PATTERN: FICTIONAL, URL_PATTERN: PUBLIC}
    found = {name: _narrowed(each, ids) for name, each in schema.items()}
    if isinstance(found.get("pattern"), str):
        found["pattern"] = patterns.get(found["pattern"], found["pattern"]).replace(DEEPER, "")
    return found


def _pointed(example: Any, ids: Mapping[str, str]) -> Any:
    """An example that points at what exists."""
    if isinstance(example, list):
        return [_pointed(each, ids) for each in example]
    if not isinstance(example, dict):
        return example
    if {"type", "id"} <= set(example) and example["type"] in ids:
        example = {**example, "id": ids[example["type"]]}
    return {name: _pointed(each, ids) for name, each in example.items()}
