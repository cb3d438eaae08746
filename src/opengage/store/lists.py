"""Records as lists and includes read them: from their table, or from what looks like one.

Beside `rows` (which reads and writes what one intent is about) this reads what a client asks to see.
"""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from opengage.domain.records import Record
from opengage.ids import Id
from opengage.store import list_statements as statements
from opengage.store import rows
from opengage.store.asks import Among, Ask, Compare, Condition
from opengage.store.contract import Rows, Transaction

R = TypeVar("R", bound=Record)

COUNTED: Final = 100_000
"""How far a list is counted: some milliseconds' work."""
REACHED: Final = 128
"""How many records the condition of a large list may lead to."""
NOBODY: Final = Id(bytes(16))
"""An id that nothing has."""
_MANY: Final = 512
"""Ids asked for in one statement, at most."""


class Page(msgspec.Struct, Generic[R], frozen=True):
    """A slice of a list: the records asked for, whether more come after, and the keys of the last one."""

    records: list[R]
    more: bool
    last: tuple[Any, ...] | None


async def find_many(tx: Transaction, record: type[R], account_id: int, ids: Sequence[Id]) -> dict[Id, R]:
    """The records of these ids that exist in this account."""
    return await rows.find_many(tx, record, account_id, ids, statements.select_many)


class TooBroad(Exception):
    """A condition leads to more records than a large list is looked through for."""


async def page(tx: Transaction, record: type[R], account_id: int, ask: Ask) -> Page[R]:
    """The records of the account that fit, in order."""
    shapes = tuple(statements.shape_of(condition) for condition in ask.conditions)
    spread = _spread(ask, shapes) if ask.is_large and ask.among is None else None
    after = ask.after is not None
    start = {f"after_{place}": key for place, key in enumerate(ask.after or ())} or {"page_offset": ask.offset}
    if spread is None:
        statement = statements.select_page(record, shapes, ask.keys, after=after, among=_anybody(ask.among))
    else:
        statement = statements.select_spread(record, shapes, spread, ask.keys[0], after=after)
        start["spread_limit"] = ask.limit + 1 + (0 if after else ask.offset)
    values = statements.bound(ask.conditions) | _somebody(ask.among)
    found = await tx.rows(statement, account_id=account_id, page_limit=ask.limit + 1, **start, **values)
    width, more = len(record.__struct_fields__), len(found) > ask.limit
    shown = found[: ask.limit]
    return Page([rows.from_row(record, row[:width]) for row in shown], more, _last(record, ask, shown, width))


def _anybody(among: Among | None) -> Among | None:
    """A table of pairs without the id that is asked for: the same statement serves for all."""
    return None if among is None else msgspec.structs.replace(among, id=None)


def _somebody(among: Among | None) -> dict[str, Any]:
    return {} if among is None else {"among_id": among.id}


def _spread(ask: Ask, shapes: Sequence[statements.Shape]) -> int | None:
    """The condition whose values must each be walked by itself."""
    for number, shape in enumerate(shapes):
        several = shape.compare is Compare.EQ and not shape.negated and not shape.hops and shape.count > 1
        if several and shape.column != "id" and not shape.absent and len(ask.keys) == 1:
            return number
    return None


async def resolved(tx: Transaction, account_id: int, ask: Ask) -> Ask:
    """The ask of a large list with what its conditions lead to looked up first. Raises TooBroad."""
    return msgspec.structs.replace(
        ask, conditions=tuple([await _resolved(tx, account_id, condition) for condition in ask.conditions])
    )


async def _resolved(tx: Transaction, account_id: int, condition: Condition) -> Condition:
    if not condition.hops or condition.negated:
        return condition
    hop, *rest = condition.hops
    there = msgspec.structs.replace(condition, hops=tuple(rest))
    found = await tx.rows(
        statements.select_reached(hop, statements.shape_of(there)),
        account_id=account_id,
        reached_limit=REACHED + 1,
        **statements.bound([there]),
    )
    if len(found) > REACHED:
        raise TooBroad
    return Condition(hop.mine, tuple(row[0] for row in found) or (NOBODY,))


def _last(record: type[R], ask: Ask, shown: Rows, width: int) -> tuple[Any, ...] | None:
    """The keys of the last record, in the types that they are compared in (a database may give a boolean as 0 or 1)."""
    if not shown:
        return None
    kinds = statements.kinds(record, ask.keys)
    return tuple(kind(key) for kind, key in zip(kinds, shown[-1][width:], strict=True))


async def led_back(
    tx: Transaction, record: type[R], account_id: int, column: str, ids: Sequence[Id], conditions: Sequence[Condition]
) -> list[R]:
    """All records whose `column` holds one of these ids, and that fit: for relationships known to be short."""
    found: list[R] = []
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _MANY):
        asked = (Condition(column, tuple(wanted[start : start + _MANY])), *conditions)
        statement = statements.select_every(record, tuple(map(statements.shape_of, asked)))
        read = await tx.rows(statement, account_id=account_id, **statements.bound(asked))
        found += [rows.from_row(record, row) for row in read]
    return found


async def count(
    tx: Transaction,
    record: type[Record],
    account_id: int,
    conditions: Sequence[Condition],
    among: Among | None = None,
) -> int | None:
    """How many of the account's records fit; None for more than COUNTED."""
    statement = statements.select_count(record, tuple(map(statements.shape_of, conditions)), _anybody(among))
    values = statements.bound(conditions) | _somebody(among)
    found = await tx.rows(statement, account_id=account_id, count_limit=COUNTED + 1, **values)
    counted = int(found[0][0])
    return None if counted > COUNTED else counted
