"""How PostgreSQL finds a page: along an index, whatever the page's number."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from opengage.domain.records import Engagement, Envelope, Text, TextMessage
from opengage.ids import Id
from opengage.store import list_statements as statements
from opengage.store.asks import Ask, Condition, Order
from opengage.store.contract import Transaction
from opengage.store.postgres import PostgresOptions, PostgresStore

ID = Id(bytes(16))


async def plan(tx: Transaction, statement: sa.Select[Any], **values: Any) -> str:
    """How the database would go about a statement if it had so many rows that looking at all cost too much."""
    compiled = statement.compile(dialect=dialect(), compile_kwargs={"render_postcompile": True})  # type: ignore[no-untyped-call]
    text = str(compiled)
    for place, name in reversed(list(enumerate(compiled.positiontup or (), 1))):
        value = {**compiled.params, **values}[name]
        written = f"'\\x{value.hex()}'::bytea" if isinstance(value, bytes) else repr(1 if value is None else value)
        text = text.replace(f"${place}", written)
    for way in ("seqscan", "bitmapscan"):
        await tx.rows(sa.text(f"SET LOCAL enable_{way} = off"))
    return "\n".join(row[0] for row in await tx.rows(sa.text(f"EXPLAIN {text}")))


@pytest.mark.parametrize(
    ("record", "ask", "keys", "index"),
    [
        (Envelope, Ask(50), {"after_0": ID}, "envelopes_pkey"),
        (Envelope, Ask(50, order=(Order("id", descending=True),)), {"after_0": ID}, "Backward using envelopes_pkey"),
        (
            Envelope,
            Ask(50, conditions=(Condition("engagement_id", (ID,)),)),
            {"after_0": ID},
            "envelopes_account_id_engagement_id_id",
        ),
        (
            Text,
            Ask(50, conditions=(Condition("engagement_id", (None,)), Condition("recipient", ("+1",)))),
            {"after_0": ID},
            "texts_single",
        ),
        (
            Engagement,
            Ask(50, order=(Order("name"),)),
            {"after_0": "a", "after_1": ID},
            "engagements_account_id_name_id",
        ),
    ],
)
async def test_a_cursor_is_found_by_an_index(
    postgres_url: str, record: Any, ask: Ask, keys: dict[str, Any], index: str
) -> None:
    """The hundred-thousandth page is one look into an index, like the first: no row is skipped, none is sorted."""
    shapes = tuple(statements.shape_of(condition) for condition in ask.conditions)
    statement = statements.select_page(record, shapes, ask.keys, after=True)
    store = PostgresStore(PostgresOptions(postgres_url))
    async with store.reading() as tx:
        told = await plan(tx, statement, account_id=1, page_limit=51, **keys, **statements.bound(ask.conditions))
    await store.close()
    assert index in told
    assert "Sort" not in told
    assert "OFFSET" not in str(statement.compile())


_FEW_BEFORE_MANY = """
INSERT INTO envelopes (account_id, id, created_at, updated_at, created_by, updated_by, engagement_id, phone_number,
    status, reason, meta, retry_attempts, is_priority)
SELECT 1, decode(lpad(to_hex(n), 32, '0'), 'hex'), 1, 1, '\\x00', '\\x00',
    decode(lpad(CASE WHEN n < 2000 THEN '1' ELSE '2' END, 32, '0'), 'hex'), '+12025550100', 'pending', '', '{}', 0,
    false
FROM generate_series(1, 60000) AS n
"""


@pytest.mark.parametrize("descending", [False, True])
async def test_the_first_page_does_not_walk_through_other_engagements(postgres_url: str, descending: bool) -> None:
    """Where nearly all envelopes are of one engagement, its first ones are found behind those of earlier ones."""
    ask = Ask(50, conditions=(Condition("engagement_id", (Id(bytes(15) + b"\2"),)),), order=(Order("id", descending),))
    statement = statements.select_page(Envelope, tuple(map(statements.shape_of, ask.conditions)), ask.keys, after=False)
    store = PostgresStore(PostgresOptions(postgres_url))
    async with store.writing() as tx:
        await tx.rows(sa.text(_FEW_BEFORE_MANY.replace(":", "\\:")))
        await tx.rows(sa.text("ANALYZE envelopes"))
        told = await plan(tx, statement, account_id=1, page_limit=51, page_offset=0, **statements.bound(ask.conditions))
    await store.close()
    assert "using envelopes_account_id_engagement_id_id" in told
    assert "Sort" not in told


async def test_both_kinds_of_messages_are_merged(postgres_url: str) -> None:
    """Each half of the text messages is walked by account and id, and the two are merged."""
    statement = statements.select_page(TextMessage, (), Ask(50).keys, after=True)
    store = PostgresStore(PostgresOptions(postgres_url))
    async with store.reading() as tx:
        told = await plan(tx, statement, account_id=1, page_limit=51, after_0=ID)
    await store.close()
    assert "Merge Append" in told
    assert told.count("Index Cond: ((account_id = '1'::bigint) AND (id >") == 2
