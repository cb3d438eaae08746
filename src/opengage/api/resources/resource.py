"""The words in which a resource is described.

A description says what cannot be seen elsewhere: which record a resource is made of, how it is shown, where its
relationships lead, and what its lists can be asked for. Nothing in it reads or writes by itself.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

import msgspec

from opengage.domain.records import Record
from opengage.jsonapi.document import Answer
from opengage.operations.actors import Actor
from opengage.store.contract import Transaction

R = TypeVar("R", bound=Record)
S = TypeVar("S")
RecordClass = type[R]
Structure = type[msgspec.Struct]


class Kind(StrEnum):
    """What sort of value a field has, and so how a client's text becomes one."""

    ID = "id"
    TEXT = "text"
    WORD = "word"
    PHONE = "phone"
    WHOLE = "whole"
    NUMBER = "number"
    BOOLEAN = "boolean"
    INSTANT = "instant"


class Field(msgspec.Struct, frozen=True):
    """An attribute that lists can be filtered by. Describe only what an index finds.

    Lists can be sorted by it too when it never lacks a value and `within` is None.
    """

    column: str
    """The field of the record."""
    kind: Kind = Kind.TEXT
    words: frozenset[str] = frozenset()
    """For a WORD: every value that there is."""
    within: str | None = None
    """The path that must be filtered by as well, when only within it there is an index: `engagement.id`."""
    sorts: bool = True


ID: Final = Field("id", Kind.ID)


class ToOne(msgspec.Struct, frozen=True):
    """A relationship to one resource or none, told as linkage."""

    target: str
    column: str | None = None
    """The field of the record that holds the id; None when it is told but not stored there."""
    indexed: bool = False
    """Whether an index finds the records by it: then lists can be filtered by it."""


class ToMany(msgspec.Struct, frozen=True):
    """A relationship to a few resources, told as linkage."""

    target: str


class Through(msgspec.Struct, frozen=True):
    """A relationship to any number of resources, told as an address: those of `target` whose `inverse` leads here."""

    target: str
    inverse: str
    """The name of a to-one relationship of the target, which must have an indexed column."""
    includable: bool = False
    """Whether there are so few for each that a document may include them all."""


class Across(msgspec.Struct, frozen=True):
    """A relationship to any number of resources that a table of pairs joins, told as an address."""

    target: str
    pairs: str
    """The name of the table, whose key is the account, `mine` and `theirs`."""
    mine: str
    """Its column of ids of this resource."""
    theirs: str
    """Its column of ids of the target."""


Relationship = ToOne | ToMany | Through | Across

Show = Callable[[Transaction, int, Sequence[R]], Awaitable[Sequence[S]]]
"""(transaction, account, records) to what is shown of each, in a number of statements that does not grow with them."""

Total = Callable[[Transaction, int, Mapping[str, Any]], Awaitable[int | None]]
"""(transaction, account, fields and what they must equal) to how many there are, where that is known without counting;
None where it is not."""


async def as_it_is(_: Transaction, __: int, records: Sequence[R]) -> Sequence[R]:
    """The `show` of resources whose records are all that there is to show."""
    return records


async def uncounted(_: Transaction, __: int, ___: Mapping[str, Any]) -> int | None:
    """The `total` of resources that nobody keeps count of."""
    return None


class Resource(msgspec.Struct, Generic[R, S], frozen=True):
    """One resource: everything that is read, rendered or documented of it follows from this."""

    type: str
    noun: str
    """What people call one."""
    record: RecordClass[R]
    attributes: Structure
    """What is answered: every member in its order."""
    relationships: Mapping[str, Relationship]
    """By name, in the order in which they are answered."""
    answer: Callable[[str, S], Answer]
    """(what every link begins with, what is shown) to the resource object."""
    show: Show[R, S]
    fields: Mapping[str, Field] = {}
    """The attributes that lists can be filtered by; ids of indexed relationships come by themselves."""
    total: Total = uncounted
    is_large: bool = False
    """Whether it may have millions: then no list of it is sorted by what its relationships lead to."""
    equal: Mapping[str, Any] = {}
    """Fields of the record and what they equal in every list: `{"deleted_at": None}` hides what is deleted."""
    shown_as: str | None = None
    """The type that is answered, when it is another one's: revisions are shown as the templates that they were."""
    seen: Callable[[Actor], Mapping[str, Any]] | None = None
    """Fields of the record and what they equal in all that this member sees; None when every member sees all."""
    require: Callable[[Actor], None] | None = None
    """Raises Forbidden for those who may not read it; None when every member may."""

    @property
    def told_type(self) -> str:
        """The type that its resource objects have."""
        return self.shown_as or self.type

    @property
    def members(self) -> dict[str, str]:
        """The attributes' names on the wire, with those in the struct."""
        return {field.encode_name: field.name for field in msgspec.structs.fields(self.attributes)}

    @property
    def filters(self) -> dict[str, Field]:
        """By path, everything that its lists can be filtered by without a look at another resource."""
        linked = {
            f"{name}.id": Field(found.column, Kind.ID)
            for name, found in self.relationships.items()
            if isinstance(found, ToOne) and found.indexed and found.column
        }
        return {"id": ID} | linked | dict(self.fields)

    @property
    def sorts(self) -> dict[str, str]:
        """By attribute, the field that its lists are sorted by. Ids grow with time: their order is that of creation."""
        known = {name: one.column for name, one in self.fields.items() if one.sorts and one.within is None}
        return {"id": "id"} | known | {"created-at": "id"}
