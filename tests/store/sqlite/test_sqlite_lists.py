"""How SQLite finds a page: along an index, whatever the page's number."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from opengage.domain.records import Activity, Engagement, Envelope, PhoneNumber, Text, TextMessage
from opengage.ids import Id
from opengage.store import list_statements as statements
from opengage.store import rows
from opengage.store.asks import Among, Ask, Condition, Order
from opengage.store.contract import Store
from opengage.store.sqlite import SqliteStore

ID = Id(bytes(16))
DIALECT = sqlite.dialect(paramstyle="named")
BACKWARDS = (Order("id", descending=True),)
SEVERAL = Condition("engagement_id", (ID, Id(b"\1" * 16)))


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    """A store on a fresh file: this file is about SQLite alone."""
    opened = SqliteStore(database)
    yield opened
    await opened.close()


ACTIVITIES = "activities_account_id_phone_number_id_id"


async def plan(store: Store, statement: sa.Select[Any], *conditions: Condition) -> list[str]:
    """How the database would go about a statement."""
    compiled = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    values = {**dict.fromkeys(compiled.params, 1), **statements.bound(conditions)}
    async with store.reading() as tx:
        found = await tx.rows(sa.text(f"EXPLAIN QUERY PLAN {compiled}"), **values)
    return [row[3] for row in found]


def page(record: Any, ask: Ask, *, after: bool) -> sa.Select[Any]:
    """The statement of a page."""
    shapes = tuple(statements.shape_of(condition) for condition in ask.conditions)
    return statements.select_page(record, shapes, ask.keys, after=after)


@pytest.mark.parametrize(
    ("record", "ask", "index"),
    [
        (Envelope, Ask(50), "sqlite_autoindex_envelopes_1 (account_id=? AND id>?)"),
        (
            Envelope,
            Ask(50, order=(Order("id", descending=True),)),
            "sqlite_autoindex_envelopes_1 (account_id=? AND id<?)",
        ),
        (
            Envelope,
            Ask(50, conditions=(Condition("engagement_id", (ID,)),)),
            "envelopes_account_id_engagement_id_id (account_id=? AND (engagement_id,id)>(?,?) AND engagement_id<?)",
        ),
        (
            Envelope,
            Ask(50, conditions=(Condition("engagement_id", (ID,)), Condition("status", ("pending",)))),
            "envelopes_account_id_engagement_id_id (account_id=? AND (engagement_id,id)>(?,?) AND engagement_id<?)",
        ),
        (
            Text,
            Ask(50, conditions=(Condition("engagement_id", (None,)), Condition("recipient", ("+1",)))),
            "texts_single (account_id=? AND recipient=? AND id>?)",
        ),
        (
            Engagement,
            Ask(50, order=(Order("name"),)),
            "engagements_account_id_name_id (account_id=? AND (name,id)>(?,?))",
        ),
        (
            Activity,
            Ask(50, conditions=(Condition("phone_number_id", (ID,)),)),
            f"{ACTIVITIES} (account_id=? AND (phone_number_id,id)>(?,?) AND phone_number_id<?)",
        ),
        (
            Activity,
            Ask(50, conditions=(Condition("phone_number_id", (ID,)),), order=(Order("id", descending=True),)),
            f"{ACTIVITIES} (account_id=? AND phone_number_id>? AND (phone_number_id,id)<(?,?))",
        ),
    ],
)
async def test_a_cursor_is_found_by_an_index(store: Store, record: Any, ask: Ask, index: str) -> None:
    """The hundred-thousandth page is one look into an index, like the first: no row is skipped, none is sorted."""
    statement = page(record, ask, after=True)
    table = rows.TABLES[record].name
    assert await plan(store, statement, *ask.conditions) == [f"SEARCH {table} USING INDEX {index}"]
    text = str(statement.compile(dialect=sqlite.dialect()))
    assert "page_offset" not in statement.compile().params
    assert text.count("OFFSET") <= 1  # SQLAlchemy writes OFFSET 0 for SQLite


async def test_both_kinds_of_messages_are_merged(store: Store) -> None:
    """Each half of the text messages is walked along its key; none is sorted."""
    steps = await plan(store, page(TextMessage, Ask(50), after=True))
    assert steps[0] == "MERGE (UNION ALL)"
    assert len([step for step in steps if step.endswith("(account_id=? AND id>?)")]) == 2
    assert not _sorting(steps)


@pytest.mark.parametrize("after", [False, True])
async def test_several_values_are_each_found_by_the_index(store: Store, after: bool) -> None:
    """Envelopes of some engagements: the first of each, and only the page itself is sorted."""
    shapes = (statements.shape_of(SEVERAL),)
    statement = statements.select_spread(Envelope, shapes, 0, Ask(50).keys[0], after=after)
    steps = await plan(store, statement, SEVERAL)
    index = "envelopes_account_id_engagement_id_id (account_id=? AND "
    index += "(engagement_id,id)>(?,?) AND engagement_id<?" if after else "engagement_id>? AND engagement_id<?"
    within = [step for step in steps if index in step]
    assert len(within) == 2
    assert not any("SCAN spread" in step for step in steps)
    assert any("sqlite_autoindex_envelopes_1 (account_id=? AND id=?)" in step for step in steps)


@pytest.mark.parametrize("after", [False, True])
async def test_several_values_that_no_index_has_by_id_are_found_along_another(store: Store, after: bool) -> None:
    """Envelopes of some statuses in one engagement: it is walked through by id for each status, and none is sorted."""
    asked = (Condition("engagement_id", (ID,)), Condition("status", ("pending", "complete")))
    shapes = tuple(statements.shape_of(condition) for condition in asked)
    statement = statements.select_spread(Envelope, shapes, 1, Ask(50).keys[0], after=after)
    steps = await plan(store, statement, *asked)
    index = "envelopes_account_id_engagement_id_id (account_id=? AND "
    index += "(engagement_id,id)>(?,?) AND engagement_id<?" if after else "engagement_id>? AND engagement_id<?"
    assert len([step for step in steps if index in step]) == 2
    assert len([step for step in steps if "ORDER BY" in step]) <= 1  # of the page itself


@pytest.mark.parametrize("after", [False, True])
async def test_one_person_in_one_engagement_is_found_by_both(store: Store, after: bool) -> None:
    """Their few envelopes are sorted; the engagement is not walked through."""
    asked = (Condition("engagement_id", (ID,)), Condition("phone_number", ("+1",)))
    steps = await plan(store, page(Envelope, Ask(50, conditions=asked), after=after), *asked)
    found = "envelopes_account_id_engagement_id_phone_number (account_id=? AND engagement_id=? AND phone_number>?"
    assert found in steps[0]


async def test_pairs_are_walked_in_their_order(store: Store) -> None:
    """The table of pairs has the ids in order: a cursor is found by its key, and nothing is sorted."""
    among = Among("engagement_numbers", "engagement_id", "phone_number_id")
    statement = statements.select_page(PhoneNumber, (), Ask(50).keys, after=True, among=among)
    steps = await plan(store, statement)
    assert (
        steps[0]
        == "SEARCH engagement_numbers USING PRIMARY KEY (account_id=? AND engagement_id=? AND phone_number_id>?)"
    )
    assert not _sorting(steps)


def _sorting(steps: Sequence[str]) -> bool:
    return any("TEMP B-TREE" in step for step in steps)
