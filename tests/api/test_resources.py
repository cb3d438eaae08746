"""The descriptions of resources, against their records, their tables and what is answered."""

import subprocess
import sys

import pytest

from api_client import Client
from api_samples import one_of_each
from opengage.api.resources.registry import BY_TYPE, RESOURCES
from opengage.api.resources.resource import Across, Resource, Through, ToOne
from opengage.store import lists
from opengage.store.sqlite import SqliteStore
from opengage.store.tables import metadata

each = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.type)


def indexed(resource: Resource) -> set[str]:  # type: ignore[type-arg]
    """The fields of a record by which an index finds it in its account; within another field: `other/field`."""
    read = lists.source(resource.record)
    tables = [read] if read in metadata.tables.values() else list(metadata.tables.values())
    found = {"id"}
    for table in tables:
        for index in table.indexes:  # type: ignore[attr-defined]
            names = [column.name for column in index.columns]
            if table is read and names[0] == "account_id" and not index.dialect_options["sqlite"]["where"] is not None:
                found |= {names[1], "/".join(names[1:3])}
    return found


async def test_descriptions_tell_what_is_answered(client: Client, store: SqliteStore) -> None:
    """Every attribute and relationship, in the order of the answer."""
    for kind, id_ in (await one_of_each(client, store)).items():
        found = (await client.get(f"/{kind}/{id_}")).json()["data"]
        resource = BY_TYPE[kind]
        assert list(found["attributes"]) == list(resource.members)
        assert list(found["relationships"]) == list(resource.relationships)
        for name, one in found["relationships"].items():
            relationship = resource.relationships[name]
            assert isinstance(relationship, Through | Across) == ("links" in one)
            if not isinstance(relationship, Through | Across):
                assert isinstance(one["data"], list) != isinstance(relationship, ToOne)


@each
def test_fields_exist(resource: Resource) -> None:  # type: ignore[type-arg]
    """Every field that a description names is one of its record, and every inverse leads back."""
    known = set(resource.record.__struct_fields__)
    for field in resource.filters.values():
        assert field.column in known
        assert field.within is None or field.within in resource.filters
    assert set(resource.equal) <= known
    assert set(resource.fields) <= set(resource.members)
    for relationship in resource.relationships.values():
        if isinstance(relationship, ToOne):
            assert relationship.column is None or relationship.column in known
        if isinstance(relationship, Through) and relationship.target in BY_TYPE:
            back = BY_TYPE[relationship.target].relationships[relationship.inverse]
            assert isinstance(back, ToOne)
            assert back.indexed
            assert back.target == resource.type
        if isinstance(relationship, Across):
            key = [column.name for column in metadata.tables[relationship.pairs].primary_key]
            assert key == ["account_id", relationship.mine, relationship.theirs]


@each
def test_what_is_filtered_by_is_indexed(resource: Resource) -> None:  # type: ignore[type-arg]
    """No list makes a database look at every row of a large table."""
    known = indexed(resource)
    for field in resource.filters.values():
        within = resource.filters[field.within].column + "/" if field.within else ""
        assert field.column in known or within.rstrip("/") in known


def test_the_web_framework_is_not_loaded() -> None:
    """The worker renders callbacks by the descriptions, without the web framework."""
    check = "import sys, opengage.api.resources.reading; print('litestar' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
