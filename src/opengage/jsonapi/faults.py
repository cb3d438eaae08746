"""What can be wrong with a request document or query, before any meaning is looked at.

Step 2 of a text's path (a request becomes a document): every fault names its place and its mending; `api.errors`
decides which answer each becomes.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class FaultKind(StrEnum):
    """What sort of fault it is, for whoever picks codes and answers."""

    MALFORMED = "malformed"
    WRONG_TYPE = "wrong-type"
    REQUIRED = "required"
    CONFLICT = "conflict"
    CLIENT_ID = "client-id"
    TOO_MANY = "too-many"
    PARAMETER = "parameter"


class Fault(msgspec.Struct, frozen=True):
    """One fault: what is wrong and how to mend it, and where it stands."""

    kind: FaultKind
    detail: str
    pointer: str | None = None
    """JSON pointer into the request body."""
    parameter: str | None = None
    """The query parameter at fault."""


class DocumentError(Exception):
    """A request that cannot be read as written; `faults` is never empty."""

    def __init__(self, faults: Fault | Sequence[Fault]) -> None:
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__(self.faults[0].detail)
