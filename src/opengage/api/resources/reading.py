"""One resource, a page of them, and what their relationships lead to, by their descriptions.

Each is read in one transaction, in a number of statements that does not grow with the page.
"""

from typing import Any

import msgspec

from opengage.api.resources import cursors, documents
from opengage.api.resources.asking import WHOLE, Wanted, inverse_column, listed, order_text, shown
from opengage.api.resources.documents import Parts, Reader
from opengage.api.resources.registry import BY_TYPE
from opengage.api.resources.resource import Across, Resource, Through
from opengage.domain.errors import Code, Invalid, NotFound, Problem
from opengage.ids import Id, from_wire
from opengage.jsonapi.document import Answer
from opengage.jsonapi.query import Query, Selection
from opengage.jsonapi.request import Identifier
from opengage.operations.fields import missing
from opengage.store import lists
from opengage.store.asks import Among, Ask, Condition
from opengage.store.contract import Store, Transaction

Anything = Resource[Any, Any]


class Listed(msgspec.Struct, frozen=True):
    """One page of a list."""

    parts: Parts
    total: int | None
    """None for more than anybody counts."""
    more: bool
    cursor: str | None
    """Where the next page begins, when there is one."""


Linkage = Identifier | tuple[Identifier, ...] | None


async def one(store: Store, reader: Reader, resource: Anything, id_: str, selection: Selection) -> Parts:
    """One resource. Raises NotFound, Forbidden, DocumentError."""
    reader.require(resource)
    wanted = shown(resource, selection)
    async with store.reading(is_hot=True) as tx:
        return await _one(tx, reader, resource, from_wire(id_), wanted)


async def page(store: Store, reader: Reader, resource: Anything, query: Query) -> Listed:
    """One page of a list. Raises Forbidden, DocumentError."""
    reader.require(resource)
    ask, wanted = listed(resource, query)
    async with store.reading() as tx:
        return await _page(tx, reader, resource, query, ask, wanted)


async def linkage(store: Store, reader: Reader, resource: Anything, id_: str, name: str) -> Linkage:
    """What a relationship that is told as linkage holds. Raises NotFound, Forbidden."""
    reader.require(resource)
    async with store.reading() as tx:
        found = await _one(tx, reader, resource, from_wire(id_), WHOLE)
    held: Linkage = getattr(found.primary[0].relationships, documents.struct_name(name)).data
    return held


async def related(store: Store, reader: Reader, held: Identifier | None, led: Anything, selection: Selection) -> Parts:
    """What linkage to one leads to, or nothing. Raises NotFound, Forbidden, DocumentError."""
    wanted = shown(led, selection)
    if held is None:
        return Parts([], None if wanted.tree is None else [])
    return await one(store, reader, led, held.id, selection)


async def related_page(store: Store, reader: Reader, resource: Anything, id_: str, name: str, query: Query) -> Listed:
    """A page of what a relationship to many leads to. Raises NotFound, Forbidden, DocumentError."""
    led, relationship = target(resource, name), resource.relationships[name]
    reader.require(resource)
    reader.require(led)
    back = f"{relationship.inverse}.id" if isinstance(relationship, Through) else "id"
    ask, wanted = listed(led, query, back)
    async with store.reading() as tx:
        here = (await _one(tx, reader, resource, from_wire(id_), WHOLE)).primary[0]
        if isinstance(relationship, Across):
            among = Among(relationship.pairs, relationship.mine, relationship.theirs, from_wire(id_))
            return await _page(tx, reader, led, query, msgspec.structs.replace(ask, among=among), wanted)
        if isinstance(relationship, Through):
            condition = Condition(inverse_column(led, relationship), (from_wire(id_),))
        else:
            ids = tuple(found for link in documents.linked(here, name) if (found := from_wire(link.id)))
            if not ids:
                return Listed(Parts([], None if wanted.tree is None else []), 0, more=False, cursor=None)
            condition = Condition("id", ids)
        asked = msgspec.structs.replace(ask, conditions=(condition, *ask.conditions))
        return await _page(tx, reader, led, query, asked, wanted)


async def _one(tx: Transaction, reader: Reader, resource: Anything, id_: Id | None, wanted: Wanted) -> Parts:
    found = await lists.find_many(tx, resource.record, reader.account_id, [id_]) if id_ else {}
    visible = reader.seen(resource, list(found.values()))
    if not visible:
        raise NotFound(missing(resource.noun))
    return await documents.parts(tx, reader, resource, visible, wanted)


async def _page(tx: Transaction, reader: Reader, resource: Anything, query: Query, ask: Ask, wanted: Wanted) -> Listed:
    asked = msgspec.structs.replace(ask, conditions=(*documents.equal(reader, resource), *ask.conditions))
    if asked.is_large:
        asked = await _resolved(tx, reader.account_id, asked)
    found = await lists.page(tx, resource.record, reader.account_id, asked)
    parts = await documents.parts(tx, reader, resource, found.records, wanted)
    total = await _total(tx, reader.account_id, resource, asked)
    cursor = cursors.write(order_text(query), found.last) if found.more and found.last else None
    return Listed(parts, total, found.more, cursor)


async def _resolved(tx: Transaction, account_id: int, ask: Ask) -> Ask:
    try:
        return await lists.resolved(tx, account_id, ask)
    except lists.TooBroad:
        detail = f"The filters lead to more than {lists.REACHED} resources on the way. Filter more narrowly, or by ids."
        raise Invalid([Problem(Code.BAD_PARAMETER, detail, parameter="filter")]) from None


async def _total(tx: Transaction, account_id: int, resource: Anything, ask: Ask) -> int | None:
    """How many fit: as somebody keeps count of, or counted as far as that is cheap."""
    if ask.among is None and all(condition.is_plain for condition in ask.conditions):
        equal = {condition.column: condition.values[0] for condition in ask.conditions}
        known = await resource.total(tx, account_id, equal)
        if known is not None and len(equal) == len(ask.conditions):
            return known
    return await lists.count(tx, resource.record, account_id, ask.conditions, ask.among)


def target(resource: Anything, name: str) -> Anything:
    """What a relationship leads to. Raises NotFound when the resource has no such relationship, or nothing is there."""
    found = resource.relationships.get(name)
    led = BY_TYPE.get(found.target) if found else None
    if led is None:
        offered = [each for each, one in resource.relationships.items() if one.target in BY_TYPE]
        raise NotFound(f"“{name[:40]}” is nothing that can be read here. Use one of {', '.join(offered)}.")
    return led


def identifiers(answers: list[Answer]) -> list[Identifier]:
    """These resources as linkage."""
    return [Identifier(answer.type, answer.id) for answer in answers]
