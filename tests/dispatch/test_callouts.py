"""Calls to servers that strangers name, over real sockets: where they may go, and what may come back."""

import asyncio
import datetime
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dispatch.hooks import LOOPBACK, calling, ok, receiving, status
from opengage.dispatch.callouts import KEPT
from opengage.domain.callback_urls import Limits

HEADERS = {"Content-Type": "application/json"}


async def leads_to(*addresses: str) -> Sequence[str]:
    """What a name server would say."""
    return addresses


async def test_a_call_says_what_came_back() -> None:
    """Status, the beginning of the body, and how long it took; the request names host and agent."""
    async with receiving() as receiver, calling() as caller:
        answer = await caller.post(receiver.url, HEADERS, b'{"a":1}')
    assert (answer.code, answer.body, answer.error) == (200, "thanks", None)
    assert 0 <= answer.duration_ms < 5000
    (posted,) = receiver.posts
    assert posted.body == b'{"a":1}'
    assert posted.path == "/hooks"
    assert posted.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert posted.headers["user-agent"].startswith("Opengage/")
    assert posted.headers["accept-encoding"] == "identity"


async def test_the_host_is_named_and_the_address_is_called() -> None:
    """The connection goes to what was checked, under the name of the URL."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("hooks.example.com", receiver.port)
        return await leads_to("127.0.0.1")

    async with receiving() as receiver, calling(resolve=resolve) as caller:
        answer = await caller.post(f"http://hooks.example.com:{receiver.port}/a?b=c", HEADERS, b"{}")
    assert answer.code == 200
    assert receiver.posts[0].headers["host"] == f"hooks.example.com:{receiver.port}"
    assert receiver.posts[0].path == "/a?b=c"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(code: int) -> None:
    """Wherever it leads: here to where clouds keep their secrets."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return await leads_to("127.0.0.1")

    async with receiving() as receiver, calling(resolve=resolve) as caller:
        receiver.answer = lambda _: status(code, "Moved", "Location: http://169.254.169.254/latest/meta-data/")
        answer = await caller.post(f"http://a.example:{receiver.port}/", HEADERS, b"{}")
    assert answer.code == code
    assert asked == ["a.example"]
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "addresses",
    [["169.254.169.254"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["::ffff:10.0.0.1"], ["64:ff9b::a00:1"], []],
)
async def test_a_name_that_leads_astray_is_not_called(addresses: list[str]) -> None:
    """One bad address is enough; nothing is connected to."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        return await leads_to(*addresses)

    async with receiving() as receiver, calling(resolve=resolve) as caller:
        answer = await caller.post(f"http://a.example:{receiver.port}/", HEADERS, b"{}")
    assert (answer.code, answer.error) == (None, "address not allowed")
    assert receiver.connections == 0


async def test_a_name_is_looked_at_for_every_attempt() -> None:
    """What it led to a moment ago counts for nothing: rebinding gets nowhere."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]])

    async def resolve(_: str, __: int) -> Sequence[str]:
        return next(answers)

    async with receiving() as receiver, calling(resolve=resolve) as caller:
        url = f"http://a.example:{receiver.port}/"
        codes = [(await caller.post(url, HEADERS, b"{}")).code for _ in range(3)]
    assert codes == [200, None, 200]
    assert receiver.connections == 2, "no connection is kept for a name that may have moved"


async def test_loopback_is_shut_unless_opened() -> None:
    """By default a receiver on this very machine is out of reach, whatever it is called."""
    async with receiving() as receiver, calling(limits=Limits()) as caller:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "017700000001", "127.1"):
            answer = await caller.post(f"http://{host}:{receiver.port}/", HEADERS, b"{}")
            assert (answer.code, answer.error) == (None, "address not allowed")
        limits = Limits(ports=frozenset((receiver.port,)))
    async with receiving() as receiver, calling(limits=limits) as caller:
        answer = await caller.post(f"http://localhost.localdomain.example:{receiver.port}/", HEADERS, b"{}")
        assert answer.code is None
    assert receiver.connections == 0


async def test_a_receiver_that_hangs_is_left() -> None:
    """After the time-out, with the word for it."""
    async with receiving() as receiver, calling(seconds=0.2) as caller:
        receiver.answer = lambda _: None
        answer = await caller.post(receiver.url, HEADERS, b"{}")
    assert (answer.code, answer.error) == (None, "timeout")


async def test_a_resolver_that_hangs_is_left() -> None:
    """The time-out covers the name as well."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with calling(seconds=0.1, resolve=resolve) as caller:
        assert (await caller.post("http://a.example/", HEADERS, b"{}")).error == "timeout"


async def test_what_breaks_is_named() -> None:
    """A reset, a closed port, a name that is none, an answer that is no HTTP."""

    async def nowhere(_: str, __: int) -> Sequence[str]:
        raise OSError("no such name")

    async with receiving() as receiver, calling() as caller:
        receiver.answer = lambda _: b"reset"
        assert (await caller.post(receiver.url, HEADERS, b"{}")).error == "connection broken"
        receiver.answer = lambda _: b"SMTP or so\r\n\r\n"
        assert (await caller.post(receiver.url, HEADERS, b"{}")).error == "connection broken"
        closed = receiver.url
    async with calling() as caller:
        assert (await caller.post(closed, HEADERS, b"{}")).error == "connection refused"
    async with calling(resolve=nowhere) as caller:
        assert (await caller.post("http://a.example/", HEADERS, b"{}")).error == "name not resolved"


async def test_tls_is_verified_for_the_name(tmp_path: Path) -> None:
    """The certificate must be good for the URL's host, whatever address was called; one that nobody trusts is none."""
    ours = certificate(tmp_path, "hooks.example.com")
    trusting = ssl.create_default_context(cafile=str(ours))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(ours)
    asked: list[str | None] = []
    server.sni_callback = lambda _, name, __: asked.append(name)

    async def resolve(_: str, __: int) -> Sequence[str]:
        return await leads_to("127.0.0.1")

    async with receiving(server) as receiver:
        inner = httpx.AsyncHTTPTransport(verify=trusting)
        async with calling(resolve=resolve, inner=inner) as caller:
            good = await caller.post(f"https://hooks.example.com:{receiver.port}/", HEADERS, b"{}")
            wrong = await caller.post(f"https://other.example.com:{receiver.port}/", HEADERS, b"{}")
        async with calling(resolve=resolve) as caller:
            unknown = await caller.post(f"https://hooks.example.com:{receiver.port}/", HEADERS, b"{}")
    assert good.code == 200
    assert wrong.error == unknown.error == "certificate or TLS refused"
    assert asked == ["hooks.example.com", "other.example.com", "hooks.example.com"]


def certificate(folder: Path, name: str) -> Path:
    """A certificate for this name, with its key, that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    clear = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(clear + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_only_the_first_part_of_an_answer_is_read() -> None:
    """Of ten megabytes two kilobytes are kept, and the rest is not waited for."""
    async with receiving() as receiver, calling() as caller:
        receiver.answer = lambda _: b"endless"
        answer = await caller.post(receiver.url, HEADERS, b"{}")
        assert (answer.code, answer.body) == (200, "x" * KEPT)
    assert receiver.sent < 10 * 1024 * 1024


async def test_an_answer_that_is_no_text_is_kept_all_the_same() -> None:
    """As far as it can be shown; a NUL would be refused by a database."""
    async with receiving() as receiver, calling() as caller:
        receiver.answer = lambda _: ok(b"a\x00b\xff")
        answer = await caller.post(receiver.url, HEADERS, b"{}")
    assert answer.body == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


async def test_a_wish_for_rest_is_heard() -> None:
    """Retry-After, in seconds."""
    async with receiving() as receiver, calling() as caller:
        receiver.answer = lambda _: status(503, "Busy", "Retry-After: 77")
        answer = await caller.post(receiver.url, HEADERS, b"{}")
    assert (answer.code, answer.retry_after) == (503, 77.0)


async def test_a_second_address_is_tried() -> None:
    """When the first one refuses."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        return await leads_to("127.0.0.2", "127.0.0.1")

    async with receiving() as receiver, calling(resolve=resolve, limits=LOOPBACK) as caller:
        answer = await caller.post(f"http://a.example:{receiver.port}/", HEADERS, b"{}")
    assert answer.code == 200


async def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: a proxy would resolve the name once more."""
    async with receiving() as receiver, receiving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with calling() as caller:
            assert (await caller.post(receiver.url, HEADERS, b"{}")).code == 200
    assert proxy.connections == 0
