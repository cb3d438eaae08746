"""Schemas of what is answered and of what is sent, out of the descriptions and the readers."""

from typing import Any, Final

import msgspec

from opengage.api.openapi.members import ID_SCHEMA, identifier, narrow, pointed
from opengage.api.resources.resource import Across, Relationship, Resource, Through, ToOne
from opengage.domain.errors import Code
from opengage.jsonapi.request import Reader

Schema = dict[str, Any]
Components = dict[str, Schema]

_INSTANTS: Final = ("-at", "-time", "-until")
LINKS: Final[Schema] = {
    "type": "object",
    "properties": {name: {"type": ["string", "null"]} for name in ("first", "last", "next", "prev", "self")},
}
ERROR: Final[Schema] = {
    "type": "object",
    "required": ["status", "code", "title", "detail"],
    "properties": {
        "status": {"type": "string"},
        "code": {"type": "integer", "enum": [int(code) for code in Code]},
        "title": {"type": "string"},
        "detail": {"type": "string", "description": "What is wrong here, and how to mend it."},
        "source": {
            "type": "object",
            "properties": {"pointer": {"type": "string"}, "parameter": {"type": "string"}},
        },
        "links": {"type": "object", "properties": {"about": {"type": "string"}}},
    },
}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def answered(resource: Resource[Any, Any], components: Components) -> None:
    """Add a resource object as it is answered, under its type, and its members."""
    attributes = _instants(_structure(resource.attributes, resource.type, components))
    attributes.pop("required", None)  # fields[…] leaves members out
    components[f"{resource.type}.attributes"] = attributes
    relationships = {name: _relationship(one) for name, one in resource.relationships.items()}
    components[f"{resource.type}.relationships"] = {"type": "object", "properties": relationships}
    components[resource.type] = {
        "type": "object",
        "description": f"One {resource.noun}. {_first_line(resource.attributes.__doc__)}".strip(),
        "required": ["type", "id"],
        "properties": {
            "type": {"const": resource.told_type},
            "id": ID_SCHEMA,
            "attributes": ref(f"{resource.type}.attributes"),
            "relationships": ref(f"{resource.type}.relationships"),
        },
    }


def sent(reader: Reader[Any, Any], name: str, components: Components) -> Schema:
    """The schema of a resource object as a client sends it; its parts are added under `name`."""
    schema = _structure(reader.model, name, components)
    schema["properties"] = {**schema["properties"], "type": {"const": reader.resource_type}}
    schema["properties"].pop("id", None)
    schema.pop("title", None)
    for member in ("attributes", "relationships"):
        part = schema["properties"][member]
        part.pop("default", None)
        held = components[part["$ref"].rpartition("/")[2]]
        if member == "attributes":
            _instants(held)
            narrow(name, held)
        else:
            pointed(name, reader.resource_type, held, components)
        if (held.get("required") or held.get("anyOf")) and member not in schema["required"]:
            schema["required"].append(member)
    return schema


def of_attributes(type_: str, attributes: Any, components: Components) -> Schema:
    """The schema of a resource object that no description has: its type and its attributes."""
    components[f"{type_}.attributes"] = _instants(_structure(attributes, type_, components))
    properties = {"type": {"const": type_}, "id": ID_SCHEMA, "attributes": ref(f"{type_}.attributes")}
    return {"type": "object", "required": ["type", "id", "attributes"], "properties": properties}


def plain(structure: Any, components: Components) -> Schema:
    """The schema of a body that is no JSON:API document."""
    return _structure(structure, "plain", components)


def _relationship(relationship: Relationship) -> Schema:
    one = identifier(relationship.target)
    if isinstance(relationship, ToOne):
        return {"type": "object", "properties": {"data": {"oneOf": [one, {"type": "null"}]}}}
    many: Schema = {"type": "array", "items": one}
    if not isinstance(relationship, Through | Across):
        return {"type": "object", "properties": {"data": many}}
    links = {"type": "object", "properties": {"related": {"type": "string"}}}
    return {"type": "object", "properties": {"links": links, "data": many}}


def _structure(structure: Any, name: str, components: Components) -> Schema:
    """The schema of a struct; what it refers to is added under names that begin with `name`."""
    template = f"#/components/schemas/{name}.{{name}}"
    _, found = msgspec.json.schema_components((structure,), ref_template=template)
    own: Schema = found.pop(structure.__name__)
    components |= {f"{name}.{key}": value for key, value in found.items()}
    own.pop("title", None)
    return own


def _instants(schema: Schema) -> Schema:
    """Say of every member that its name calls an instant that it is one."""
    for name, member in schema.get("properties", {}).items():
        if name.endswith(_INSTANTS):
            for option in member.get("anyOf", [member]):
                if option.get("type") == "string":
                    option.setdefault("format", "date-time")
    return schema


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
