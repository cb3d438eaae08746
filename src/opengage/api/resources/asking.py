"""What a query asks for, in terms of the descriptions: conditions, an order, includes and members.

Whatever a description does not offer is refused, and the refusal names what it does offer.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from opengage.api.resources import cursors, values
from opengage.api.resources.registry import BY_TYPE
from opengage.api.resources.resource import Field, Resource, Through, ToMany, ToOne
from opengage.jsonapi.faults import DocumentError, Fault, FaultKind
from opengage.jsonapi.query import Fields, Path, Query, Selection, Sort, unknown
from opengage.jsonapi.query_filters import Filter, Operator
from opengage.store.asks import Ask, Compare, Condition, Hop, Order
from opengage.store.list_statements import kinds

Anything = Resource[Any, Any]
Tree = dict[str, "Tree"]
"""By relationship, what is to be included of what it leads to."""


class Wanted(msgspec.Struct, frozen=True):
    """What a document is to hold beside its resources, and which members of each; `tree` is None when not asked."""

    tree: Tree | None = None
    fields: Fields = {}


WHOLE: Final = Wanted()


def listed(resource: Anything, query: Query, within: str | None = None) -> tuple[Ask, Wanted]:
    """What the query of a list asks for. Raises DocumentError with everything that is not offered.

    `within` is a path of ids that the list is limited to already, as those that lead back to one resource are.
    """
    faults: list[Fault] = []
    single = _single(query.filters) | ({within} if within else set())
    conditions = tuple(found for each in query.filters if (found := _condition(resource, each, single, faults)))
    order = tuple(key for sent in query.sort if (key := _order(resource, sent, faults)))
    wanted = _wanted(resource, query.selection, faults)
    if resource.is_large and within is None:
        _anchored(query.filters, conditions, faults)
    if faults:
        raise DocumentError(faults)
    ask = Ask(query.limit, query.offset, conditions, order, is_large=resource.is_large)
    if query.after:
        keys = cursors.read(query.after, order_text(query), kinds(resource.record, ask.keys[:-1]))
        ask = msgspec.structs.replace(ask, after=keys)
    return ask, wanted


def shown(resource: Anything, selection: Selection) -> Wanted:
    """What the query of one asks for. Raises DocumentError."""
    faults: list[Fault] = []
    wanted = _wanted(resource, selection, faults)
    if faults:
        raise DocumentError(faults)
    return wanted


def order_text(query: Query) -> str:
    """An order as text: a cursor belongs to the one that it was made for."""
    return ",".join(f"-{key.path}" if key.descending else key.path for key in query.sort)


def inverse_column(led: Anything, relationship: Through) -> str:
    """The field of the target's record that holds the id of the one that is led from."""
    back = led.relationships[relationship.inverse]
    assert isinstance(back, ToOne), "an inverse is a to-one relationship"
    assert back.column is not None, "an inverse is stored"
    return back.column


def includable(resource: Anything) -> list[str]:
    """The relationships whose resources a document may include."""
    return [
        name
        for name, one in resource.relationships.items()
        if one.target in BY_TYPE and (isinstance(one, ToOne | ToMany) or (isinstance(one, Through) and one.includable))
    ]


def filterable(resource: Anything) -> list[str]:
    """Every path that lists can be filtered by, through one relationship at most; there may be more behind those."""
    walked = [
        f"{name}.{path}"
        for name, one in resource.relationships.items()
        if _hop(resource, name)
        for path, field in BY_TYPE[one.target].fields.items()
        if field.within is None
    ]
    return [*resource.filters, *walked]


def sortable(resource: Anything) -> list[str]:
    """Every attribute that lists can be sorted by."""
    walked = [
        f"{name}.{path}"
        for name, one in resource.relationships.items()
        if _sort_hop(resource, name)
        for path in BY_TYPE[one.target].sorts
    ]
    return [*resource.sorts, *walked]


def _hop(resource: Anything, name: str) -> Hop | None:
    """The way along a relationship, when an index finds it."""
    relationship = resource.relationships.get(name)
    led = BY_TYPE.get(relationship.target) if relationship else None
    if led is None:
        return None
    if isinstance(relationship, Through):
        return Hop("id", led.record, inverse_column(led, relationship))
    if isinstance(relationship, ToOne) and relationship.indexed and relationship.column:
        return Hop(relationship.column, led.record)
    return None


def _sort_hop(resource: Anything, name: str) -> Hop | None:
    relationship = resource.relationships.get(name)
    led = BY_TYPE.get(relationship.target) if relationship else None
    if led is None or resource.is_large or not isinstance(relationship, ToOne) or relationship.column is None:
        return None
    return Hop(relationship.column, led.record)


def _field(resource: Anything, path: str, hops: tuple[Hop, ...] = ()) -> tuple[Field, tuple[Hop, ...]] | None:
    """The field that a path leads to, and the way there; None when it is not offered."""
    found = resource.filters.get(path)
    if found is not None:
        return None if hops and found.within else (found, hops)
    name, _, rest = path.partition(".")
    hop = _hop(resource, name)
    return _field(BY_TYPE[resource.relationships[name].target], rest, (*hops, hop)) if hop and rest else None


def _condition(resource: Anything, asked: Filter, single: set[str], faults: list[Fault]) -> Condition | None:
    found = _field(resource, asked.path)
    if found is None:
        offered = [f"filter[{path}]" for path in filterable(resource)]
        faults.append(unknown(asked.parameter, asked.path, offered))
        return None
    field, hops = found
    try:
        compared = values.compared(field, asked)
    except ValueError as error:
        faults.append(_fault(asked.parameter, str(error)))
        return None
    if field.within and field.within not in single:
        noun = field.within.partition(".")[0]
        detail = f"{asked.parameter} works within one {noun}. Add filter[{field.within}]=eq:ID."
        faults.append(_fault(asked.parameter, detail))
        return None
    return Condition(field.column, compared, Compare(asked.operator.value), asked.negated, hops)


def _anchored(filters: Sequence[Filter], conditions: Sequence[Condition], faults: list[Fault]) -> None:
    """A large list is not looked through for what is not so: it is filtered by something that is, too."""
    if any(not condition.negated for condition in conditions):
        return
    for asked in filters:
        if asked.negated and asked.path != "id":
            detail = f"{asked.parameter} may only say what is not so beside a filter that says what is. Add one."
            faults.append(_fault(asked.parameter, detail))


def _single(filters: Sequence[Filter]) -> set[str]:
    """The paths that are filtered to one value, within which others may be offered."""
    return {one.path for one in filters if one.operator is Operator.EQ and not one.negated and len(one.values) == 1}


def _order(resource: Anything, key: Sort, faults: list[Fault]) -> Order | None:
    here, hops, path = resource, list[Hop](), key.path
    while path not in here.sorts:
        name, _, path = path.partition(".")
        hop = _sort_hop(here, name)
        if hop is None or not path:
            faults.append(unknown("sort", key.path, sortable(resource)))
            return None
        hops.append(hop)
        here = BY_TYPE[here.relationships[name].target]
    return Order(here.sorts[path], key.descending, tuple(hops))


def _wanted(resource: Anything, selection: Selection, faults: list[Fault]) -> Wanted:
    tree = None if selection.include is None else _tree(resource, selection.include, faults)
    for type_, members in selection.fields.items():
        _check_members(type_, members, faults)
    return Wanted(tree, selection.fields)


def _tree(resource: Anything, paths: Sequence[Path], faults: list[Fault]) -> Tree:
    tree: Tree = {}
    for path in paths:
        here, branch = resource, tree
        for name in path:
            if name not in includable(here):
                faults.append(unknown("include", ".".join(path), includable(here)))
                break
            branch = branch.setdefault(name, {})
            here = BY_TYPE[here.relationships[name].target]
    return tree


def _check_members(type_: str, members: frozenset[str], faults: list[Fault]) -> None:
    parameter, known = f"fields[{type_}]", BY_TYPE.get(type_)
    if known is None:
        faults.append(unknown(parameter, type_, BY_TYPE))
        return
    offered = [*known.members, *known.relationships]
    faults += [unknown(parameter, member, offered) for member in sorted(members - set(offered))]


def _fault(parameter: str, detail: str) -> Fault:
    return Fault(FaultKind.PARAMETER, detail, parameter=parameter)
