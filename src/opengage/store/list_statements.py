"""Asks as statements of SQLAlchemy Core that both databases run.

A statement is built once per shape (everything of an ask but its values) and compiled once per database.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.domain import records
from opengage.store import rows, text_messages, text_templates
from opengage.store.asks import Among, Compare, Condition, Hop, Order, RecordClass
from opengage.store.patterns import matches
from opengage.store.tables import metadata

_ELSEWHERE: Final[Mapping[RecordClass, sa.FromClause]] = {records.TextMessage: text_messages.ALL}
"""Records that are more than the rows of their own table."""

_BY_ID: Final[Mapping[RecordClass, sa.FromClause]] = {records.TextTemplate: text_templates.ALL}
"""Records of which more can be found by id than lists show."""

_SHAPES: Final = 1024
"""Statements that are kept: a client that asks for ever new combinations must not fill the memory."""

_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account_id")
_LEAST: Final[Sequence[tuple[type[Any], Any]]] = (
    (sa.Text, ""),
    (sa.Boolean, False),
    (sa.Float, -1e308),
    (sa.LargeBinary, b""),
)
_LEAST_WHOLE: Final = -(2**63)


class Shape(msgspec.Struct, frozen=True):
    """A condition without its values: how many there are, and whether none is among them."""

    column: str
    compare: Compare
    negated: bool
    hops: tuple[Hop, ...]
    count: int
    absent: bool
    first: int = 0
    """Which of the condition's values is the first of these."""


def source(record: RecordClass) -> sa.FromClause:
    """Where the records of a class are read from."""
    return _ELSEWHERE.get(record, rows.TABLES[record])


def kinds(record: RecordClass, keys: Sequence[Order]) -> list[type]:
    """The Python types of the values of these keys."""
    reached = [source(key.hops[-1].record if key.hops else record).c[key.column] for key in keys]
    return [column.type.python_type for column in reached]


def shape_of(condition: Condition) -> Shape:
    """What tells the statement of a condition from another's."""
    given = len(_given(condition))
    return Shape(
        condition.column,
        condition.compare,
        condition.negated,
        condition.hops,
        _padded(given) if condition.compare is Compare.EQ else given,
        None in condition.values,
    )


def bound(conditions: Sequence[Condition]) -> dict[str, Any]:
    """The parameters that the values of these conditions become."""
    found: dict[str, Any] = {}
    for number, condition in enumerate(conditions):
        given = _given(condition)
        if condition.compare is Compare.EQ and given:
            given += given[-1:] * (_padded(len(given)) - len(given))
        found |= {_name(number, place): value for place, value in enumerate(given)}
    return found


def _given(condition: Condition) -> list[Any]:
    return [value for value in condition.values if value is not None]


def _padded(count: int) -> int:
    """The next power of two, so that only a few statements are ever compiled."""
    return 1 << (count - 1).bit_length() if count else 0


def _name(number: int, place: int) -> str:
    return f"c{number}_{place}"


@lru_cache(maxsize=_SHAPES)
def select_page(
    record: RecordClass, shapes: tuple[Shape, ...], keys: tuple[Order, ...], *, after: bool, among: Among | None = None
) -> sa.Select[Any]:
    """A page: the record's columns, then the keys of the order. `after` begins it behind keys, not at an offset."""
    read = source(record)
    joined, keyed = _joined(read, keys, among)
    statement = _selected(record, read, *(key.label(f"k{place}") for place, key in enumerate(keyed)))
    statement = statement.select_from(joined).limit(sa.bindparam("page_limit"))
    if not after:
        statement = statement.offset(sa.bindparam("page_offset"))
    if among is None and _is_by_id(keys):
        return _by_id(statement, read, shapes, keys[0], after=after)
    statement = statement.where(*_where(read, shapes), *_paired(among))
    statement = statement.order_by(*(_directed(expression, key) for key, expression in zip(keys, keyed, strict=True)))
    return statement.where(_beyond(keys, keyed)) if after else statement


def _is_by_id(keys: tuple[Order, ...]) -> bool:
    return len(keys) == 1 and keys[0].column == "id" and not keys[0].hops


def _along(read: sa.FromClause, shapes: tuple[Shape, ...]) -> int | None:
    """The condition along whose column an index has what fits by id; None without any.

    Of several indexes it is the one that more conditions narrow down. Where one ends with the last of two columns, the
    records that share both are few, and are sorted.
    """
    given = {shape.column: number for number, shape in enumerate(shapes) if _is_one_value(shape)}
    found: list[tuple[int, bool, int]] = []
    for index in _whole_indexes(read):
        names = [column.name for column in index.columns][1:]  # the first one is the account
        fixed = list(takewhile(given.__contains__, names))
        if fixed and (names[len(fixed) :][:1] == ["id"] or len(fixed) == len(names) > 1):
            is_choosy = not isinstance(index.columns[len(fixed)].type, sa.Boolean)
            found.append((len(fixed), is_choosy, given[fixed[-1]]))
    return max(found)[-1] if found else None


def _is_one_value(shape: Shape) -> bool:
    is_equal = shape.compare is Compare.EQ and not shape.negated and not shape.hops
    return is_equal and shape.count == 1 and not shape.absent


def _whole_indexes(read: sa.FromClause) -> list[sa.Index]:
    """The indexes of a table that leave no row out."""
    table = read.element if isinstance(read, sa.Alias) else read
    indexes = table.indexes if isinstance(table, sa.Table) else ()
    return [index for index in indexes if index.dialect_options["postgresql"]["where"] is None]


def _by_id(
    statement: sa.Select[Any], read: sa.FromClause, shapes: tuple[Shape, ...], key: Order, *, after: bool
) -> sa.Select[Any]:
    """What fits, by id, along the index that fits best.

    PostgreSQL takes a column that equals something for no order. Where it expects most records to fit, it would walk
    along all ids instead, and through whatever does not fit before the first that does. A range of one value, in the
    order of the column and the id, is what only that column's index gives.
    """
    walked = _along(read, shapes)
    id_ = read.c.id
    if walked is None:
        statement = statement.where(*_where(read, shapes), *([_beyond((key,), [id_])] if after else []))
        return statement.order_by(_directed(id_, key))
    column = read.c[shapes[walked].column]
    value = sa.bindparam(_name(walked, shapes[walked].first), type_=column.type)
    fitting = [column >= value, column <= value]
    if after:
        here, mark = sa.tuple_(column, id_), sa.tuple_(value, sa.bindparam("after_0", type_=id_.type))
        fitting = [column >= value, here < mark] if key.descending else [column <= value, here > mark]
    rest = [_clause(read, number, shape) for number, shape in enumerate(shapes) if number != walked]
    statement = statement.where(read.c.account_id == _ACCOUNT, *fitting, *rest)
    return statement.order_by(_directed(column, key), _directed(id_, key))


@lru_cache(maxsize=_SHAPES)
def select_spread(
    record: RecordClass, shapes: tuple[Shape, ...], spread: int, key: Order, *, after: bool
) -> sa.Select[Any]:
    """A page of a large list by id, where the condition `spread` has several values.

    An index finds each value's records in order, but not those of all of them: so that no database looks at every
    record or sorts a million, the first of each value are taken (as many as the page could need) and merged.
    """
    read = source(record)
    inner = read.alias("spread")
    branches = []
    for place in range(shapes[spread].count):
        one = msgspec.structs.replace(shapes[spread], count=1, first=place)
        mine = (*shapes[:spread], one, *shapes[spread + 1 :])
        first = _by_id(sa.select(inner.c.id).limit(sa.bindparam("spread_limit")), inner, mine, key, after=after)
        branches.append(sa.select(first.subquery().c.id))
    statement = _selected(record, read, read.c.id.label("k0"))
    statement = statement.where(read.c.account_id == _ACCOUNT, read.c.id.in_(sa.union_all(*branches)))
    statement = statement.order_by(_directed(read.c.id, key)).limit(sa.bindparam("page_limit"))
    return statement if after else statement.offset(sa.bindparam("page_offset"))


@lru_cache(maxsize=_SHAPES)
def select_reached(hop: Hop, shape: Shape) -> sa.Select[Any]:
    """What `mine` of a hop may be, for a condition on what it leads to."""
    there = source(hop.record)
    reached = there.c[hop.theirs]
    where = (there.c.account_id == _ACCOUNT, _reached(there, 0, shape, shape.hops))
    return sa.select(reached).where(*where).distinct().limit(sa.bindparam("reached_limit"))


@lru_cache(maxsize=_SHAPES)
def select_every(record: RecordClass, shapes: tuple[Shape, ...]) -> sa.Select[Any]:
    """All that fit, by id."""
    read = source(record)
    return _selected(record, read).where(*_where(read, shapes)).order_by(read.c.id)


@lru_cache(maxsize=_SHAPES)
def select_count(record: RecordClass, shapes: tuple[Shape, ...], among: Among | None = None) -> sa.Select[Any]:
    """How many fit, counted no further than `count_limit`."""
    read = source(record)
    joined, (counted,) = _joined(read, (Order("id"),), among)
    fitting = sa.select(counted).select_from(joined).where(*_where(read, shapes), *_paired(among))
    some = fitting.limit(sa.bindparam("count_limit")).subquery()
    return sa.select(sa.func.count()).select_from(some)


@lru_cache(maxsize=_SHAPES)
def select_many(record: RecordClass, count: int) -> sa.Select[Any]:
    """Those of `count` ids."""
    read = _BY_ID.get(record, source(record))
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"id_{place}") for place in range(count)]
    return _selected(record, read).where(read.c.account_id == _ACCOUNT, read.c.id.in_(wanted))


def _directed(expression: sa.ColumnElement[Any], key: Order) -> sa.ColumnElement[Any]:
    return expression.desc() if key.descending else expression


def _selected(record: RecordClass, read: sa.FromClause, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return sa.select(*(read.c[name] for name in record.__struct_fields__), *more)


def _where(read: sa.FromClause, shapes: tuple[Shape, ...]) -> list[sa.ColumnElement[bool]]:
    return [read.c.account_id == _ACCOUNT, *(_clause(read, number, shape) for number, shape in enumerate(shapes))]


def _clause(read: sa.FromClause, number: int, shape: Shape) -> sa.ColumnElement[bool]:
    """One condition; what it finds nothing to compare with in does not fit, and fits when it is negated."""
    found = _reached(read, number, shape, shape.hops)
    return sa.not_(sa.func.coalesce(found, sa.false())) if shape.negated else found


def _reached(read: sa.FromClause, number: int, shape: Shape, hops: tuple[Hop, ...]) -> sa.ColumnElement[bool]:
    if not hops:
        return _comparison(read.c[shape.column], number, shape)
    there = source(hops[0].record).alias(f"f{number}_{len(hops)}")
    within = sa.select(there.c[hops[0].theirs]).where(
        there.c.account_id == _ACCOUNT, _reached(there, number, shape, hops[1:])
    )
    return read.c[hops[0].mine].in_(within)


def _comparison(column: sa.ColumnElement[Any], number: int, shape: Shape) -> sa.ColumnElement[bool]:
    values: list[sa.BindParameter[Any]] = [
        sa.bindparam(_name(number, shape.first + place), type_=column.type) for place in range(shape.count)
    ]
    if shape.compare is Compare.RANGE:
        return column.between(values[0], values[1])
    if shape.compare is not Compare.EQ:
        return sa.or_(*(_compared(column, shape.compare, value) for value in values))
    some = [column == values[0] if shape.count == 1 else column.in_(values)] if values else []
    return sa.or_(*some, *([column.is_(None)] if shape.absent else []))


def _compared(column: sa.ColumnElement[Any], compare: Compare, value: sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    if compare is Compare.LIKE:
        return matches(column, value)
    if compare is Compare.ILIKE:
        return column.ilike(value, escape="\\")
    found: sa.ColumnElement[bool] = {
        Compare.GT: column > value,
        Compare.GTE: column >= value,
        Compare.LT: column < value,
        Compare.LTE: column <= value,
    }[compare]
    return found


def _paired(among: Among | None) -> list[sa.ColumnElement[bool]]:
    """Only what a table of pairs joins with the id `among_id`."""
    if among is None:
        return []
    pairs = metadata.tables[among.pairs]
    return [pairs.c.account_id == _ACCOUNT, pairs.c[among.mine] == sa.bindparam("among_id")]


def _joined(
    read: sa.FromClause, keys: tuple[Order, ...], among: Among | None
) -> tuple[sa.FromClause, list[sa.ColumnElement[Any]]]:
    """What is read, joined with what the keys lead to; and the keys.

    Where a table of pairs says which, the id is taken from there: its key has them in order.
    """
    joined, keyed = read, list[sa.ColumnElement[Any]]()
    own = read.c.id
    if among is not None:
        pairs = metadata.tables[among.pairs]
        own = pairs.c[among.theirs]
        joined = pairs.join(read, sa.and_(read.c.account_id == pairs.c.account_id, read.c.id == own))
    for place, key in enumerate(keys):
        here = read
        for hop_place, hop in enumerate(key.hops):
            there = source(hop.record).alias(f"s{place}_{hop_place}")
            met = sa.and_(there.c.account_id == _ACCOUNT, there.c[hop.theirs] == here.c[hop.mine])
            joined, here = joined.outerjoin(there, met), there
        column = own if here is read and key.column == "id" else here.c[key.column]
        keyed.append(sa.func.coalesce(column, _least(column)) if key.hops else column)
    return joined, keyed


def _least(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """What comes before every value of a column: for where a relationship leads nowhere."""
    found = next((least for kind, least in _LEAST if isinstance(column.type, kind)), _LEAST_WHOLE)
    return sa.literal(found, column.type)


def _beyond(keys: tuple[Order, ...], keyed: list[sa.ColumnElement[Any]]) -> sa.ColumnElement[bool]:
    """What comes behind the keys `after_0`, `after_1`, ... in this order."""
    marks: list[sa.BindParameter[Any]] = [
        sa.bindparam(f"after_{place}", type_=expression.type) for place, expression in enumerate(keyed)
    ]
    if len({key.descending for key in keys}) == 1:
        mine, theirs = (keyed[0], marks[0]) if len(keys) == 1 else (sa.tuple_(*keyed), sa.tuple_(*marks))
        return mine < theirs if keys[0].descending else mine > theirs
    steps = []
    for place, (key, expression) in enumerate(zip(keys, keyed, strict=True)):
        equal = [keyed[before] == marks[before] for before in range(place)]
        steps.append(sa.and_(*equal, expression < marks[place] if key.descending else expression > marks[place]))
    return sa.or_(*steps)
