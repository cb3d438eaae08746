"""What settings about secrets and callbacks may be: from what a source holds to the value, as text.

Above the text's path. Each raises ValueError with what is expected.
"""

import base64
from ipaddress import ip_network


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
