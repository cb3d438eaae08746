"""Cursors: where a page ended, as text that only this server reads.

A cursor says nothing that its client may not know, so it is not signed; it is checked like any other parameter.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from opengage.jsonapi.faults import DocumentError, Fault, FaultKind

_ID_BYTES: Final = 16
_LONGEST: Final = 4096
_WHOLE: Final = 2**63
_WRITTEN: Final[Mapping[type, type]] = {bytes: str}
"""Types that stand in a cursor as another one: ids that a relationship leads to, in hex."""


class _Cursor(msgspec.Struct, array_like=True):
    order: str
    keys: list[str | int | float | bool]
    id: str


def write(order: str, keys: Sequence[Any]) -> str:
    """The cursor behind these keys, the id last; `order` is the text of the order that they belong to."""
    *most, last = keys
    cursor = _Cursor(order, [key.hex() if isinstance(key, bytes) else key for key in most], last.hex())
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read(text: str, order: str, kinds: Sequence[type]) -> tuple[Any, ...]:
    """The keys behind which the page begins. `kinds` are the types of those before the id.

    Raises DocumentError for what is no cursor, or one of another order.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        padded = text + "=" * (-len(text) % 4)
        cursor = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=_Cursor)
        last = bytes.fromhex(cursor.id)
        keys = [_key(key, kind) for key, kind in zip(cursor.keys, kinds, strict=False)]
        fitting = [type(key) for key in cursor.keys] == [_WRITTEN.get(kind, kind) for kind in kinds]
        fitting = fitting and len(last) == _ID_BYTES
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise _refusal("“page[after]” is no cursor. Take it from the “next” link, or leave it empty.") from None
    if not fitting or cursor.order != order:
        raise _refusal("The cursor belongs to another order. Begin again with an empty “page[after]”.")
    return (*keys, last)


def _key(sent: str | float, kind: type) -> Any:
    """A key as the database compares it. Raises ValueError for one that no database has."""
    if (isinstance(sent, str) and "\0" in sent) or (isinstance(sent, int) and not -_WHOLE <= sent < _WHOLE):
        raise ValueError(sent)
    return bytes.fromhex(sent) if kind is bytes and isinstance(sent, str) else sent


def _refusal(detail: str) -> DocumentError:
    return DocumentError(Fault(FaultKind.PARAMETER, detail, parameter="page[after]"))
