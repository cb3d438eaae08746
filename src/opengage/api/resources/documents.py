"""Resources and what goes with them, as the parts of a document.

Includes are read level by level: every relationship of every level costs a few statements, whatever the page's size.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from opengage.api.resources.asking import Tree, Wanted, inverse_column, shown
from opengage.api.resources.registry import BY_TYPE
from opengage.api.resources.resource import Resource, Through
from opengage.ids import Id, from_wire, to_wire
from opengage.jsonapi.document import Answer, LinkedMany, one
from opengage.jsonapi.query import Fields, Selection, include_paths
from opengage.jsonapi.request import Identifier
from opengage.operations.actors import Actor
from opengage.store import lists
from opengage.store.asks import Condition
from opengage.store.contract import Transaction

Anything = Resource[Any, Any]
Key = tuple[str, str]


class Reader(msgspec.Struct, frozen=True):
    """For whom a document is made, and what every link in it begins with."""

    account_id: int
    base: str
    actor: Actor | None = None
    """None for the account itself, which may read everything that it has."""

    def require(self, resource: Anything) -> None:
        """Raise Forbidden unless this resource may be read."""
        if self.actor is not None and resource.require is not None:
            resource.require(self.actor)

    def only(self, resource: Anything) -> Mapping[str, Any]:
        """What the fields of a record equal when it is one that may be seen."""
        return resource.seen(self.actor) if self.actor is not None and resource.seen is not None else {}

    def seen(self, resource: Anything, records: Sequence[Any]) -> list[Any]:
        """Those of these records that may be seen."""
        only = self.only(resource).items()
        return [each for each in records if all(getattr(each, name) == value for name, value in only)]


class Parts(msgspec.Struct, frozen=True):
    """The primary resources of a document and what is included; None when nothing was asked for."""

    primary: list[Answer]
    included: list[Answer] | None


async def document(tx: Transaction, reader: Reader, resource: Anything, id_: Id, include: str | None) -> bytes | None:
    """The document of one resource with the includes that a callback wants; None when it is not there any more.

    Raises DocumentError for includes that are not offered.
    """
    wanted = shown(resource, Selection(None if include is None else include_paths(include)))
    found = await lists.find_many(tx, resource.record, reader.account_id, [id_])
    if id_ not in found:
        return None
    made = await parts(tx, reader, resource, [found[id_]], wanted)
    return one(made.primary[0], included=made.included)


async def parts(tx: Transaction, reader: Reader, resource: Anything, records: Sequence[Any], wanted: Wanted) -> Parts:
    """The parts of a document of these records. Raises Forbidden for includes that may not be read."""
    found = await resource.show(tx, reader.account_id, records)
    primary = [resource.answer(reader.base, each) for each in found]
    if wanted.tree is None and not wanted.fields:
        return Parts(primary, None)
    includes = _Includes(tx, reader)
    await includes.follow(resource, primary, wanted.tree or {})
    own = {(each.type, each.id) for each in primary}
    beside = [each for key, each in includes.found.items() if key not in own]
    return Parts(
        [_cut(each, includes.linkage, wanted.fields) for each in primary],
        None if wanted.tree is None else [_cut(each, includes.linkage, wanted.fields) for each in beside],
    )


def equal(reader: Reader, resource: Anything) -> tuple[Condition, ...]:
    """What every list of a resource must fit for this reader."""
    asked = {**resource.equal, **reader.only(resource)}
    return tuple(Condition(column, (value,)) for column, value in asked.items())


class _Includes:
    """What has been found so far, and the linkage of relationships that only told an address."""

    def __init__(self, tx: Transaction, reader: Reader) -> None:
        self._tx = tx
        self._reader = reader
        self.found: dict[Key, Answer] = {}
        self.linkage: dict[Key, dict[str, LinkedMany]] = {}

    async def follow(self, resource: Anything, answers: Sequence[Answer], tree: Tree) -> None:
        """Include what the relationships in `tree` lead to from these resources of one type."""
        for name, branch in tree.items():
            relationship = resource.relationships[name]
            led = BY_TYPE[relationship.target]
            self._reader.require(led)
            if isinstance(relationship, Through):
                records = await self._led_back(led, relationship, name, answers)
            else:
                records = await self._linked(led, name, answers)
            found = await led.show(self._tx, self._reader.account_id, records)
            reached = [led.answer(self._reader.base, each) for each in found]
            for each in reached:
                self.found.setdefault((each.type, each.id), each)
            await self.follow(led, reached, branch)

    async def _linked(self, led: Anything, name: str, answers: Sequence[Answer]) -> list[Any]:
        """The records that linkage names, each once, in the order of its first mention."""
        ids = list(dict.fromkeys(id_ for each in answers for link in linked(each, name) if (id_ := from_wire(link.id))))
        found = await lists.find_many(self._tx, led.record, self._reader.account_id, ids)
        return self._reader.seen(led, [found[id_] for id_ in ids if id_ in found])

    async def _led_back(self, led: Anything, relationship: Through, name: str, answers: Sequence[Answer]) -> list[Any]:
        """The records that lead back, which the linkage of those that they lead to then names."""
        column = inverse_column(led, relationship)
        owners: dict[Id, Answer] = {id_: each for each in answers if (id_ := from_wire(each.id))}
        conditions = equal(self._reader, led)
        records = await lists.led_back(self._tx, led.record, self._reader.account_id, column, list(owners), conditions)
        named: dict[Id, list[Identifier]] = {id_: [] for id_ in owners}
        for record in records:
            named[getattr(record, column)].append(Identifier(led.type, to_wire(record.id)))
        for id_, links in named.items():
            owner = owners[id_]
            address = getattr(owner.relationships, struct_name(name)).links
            self.linkage.setdefault((owner.type, owner.id), {})[name] = LinkedMany(address, tuple(links))
        return records


def linked(answer: Answer, name: str) -> Iterator[Identifier]:
    """The identifiers that a relationship of a resource holds."""
    data = getattr(answer.relationships, struct_name(name)).data
    yield from (data,) if isinstance(data, Identifier) else data or ()


def struct_name(name: str) -> str:
    """The name that a relationship has in the struct that it is answered with."""
    return name.replace("-", "_")


def _cut(answer: Answer, linkage: dict[Key, dict[str, LinkedMany]], fields: Fields) -> Answer:
    """A resource with the members that were asked for, and with the linkage that its includes need."""
    more, wanted = linkage.get((answer.type, answer.id)), fields.get(answer.type)
    if more is None and wanted is None:
        return answer
    attributes, relationships = _members(answer.attributes), _members(answer.relationships) | (more or {})
    if wanted is not None:
        attributes = {name: value for name, value in attributes.items() if name in wanted}
        relationships = {name: value for name, value in relationships.items() if name in wanted}
    return Answer(answer.type, answer.id, attributes or msgspec.UNSET, relationships or msgspec.UNSET)


def _members(structure: Any) -> dict[str, Any]:
    if not isinstance(structure, msgspec.Struct):
        return {}
    return {field.encode_name: getattr(structure, field.name) for field in msgspec.structs.fields(structure)}
