"""What some settings may be, those that are more than a number or a name: from what a source holds to the value.

Above the text's path. Each raises ValueError with what is expected.
"""

import base64
from collections.abc import Callable
from ipaddress import ip_network
from urllib.parse import urlsplit


def text(value: object) -> str:
    """Some text."""
    if not isinstance(value, str) or not value:
        raise ValueError("expected some text")
    return value


def networks(value: object) -> str:
    """Networks parted by commas, as text."""
    try:
        [ip_network(part.strip()) for part in text(value).split(",")]
    except ValueError as error:
        raise ValueError("expected networks such as 127.0.0.0/8,10.1.0.0/16") from error
    return text(value)


def ports(value: object) -> str:
    """Ports parted by commas, as text."""
    found = [part.strip() for part in str(value).split(",")]
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) < 65536 for part in found):
        raise ValueError("expected ports such as 80,443")
    return ",".join(found)


def keys(value: object) -> str:
    """Keys of 32 bytes in base64, parted by commas."""
    try:
        lengths = {len(base64.b64decode(part.strip(), validate=True)) for part in text(value).split(",")}
    except ValueError:
        lengths = {0}
    if lengths != {32}:
        raise ValueError("expected 32 random bytes in base64, as “openssl rand -base64 32” makes them")
    return text(value)


def database(value: object) -> str:
    """The address of a PostgreSQL database, with a host or a socket's folder (`?host=/run/postgresql`)."""
    address = value if isinstance(value, str) else ""
    expected = "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE (without it: SQLite in the data folder)"
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        # the cause would repeat a part of the password that stands where a port is looked for
        raise ValueError(f"{expected}; percent-encode the password's special characters") from None
    is_somewhere = bool(parts.hostname) or "host=" in parts.query
    if parts.scheme not in ("postgresql", "postgres") or not is_somewhere or not parts.path.strip("/"):
        raise ValueError(expected)
    return address


def yes_or_no(value: object) -> bool:
    """True or false, as TOML or the environment spells it."""
    found = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(str(value).lower())
    if found is None:
        raise ValueError("expected true or false")
    return found


def url(*schemes: str) -> Callable[[object], str]:
    """A URL with a host and one of these schemes; a final slash is dropped."""

    def parse(value: object) -> str:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        if parts.scheme not in schemes or not _has_host(value):
            raise ValueError(f"expected a URL such as {schemes[0]}://host:port")
        return str(value).rstrip("/")

    return parse


def _has_host(url: object) -> bool:
    """Whether a URL names a host and, if it names a port, a possible one."""
    parts = urlsplit(str(url))
    try:
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
