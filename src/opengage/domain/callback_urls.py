"""Where a callback may go: which URLs are taken, and which addresses must never be called.

Pure. A URL is looked at when it is written; every address that its name stands for is looked at again before each
attempt, because names change what they stand for. The networks are those that IANA's special-purpose registries
(RFC 6890, as of 2025) do not call globally reachable, and those that lead into IPv4 by another way: Python's
`is_global` lets multicast, 6to4 and NAT64 pass.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import msgspec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST: Final = 2000
"""Characters of a callback's URL, at most."""

_PORTS: Final = {"http": 80, "https": 443}
_PRINTABLE: Final = re.compile(r"[^\s\x00-\x20\x7f\\]+\Z")
_NUMERIC: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\Z")
_LABEL: Final = re.compile(r"[^\s/?#@:\[\]<>^|%\"'`{}]{1,253}\Z")

_DENIED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared by carriers (RFC 6598); some clouds keep their metadata here
        "127.0.0.0/8",  # loopback (RFC 1122)
        "168.63.129.16/32",  # a cloud's own host, at an address that looks public
        "169.254.0.0/16",  # link-local (RFC 3927): cloud metadata
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # AMT (RFC 7450)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved (RFC 1112), the limited broadcast among it
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""The one part of IPv6 from which global unicast addresses are given out; all else is denied: loopback, mapped and
compatible IPv4, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), unique local, link-local, site-local, multicast."""
_DENIED_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them (RFC 2928, RFC 4380)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4: any IPv4 address inside (RFC 3056)
        "2620:4f:8000::/48",  # AS112 (RFC 7534)
        "3fff::/20",  # documentation (RFC 9637)
    )
)


class Limits(msgspec.Struct, frozen=True):
    """What this installation lets callbacks reach beside the public network: `allow` opens private networks, on any
    port; `ports` are those that may be called elsewhere."""

    ports: frozenset[int] = frozenset((80, 443, 8080, 8443))
    allow: tuple[Network, ...] = ()


def networks(text: str) -> tuple[Network, ...]:
    """Networks written as 127.0.0.0/8,::1/128. Raises ValueError when one is none."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_allowed(address: Address, limits: Limits) -> bool:
    """Whether this address lies in a network that the installation has opened."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address.version == network.version and address in network for network in limits.allow)


def is_public(address: Address) -> bool:
    """Whether this address is a host of the public network, reached by no detour."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    return not any(address in network for network in _DENIED_V6)


def may_call(addresses: Sequence[str], port: int, limits: Limits) -> bool:
    """Whether a host may be called that stands for these addresses: every one of them must be fine."""
    parsed = [ip_address(text) for text in addresses]
    opened = [is_allowed(address, limits) for address in parsed]
    fine = all(open_ or is_public(address) for address, open_ in zip(parsed, opened, strict=True))
    return bool(parsed) and fine and (port in limits.ports or all(opened))


def refusal(url: str, limits: Limits) -> str | None:
    """What is wrong with a callback's URL as it is written, and how to mend it; None when nothing is.

    Says nothing about where its name leads: that is looked at before each attempt.
    """
    if len(url) > LONGEST or not _PRINTABLE.match(url):
        return f"A callback is an http or https URL without spaces, of at most {LONGEST} characters. Send such a URL."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "The callback is no URL that can be read. Send one like https://example.com/hooks."
    if parts.scheme not in _PORTS or not host:
        return "A callback is an http or https URL with a host. Send one like https://example.com/hooks."
    if "[" in parts.netloc and _literal(host) is None:
        return "The callback's address in brackets is no IPv6 address. Use the name of a public host."
    if parts.username is not None or parts.password is not None:
        return "A callback's URL holds no user name and no password: verify its signature instead. Remove them."
    return _host_refusal(host, _PORTS[parts.scheme] if port is None else port, limits)


def _host_refusal(host: str, port: int, limits: Limits) -> str | None:
    literal = _literal(host)
    if literal is not None:
        if not may_call([str(literal)], port, limits) and not (is_allowed(literal, limits) or is_public(literal)):
            return "The callback's address is not one of the public network. Use the name of a public host."
        return None if may_call([str(literal)], port, limits) else _port_refusal(port, limits)
    if ":" in host or not _LABEL.match(host):
        return "The callback's host is neither a name nor an address. Send a URL like https://example.com/hooks."
    if _NUMERIC.match(host.rstrip(".").rpartition(".")[2]):
        return "The callback's host is a number in disguise. Use the name of a public host."
    if (host == "localhost" or host.endswith(".localhost")) and not limits.allow:
        return "The callback leads to this machine itself. Use the name of a public host."
    # a name may lead into a network that is open on any port; that shows when it is called
    return None if port in limits.ports or limits.allow else _port_refusal(port, limits)


def _literal(host: str) -> Address | None:
    """The address that a host is, written the one way that everybody reads alike."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _port_refusal(port: int, limits: Limits) -> str:
    allowed = ", ".join(map(str, sorted(limits.ports)[:20]))
    return f"Callbacks may not go to port {port}. Use one of {allowed}."


def origin(url: str) -> str:
    """Scheme, host and port of a URL that `refusal` has let pass: what deliveries to one server have in common."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or _PORTS.get(parts.scheme, 0)}"
