"""Limits and overload: who sends too much is told when to come back, and the others do not notice (bars R14, S13)."""

import ast
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_client import SEALER, Client, Settings, StandingClock, an_account, in_process, recipients, resource
from api_samples import upload
from opengage.api.admission.limits import WINDOW, Buckets, Limit
from opengage.api.admission.room import Room
from opengage.api.app import WRITES, create_app
from opengage.api.documented import told
from opengage.api.state import ApiState
from opengage.clock import SECOND, Instant
from opengage.domain.errors import Overloaded, TooMany, Unavailable
from opengage.domain.records import ApiToken
from opengage.ids import new_id, to_wire
from opengage.store import rows
from opengage.store.sqlite import SqliteStore
from source import SRC


class Timed(StandingClock):
    """A clock whose monotonic time stands still too."""

    seconds = 0.0

    def monotonic(self) -> float:
        """The time that the test has set."""
        return self.seconds


@pytest.fixture
def clock() -> Timed:
    """A clock that only the test moves."""
    return Timed()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Low limits."""
    return Settings(token_rate_limit=1, account_rate_limit=2, bulk_rate_limit=5, files=tmp_path / "files")


async def test_headers_tell_what_is_left(client: Client) -> None:
    """Policy and rest of each limit on every answer, refusals included (draft-ietf-httpapi-ratelimit-headers-10)."""
    answer = await client.get("/engagements")
    assert answer.headers["ratelimit-policy"] == '"token";q=10;w=10, "account";q=20;w=10, "bulk";q=50;w=10'
    assert answer.headers["ratelimit"] == '"token";r=9;t=1, "account";r=19;t=1, "bulk";r=50;t=0'
    assert '"token";r=8' in (await client.get("/engagements/x")).headers["ratelimit"]


async def test_a_token_that_sends_too_much(client: Client, clock: Timed) -> None:
    """429, the time to wait, and after that time it goes on; nothing was done meanwhile."""
    document = resource("engagements", {"name": "x"})
    answers = [await client.post("/engagements", document) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    refused = answers[-1]
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["errors"][0]["code"] == 144
    assert '"token";r=0;t=10' in refused.headers["ratelimit"]
    assert refused.headers["access-control-allow-origin"] == "*"
    clock.seconds = 1.0
    answer = await client.get("/engagements")
    assert (answer.status_code, answer.json()["meta"]["total"]) == (200, 10)
    assert (await client.get("/engagements")).status_code == 429


async def test_tokens_share_their_account_s_limit(client: Client, store: SqliteStore) -> None:
    """A second and a third token do not buy a third share."""
    statuses = []
    for number in range(3):
        async with store.writing() as tx:
            token = await rows.first(tx, ApiToken, account_id=1)
            assert token is not None
            if number:
                await rows.change(tx, token, id=new_id())
        statuses += [(await client.get("/engagements")).status_code for _ in range(10)]
    assert statuses == [200] * 20 + [429] * 10


async def test_others_do_not_notice(client: Client, other: Client) -> None:
    """Another account's limits are its own; health is never counted."""
    for _ in range(11):
        last = await client.get("/engagements")
    assert last.status_code == 429
    assert (await other.get("/engagements")).status_code == 200
    for path in ("/healthz", "/readyz", "/api/errors/144"):
        answer = await client.http.get(path)
        assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)


async def test_bulk_counts_by_resources(client: Client, clock: Timed) -> None:
    """A batch of any size passes when something is left, and is then paid off; one by one nothing is counted."""
    id_ = await client.ready(0)
    big = {"data": recipients(id_, 60)}
    assert (await client.post("/envelopes", big)).status_code == 201
    refused = await client.post("/envelopes", {"data": recipients(id_, 1)})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert '"bulk";r=0;t=12' in refused.headers["ratelimit"]
    assert (await client.post("/envelopes", {"data": recipients(id_, 1)[0]})).status_code == 201
    clock.seconds = 2.2
    assert (await client.post("/envelopes", {"data": recipients(id_, 1)})).status_code == 201
    assert (await client.get("/envelopes")).json()["meta"]["total"] == 62


BULK = sorted(
    (method, path)
    for noun in WRITES
    for handler in noun.ROUTES
    if (said := told(handler.opt)).bulk or said.points_at or said.linkage
    for path in handler.paths
    for method in handler.http_methods
)
"""Every write that takes an array, as the routes describe themselves."""


@pytest.mark.parametrize(("method", "path"), BULK)
async def test_every_array_counts(client: Client, method: str, path: str) -> None:
    """Created, changed, deleted or pointed at: once the bulk limit is used up, the next array is refused unread."""
    gate = client.http._transport.app.state.gate  # type: ignore[attr-defined]
    gate._limits.resources(1, 60, 0.0)
    body = {"data": [{"type": "nothing", "id": "nowhere"}]}
    address = path.replace("{resource_id:str}", to_wire(new_id()))
    refused = await client.http.request(method, f"/api/v1{address}", json=body, headers=client.headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert refused.json()["errors"][0]["code"] == 144


def test_there_is_one_way_to_an_array() -> None:
    """Whoever reads one counts it: no other file of the API takes a body apart."""
    readers = {"split", "identifiers"}
    found = {
        path.name
        for path in (SRC / "opengage" / "api").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "opengage.jsonapi.request"
        if readers & {name.name for name in node.names}
    }
    assert found == {"body.py"}


async def test_members_from_the_start_count(client: Client) -> None:
    """A list that begins with contacts writes as many."""
    made = await client.post("/contacts", {"data": [resource("contacts", {"phone-number": "+12025550101"})["data"]]})
    (contact,) = made.json()["data"]
    link = {"contacts": {"data": [{"type": "contacts", "id": contact["id"]}]}}
    answer = await client.post(
        "/lists", {"data": {"type": "lists", "attributes": {"title": "x"}, "relationships": link}}
    )
    assert (answer.status_code, bulk_left(answer)) == (201, 48)
    assert (await client.post("/lists", resource("lists", {"title": "y"}))).status_code == 201


async def test_a_copy_counts_whom_it_takes_over(client: Client, clock: Timed) -> None:
    """Its recipients, not itself; a refused copy has made nothing."""
    id_ = await client.ready(7)
    clock.seconds = 10.0
    everybody = resource("engagements", {"envelopes": "everybody"})
    answers = [await client.post(f"/engagements/{id_}/copies", everybody)]
    assert (answers[0].status_code, bulk_left(answers[0])) == (201, 43)
    gate = client.http._transport.app.state.gate  # type: ignore[attr-defined]
    gate._limits.resources(1, 60, 10.0)
    answers += [
        await client.post(f"/engagements/{id_}/copies", body) for body in (everybody, resource("engagements", {}))
    ]
    assert [answer.status_code for answer in answers] == [201, 429, 201]
    assert (await client.get("/engagements")).json()["meta"]["total"] == 3


async def test_an_import_counts_by_the_size_of_its_file(client: Client) -> None:
    """One for each 64 bytes; a refused import is not queued, and its upload is as good as before."""
    upload_id = await upload(client, "people.csv", "text/csv", b"phone\n" + b"+12025550101\n" * 500)
    document = resource("import-contacts", {}, upload=("uploads", upload_id))
    assert bulk_left(await client.post("/import-contacts", document)) == 0
    refused = await client.post("/import-contacts", document)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, 144)
    assert (await client.get("/import-contacts")).json()["meta"]["total"] == 1


def bulk_left(answer: httpx.Response) -> int:
    """What the RateLimit header says is left of the bulk limit."""
    return int(answer.headers["ratelimit"].partition('"bulk";r=')[2].partition(";")[0])


async def test_a_keyed_request_that_is_refused_can_be_repeated(client: Client, clock: Timed) -> None:
    """429 stores nothing under the key."""
    id_ = await client.ready(0)
    await client.post("/envelopes", {"data": recipients(id_, 60)})
    body = {"data": recipients(id_, 2)}
    assert (await client.post("/envelopes", body, idempotency_key="k")).status_code == 429
    clock.seconds = 10
    assert (await client.post("/envelopes", body, idempotency_key="k")).status_code == 201


async def test_no_limit(store: SqliteStore, clock: Timed) -> None:
    """0 switches one off, and its headers with it."""
    settings = Settings(token_rate_limit=0, account_rate_limit=0, bulk_rate_limit=0)
    account = await an_account(store, clock, "firstbank")
    async with in_process(create_app(ApiState(store, clock, new_id, settings, SEALER))) as http:
        client = Client(http, account)
        answers = [await client.get("/engagements") for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    assert not {"ratelimit", "ratelimit-policy"} & set(answers[0].headers)


def test_buckets_are_bounded() -> None:
    """Ten thousand names and more take no more room, and whoever was counted is not forgotten first."""
    buckets = Buckets(Limit("token", 1, "requests"))
    for _ in range(WINDOW):
        buckets.take("busy", 1, 0.0)
    for number in range(25_000):
        buckets.take(number, 1, 0.0)
    assert len(buckets._buckets) <= 10_000
    with pytest.raises(TooMany):
        buckets.take("busy", 1, 0.5)


def test_time_that_steps_back_gives_nothing() -> None:
    """A bucket only fills as time goes on."""
    buckets = Buckets(Limit("token", 1, "requests"))
    for _ in range(WINDOW):
        buckets.take("x", 1, 100.0)
    with pytest.raises(TooMany):
        buckets.take("x", 1, 50.0)


def test_room() -> None:
    """So many requests and so many bytes, and a share of the room for others; all comes back at the end."""
    room = Room(4, 100)
    with room.one(90):
        with pytest.raises(Overloaded), room.one(11):
            pass
        with room.one(10), room.one(0), room.one(0), pytest.raises(Overloaded), room.one(0):
            pass
    with room.one(1_000), pytest.raises(Overloaded), room.one(1):
        pass
    with room.of(1), room.of(1), room.of(1):
        with pytest.raises(TooMany), room.of(1):
            pass
        with room.of(2):
            pass
    with room.one(90), room.of(1):
        pass


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
async def test_bodies_share_the_room(waiting: "Waiting", store: SqliteStore, clock: Timed, announced: bool) -> None:
    """A body takes what it announces; one that announces nothing may become as long as any."""
    account = await an_account(store, clock, "firstbank")
    settings = Settings(bytes_in_flight=1_000, body_limit_bytes=600)
    body = b" " * 600

    async def in_chunks() -> AsyncIterator[bytes]:
        yield body

    async with in_process(create_app(ApiState(waiting, clock, new_id, settings, SEALER))) as http:
        client = Client(http, account)
        content = body if announced else in_chunks()
        request = http.request("POST", "/api/v1/engagements", content=content, headers=client.headers)
        inside = asyncio.create_task(request)
        while waiting.readers < 1:
            await asyncio.sleep(0)
        outside = await client.post("/engagements", body)
        assert (outside.status_code, outside.json()["errors"][0]["code"]) == (503, 132)
        small = asyncio.create_task(client.post("/engagements", body[:300]))
        while waiting.readers < 2:
            await asyncio.sleep(0)
        waiting.go.set()
        assert {answer.status_code for answer in await asyncio.gather(inside, small)} == {400}


class Waiting(SqliteStore):
    """A store whose readers wait until they are let go."""

    async def hold(self) -> None:
        """Hold the next readers back."""
        self.go = asyncio.Event()
        self.readers = 0

    def reading(self, *, is_hot: bool = False) -> Any:
        """See Store.reading."""
        return _Held(self, is_hot=is_hot)


class _Held:
    def __init__(self, store: Waiting, *, is_hot: bool) -> None:
        self._store = store
        self._inner = SqliteStore.reading(store, is_hot=is_hot)

    async def __aenter__(self) -> Any:
        self._store.readers += 1
        await self._store.go.wait()
        return await self._inner.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:
        return await self._inner.__aexit__(*error)


@pytest.fixture
async def waiting(tmp_path: Any, store: SqliteStore) -> AsyncIterator[Waiting]:
    """The same database through a slow store."""
    opened = Waiting(tmp_path / "opengage.sqlite")
    await opened.hold()
    yield opened
    opened.go.set()
    await opened.close()


async def test_overload(waiting: Waiting, store: SqliteStore, clock: Timed) -> None:
    """What does not fit is refused at once with 503; what was let in is served, and health is all the time."""
    account = await an_account(store, clock, "firstbank")
    settings = Settings(requests_in_flight=4)
    async with in_process(create_app(ApiState(waiting, clock, new_id, settings, SEALER))) as http:
        client = Client(http, account)
        inside = [asyncio.create_task(client.get("/engagements")) for _ in range(3)]
        while waiting.readers < 3:
            await asyncio.sleep(0)
        inside.append(asyncio.create_task(client.get("/engagements")))
        while waiting.readers < 4:
            await asyncio.sleep(0)
        outside = await asyncio.gather(*(client.get("/engagements") for _ in range(40)))
        assert {answer.status_code for answer in outside} == {503}
        assert {answer.headers["retry-after"] for answer in outside} == {"1"}
        assert {answer.json()["errors"][0]["code"] for answer in outside} == {132}
        assert (await http.get("/healthz")).status_code == 200
        asked_who, waiting.go = waiting.go, asyncio.Event()
        asked_who.set()
        while waiting.readers < 7:
            await asyncio.sleep(0)  # three are in their handlers: the account's share
        waiting.go.set()
        assert sorted(answer.status_code for answer in await asyncio.gather(*inside)) == [200, 200, 200, 429]
        assert (await client.get("/engagements")).status_code == 200


async def test_preflights_are_free(client: Client) -> None:
    """A preflight is no request of anybody: it is answered without credentials, and not counted."""
    answer = await client.http.options("/api/v1/engagements")
    assert (answer.status_code, "ratelimit" in answer.headers) == (204, False)
    assert {"GET", "POST"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    read = await client.get("/engagements")
    assert "ETag" in read.headers["access-control-expose-headers"]


async def last_used(store: SqliteStore) -> Any:
    """When the first account's token was last used, as stored."""
    async with store.reading() as tx:
        token = await rows.first(tx, ApiToken, account_id=1)
    assert token is not None
    return token.last_used_at


async def test_last_use_is_noted(client: Client, store: SqliteStore, clock: Timed) -> None:
    """Beside the request, and at most once a minute."""
    noted = []
    for seconds in (0, 59, 60, 61):
        clock.instant = Instant(1_700_000_000 * SECOND + seconds * SECOND)
        await client.get("/engagements")
        await settled(client)
        noted.append(((await last_used(store)) // SECOND) - 1_700_000_000)
    assert noted == [0, 0, 60, 60]


async def test_a_last_use_that_cannot_be_noted(client: Client, store: SqliteStore, clock: Timed) -> None:
    """A full disk is no reason to refuse a read, and the next use is noted."""
    gate = client.http._transport.app.state.gate  # type: ignore[attr-defined]
    written = store.writing

    def full() -> Any:
        raise Unavailable("full")

    store.writing = full  # type: ignore[method-assign, assignment]
    assert (await client.get("/engagements")).status_code == 200
    await gate.last_used.settle()
    store.writing = written  # type: ignore[method-assign]
    assert await last_used(store) is None
    await client.get("/engagements")
    await settled(client)
    assert await last_used(store) == clock.instant


async def settled(client: Client) -> None:
    """Wait until what was noted is written."""
    await client.http._transport.app.state.gate.last_used.settle()  # type: ignore[attr-defined]
