"""What the API is told and what it answers, as the client's caller sees it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Identifier(msgspec.Struct, frozen=True):
    """Which resource a relationship points at."""

    type: str
    id: str


class Relationship(msgspec.Struct, frozen=True):
    """One identifier, several, or none; one that is only an address has no `data`."""

    data: Identifier | list[Identifier] | None = None


class Resource(msgspec.Struct, frozen=True):
    """A resource as it was answered."""

    type: str
    id: str
    attributes: dict[str, Any] = {}
    relationships: dict[str, Relationship] = {}

    def related(self, name: str) -> Identifier | None:
        """What a to-one relationship points at."""
        relationship = self.relationships.get(name)
        return relationship.data if relationship and isinstance(relationship.data, Identifier) else None


class Recipient(msgspec.Struct, frozen=True):
    """One envelope to be: a number in E.164, and the values of the template's merge fields."""

    phone_number: str
    meta: Mapping[str, str | int | float | bool] = {}


class Ledger(msgspec.Struct, frozen=True):
    """Where every envelope of an engagement stands, by status and by reason."""

    total: int
    pending: int
    processing: int
    hold: int
    complete: int
    incomplete: int
    reasons: dict[str, int]

    @property
    def open(self) -> int:
        """Envelopes whose fate is not known yet."""
        return self.pending + self.processing + self.hold

    @property
    def is_balanced(self) -> bool:
        """Whether every envelope is in exactly one status, and every one that has a reason is in the reasons."""
        return (
            self.total == self.open + self.complete + self.incomplete
            and sum(self.reasons.values()) == self.total - self.pending
        )


class Source(msgspec.Struct, frozen=True):
    """Where in the request the fault is."""

    pointer: str | None = None
    parameter: str | None = None


class ErrorObject(msgspec.Struct, frozen=True):
    """One fault; `code` is the whole number that docs/reference/errors.md explains."""

    detail: str
    title: str = ""
    code: int = 0
    status: str = ""
    source: Source | None = None

    @property
    def pointer(self) -> str | None:
        """The place in the body, such as /data/17/attributes/phone-number."""
        return self.source.pointer if self.source else None

    def __str__(self) -> str:
        """As one line for people."""
        place = (self.source.pointer or self.source.parameter) if self.source else None
        return f"{place}: {self.detail}" if place else self.detail


class ApiError(Exception):
    """The API refused, or did not answer.

    `status` is that of the answer, 0 when none came. `errors` is never empty; the API tells at most 100 of them and
    `total` counts all.
    """

    def __init__(self, status: int, errors: Sequence[ErrorObject], total: int | None = None) -> None:
        self.status = status
        self.errors = tuple(errors)
        self.total = total or len(self.errors)
        super().__init__(status, errors)

    def __str__(self) -> str:
        """The first fault, and how many more there are."""
        more = f" (and {self.total - 1} more)" if self.total > 1 else ""
        return f"{self.status or 'no answer'}: {self.errors[0]}{more}"


class OneDocument(msgspec.Struct, frozen=True):
    """An answer with one resource."""

    data: Resource


class Meta(msgspec.Struct, frozen=True):
    """What an answer counts."""

    total: int | None = None


class ManyDocument(msgspec.Struct, frozen=True):
    """An answer with resources; `meta.total` counts those of all pages."""

    data: list[Resource]
    meta: Meta = Meta()


class ErrorsDocument(msgspec.Struct, frozen=True):
    """A refusal."""

    errors: list[ErrorObject]
    meta: Meta = Meta()
