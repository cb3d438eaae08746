"""The descriptions of resources, against their records, their tables and what is answered."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

from api_client import Client
from api_samples import one_of_each
from opengage.api.resources.registry import BY_TYPE, RESOURCES
from opengage.api.resources.resource import Across, Resource, Through, ToOne
from opengage.store import list_statements as statements
from opengage.store.sqlite import SqliteStore
from opengage.store.tables import metadata

each = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.type)


def indexed(resource: Resource) -> set[tuple[str, ...]]:  # type: ignore[type-arg]
    """By which fields, after the account, an index finds or orders all the records of a resource."""
    read = statements.source(resource.record)
    if not isinstance(read, sa.Table):
        return {("id",)}
    whole = [index for index in read.indexes if index.dialect_options["sqlite"]["where"] is None]
    unique = [constraint for constraint in read.constraints if isinstance(constraint, sa.UniqueConstraint)]
    found = [tuple(column.name for column in one.columns) for one in whole]
    found += [tuple(column.name for column in one.columns) for one in unique]
    return {("id",), *(names[1:] for names in found if names[0] == "account_id")}


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
            assert back.target == resource.told_type
        if isinstance(relationship, Across):
            key = [column.name for column in metadata.tables[relationship.pairs].primary_key]
            assert key == ["account_id", relationship.mine, relationship.theirs]


@each
def test_what_is_filtered_by_is_indexed(resource: Resource) -> None:  # type: ignore[type-arg]
    """No filter makes a database look at every row of an account, but within what an index finds."""
    known = {names[0] for names in indexed(resource)}
    for field in resource.filters.values():
        assert (resource.filters[field.within].column if field.within else field.column) in known


@each
def test_what_is_sorted_by_is_indexed(resource: Resource) -> None:  # type: ignore[type-arg]
    """No order of one key makes a database sort the rows of an account."""
    known = indexed(resource)
    for column in resource.sorts.values():
        assert column == "id" or (column, "id") in known or (column,) in known


@each
def test_what_is_sorted_by_has_a_value(resource: Resource) -> None:  # type: ignore[type-arg]
    """The databases do not agree where what has no value stands in an order."""
    table = statements.source(resource.record)
    for column in resource.sorts.values():
        assert column == "id" or not table.c[column].nullable


def test_the_web_framework_is_not_loaded() -> None:
    """The worker renders callbacks by the descriptions, without the web framework."""
    check = "import sys, opengage.api.resources.reading; print('litestar' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
