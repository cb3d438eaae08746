"""`python -m bench api`: single requests to `opengage web`, beside a bare handler that answers the same bytes.

Both servers run all the while and are driven in turn, in short slices, so that a machine whose speed drifts drifts
for both.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.children import Child, free_port, init, opengage, running
from bench.client import Access, Client, wait_until_ready
from bench.load import Took, drive, first_answer
from bench.recipients import bulk_bodies

CONNECTIONS = (1, 32)
_SLICES = 4
_WARM = 0.1
"""Seconds of each kind before anything counts."""
_BODIES = 2_000
"""Different envelopes that are created in turn."""
_PAGE = 50
_NO_LIMIT = {"OPENGAGE_TOKEN_RATE_LIMIT": "1000000", "OPENGAGE_ACCOUNT_RATE_LIMIT": "1000000"}
"""Requests are counted against limits, and never refused."""


@dataclass
class Figure:
    """One kind of request over so many connections: to us, and to the bare handler."""

    what: str
    connections: int
    ours: Took = field(default_factory=Took)
    bare: Took = field(default_factory=Took)

    def told(self) -> dict[str, float | str]:
        """For machines."""
        found: dict[str, float | str] = {"what": self.what, "connections": self.connections}
        for name, took in (("ours", self.ours), ("bare", self.bare)):
            found[f"{name}-rate"] = took.rate
            found[f"{name}-p50-ms"] = took.percentile_ms(0.5)
            found[f"{name}-p99-ms"] = took.percentile_ms(0.99)
            found[f"{name}-processor-us"] = took.processor_us
        return found


@dataclass(frozen=True)
class _Server:
    """A process that answers, and the requests of each kind as it wants them."""

    port: int
    pid: int
    requests: Mapping[str, Sequence[bytes]]


def run(data: Path, seconds: float) -> list[Figure]:
    """Each kind of request over each number of connections, for so many seconds with either server."""
    home = data / "api"
    home.mkdir()
    with ExitStack() as stack:
        ours = _ours(stack, home)
        bare = _bare(stack, home, ours)
        figures = [Figure(what, connections) for connections in CONNECTIONS for what in ours.requests]
        for figure in figures:
            _measure(figure, ours, bare, seconds)
        return figures


def _measure(figure: Figure, ours: _Server, bare: _Server, seconds: float) -> None:
    for server in (ours, bare):
        _slice(figure, server, min(_WARM, seconds))
    for _ in range(_SLICES):
        figure.ours.add(_slice(figure, ours, seconds / _SLICES))
        figure.bare.add(_slice(figure, bare, seconds / _SLICES))


def _slice(figure: Figure, server: _Server, seconds: float) -> Took:
    return drive(server.port, server.pid, server.requests[figure.what], figure.connections, seconds)


def _ours(stack: ExitStack, home: Path) -> _Server:
    port = free_port()
    access = Access(init(home, free_port()), port)  # no worker runs, so nobody asks for the network
    served = Child(opengage("web", "--data", str(home), "--port", str(port)), home, _NO_LIMIT)
    stack.enter_context(running(served))
    wait_until_ready(port)
    client = Client(access)
    engagement_id = client.make_engagement("api")
    client.send("POST", "/envelopes", bulk_bodies(engagement_id, 10 * _PAGE, 10 * _PAGE)[0], is_bulk=True)
    asked = f"/envelopes?filter[engagement.id]={engagement_id}&page[limit]={_PAGE}"
    one = client.data("GET", asked)[_PAGE // 2]["id"]
    client.close()
    requests = {
        "GET one": [_request("GET", f"{access.path}/envelopes/{one}", access.headers)],
        f"GET a list of {_PAGE}": [_request("GET", access.path + asked, access.headers)],
        "POST one": [
            _request("POST", f"{access.path}/envelopes", access.headers, body) for body in _singles(engagement_id)
        ],
    }
    return _Server(port, served.pid, requests)


def _singles(engagement_id: str) -> list[bytes]:
    """Documents of one envelope each."""
    return [
        b'{"data":%b}' % body.removeprefix(b'{"data":[').removesuffix(b"]}")
        for body in bulk_bodies(engagement_id, _BODIES, 1)
    ]


def _bare(stack: ExitStack, home: Path, ours: _Server) -> _Server:
    """The same requests to the bare handler, which answers what we have just answered."""
    port, requests = free_port(), dict[str, Sequence[bytes]]()
    for (what, known), name in zip(ours.requests.items(), ("one", "list", "create"), strict=True):
        (home / name).write_bytes(first_answer(ours.port, known[0]))
        requests[what] = [_to(request, name) for request in known]
    served = Child(["-m", "bench.bare", str(home), str(port)], home)
    stack.enter_context(running(served))
    wait_until_ready(port)
    return _Server(port, served.pid, requests)


def _request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    told = {"Host": "127.0.0.1", **headers, "Accept": "application/vnd.api+json"}
    if body:
        told |= {"Content-Type": "application/vnd.api+json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _to(request: bytes, name: str) -> bytes:
    """The same request to another address."""
    line, _, rest = request.partition(b"\r\n")
    return b" ".join((line.split(b" ")[0], f"/{name}".encode(), b"HTTP/1.1")) + b"\r\n" + rest


def shown(figures: Sequence[Figure]) -> str:
    """A table for people."""
    return "\n".join(
        [
            "Single requests over HTTP, beside a bare handler that answers the same bytes",
            f"  {'':32} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'processor µs':>13}",
            *(line for figure in figures for line in _lines(figure)),
        ]
    )


def _lines(figure: Figure) -> list[str]:
    ours, bare = figure.ours, figure.bare
    many = f"{figure.connections} connection{'s' if figure.connections > 1 else ''}"
    p50, p99 = (ours.percentile_ms(share) / bare.percentile_ms(share) for share in (0.5, 0.99))
    rate, processor = ours.rate / bare.rate, ours.processor_us / bare.processor_us
    ratios = f"  {'  times the bare one':32} {rate:10.2f} {p50:8.1f} {p99:8.1f} {processor:13.1f}"
    return [_line(f"{figure.what}, {many}", ours), _line("  bare", bare), ratios]


def _line(what: str, took: Took) -> str:
    p50, p99 = took.percentile_ms(0.5), took.percentile_ms(0.99)
    return f"  {what:32} {took.rate:10,.0f} {p50:8.2f} {p99:8.2f} {took.processor_us:13,.0f}"


def told(figures: Sequence[Figure]) -> list[dict[str, float | str]]:
    """For machines."""
    return [figure.told() for figure in figures]
