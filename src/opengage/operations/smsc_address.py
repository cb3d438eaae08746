"""Addresses of SMSCs: what a person writes, cut in two and held to what SMPP can carry.

Step 3 of a text's path, long before it: whoever makes an account or a service profile names one.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from opengage.domain.errors import Code, Problem

_LONGEST_SYSTEM_ID: Final = 15
_LONGEST_PASSWORD: Final = 8
"""Octets without the final NUL (SMPP 3.4 sections 5.2.1 and 5.2.2)."""

ID_FORMS: Final = ("exact", "padded", "hex-answers", "hex-receipts")
"""How a network's ids in answers and in receipts may differ: what `?ids=` of an SMSC's address may say."""

_HOST: Final = re.compile(r"[A-Za-z0-9._:-]{1,253}\Z")
"""A host's name or address, as far as one can tell without asking for it."""


class Smsc(msgspec.Struct, frozen=True):
    """smpp://SYSTEM_ID:PASSWORD@HOST:PORT[?ids=FORM] in two: the address without the password, and the password."""

    url: str
    password: str


def read(url: str, problems: list[Problem], pointer: str | None = None) -> Smsc | None:
    """An SMSC's address; what is wrong with it is added to `problems`, at `pointer`."""
    try:
        parts = urlsplit(url)
        port = 2775 if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "smpp" or not parts.username or not port or not _HOST.match(parts.hostname or ""):
        detail = "An SMSC is named as smpp://SYSTEM_ID:PASSWORD@HOST:PORT. Write its address like that."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, pointer))
        return None
    secret = unquote(parts.password or "")
    if not _fits(unquote(parts.username), _LONGEST_SYSTEM_ID) or not _fits(secret, _LONGEST_PASSWORD):
        problems.append(_no_room(pointer))
        return None
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return Smsc(f"smpp://{parts.username}@{host}:{port}{_options(parts.query, problems, pointer)}", secret)


def password(text: str, problems: list[Problem], pointer: str | None = None) -> None:
    """A password that comes by itself is held to what a bind has room for."""
    if not _fits(text, _LONGEST_PASSWORD):
        problems.append(_no_room(pointer))


def _no_room(pointer: str | None) -> Problem:
    detail = (
        f"SMPP has room for a SYSTEM_ID of {_LONGEST_SYSTEM_ID} characters and a password of {_LONGEST_PASSWORD}, "
        "of printable ASCII each. Ask the carrier for credentials that fit."
    )
    return Problem(Code.NOT_ALLOWED_VALUE, detail, pointer)


def _fits(text: str, longest: int) -> bool:
    """Whether a bind can carry it: C-octet strings are ASCII, and a NUL ends them (SMPP 3.4 section 3.1)."""
    return len(text) <= longest and text.isascii() and (not text or text.isprintable())


def _options(query: str, problems: list[Problem], pointer: str | None) -> str:
    """What follows the address: nothing, or the form of the network's ids."""
    given = parse_qsl(query, keep_blank_values=True)
    if not given:
        return ""
    if len(given) > 1 or given[0][0] != "ids" or given[0][1] not in ID_FORMS:
        detail = f"After an SMSC's address only ?ids= may stand, with one of {', '.join(ID_FORMS)}. Correct it."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, pointer))
        return ""
    return f"?ids={given[0][1]}"
