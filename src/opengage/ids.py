"""Identity: UUIDv7 in the store, 22 characters of base57 on the wire.

The wire form is shortuuid's legacy order, least significant digit first (wire contract, section 3), so it
does not sort by time; the stored form does.
"""

from collections.abc import Callable
from typing import NewType

import uuid_utils

from opengage.clock import Instant

Id = NewType("Id", bytes)
"""The 16 bytes of a UUID, big-endian."""

LAST = Id(b"\xff" * 16)
"""No id is greater."""

NewId = Callable[[], Id]
"""Whatever makes fresh identities; passed in, so that a test can make them predictable."""

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LENGTH = 22

_PAIRS = [low + high for high in ALPHABET for low in ALPHABET]
_BASE = len(ALPHABET)
_BASE_PAIR, _BASE_FOUR, _BASE_TEN = _BASE**2, _BASE**4, _BASE**10
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def new_id() -> Id:
    """A fresh UUIDv7: later ids compare greater, across processes to the millisecond."""
    return Id(uuid_utils.uuid7().bytes)


def floor(instant: Instant) -> Id:
    """An id above which no UUIDv7 was made before `instant`, to the millisecond."""
    return Id(max(0, instant // 1000 + 1).to_bytes(6, "big") + bytes(10))


def made_at(id_: Id) -> Instant:
    """When a UUIDv7 was made, to the millisecond."""
    return Instant(int.from_bytes(id_[:6], "big") * 1000)


def to_wire(value: bytes) -> str:
    """The 22-character form of a stored id."""
    # first into parts that are short numbers: dividing long ones is what takes the time
    rest, low = divmod(int.from_bytes(value, "big"), _BASE_TEN)
    last, high = divmod(rest, _BASE_TEN)
    return f"{_ten(low)}{_ten(high)}{_PAIRS[last]}"


def _ten(number: int) -> str:
    """Ten digits, least significant first."""
    rest, low = divmod(number, _BASE_FOUR)
    last, high = divmod(rest, _BASE_FOUR)
    return (
        f"{_PAIRS[low % _BASE_PAIR]}{_PAIRS[low // _BASE_PAIR]}"
        f"{_PAIRS[high % _BASE_PAIR]}{_PAIRS[high // _BASE_PAIR]}{_PAIRS[last]}"
    )


def from_wire(text: str) -> Id | None:
    """The stored form of a wire id, or None when the text is no id at all."""
    if len(text) != LENGTH:
        return None
    number = 0
    for character in reversed(text):
        value = _VALUES.get(character)
        if value is None:
            return None
        number = number * _BASE + value
    return Id(number.to_bytes(16, "big")) if number < 1 << 128 else None
