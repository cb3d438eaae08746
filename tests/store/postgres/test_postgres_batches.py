"""The hot path's statements on PostgreSQL: each takes the index that it was written for, whatever statistics say."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Any, Final

import asyncpg
import pytest
from sqlalchemy.sql import Executable

import postgres
from opengage.domain.records import Envelope
from opengage.ids import Id
from opengage.store import lanes, list_statements, singles, tables, work
from opengage.store.asks import Ask, Condition
from opengage.store.postgres import batches, statements
from opengage.store.postgres.options import PostgresOptions
from opengage.store.postgres.transaction import Compiled

ENVELOPES_KEY, TEXTS_KEY, SEGMENTS_KEY = "envelopes_pkey", "texts_pkey", "text_segments_pkey"
NUMBERS = "envelopes_account_id_engagement_id_phone_number"

SEARCHES: Final[dict[str, set[str]]] = {
    "DUE_OF_NOBODY": {"envelopes_due", NUMBERS},
    "DUE_OF_LANE": {"envelopes_due", NUMBERS},
    "TAKE_DUE_OF_NOBODY": {"envelopes_due", NUMBERS},
    "TAKE_DUE_OF_LANE": {"envelopes_due", NUMBERS},
    "HOLD_ENVELOPES": {ENVELOPES_KEY},
    "ASSIGN": {ENVELOPES_KEY},
    "RECENT": {"recent_texts_pkey"},
    "REMEMBER": set(),
    "SUPPRESSED": {"suppressions_account_id_phone_number_key"},
    "SENT_BEFORE": {NUMBERS, TEXTS_KEY},
    "SENT_LATELY": {NUMBERS},
    "IN_DOUBT": {"texts_open"},
    "OPEN_TEXTS": {"texts_open"},
    "RESUBMIT_TEXTS": {TEXTS_KEY},
    "CANCEL_TEXTS": {TEXTS_KEY},
    "INTEND_ENVELOPES": {ENVELOPES_KEY},
    "SETTLE_ENVELOPES": {ENVELOPES_KEY},
    "TEXTS": {TEXTS_KEY},
    "TEXTS_OF_REFS": {SEGMENTS_KEY, TEXTS_KEY},
    "ADD_REFS": set(),
    "PARK": set(),
    "PARKED": {"parked_receipts_pkey"},
    "FORGET_PARKED": {"parked_receipts_pkey"},
    "STEP_TEXTS": {TEXTS_KEY},
    "STEP_ENVELOPES": {ENVELOPES_KEY},
}
"""For each statement, the indexes that it looks into."""

AROUND: Final = ("ModifyTable", "Sort", "Subquery Scan", "Aggregate", "CTE Scan")
"""What a statement does with what its loop brings."""

STATEMENTS: Final[dict[str, str]] = {
    name: value
    for name, value in vars(statements).items()
    if isinstance(value, str)
    and not name.startswith("_")
    and re.match(r"\s*(INSERT|SELECT|UPDATE|DELETE|WITH)\b", value)
}

_FILL = """
INSERT INTO envelopes (account_id, id, created_at, updated_at, created_by, updated_by, engagement_id, phone_number,
    status, reason, meta, next_at, retry_attempts, is_priority, text_id)
SELECT 1, decode(lpad(to_hex(n), 32, '0'), 'hex'), 1, 1, '\\x00', '\\x00', '\\x02', '+44770090' || n, 'pending', '',
    '{{}}', 1, 0, false, decode('ff' || lpad(to_hex(n), 30, '0'), 'hex')
FROM generate_series({first}, {last}) AS n;
INSERT INTO texts (account_id, id, created_at, updated_at, created_by, updated_by, sender, recipient, direction, status,
    body, segments, phone_number_id, service_profile_id, engagement_id, envelope_id, epoch, attempts, meta)
SELECT 1, text_id, 1, 1, '\\x00', '\\x00', '+12025550100', phone_number, 'outbound', 'sending', 'Hello', 1, '\\x04',
    '\\x05', '\\x02', id, CASE WHEN right(phone_number, 1) = '7' THEN 1 END, 1, '{{}}' FROM envelopes WHERE next_at = 1;
INSERT INTO suppressions (account_id, id, created_at, updated_at, phone_number, reason)
SELECT 1, id, 1, 1, phone_number, 'opted-out' FROM envelopes WHERE next_at = 1;
INSERT INTO recent_texts (account_id, phone_number, text_id, phone_number_id)
SELECT 1, recipient, id, '\\x04' FROM texts WHERE settled_at IS NULL;
INSERT INTO text_segments (account_id, service_profile_id, carrier_ref, text_id, number, parts)
SELECT 1, '\\x05', 'm' || phone_number, text_id, 1, 1 FROM envelopes WHERE next_at = 1;
INSERT INTO parked_receipts (account_id, service_profile_id, carrier_ref, state, code, received_at)
SELECT 1, '\\x05', 'm' || phone_number, 'delivered', 'DELIVRD', 1 FROM envelopes WHERE next_at = 1;
"""


_COMPLETE = """
UPDATE envelopes SET next_at = NULL, status = 'complete', reason = 'delivered';
UPDATE texts SET epoch = NULL, settled_at = 1, status = 'delivered';
"""


def fill(first: int, last: int) -> str:
    """Envelopes that are due, each with a text, a suppression and so on: these numbers of them."""
    return _FILL.format(first=first, last=last)


PASTS: Final[dict[str, list[str]]] = {
    "full": [fill(1, 3000), "ANALYZE"],
    "filled unseen": ["ANALYZE", fill(1, 3000)],
    "at rest": [fill(1, 3000), _COMPLETE, "VACUUM ANALYZE"],
    "at rest, then as much again": [fill(1, 3000), _COMPLETE, "VACUUM ANALYZE", fill(3001, 6000)],
    "small at rest, then large": [fill(1, 300), _COMPLETE, "VACUUM ANALYZE", fill(301, 8000)],
    "large at rest, then a few": [fill(1, 6000), _COMPLETE, "VACUUM ANALYZE", fill(6001, 6200)],
}
"""What a database has been through: what its statistics say, and what is there by now."""


@pytest.fixture(scope="module", params=PASTS)
def database(request: pytest.FixtureRequest, postgres_server: postgres.Server) -> Iterator[str]:
    """A database with a past."""
    with postgres_server.database() as url:
        for script in PASTS[request.param]:
            postgres_server.execute(url, script)
        yield url


def plan(server: postgres.Server, url: str, statement: str, *, writes: bool = True) -> list[dict[str, Any]]:
    """The nodes of the plan that a prepared statement comes to have, within a transaction of ours."""
    told = server.explain(url, _begin(url, writes=writes), statement)
    return list(_nodes(json.loads(told)[0]["Plan"]))


def _begin(url: str, *, writes: bool) -> str:
    """What a transaction of ours goes by."""
    options = PostgresOptions(url)
    return options.begin_session + (options.begin_writing if writes else options.begin_reading)


@cache
def plans(server: postgres.Server, url: str, statement: str, *, writes: bool = True) -> list[list[dict[str, Any]]]:
    """That one, and those for batches of one and of 500: of an account that statistics know, and of a new one."""
    batches = [partial(_values, statement, many, *whose) for many in (1, 500) for whose in ((1, b"\x02"), (7, b"\x07"))]
    told = server.explain_with(url, _begin(url, writes=writes), statement, batches)
    return [plan(server, url, statement, writes=writes), *(list(_nodes(json.loads(each)[0]["Plan"])) for each in told)]


def _values(statement: str, many: int, account: int, key: bytes, types: Sequence[asyncpg.Type]) -> list[Any]:
    """A batch of so many for these parameters."""
    scalars = {"int8": account, "bytea": key, "text": "x", "bool": True, "int4": 50}
    keys = [number.to_bytes(16, "big") for number in range(many)]

    def value(place: int, kind: str) -> Any:
        if f"substring(${place}::bytea" in statement:
            return b"".join(keys)
        if kind == "bytea[]":
            return keys
        if kind == "json":
            return json.dumps([1] * many)
        return [scalars[kind.removesuffix("[]")]] * many if kind.endswith("[]") else scalars[kind]

    return [value(place, each.name) for place, each in enumerate(types, 1)]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)


def test_every_statement_has_a_plan_here() -> None:
    """A new statement must say which index it means to take."""
    assert set(STATEMENTS) == set(SEARCHES)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_statement_takes_its_index(postgres_server: postgres.Server, database: str, name: str) -> None:
    """It looks into its indexes and walks through no table."""
    for nodes in plans(postgres_server, database, STATEMENTS[name]):
        assert {node["Index Name"] for node in nodes if "Index Name" in node} == SEARCHES[name]
        assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("name", [name for name, words in STATEMENTS.items() if "given" in words])
def test_the_batch_is_the_outer_loop(postgres_server: postgres.Server, database: str, name: str) -> None:
    """A look-up or change walks through the batch, in its order, and looks each row up by its whole key."""
    for nodes in plans(postgres_server, database, STATEMENTS[name]):
        kinds = [node["Node Type"] for node in nodes]
        loops = [kind for kind in kinds if kind not in AROUND]
        looped = loops.count("Nested Loop")
        assert loops[: looped + 1] == ["Nested Loop"] * looped + ["Function Scan"]
        searched = [node["Index Cond"] for node in nodes if "Index Name" in node]
        assert all("account_id" in condition and " AND " in condition for condition in searched)


@pytest.mark.parametrize("name", [name for name, words in STATEMENTS.items() if "LIMIT" in words])
def test_a_window_needs_no_sorting(postgres_server: postgres.Server, database: str, name: str) -> None:
    """The index gives the order, so that the next window costs the same in an engagement of a million."""
    for nodes in plans(postgres_server, database, STATEMENTS[name]):
        assert "Sort" not in [node["Node Type"] for node in nodes]


WITHIN: Final = (list_statements.shape_of(Condition("engagement_id", (Id(bytes(16)),))),)
COMPOSED: Final[dict[str, tuple[Executable, set[str]]]] = {
    "the next time": (work._NEXT_AT, {"envelopes_due"}),
    "the next single": (singles._NEXT_AT, {"texts_due"}),
    "a lease": (lanes._REQUIRE, {"lanes_pkey"}),
    "an engagement's envelopes": (
        list_statements.select_page(Envelope, WITHIN, Ask(50).keys, after=True),
        {"envelopes_account_id_engagement_id_id"},
    ),
}
"""Statements of other files that are asked for all the time, whatever the tables hold."""


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize("name", COMPOSED)
def test_a_composed_statement_takes_its_index(
    postgres_server: postgres.Server, database: str, name: str, writes: bool
) -> None:
    """It looks where it should, in the index's own order."""
    statement, indexes = COMPOSED[name]
    for nodes in plans(postgres_server, database, Compiled()(statement, {})[0], writes=writes):
        assert {node["Index Name"] for node in nodes if "Index Name" in node} == indexes
        assert "Seq Scan" not in [node["Node Type"] for node in nodes]
        assert "Sort" not in [node["Node Type"] for node in nodes]


def test_rows_can_travel_as_arrays() -> None:
    """Behind a pooler new rows are one array for each column, of the column's own type."""
    told = batches.insertion(tables.text_results, ["account_id", "text_id", "kind"])
    arrays = "unnest($1::bigint[], $2::bytea[], $3::text[])"
    assert told == f'INSERT INTO text_results ("account_id", "text_id", "kind") SELECT * FROM {arrays}'
