"""Answer documents: resources to compact JSON and exactly one newline (wire contract, section 3).

Step 2 of a text's path, on the way back. Members keep the order in which they are declared.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from opengage.jsonapi.request import Identifier

_encode: Final = msgspec.json.Encoder().encode


class One(msgspec.Struct, gc=False, frozen=True):
    """A to-one relationship: always `data`, never links."""

    data: Identifier | None = None


class Many(msgspec.Struct, gc=False, frozen=True):
    """A to-many relationship with its linkage."""

    data: tuple[Identifier, ...] = ()


class Related(msgspec.Struct, gc=False, frozen=True):
    """The address of what is related."""

    related: str


class Linked(msgspec.Struct, gc=False, frozen=True):
    """A to-many relationship that is only an address."""

    links: Related


class LinkedMany(msgspec.Struct, gc=False, frozen=True):
    """A to-many relationship with its address before its linkage."""

    links: Related
    data: tuple[Identifier, ...] = ()


NOTHING: Final = One()
NONE_OF_THEM: Final = Many()


class Answer(msgspec.Struct, gc=False, frozen=True):
    """A resource object of an answer."""

    type: str
    id: str
    attributes: Any | msgspec.UnsetType
    relationships: Any | msgspec.UnsetType = msgspec.UNSET


class Error(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """An error object; `code` is an integer, as on record."""

    status: str
    code: int
    title: str
    detail: str
    source: dict[str, str] | None = None
    links: dict[str, str] | None = None


def to_one(kind: str, id_: str | None) -> One:
    """Linkage to one resource, or null."""
    return NOTHING if id_ is None else One(Identifier(kind, id_))


def linked(address: str) -> Linked:
    """A relationship that is only an address."""
    return Linked(Related(address))


def raw_json(text: str) -> msgspec.Raw:
    """Stored JSON, to be answered as it is."""
    return msgspec.Raw(text.encode())


def resource(answer: Answer) -> bytes:
    """One resource object by itself."""
    return _encode(answer)


def one(answer: Answer | None, *, included: Sequence[Answer] | None = None) -> bytes:
    """A document of one resource, or null; `included` where it is asked for, or on record."""
    if included:
        return _encode({"data": answer, "included": included}) + b"\n"
    tail = b"}\n" if included is None else b',"included":[]}\n'
    return b"".join((b'{"data":', _encode(answer), tail))


def many(resources: Sequence[bytes]) -> bytes:
    """A document of resources that are encoded already, as a bulk request is answered."""
    return b"".join((b'{"data":[', b",".join(resources), b"]}\n"))


def count(number: int) -> bytes:
    """A document that only tells how many resources a bulk request has made."""
    return _encode({"meta": {"count": number}}) + b"\n"


class Identifiers(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """A document of a relationship: its addresses, what it holds, and how many that is when these are a page."""

    links: dict[str, str | None]
    data: Identifier | Sequence[Identifier] | msgspec.UnsetType | None = msgspec.UNSET
    meta: dict[str, int | bool] | msgspec.UnsetType = msgspec.UNSET


def identifiers(found: Identifiers) -> bytes:
    """A document of a relationship."""
    return _encode(found) + b"\n"


class Listing(msgspec.Struct, gc=False, frozen=True):
    """One page of a list, what is included, its links, and how many there are in all."""

    data: Sequence[Answer]
    included: Sequence[Answer] | msgspec.UnsetType
    links: dict[str, str | None]
    meta: dict[str, int | bool]


def listing(page: Listing) -> bytes:
    """A document of one page of a list."""
    return _encode(page) + b"\n"


def errors(shown: Sequence[Error], total: int) -> bytes:
    """An errors document; when not all are shown, `meta.total` counts them."""
    document: dict[str, Any] = {"errors": shown}
    if total > len(shown):
        document["meta"] = {"total": total, "shown": len(shown)}
    return _encode(document) + b"\n"
