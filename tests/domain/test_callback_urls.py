"""Where callbacks may go: the corpus of known ways around such checks (bar S6)."""

from ipaddress import ip_address

import pytest

from opengage.domain.callback_urls import Limits, is_allowed, is_public, may_call, networks, origin, refusal

STRICT = Limits()
LOCAL = Limits(allow=networks("127.0.0.0/8, ::1/128"))

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_off_the_public_network_are_not_called(address: str) -> None:
    """Private, special, multicast, and whatever leads to such an address by another way."""
    assert not is_public(ip_address(address))
    assert not may_call([address], 443, STRICT)
    assert not may_call(["8.8.8.8", address], 443, STRICT), "one bad address among good ones is enough"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_called(address: str) -> None:
    """On the ports that are allowed, and on no others."""
    assert may_call([address], 443, STRICT)
    assert not may_call([address], 22, STRICT)


def test_a_name_without_addresses_is_not_called() -> None:
    """Nothing was checked, so nothing is called."""
    assert not may_call([], 443, STRICT)


def test_an_opened_network_is_called_on_any_port() -> None:
    """An installation on one machine opens its loopback; the rest stays shut, and mapped forms count as IPv4."""
    assert may_call(["127.0.0.1", "::1", "::ffff:127.0.0.1"], 54321, LOCAL)
    assert not may_call(["127.0.0.1", "10.0.0.1"], 54321, LOCAL)
    assert not may_call(["127.0.0.1", "8.8.8.8"], 54321, LOCAL)
    assert not is_allowed(ip_address("10.0.0.1"), LOCAL)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/hooks?a=b#c",
        "http://example.com:8080/",
        "https://EXAMPLE.com.:443/x",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_ordinary_urls_are_taken(url: str) -> None:
    """Names and public addresses."""
    assert refusal(url, STRICT) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hooks",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "https://example.com:22/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://:@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Header:1",
        "https://example.com/\0",
        "https://example.com/ ",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://1.2.3.4.5/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://foo.localhost/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1",
        "https://[v1.x]/",
        "https://exa[mple.com/",
        "https://%6c%6f%63alhost/",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_urls_that_lead_astray_are_refused(url: str) -> None:
    """At once, in words that say what to send instead."""
    wrong = refusal(url, STRICT)
    assert wrong is not None
    assert wrong.endswith(".")
    assert len(wrong) < 200


def test_names_may_lead_into_an_opened_network() -> None:
    """Where they lead shows when they are called; until then any port may be right."""
    assert refusal("http://localhost:54321/", LOCAL) is None
    assert refusal("http://127.0.0.1:54321/", LOCAL) is None
    assert refusal("http://10.0.0.1:80/", LOCAL) is not None
    assert refusal("http://8.8.8.8:54321/", LOCAL) is not None


def test_networks_are_read_or_refused() -> None:
    """What is no network is an error, not a network of something else."""
    assert [str(one) for one in networks("127.0.0.0/8,::1/128")] == ["127.0.0.0/8", "::1/128"]
    assert networks("") == ()
    with pytest.raises(ValueError, match="127"):
        networks("127.0.0.1/8")


@pytest.mark.parametrize(
    ("url", "whose"),
    [
        ("https://Example.com/a", "https://example.com:443"),
        ("http://example.com:8080/b?c", "http://example.com:8080"),
        ("http://[::1]/", "http://::1:80"),
    ],
)
def test_callbacks_to_one_server_share_their_turn(url: str, whose: str) -> None:
    """Whatever the path."""
    assert origin(url) == whose
