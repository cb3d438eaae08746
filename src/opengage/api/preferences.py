"""What a client would rather have (RFC 7240, `Prefer`). Step 1 of a text's path."""

from collections.abc import Mapping, Sequence
from typing import Final

APPLIED: Final[Mapping[str, str]] = {"preference-applied": "return=minimal"}
"""What an answer says that honoured the wish."""


def wants_minimal(headers: Sequence[str]) -> bool:
    """Whether the client prefers counts to the resources themselves: the first `return` that it names counts."""
    for part in ",".join(headers).split(","):
        name, _, value = part.partition(";")[0].partition("=")
        if name.strip().lower() == "return":
            return value.strip().strip('"').lower() == "minimal"
    return False
