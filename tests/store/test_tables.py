"""The tables: keys that lead with the account, and lists of states that the database enforces too."""

import itertools
from enum import StrEnum

import pytest
import sqlalchemy as sa

from opengage.domain import records
from opengage.domain.erasures import ErasureStatus
from opengage.domain.imports import ImportStatus
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason, TextStatus
from opengage.store import ledgers, rows, tables
from opengage.store.contract import Store, Violation
from store.samples import ACCOUNT, ENGAGEMENT, RECORDS

GLOBAL_KEYS = {
    # how an account, a token and a user are found before their account is known
    "accounts": {"accounts_key_key"},
    "api_tokens": {"api_tokens_key_key"},
    "memberships": {"memberships_email"},
}
"""Keys that do not lead with account_id: on a sharded database these tables are reference tables."""

LISTS: list[tuple[sa.Table, str, type[StrEnum]]] = [
    (tables.engagements, "status", EngagementStatus),
    (tables.envelopes, "status", EnvelopeStatus),
    (tables.envelopes, "reason", Reason),
    (tables.texts, "status", TextStatus),
    (tables.ledger, "reason", Reason),
    (tables.contact_imports, "status", ImportStatus),
    (tables.erasures, "status", ErasureStatus),
]
SAMPLES = {rows.TABLES[type(record)]: record for record in RECORDS}
TEXT = next(record for record in RECORDS if isinstance(record, records.Text))


def keys(table: sa.Table) -> list[tuple[str, list[str]]]:
    """(name, columns) of every key and index of a table."""
    found = [*table.indexes, table.primary_key, *table.constraints]
    kinds = (sa.Index, sa.PrimaryKeyConstraint, sa.UniqueConstraint)
    return [(str(one.name), [column.name for column in one.columns]) for one in found if isinstance(one, kinds)]


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=str)
def test_every_key_leads_with_the_account(table: sa.Table) -> None:
    """So that the same schema spreads by account; the exceptions are listed, and each of them exists."""
    assert table.primary_key.columns.keys()[0] == "account_id"
    others = {name for name, columns in keys(table) if columns[0] != "account_id"}
    assert others == GLOBAL_KEYS.get(table.name, set())


def test_every_status_has_its_check() -> None:
    """The lists above are all there are."""
    checks = {
        (table.name, str(one.name).removeprefix(f"{table.name}_"))
        for table in tables.metadata.sorted_tables
        for one in table.constraints
        if isinstance(one, sa.CheckConstraint)
    }
    assert checks == {(table.name, column) for table, column, _ in LISTS}


async def put(store: Store, table: sa.Table, column: str, value: str) -> None:
    """Write one row with this value in this column."""
    async with store.writing() as tx:
        if table is tables.ledger:
            await tx.run(
                sa.insert(table).values(
                    account_id=ACCOUNT, engagement_id=ENGAGEMENT, reason=sa.bindparam("r"), count=1
                ),
                r=value,
            )
        else:
            await rows.insert(tx, SAMPLES[table])
            await tx.run(sa.update(table).values({column: sa.bindparam("value")}), value=value)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [(table, column, value) for table, column, values in LISTS for value in values],
    ids=str,
)
async def test_a_state_of_the_list_is_taken(store: Store, table: sa.Table, column: str, value: str) -> None:
    """The database knows every state that the domain knows."""
    await put(store, table, column, value)
    async with store.reading() as tx:
        assert await tx.rows(sa.select(table.c[column])) == [(value,)]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        (table, column, value)
        for (table, column, values), value in itertools.product(LISTS, ["lost", "Pending", "", "received"])
        if value not in list(values)
    ],
    ids=str,
)
async def test_a_state_outside_the_list_is_refused(store: Store, table: sa.Table, column: str, value: str) -> None:
    """Whatever a bug tries to write."""
    with pytest.raises(Violation):
        await put(store, table, column, value)
    async with store.reading() as tx:
        assert (await ledgers.read(tx, ACCOUNT, ENGAGEMENT)).total == 0


@pytest.mark.parametrize("table", SAMPLES, ids=str)
async def test_what_must_have_a_value_has_one(store: Store, table: sa.Table) -> None:
    """NULL is refused in every column whose field is not optional."""
    async with store.writing() as tx:
        await rows.insert(tx, SAMPLES[table])
    for column in table.c:
        if column.nullable:
            continue
        with pytest.raises(Violation):
            await blank(store, table, column.name)


async def blank(store: Store, table: sa.Table, column: str) -> None:
    """Take the value out of this column."""
    async with store.writing() as tx:
        await tx.run(sa.update(table).values({column: sa.null()}))
