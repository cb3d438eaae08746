"""One resource, a page of them, and what their relationships lead to, by their descriptions.

Each is read in one transaction, in a number of statements that does not grow with the page.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from opengage.api.resources.registry import BY_TYPE
from opengage.api.resources.resource import Resource, Through, ToOne
from opengage.domain.errors import NotFound
from opengage.domain.records import Record
from opengage.ids import Id
from opengage.operations.actors import Actor
from opengage.operations.reading import Listed, load
from opengage.store import lists
from opengage.store.contract import Store, Transaction

R = TypeVar("R", bound=Record)
S = TypeVar("S")


async def find(store: Store, actor: Actor, resource: Resource[R, S], id_: Id | None) -> S:
    """What is shown of one. Raises NotFound, Forbidden; None stands for a text that is no id."""
    _require(actor, resource)
    async with store.reading() as tx:
        record = await load(tx, actor, resource.record, id_, resource.noun)
        return (await resource.show(tx, actor.account_id, [record]))[0]


async def find_many(store: Store, actor: Actor, resource: Resource[R, S], ids: list[Id]) -> list[S]:
    """What is shown of those of these ids that exist, in their order."""
    _require(actor, resource)
    async with store.reading() as tx:
        found = await lists.find_many(tx, resource.record, actor.account_id, ids)
        return list(await resource.show(tx, actor.account_id, [found[id_] for id_ in ids if id_ in found]))


async def page(
    store: Store, actor: Actor, resource: Resource[R, S], *, limit: int, offset: int, equal: Mapping[str, Any]
) -> Listed[S]:
    """One page of the actor's resources whose record's fields equal these, oldest first."""
    _require(actor, resource)
    asked = {**resource.equal, **equal}
    async with store.reading() as tx:
        found = await lists.page(tx, resource.record, actor.account_id, limit=limit, offset=offset, equal=asked)
        shown = await resource.show(tx, actor.account_id, found)
        return Listed(shown, await _total(tx, actor, resource, asked))


async def _total(tx: Transaction, actor: Actor, resource: Resource[R, S], equal: Mapping[str, Any]) -> int:
    known = await resource.total(tx, actor.account_id, equal)
    return await lists.count(tx, resource.record, actor.account_id, equal) if known is None else known


def _require(actor: Actor, resource: Resource[R, S]) -> None:
    if resource.require is not None:
        resource.require(actor)


def target(resource: Resource[Any, Any], name: str) -> Resource[Any, Any]:
    """What a relationship leads to. Raises NotFound when the resource has no such relationship, or nothing is there."""
    found = resource.relationships.get(name)
    led = BY_TYPE.get(found.target) if found else None
    if led is None:
        offered = [each for each, one in resource.relationships.items() if one.target in BY_TYPE]
        raise NotFound(f"“{name[:40]}” is nothing that can be read here. Use one of {', '.join(offered)}.")
    return led


def inverse_column(led: Resource[Any, Any], relationship: Through) -> str:
    """The field of the target's record that holds the id of the one that is led from."""
    back = led.relationships[relationship.inverse]
    assert isinstance(back, ToOne), "an inverse is a to-one relationship"
    assert back.column is not None, "an inverse is stored"
    return back.column
