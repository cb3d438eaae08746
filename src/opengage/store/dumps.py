"""Every row of every table, out of one database and into another: what backups and moves are made of.

Rows are read in the order of their keys, a page at a time, within one transaction: a consistent view while others
write. The plain types are the same on both databases but for booleans, which SQLite keeps as numbers.
"""

from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.errors import Conflict
from opengage.store import tables
from opengage.store.contract import Transaction
from opengage.store.dump_format import Page, Unreadable

PAGE: Final = 2000
_PAGE_OF_LARGE: Final = 16
"""Rows of a table whose values may be of any size."""
_SMALL: Final = 1024

HOLDER: Final = "restore"
"""Whoever holds every lane while a restored database is not ready."""
_FOREVER: Final = (1 << 62) - 1
EPOCHS: Final = 1_000_000
"""How far a restored lane's epoch lies above that of the backup: above all that a worker can have taken since."""

# both databases spell it like this
_HOLD_NUMBERS: Final = sa.text(
    "INSERT INTO lanes (account_id, phone_number_id, owner, epoch, expires_at)"
    " SELECT account_id, id, '', 0, 0 FROM phone_numbers WHERE true ON CONFLICT (account_id, phone_number_id)"
    " DO NOTHING"
)
_HOLD: Final = sa.update(tables.lanes).values(
    owner=HOLDER, expires_at=_FOREVER, epoch=tables.lanes.c.epoch + sa.bindparam("epochs")
)
_LET_GO: Final = (
    sa.update(tables.lanes)
    .where(tables.lanes.c.owner == HOLDER)
    .values(owner="", expires_at=0, crashes=0, under_way=sa.null(), unhealthy_since=sa.null(), circuit=sa.null())
)
_LEASED: Final = (
    sa.select(tables.lanes.c.owner).where(tables.lanes.c.expires_at > sa.bindparam("now")).distinct().limit(1)
)


@cache
def _first(table: sa.Table) -> sa.Select[Any]:
    return sa.select(*table.c).order_by(*table.primary_key.columns).limit(sa.bindparam("most"))


@cache
def _after(table: sa.Table) -> sa.Select[Any]:
    key = list(table.primary_key.columns)
    last = sa.tuple_(*(sa.bindparam(f"last_{column.name}", type_=column.type) for column in key))
    return _first(table).where(sa.tuple_(*key) > last)


@cache
def _one(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.literal(1)).select_from(table).limit(1)


def _page_of(table: sa.Table) -> int:
    sizes = [column.type.length for column in table.c if isinstance(column.type, sa.LargeBinary)]
    return PAGE if all(size is not None and size <= _SMALL for size in sizes) else _PAGE_OF_LARGE


def _plain(table: sa.Table, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same rows with booleans as such; what is not known stays so."""
    marked = {place for place, column in enumerate(table.c) if isinstance(column.type, sa.Boolean)}
    if not marked:
        return rows
    return [tuple(bool(v) if place in marked and v is not None else v for place, v in enumerate(row)) for row in rows]


async def pages(tx: Transaction) -> AsyncIterator[Page]:
    """Every row of every table."""
    for name, table in sorted(tables.metadata.tables.items()):
        columns = [str(column.name) for column in table.c]
        places = {column.name: columns.index(column.name) for column in table.primary_key.columns}
        most = _page_of(table)
        rows = await tx.rows(_first(table), most=most)
        while rows:
            yield Page(str(name), columns, _plain(table, rows))
            if len(rows) < most:
                break
            last = {f"last_{key}": rows[-1][place] for key, place in places.items()}
            rows = await tx.rows(_after(table), most=most, **last)


async def require_empty(tx: Transaction) -> None:
    """Raise Conflict when any table has a row."""
    for name, table in sorted(tables.metadata.tables.items()):
        if await tx.rows(_one(table)):
            raise Conflict(
                f"The database to fill is not empty: it has rows in “{name}”. Name an empty one, or a new data folder; "
                "nothing is ever overwritten."
            )


async def load(tx: Transaction, page: Page) -> None:
    """Write the rows of a page. Raises Unreadable for a table or a column that this version does not know."""
    table = tables.metadata.tables.get(page.table)
    unknown = set(page.columns) - set(table.c.keys() if table is not None else ())
    if table is None or unknown:
        raise Unreadable(
            f"The backup's table “{page.table[:60]}” is not as this version knows it. "
            "Restore it with the version that made it, or with a newer one."
        )
    await tx.batches.load(page.table, page.columns, page.rows)


async def hold_lanes(tx: Transaction) -> None:
    """Take every lane away from whoever has it or had it, until `let_go`: nothing leaves meanwhile."""
    await tx.run(_HOLD_NUMBERS)
    await tx.run(_HOLD, epochs=EPOCHS)


async def let_go(tx: Transaction) -> None:
    """Let workers have the lanes."""
    await tx.run(_LET_GO)


async def worker(tx: Transaction) -> str | None:
    """The name of a worker that holds a lane at this moment, None when there is none."""
    found = await tx.rows(_LEASED, now=await tx.now())
    return str(found[0][0]) if found else None


async def unbalanced(tx: Transaction) -> tuple[int, bytes] | None:
    """The first engagement, (account, id), whose ledger is not what its envelopes come to; None when all balance."""
    last: Mapping[str, Any] = {"last_account": -1, "last_id": b""}
    while found := await tx.rows(_ENGAGEMENTS, **last):
        for account_id, id_ in found:
            key = {"account_id": account_id, "engagement_id": id_}
            if sorted(await tx.rows(_KEPT, **key)) != sorted(await tx.rows(_COUNTED, **key)):
                return account_id, id_
        last = {"last_account": found[-1][0], "last_id": found[-1][1]}
    return None


_engagements: Final = tables.engagements.c
_ENGAGEMENTS: Final = (
    sa.select(_engagements.account_id, _engagements.id)
    .where(
        sa.tuple_(_engagements.account_id, _engagements.id)
        > sa.tuple_(sa.bindparam("last_account", type_=sa.BigInteger), sa.bindparam("last_id", type_=sa.LargeBinary))
    )
    .order_by(_engagements.account_id, _engagements.id)
    .limit(PAGE)
)
_KEPT: Final = sa.select(tables.ledger.c.reason, tables.ledger.c.count).where(
    tables.ledger.c.account_id == sa.bindparam("account_id"),
    tables.ledger.c.engagement_id == sa.bindparam("engagement_id"),
    tables.ledger.c.count != 0,
)
_COUNTED: Final = (
    sa.select(tables.envelopes.c.reason, sa.func.count())
    .where(
        tables.envelopes.c.account_id == sa.bindparam("account_id"),
        tables.envelopes.c.engagement_id == sa.bindparam("engagement_id"),
    )
    .group_by(tables.envelopes.c.reason)
)
