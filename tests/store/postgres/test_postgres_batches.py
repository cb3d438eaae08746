"""The hot path's statements on PostgreSQL: each takes the index that it was written for, whatever statistics say."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

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
    "DUE_OF_NOBODY": {"envelopes_due"},
    "DUE_OF_LANE": {"envelopes_due"},
    "TAKE_DUE_OF_NOBODY": {"envelopes_due"},
    "TAKE_DUE_OF_LANE": {"envelopes_due"},
    "HOLD_ENVELOPES": {ENVELOPES_KEY},
    "ASSIGN": {ENVELOPES_KEY},
    "RECENT": {"recent_texts_pkey"},
    "REMEMBER": set(),
    "SUPPRESSED": {"suppressions_account_id_phone_number_key"},
    "SENT_BEFORE": {NUMBERS, TEXTS_KEY},
    "IN_DOUBT": {"texts_open"},
    "OPEN_TEXTS": {"texts_open"},
    "RESUBMIT_TEXTS": {TEXTS_KEY},
    "CANCEL_TEXTS": {TEXTS_KEY},
    "INTEND_ENVELOPES": {ENVELOPES_KEY},
    "SETTLE_ENVELOPES": {ENVELOPES_KEY},
    "TEXTS": {TEXTS_KEY},
    "TEXTS_OF_REFS": {SEGMENTS_KEY, TEXTS_KEY},
    "ADD_REFS": set(),
    "STEP_TEXTS": {TEXTS_KEY},
    "STEP_ENVELOPES": {ENVELOPES_KEY},
}
"""For each statement, the indexes that it looks into."""

STATEMENTS: Final[dict[str, str]] = {
    name: value
    for name, value in vars(statements).items()
    if isinstance(value, str) and not name.startswith("_") and re.match(r"\s*(INSERT|SELECT|UPDATE|DELETE)\b", value)
}

FILL = """
INSERT INTO envelopes (account_id, id, created_at, updated_at, created_by, updated_by, engagement_id, phone_number,
    status, reason, meta, next_at, retry_attempts, is_priority, text_id)
SELECT 1, decode(lpad(to_hex(n), 32, '0'), 'hex'), 1, 1, '\\x00', '\\x00', '\\x02', '+44770090' || n, 'pending', '',
    '{}', 1, 0, false, decode('ff' || lpad(to_hex(n), 30, '0'), 'hex')
FROM generate_series(1, 3000) AS n;
INSERT INTO texts (account_id, id, created_at, updated_at, created_by, updated_by, sender, recipient, direction, status,
    body, segments, phone_number_id, service_profile_id, engagement_id, envelope_id, epoch, attempts, meta)
SELECT 1, text_id, 1, 1, '\\x00', '\\x00', '+12025550100', phone_number, 'outbound', 'sending', 'Hello', 1, '\\x04',
    '\\x05', '\\x02', id, CASE WHEN right(phone_number, 1) = '7' THEN 1 END, 1, '{}' FROM envelopes;
INSERT INTO suppressions (account_id, id, created_at, updated_at, phone_number, reason)
SELECT 1, id, 1, 1, phone_number, 'opted-out' FROM envelopes;
INSERT INTO recent_texts (account_id, phone_number, text_id, phone_number_id)
SELECT 1, recipient, id, '\\x04' FROM texts;
INSERT INTO text_segments (account_id, service_profile_id, carrier_ref, text_id, number, parts)
SELECT 1, '\\x05', 'm' || phone_number, text_id, 1, 1 FROM envelopes;
"""


@pytest.fixture(scope="module", params=["full", "filled unseen"])
def database(request: pytest.FixtureRequest, postgres_server: postgres.Server) -> Iterator[str]:
    """A database that knows how many rows it has, and one that was filled after it was seen empty."""
    with postgres_server.database() as url:
        postgres_server.execute(url, "ANALYZE")
        postgres_server.execute(url, FILL)
        if request.param == "full":
            postgres_server.execute(url, "ANALYZE")
        yield url


def plan(server: postgres.Server, url: str, statement: str) -> list[dict[str, Any]]:
    """The nodes of the plan that a prepared statement comes to have, within a transaction of ours."""
    begin = PostgresOptions(url).begin_writing
    told = server.explain(url, begin, f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}")
    return list(_nodes(json.loads(told)[0]["Plan"]))


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
    nodes = plan(postgres_server, database, STATEMENTS[name])
    assert {node["Index Name"] for node in nodes if "Index Name" in node} == SEARCHES[name]
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("name", [name for name, words in STATEMENTS.items() if "given" in words])
def test_the_batch_is_the_outer_loop(postgres_server: postgres.Server, database: str, name: str) -> None:
    """A look-up or change walks through the batch, in its order, and looks each row up by its whole key."""
    nodes = plan(postgres_server, database, STATEMENTS[name])
    loops = [node["Node Type"] for node in nodes if node["Node Type"] not in ("ModifyTable", "Sort", "Subquery Scan")]
    looped = loops.count("Nested Loop")
    assert loops[: looped + 1] == ["Nested Loop"] * looped + ["Function Scan"]
    searched = [node["Index Cond"] for node in nodes if "Index Name" in node]
    assert all("account_id" in condition and " AND " in condition for condition in searched)


@pytest.mark.parametrize("name", [name for name, words in STATEMENTS.items() if "LIMIT" in words])
def test_a_window_needs_no_sorting(postgres_server: postgres.Server, database: str, name: str) -> None:
    """The index gives the order, so that the next window costs the same in an engagement of a million."""
    assert "Sort" not in [node["Node Type"] for node in plan(postgres_server, database, STATEMENTS[name])]


WITHIN: Final = (list_statements.shape_of(Condition("engagement_id", (Id(bytes(16)),))),)
COMPOSED: Final[dict[str, tuple[Executable, set[str]]]] = {
    "the next time": (work._NEXT_AT, {"envelopes_due"}),
    "the next time of nobody": (work._NEXT_AT_OF_NOBODY, {"envelopes_due"}),
    "the next single": (singles._NEXT_AT, {"texts_due"}),
    "a lease": (lanes._REQUIRE, {"lanes_pkey"}),
    "an engagement's envelopes": (
        list_statements.select_page(Envelope, WITHIN, Ask(50).keys, after=True),
        {"envelopes_account_id_engagement_id_id"},
    ),
}
"""Statements of other files that are asked for all the time, whatever the tables hold."""


@pytest.mark.parametrize("name", COMPOSED)
def test_a_composed_statement_takes_its_index(postgres_server: postgres.Server, database: str, name: str) -> None:
    """It looks where it should, in the index's own order."""
    statement, indexes = COMPOSED[name]
    nodes = plan(postgres_server, database, Compiled()(statement, {})[0])
    assert {node["Index Name"] for node in nodes if "Index Name" in node} == indexes
    assert "Seq Scan" not in [node["Node Type"] for node in nodes]
    assert "Sort" not in [node["Node Type"] for node in nodes]


def test_rows_can_travel_as_arrays() -> None:
    """Behind a pooler new rows are one array for each column, of the column's own type."""
    told = batches.insertion(tables.text_results, ["account_id", "text_id", "kind"])
    arrays = "unnest($1::bigint[], $2::bytea[], $3::text[])"
    assert told == f'INSERT INTO text_results ("account_id", "text_id", "kind") SELECT * FROM {arrays}'
