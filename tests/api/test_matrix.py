"""Every operation × whoever asks: own, another's, none, revoked, expired, wrong role (bar S1); and hostile bodies (S9).

The operations are taken from the application's own routes, so a route that is not in `cases.py` fails here.
"""

import re
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.cases import OWN, READS, WRITES, Case, Ids, nowhere, world
from api.hostile import ENCODINGS, hostile
from api_client import Client
from opengage.domain.records import Account, ApiToken, Membership
from opengage.store import rows, tables
from opengage.store.sqlite import SqliteStore

V1 = "/api/v1"
NOT_OURS = ("OPTIONS", "HEAD")
"""Methods that Litestar adds by itself."""
DESCRIPTION = f"{V1}/openapi.json"
REFUSALS = ":relationship-change"
"""How the routes end their names that refuse whatever is asked of them (test_conformance.py, C12)."""
VOLATILE = ("ratelimit", "ratelimit-policy")


def operations(app: Any) -> set[str]:
    """Every operation below /api/v1, as `METHOD /path`; relationships cannot be changed by themselves, by nobody."""
    return {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path).removeprefix(V1)}"
        for route in app.routes
        if route.path.startswith(f"{V1}/") and route.path != DESCRIPTION
        for handler in route.route_handlers
        if not (handler.name or "").endswith(REFUSALS)
        for method in handler.http_methods
        if method not in NOT_OURS
    }


def outside(app: Any) -> set[str]:
    """Every route that is not below /api/v1."""
    return {route.path for route in app.routes if not route.path.startswith(f"{V1}/")} | {DESCRIPTION}


async def dump(store: SqliteStore, account_id: int = 1) -> list[Any]:
    """Every row of an account, but for when a token was used."""
    found: list[Any] = []
    async with store.reading() as tx:
        for table in tables.metadata.sorted_tables:
            columns = [column for column in table.c if column.name != "last_used_at"]
            statement = sa.select(*columns).where(table.c.account_id == account_id).order_by(*table.primary_key)
            found.append((table.name, await tx.rows(statement)))
    return found


async def ask(client: Client, case: Case, ids: Ids, **headers: str) -> httpx.Response:
    """Send this account's request for a case."""
    return await client.send(case.method, case.address(ids), case.body(ids) if case.body else None, **headers)


def seen(answer: httpx.Response, ids: Ids) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All that a client sees of an answer, with the ids that it sent itself taken out."""
    content = answer.content
    for id_ in ids.values():
        content = content.replace(id_.encode(), b"ID")
    return (
        answer.status_code,
        content,
        sorted((name, value) for name, value in answer.headers.items() if name not in VOLATILE),
    )


GROUPS: dict[str, tuple[Case, ...]] = {"every read": READS} | {case.operation: (case,) for case in (*WRITES, *OWN)}
"""The cases that share one world."""
ALL = (*READS, *WRITES, *OWN)
grouped = pytest.mark.parametrize("cases", GROUPS.values(), ids=GROUPS)


def test_every_operation_has_a_case(client: Client) -> None:
    """No route below /api/v1 is left out, and no case is of a route that went."""
    assert operations(client.http._transport.app) == {case.operation for case in ALL}  # type: ignore[attr-defined]


def test_reads_and_writes_are_told_apart() -> None:
    """By their method."""
    assert {case.method for case in READS} == {"GET"}
    assert "GET" not in {case.method for case in WRITES}


def test_what_is_open_to_all(client: Client) -> None:
    """Nothing else is served without credentials than this."""
    assert outside(client.http._transport.app) == {  # type: ignore[attr-defined]
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/errors/{code:int}",
        "/api/docs",
        "/api/docs/{name:str}",
        "/api/v1/openapi.json",
        "/identity/v1/oauth2/tokens",
        "/identity/v1/oauth2/revoke",
        "/api/identity/v1/oauth2/tokens",
        "/api/identity/v1/oauth2/revoke",
        "/uploads/{bucket:str}",  # by a form that is signed
        "/files/{bucket:str}/{token:str}/{name:str}",  # by an address that nobody can guess
    }
    routes = client.http._transport.app.routes  # type: ignore[attr-defined]
    opened = {route.path for route in routes for handler in route.route_handlers if handler.opt.get("open")}
    assert not {path for path in opened if path.startswith(V1)}


@pytest.mark.parametrize("headers", [{}, {"x_account_key": "firstbank"}], ids=["plain", "named"])
@grouped
async def test_own(client: Client, store: SqliteStore, cases: tuple[Case, ...], headers: dict[str, str]) -> None:
    """The account itself is served, whether it is named or not."""
    ids = await world(client, store)
    for case in cases:
        answer = await ask(client, case, ids, **headers)
        # a relationship may lead to what is not served by itself
        assert answer.status_code in ((200, 404) if case.name else (case.expected,)), case


@grouped
async def test_another_s(client: Client, other: Client, store: SqliteStore, cases: tuple[Case, ...]) -> None:
    """Another account's ids look like ids that never were, byte for byte; nothing is told, and nothing changes."""
    ids, missing = await world(client, store), nowhere()
    before = await dump(store)
    for case in cases:
        foreign = await ask(other, case, ids)
        if case.points():
            assert foreign.status_code in (400, 404), case
            assert seen(foreign, ids) == seen(await ask(other, case, missing), missing), case
        else:
            assert foreign.status_code == case.expected, case
            assert not [id_ for id_ in ids.values() if id_ in foreign.text], case
    assert await dump(store) == before


@grouped
async def test_another_s_by_name(client: Client, other: Client, store: SqliteStore, cases: tuple[Case, ...]) -> None:
    """Naming the other account in X-Account-Key opens nothing."""
    ids = await world(client, store)
    before = await dump(store)
    for case in cases:
        assert (await ask(other, case, ids, x_account_key="firstbank")).status_code == 401, case
    assert await dump(store) == before


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (None, {}),
        (ApiToken, {"revoked_at": 1}),
        (ApiToken, {"expires_at": 1}),
        (Membership, {"is_active": False}),
        (Account, {"is_active": False}),
    ],
)
async def test_without_credentials(client: Client, store: SqliteStore, record: Any, fields: dict[str, Any]) -> None:
    """None, revoked, expired, switched off: 401 with the same bytes on every operation, and nothing changes."""
    ids = await world(client, store)
    if record is None:
        client.headers = {}
    else:
        async with store.writing() as tx:
            found: Any = await rows.first(tx, record, account_id=1)
            await rows.change(tx, found, **fields)
    before = await dump(store)
    answers = [await ask(client, case, ids) for case in ALL]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert await dump(store) == before


async def test_wrong_role(client: Client, store: SqliteStore) -> None:
    """A viewer reads everything but what owners did, and changes nothing but tokens of their own.

    A role that does not exist can no more.
    """
    ids = await world(client, store)
    reads = [case for case in READS if not case.path.startswith(("/audit-events", "/erasures"))]
    served = [(await ask(client, case, ids)).status_code for case in reads]
    for role in ("viewer", "", "admin"):
        async with store.writing() as tx:
            found = await rows.first(tx, Membership, account_id=1)
            assert found is not None
            await rows.change(tx, found, role=role)
        before = await dump(store)
        assert [(await ask(client, case, ids)).status_code for case in reads] == served
        assert {(await ask(client, case, ids)).status_code for case in WRITES} == {403}
        assert await dump(store) == before


@pytest.mark.parametrize("case", [case for case in WRITES if case.body], ids=lambda case: case.operation)
async def test_hostile_bodies(client: Client, store: SqliteStore, case: Case) -> None:
    """4xx with an errors document, never 500, with an Idempotency-Key too; nothing is made of them."""
    ids = await world(client, store)
    before = await dump(store)
    for label, body in hostile(ids["engagements"]).items():
        for headers in ({}, {"idempotency_key": label}):
            answer = await client.send(case.method, case.address(ids), body, **headers)
            assert 400 <= answer.status_code < 500, label
            assert answer.json()["errors"][0]["detail"], label
    for label, encoded, encoding in ENCODINGS:
        answer = await client.send(case.method, case.address(ids), encoded, content_encoding=encoding)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (415, 125), label
    assert await dump(store) == before


@pytest.mark.parametrize("case", [case for case in WRITES if case.method == "POST"], ids=lambda case: case.operation)
async def test_every_post_takes_a_key(client: Client, store: SqliteStore, case: Case) -> None:
    """Sent again with its key it is answered again, and done once; an answer that held a secret is not kept."""
    ids = await world(client, store)
    first = await ask(client, case, ids, idempotency_key="k")
    before = await dump(store)
    again = await ask(client, case, ids, idempotency_key="k")
    if first.headers.get("cache-control") == "no-store":
        assert (first.status_code, again.status_code) == (case.expected, 409)
        assert again.json()["errors"][0]["code"] == 142
        assert await dump(store) == before
        return
    assert (first.status_code, again.status_code) == (case.expected, case.expected)
    assert (first.content, again.headers["idempotency-replayed"]) == (again.content, "true")
    assert await dump(store) == before
