"""What tables are made of: the metadata that they join, and the columns that they share."""

from enum import StrEnum
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)


def id_(name: str = "id", *, null: bool = False, key: bool = False) -> sa.Column[Any]:
    """An identity: 16 bytes of UUIDv7."""
    return sa.Column(name, sa.LargeBinary(16), nullable=null, primary_key=key)


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    """Some text."""
    return sa.Column(name, sa.Text, nullable=null)


def whole(name: str, *, null: bool = False) -> sa.Column[Any]:
    """A whole number: a count, seconds, or an instant in microseconds."""
    return sa.Column(name, sa.BigInteger, nullable=null)


def boolean(name: str) -> sa.Column[Any]:
    """Yes or no."""
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False)


def account(*, key: bool = True) -> sa.Column[Any]:
    """The account that leads every key."""
    return sa.Column("account_id", sa.BigInteger, primary_key=key, autoincrement=False)


def times() -> list[sa.Column[Any]]:
    """When it was made and last changed."""
    return [whole("created_at"), whole("updated_at")]


def authors() -> list[sa.Column[Any]]:
    """Which members did that."""
    return [id_("created_by"), id_("updated_by")]


def one_of(column: str, values: type[StrEnum]) -> sa.CheckConstraint:
    """The CHECK that a column holds one of a closed list."""
    # SQLite builds an IN list anew for each row it checks, at 14 µs; a chain of comparisons costs next to nothing
    return sa.CheckConstraint(" OR ".join(f"{column} = '{value.value}'" for value in values), name=column)


CHANGING = {
    # room on each page for the next versions of its rows, which then need no new entry in any index (HOT)
    "fillfactor": 75,
    # a fifth of ten million rows would be too long a wait for the vacuum, and for statistics
    "autovacuum_vacuum_scale_factor": 0.02,
    "autovacuum_analyze_scale_factor": 0.02,
}
"""How PostgreSQL keeps a table whose rows change several times soon after they were written."""


SETTINGS = "settings"
"""What of a table's `info` holds the statements that set how PostgreSQL keeps it, for the revision that brings them."""


def with_roomy_indexes(changing: sa.Table) -> None:
    """Have PostgreSQL fill pages of a table's whole indexes by half at first.

    Each row moves out of a partial index once, and then gets a second entry in every other one, beside its first. On
    full pages that takes a look for entries of the dead, and then a split, so that the index ends no smaller.
    """
    partial = {index.name for index in changing.indexes if index.dialect_options["postgresql"]["where"] is not None}
    names = [changing.primary_key.name, *sorted({index.name for index in changing.indexes} - partial, key=str)]
    _set(changing, *(f"ALTER INDEX {name} SET (fillfactor = 50)" for name in names))


def lightly_sampled(vast: sa.Table) -> None:
    """Have PostgreSQL look at 3,000 rows of a table for its statistics, not at 30,000.

    A blast asks for them again and again, each time for a quarter of a second of its processor, and no plan of ours
    needs more than to know which values are frequent.
    """
    columns = ", ".join(f"ALTER COLUMN {column.name} SET STATISTICS 10" for column in vast.columns)
    _set(vast, f"ALTER TABLE {vast.name} {columns}")


def _set(table: sa.Table, *statements: str) -> None:
    """Have PostgreSQL keep a table in this way from its creation on."""
    table.info[SETTINGS] = [*table.info.get(SETTINGS, ()), *statements]
    for statement in statements:
        setting = sa.DDL(statement).execute_if(dialect="postgresql")  # type: ignore[no-untyped-call]
        sa.event.listen(table, "after_create", setting)


def table(name: str, *columns: Any, **options: Any) -> sa.Table:
    """A table of records, keyed by account and id.

    On SQLite it keeps its hidden rowid: wide rows are then rewritten in place, a third cheaper than WITHOUT ROWID.
    """
    return sa.Table(name, metadata, account(), id_(key=True), *times(), *columns, **options)
