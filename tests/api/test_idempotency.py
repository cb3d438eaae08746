"""Idempotency-Key: a POST that is sent again is not carried out again (bar R5)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar, Router, post
from litestar.di import Provide
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp

from api_client import SEALER, Client, Settings, StandingClock, in_process, recipients, resource
from opengage.api import errors
from opengage.api.admission.gate import Gate
from opengage.api.app import create_app
from opengage.api.auth import provide_actor
from opengage.api.state import Api, ApiState, Member, WebRequest, admitted
from opengage.clock import SECOND, Instant
from opengage.domain.errors import Unavailable
from opengage.domain.records import Membership
from opengage.ids import new_id
from opengage.operations.engagement_changes import Changes
from opengage.operations.engagements import create
from opengage.store import rows, tables
from opengage.store.contract import Transaction
from opengage.store.sqlite import SqliteStore

KEY = {"Idempotency_Key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}


async def total(client: Client, kind: str) -> int:
    """How many there are of a resource."""
    found: int = (await client.get(f"/{kind}")).json()["meta"]["total"]
    return found


async def kept(store: SqliteStore) -> list[Any]:
    """What is stored of keyed requests: (key, status, size of the body)."""
    table = tables.idempotency_keys.c
    async with store.reading() as tx:
        return await tx.rows(sa.select(table.key, table.status, sa.func.length(table.body)))


async def test_a_retry_gets_the_same_answer(client: Client) -> None:
    """Status, headers and bytes are those of the first time, a mark beside; one batch is there."""
    engagement_id = await client.ready(0)
    body = {"data": recipients(engagement_id, 300)}
    first = await client.post("/envelopes", body, **KEY)
    again = await client.post("/envelopes?test_request_number=2", body, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    for name in ("content-type", "content-length", "access-control-allow-origin"):
        assert first.headers[name] == again.headers[name]
    assert await total(client, "envelopes") == 300


async def test_every_answer_of_a_resource_comes_again(client: Client) -> None:
    """ETag and all, for one resource; quotes around the key make no difference."""
    document = resource("engagements", {"name": "x"})
    first = await client.post("/engagements", document, idempotency_key="abc")
    again = await client.post("/engagements", document, idempotency_key='"abc"')
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert await total(client, "engagements") == 1


async def test_another_request_is_refused(client: Client) -> None:
    """422 for another body or address under a used key; nothing is made."""
    await client.post("/engagements", resource("engagements", {"name": "x"}), **KEY)
    other_body = await client.post("/engagements", resource("engagements", {"name": "y"}), **KEY)
    other_path = await client.post("/text-templates", resource("engagements", {"name": "x"}), **KEY)
    for answer in (other_body, other_path):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, 140)
    assert (await total(client, "engagements"), await total(client, "text-templates")) == (1, 0)


async def test_concurrent_requests(client: Client, store: SqliteStore) -> None:
    """One is carried out, the others hear 409 at once."""
    document = resource("engagements", {"name": "x"})
    async with store.writing():
        tasks = [asyncio.create_task(client.post("/engagements", document, **KEY)) for _ in range(5)]
        while sum(task.done() for task in tasks) < 4:
            await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {answer.json()["errors"][0]["code"] for answer in answers if answer.status_code == 409} == {141}
    assert await total(client, "engagements") == 1
    assert (await client.post("/engagements", document, **KEY)).status_code == 201


async def test_concurrent_requests_on_two_servers(
    client: Client, store: SqliteStore, tmp_path: Path, clock: StandingClock, settings: Settings
) -> None:
    """The database decides: both have begun before either may write, and still one alone is carried out."""
    engagement_id = await client.ready(0)
    body = {"data": recipients(engagement_id, 20)}
    stores = [SqliteStore(tmp_path / "opengage.sqlite") for _ in range(2)]
    async with contextlib.AsyncExitStack() as opened:
        for each in stores:
            opened.push_async_callback(each.close)
        https = [
            await opened.enter_async_context(in_process(create_app(ApiState(each, clock, new_id, settings, SEALER))))
            for each in stores
        ]
        async with store.writing():
            tasks = [
                asyncio.create_task(Client(http, client.account).post("/envelopes", body, **KEY)) for http in https
            ]
            while not all(each._writing.locked() for each in stores):
                await asyncio.sleep(0)
        answers = await asyncio.gather(*tasks)
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert await total(client, "envelopes") == 20


class Failing(SqliteStore):
    """A store whose commits can be made to fail, and that counts them."""

    fails = False
    breaks = False

    @contextlib.asynccontextmanager
    async def writing(self, *, is_hot: bool = False) -> AsyncIterator[Any]:
        """See Store.writing."""
        async with super().writing(is_hot=is_hot) as tx:
            yield tx
            if self.breaks:
                raise RuntimeError("something odd")
            if self.fails:
                raise Unavailable("The disk is full. Make room, then send the request again.")


@pytest.fixture
async def failing(store: SqliteStore, tmp_path: Path) -> AsyncIterator[Failing]:
    """The same database through a store that can fail."""
    opened = Failing(tmp_path / "opengage.sqlite")
    yield opened
    await opened.close()


async def test_a_failed_commit_leaves_nothing(
    client: Client, failing: Failing, clock: StandingClock, settings: Settings
) -> None:
    """503, no envelope and no key: the retry does all of it."""
    body = {"data": recipients(await client.ready(0), 20)}
    async with in_process(create_app(ApiState(failing, clock, new_id, settings, SEALER))) as http:
        there = Client(http, client.account)
        failing.fails = True
        answer = await there.post("/envelopes", body, **KEY)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert (await total(client, "envelopes"), await kept(failing)) == (0, [])
        failing.fails = False
        assert (await there.post("/envelopes", body, **KEY)).status_code == 201
    assert await total(client, "envelopes") == 20


async def test_an_answer_that_never_arrived(client: Client, store: SqliteStore) -> None:
    """The connection, or the process, ends after the commit: the retry gets the answer, and no second batch."""
    body = {"data": recipients(await client.ready(0), 20)}
    app = client.http._transport.app  # type: ignore[attr-defined]

    async def cut(scope: Any, receive: Any, send: Any) -> None:
        async def gone(message: Any) -> None:
            raise ConnectionResetError("the client has gone")

        await app(scope, receive, gone)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(cut), base_url=str(client.http.base_url)) as http:
        with pytest.raises(Exception, match=r"gone|started"):
            await Client(http, client.account).post("/envelopes", body, **KEY)
    assert await total(client, "envelopes") == 20
    again = await client.post("/envelopes", body, **KEY)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    ids = {each["id"] for each in again.json()["data"]}
    assert ids == {each["id"] for each in (await client.get("/envelopes")).json()["data"]}


async def test_a_refusal_frees_the_key(client: Client, store: SqliteStore) -> None:
    """It has changed nothing: the same key serves the mended request."""
    wrong = await client.post("/engagements", resource("engagements", {"name": ""}), **KEY)
    assert (wrong.status_code, await kept(store)) == (400, [])
    right = await client.post("/engagements", resource("engagements", {"name": "x"}), **KEY)
    assert right.status_code == 201


async def test_keys_of_others_are_other_keys(client: Client, other: Client) -> None:
    """Another account's retry of the same bytes is its own request, and sees nothing of the first."""
    document = resource("engagements", {"name": "x"})
    mine, theirs = await client.post("/engagements", document, **KEY), await other.post("/engagements", document, **KEY)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["data"]["id"] != theirs.json()["data"]["id"]
    assert "idempotency-replayed" not in theirs.headers


async def test_a_member_s_keys_are_its_own(client: Client, store: SqliteStore) -> None:
    """Another member of the same account does not get answers that were not for it."""
    document = resource("engagements", {"name": "x"})
    await client.post("/engagements", document, **KEY)
    async with store.writing() as tx:
        member = await rows.first(tx, Membership, account_id=1)
        assert member is not None
        fresh = Membership(
            account_id=1, id=new_id(), created_at=Instant(1), updated_at=Instant(1), name="Ben", role="sender"
        )
        await rows.insert(tx, fresh)
        await tx.run(sa.update(tables.api_tokens).values(membership_id=fresh.id))
    answer = await client.post("/engagements", document, **KEY)
    assert (answer.status_code, "idempotency-replayed" in answer.headers) == (201, False)


async def test_keys_expire(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """After the setting's time the key is free, and old ones are removed as new ones come."""
    document = resource("engagements", {"name": "x"})
    first = await client.post("/engagements", document, idempotency_key="first")
    await client.post("/engagements", document, idempotency_key="old")
    clock.instant = Instant(clock.instant + 86_400 * SECOND - 1)
    assert (await client.post("/engagements", document, idempotency_key="first")).content == first.content
    clock.instant = Instant(clock.instant + 1)
    again = await client.post("/engagements", document, idempotency_key="first")
    assert again.json()["data"]["id"] != first.json()["data"]["id"]
    assert [key for key, *_ in await kept(store)] == ["first"]


@pytest.mark.parametrize("key", ["", '""', "é", "a" * 256, '"unclosed', "tab\there"])
async def test_keys_that_cannot_be(client: Client, key: str) -> None:
    """400 with the form that a key has."""
    headers = httpx.Headers([*client.headers.items(), ("Idempotency-Key", key)], encoding="latin-1")
    answer = await client.http.post("/api/v1/engagements", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 112)


async def test_large_answers_are_kept_small(client: Client, store: SqliteStore) -> None:
    """The envelopes of one request differ in little, and that is what is stored."""
    answer = await client.post("/envelopes", {"data": recipients(await client.ready(0), 2000)}, **KEY)
    ((_, status, size),) = await kept(store)
    assert status == 201
    assert size < len(answer.content) / 15


async def test_a_key_on_other_methods_is_ignored(client: Client, store: SqliteStore) -> None:
    """They can be repeated as they are."""
    id_ = await client.engagement()
    for name in ("a", "b"):
        document = {"data": {"type": "engagements", "id": id_, "attributes": {"name": name}}}
        assert (await client.patch(f"/engagements/{id_}", document, **KEY)).status_code == 202
    assert await kept(store) == []


@post("/secrets", status_code=201)
async def make_secret(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """A resource whose answer is told once."""
    await create(api.store, api.clock, api.new_id, actor, Changes(name="made with a secret"))
    return ASGIResponse(body=b'{"secret":"ogs_x"}\n', status_code=201, headers={"cache-control": "no-store"})


@post("/twice", status_code=201)
async def write_twice(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """Two blocks, the second of which fails and is forgiven."""
    await create(api.store, api.clock, api.new_id, actor, Changes(name="first block"))

    async def fail(tx: Transaction) -> None:
        raise KeyError("second block")

    with contextlib.suppress(KeyError):
        async with api.store.writing() as tx:
            await fail(tx)
    return ASGIResponse(body=b"{}", status_code=201)


@post("/steps", status_code=201, opt={"stepwise": True})
async def write_stepwise(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """A large change in two steps, and the server may end between them."""
    await create(api.store, api.clock, api.new_id, actor, Changes(name="first step"))
    if b"stop" in await request.body():
        raise RuntimeError("the server ends")
    await create(api.store, api.clock, api.new_id, actor, Changes(name="second step"))
    return ASGIResponse(body=b"{}", status_code=201)


def provide_api(request: WebRequest) -> ApiState:
    """What the gate hands over."""
    found = admitted(request)
    assert found is not None
    return found.api


@pytest.fixture
async def special(
    client: Client, store: SqliteStore, clock: StandingClock, settings: Settings
) -> AsyncIterator[Client]:
    """The gate before the handlers above."""
    state = ApiState(store, clock, new_id, settings, SEALER)
    gate = Gate(state)

    def gated(app: ASGIApp) -> ASGIApp:
        return gate.before(app)

    dependencies = {
        "api": Provide(provide_api, sync_to_thread=False),
        "actor": Provide(provide_actor, sync_to_thread=False),
    }
    app = Litestar(
        [
            Router(
                "/api/v1",
                route_handlers=[make_secret, write_twice, write_stepwise],
                middleware=[gated],
                dependencies=dependencies,
            )
        ],
        exception_handlers=errors.handlers(state),
        openapi_config=None,
        logging_config=None,
    )
    async with in_process(app) as http:
        yield Client(http, client.account)


async def test_secrets_are_not_kept(special: Client, store: SqliteStore) -> None:
    """An answer that says no-store is told once: the retry hears that it was carried out, and nothing is made twice."""
    assert (await special.post("/secrets", {}, **KEY)).status_code == 201
    assert [(status, size) for _, status, size in await kept(store)] == [(None, None)]
    again = await special.post("/secrets", {}, **KEY)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, 142)
    assert "ogs_x" not in again.text
    assert (await special.post("/secrets", {"other": 1}, **KEY)).status_code == 422
    async with store.reading() as tx:
        assert await tx.rows(sa.select(sa.func.count()).select_from(tables.engagements)) == [(1,)]


async def test_a_request_is_carried_out_whole(special: Client, store: SqliteStore) -> None:
    """When a part of its change fails, the parts before are undone with it, whatever the handler makes of it."""
    answer = await special.post("/twice", {}, **KEY)
    assert (answer.status_code, await kept(store)) == (503, [])
    async with store.reading() as tx:
        assert await tx.rows(sa.select(sa.func.count()).select_from(tables.engagements)) == [(0,)]


async def test_too_large_with_a_key(client: Client, settings: Settings, store: SqliteStore) -> None:
    """A key changes nothing about what is read: 413, and nothing is kept."""
    answer = await client.post("/envelopes", b" " * (settings.body_limit_bytes + 1), **KEY)
    assert (answer.status_code, answer.json()["errors"][0]["code"], await kept(store)) == (413, 124, [])


async def test_a_commit_that_fails_in_its_own_way(
    client: Client, failing: Failing, clock: StandingClock, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a database says at the last moment: 503, nothing done, and the log knows why."""
    async with in_process(create_app(ApiState(failing, clock, new_id, settings, SEALER))) as http:
        failing.fails = failing.breaks = True
        answer = await Client(http, client.account).post("/engagements", resource("engagements", {"name": "x"}), **KEY)
    assert (answer.status_code, await total(client, "engagements")) == (503, 0)
    assert "something odd" in caplog.text


async def test_a_change_in_steps(special: Client, store: SqliteStore) -> None:
    """Its key is taken with the first step: whole, its answer comes again; stopped, it is not begun twice."""
    for _ in range(2):
        assert (await special.post("/steps", {}, idempotency_key="whole")).status_code == 201
    assert (await special.post("/steps", {"stop": 1}, idempotency_key="stopped")).status_code == 500
    again = await special.post("/steps", {"stop": 1}, idempotency_key="stopped")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, 142)
    async with store.reading() as tx:
        assert await tx.rows(sa.select(sa.func.count()).select_from(tables.engagements)) == [(3,)]
