"""Refusals as answers: statuses, members, limits, and bodies that mean harm."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from api.hostile import hostile
from api_client import SEALER, Client, Settings, StandingClock, in_process, recipients, resource
from opengage.api import body as body_of
from opengage.api import health
from opengage.api.app import create_app
from opengage.api.errors import TITLES, _status
from opengage.api.state import ApiState
from opengage.domain.errors import Code, OpengageError, Unavailable
from opengage.ids import new_id
from opengage.store.sqlite import SqliteStore
from source import ROOT


async def test_hostile_bodies(client: Client) -> None:
    """400 or 409 with an errors document, never 500, on every address that reads a body; nothing is made."""
    id_ = await client.engagement()
    paths = ("/engagements", "/text-templates", "/activities", "/envelopes")
    for label, body in hostile(id_).items():
        answers = [await client.post(path, body) for path in paths]
        answers.append(await client.patch(f"/engagements/{id_}", body))
        assert {answer.status_code for answer in answers} <= {400, 409}, label
        assert all(answer.json()["errors"][0]["detail"] for answer in answers), label
    assert (await client.get("/engagements")).json()["meta"]["total"] == 1
    assert (await client.get("/envelopes")).json()["meta"]["total"] == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "type", "id", "attributes", "relationships", "engagement", "meta", "phone-number", "name"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps({"data": value}).encode(errors="replace")))
async def test_no_body_makes_it_fail(client: Client, body: bytes) -> None:
    """Whatever comes is answered, and never with 500."""
    for path in ("/engagements", "/envelopes", "/activities"):
        assert (await client.post(path, body)).status_code in (201, 400, 403, 409)


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"content_encoding": "gzip"}, "gzip"),
        ({"content_type": "text/xml"}, "text/xml"),
        ({"content_type": "application/vnd.api+json; ext=atomic"}, "atomic"),
    ],
)
async def test_unsupported(client: Client, headers: dict[str, str], named: str) -> None:
    """415, naming what is not spoken."""
    answer = await client.post("/engagements", resource("engagements", {"name": "x"}), **headers)
    assert answer.status_code == 415
    assert named in answer.json()["errors"][0]["detail"]


async def test_too_large(client: Client, settings: Settings) -> None:
    """413, whether the length is announced or the body comes in chunks; just below is read."""
    limit = settings.body_limit_bytes

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(limit // 65536 + 2):
            yield b" " * 65536

    announced = await client.post("/engagements", b" " * (limit + 1))
    chunked = await client.http.post("/api/v1/engagements", content=chunks(), headers=client.headers)
    assert (announced.status_code, chunked.status_code) == (413, 413)
    assert announced.text == chunked.text
    assert str(limit) in announced.json()["errors"][0]["detail"]
    assert (await client.post("/engagements", b" " * (limit - 1))).status_code == 400


async def test_members_of_an_error(client: Client) -> None:
    """In the order of design section 5.4; the code is an integer, the status a string; the link resolves."""
    answer = await client.post("/engagements", resource("engagements", {}))
    (error,) = answer.json()["errors"]
    assert list(error) == ["status", "code", "title", "detail", "source", "links"]
    assert (error["status"], error["code"]) == ("400", 103)
    assert answer.text.endswith("\n")
    assert answer.headers["content-type"] == "application/json"
    about = await client.http.get(error["links"]["about"])
    assert about.status_code == 200
    assert error["title"] in about.text
    assert (await client.http.get("/api/errors/999")).status_code == 404


async def test_errors_follow_accept(client: Client) -> None:
    """Like every other answer."""
    answer = await client.get("/nothing", accept="application/vnd.api+json")
    assert answer.headers["content-type"] == "application/vnd.api+json"


def test_every_code_has_a_title() -> None:
    """No code is answered without words."""
    assert set(TITLES) == set(Code)


def test_every_code_is_documented() -> None:
    """The reference has a line for each, under the title that answers give, with cause and mending; and no other."""
    reference = (ROOT / "docs/reference/errors.md").read_text("utf-8").partition("## Codes")[2]
    lines = [line.strip("| ").split(" | ") for line in reference.splitlines() if re.match(r"\| \d", line)]
    assert {int(code): title for code, title, *_ in lines} == {int(code): title for code, title in TITLES.items()}
    assert [code for code, *_ in lines] == sorted(code for code, *_ in lines)
    assert all(len(line) == 4 and all(cell.strip() for cell in line) for line in lines)


def test_every_refusal_has_a_status() -> None:
    """Each kind of the tree is answered with one of its own or its parent's, and never with 500."""

    def kinds(root: type[OpengageError]) -> Iterator[type[OpengageError]]:
        for each in root.__subclasses__():
            yield each
            yield from kinds(each)

    found = {each.__name__: _status(each.__new__(each)) for each in kinds(OpengageError)}
    assert 500 not in found.values()
    assert {found[name] for name in ("Changed", "Unprocessable", "TooMany", "KeyInUse", "Overloaded")} == {
        412,
        422,
        429,
        409,
        503,
    }


async def test_unknown_routes_and_methods(client: Client) -> None:
    """404 without credentials asked; 405 with what is allowed."""
    assert (await client.http.get("/api/v1/nothing")).status_code == 404
    assert (await client.http.get("/")).status_code == 404
    answer = await client.send("DELETE", "/api/v1/engagements")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))
    assert answer.json()["errors"][0]["code"] == 126
    assert answer.headers["access-control-allow-origin"] == "*"


class Broken:
    """A store that fails in one way, whatever is asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def reading(self, **_: bool) -> AbstractAsyncContextManager[Any]:
        """See Store.reading."""

        return self._failing()

    looking = writing = reading

    @asynccontextmanager
    async def _failing(self) -> AsyncIterator[Any]:
        if self._error:
            raise self._error
        yield


async def broken(error: Exception, path: str) -> httpx.Response:
    """The answer of an API whose store fails."""
    app = create_app(ApiState(Broken(error), StandingClock(), new_id, Settings(), SEALER))  # type: ignore[arg-type]
    async with in_process(app) as http:
        return await http.get(path, auth=("key", "secret"))


@pytest.mark.parametrize("path", ["/api/v1/engagements", "/readyz"])
async def test_without_a_database(path: str) -> None:
    """503 and when to come back; the process itself is healthy."""
    answer = await broken(Unavailable("The database is away. Send the request again."), path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["errors"][0]["code"] == 130
    assert (await broken(Unavailable("away"), "/healthz")).status_code == 200


async def test_the_unexpected(caplog: pytest.LogCaptureFixture) -> None:
    """500 tells an id and nothing else; the log has the cause under the same id."""
    answer = await broken(RuntimeError("secret inside"), "/api/v1/engagements")
    correlation_id = answer.headers["x-correlation-id"]
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "*"
    assert correlation_id in answer.json()["errors"][0]["detail"]
    assert "secret inside" not in answer.text
    assert "Traceback" not in answer.text
    assert correlation_id in caplog.text
    assert "secret inside" in caplog.text


async def half_a_body(store: SqliteStore, client: Client, then: Callable[[], Awaitable[Any]]) -> list[Any]:
    """What is answered to a POST that announces more than it sends; `then` is what comes instead of the rest."""
    app: Any = create_app(ApiState(store, StandingClock(), new_id, Settings(), SEALER))
    first = [{"type": "http.request", "body": b'{"data":', "more_body": True}]
    sent: list[Any] = []

    async def receive() -> Any:
        return first.pop() if first else await then()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", client.headers["Authorization"].encode()), (b"content-length", b"999")]
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
    }
    scope |= {"path": "/api/v1/engagements", "raw_path": b"/api/v1/engagements", "query_string": b"", "root_path": ""}
    await app(scope | {"headers": headers, "client": None, "server": None}, receive, send)
    return sent


async def test_a_client_that_leaves(store: SqliteStore, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A body that never ends is the client's fault: nothing is made, and the log is not alarmed."""

    async def leave() -> Any:
        return {"type": "http.disconnect"}

    sent = await half_a_body(store, client, leave)
    assert sent[0]["status"] == 400
    assert "unexpected" not in caplog.text


async def test_a_client_that_dawdles(store: SqliteStore, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not come in time is refused, so that nobody holds a connection for ever."""
    monkeypatch.setattr(body_of, "PATIENCE", 0.01)
    sent = await half_a_body(store, client, asyncio.Event().wait)
    assert sent[0]["status"] == 400
    assert b"did not arrive" in sent[1]["body"]


async def test_ready(client: Client) -> None:
    """A migrated store is ready, and both are open to anyone."""
    assert (await client.http.get("/readyz")).json() == {"status": "ready"}
    assert (await client.http.get("/healthz")).json() == {"status": "ok"}


async def test_a_locked_database(store: SqliteStore, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks whether it is ready hears no soon, however long the lock may last."""
    monkeypatch.setattr(health, "READY_WITHIN", 0.01)
    async with store.writing():
        answer = await client.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert (await client.http.get("/readyz")).status_code == 200


async def test_a_body_without_any_header(client: Client) -> None:
    """The guide's own calls have no Content-Type at all."""
    body = msgspec.json.encode({"data": recipients(await client.ready(0), 1)})
    request = client.http.build_request("POST", "/api/v1/envelopes", content=body, headers=client.headers)
    assert "content-type" not in request.headers
    assert (await client.http.send(request)).status_code == 201
