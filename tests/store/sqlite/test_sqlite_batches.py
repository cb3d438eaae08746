"""The hot path's statements on SQLite: each takes the index that it was written for, whatever the tables hold."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from opengage.store.sqlite import statements
from store.samples import AUTHOR, ENGAGEMENT, NOW, NUMBER_ID, PROFILE, SENDER, envelope_id, number, text_id

ENVELOPES_KEY, TEXTS_KEY = "sqlite_autoindex_envelopes_1", "sqlite_autoindex_texts_1"
DUE_COLUMNS = ["account_id", "engagement_id", "phone_number_id", "is_priority", "next_at"]
NUMBERS = "envelopes_account_id_engagement_id_phone_number"

SEARCHES: Final[dict[str, list[tuple[str, str, list[str]]]]] = {
    "INSERT_ENVELOPES": [],
    "DUE": [
        ("envelopes", "envelopes_due", ["account_id", "engagement_id", "phone_number_id", "is_priority", "next_at"]),
        ("e", NUMBERS, ["account_id", "engagement_id", "phone_number"]),
    ],
    "SUPPRESSED": [("suppressions", "sqlite_autoindex_suppressions_2", ["account_id", "phone_number"])],
    "SENT_BEFORE": [
        ("e", NUMBERS, ["account_id", "engagement_id", "phone_number"]),
        ("t", TEXTS_KEY, ["account_id", "id"]),
    ],
    "SENT_LATELY": [("e", NUMBERS, ["account_id", "engagement_id", "phone_number"])],
    "IN_DOUBT": [("texts", "texts_open", ["account_id"])],
    "OPEN_TEXTS": [("texts", "texts_open", ["account_id", "phone_number_id", "id"])],
    "CANCEL_TEXTS": [("texts", TEXTS_KEY, ["account_id", "id"])],
    "INSERT_TEXTS": [],
    "RESUBMIT_TEXTS": [("texts", TEXTS_KEY, ["account_id", "id"])],
    "INTEND_ENVELOPES": [("envelopes", ENVELOPES_KEY, ["account_id", "id"])],
    "SETTLE_ENVELOPES": [("envelopes", ENVELOPES_KEY, ["account_id", "id"])],
    "HOLD_ENVELOPES": [("envelopes", ENVELOPES_KEY, ["account_id", "id"])],
    "ASSIGN": [("envelopes", ENVELOPES_KEY, ["account_id", "id"])],
    "RECENT": [("r", "PRIMARY KEY", ["account_id", "phone_number", "text_id"])],
    "REMEMBER": [],
    "TEXTS": [("texts", TEXTS_KEY, ["account_id", "id"])],
    "TEXTS_OF_REFS": [
        ("s", "PRIMARY KEY", ["account_id", "service_profile_id", "carrier_ref"]),
        ("t", TEXTS_KEY, ["account_id", "id"]),
    ],
    "ADD_REFS": [],
    "PARK": [],
    "PARKED": [("p", "PRIMARY KEY", ["account_id", "service_profile_id", "carrier_ref"])],
    "FORGET_PARKED": [("parked_receipts", "PRIMARY KEY", ["account_id", "service_profile_id", "carrier_ref"])],
    "STEP_TEXTS": [("texts", TEXTS_KEY, ["account_id", "id"])],
    "INSERT_RESULTS": [],
    "STEP_ENVELOPES": [("envelopes", ENVELOPES_KEY, ["account_id", "id"])],
}
"""For each statement, the tables that it looks into: by which index, on which of its columns."""

_SEARCH: Final = re.compile(r"SEARCH (\w+) USING (?:COVERING )?(?:INDEX )?(.+?) \((.*)\)")

HANDED_OVER = {"json_each", "wanted", "some"}
"""What may be walked through whole: the rows of the batch itself, under these names."""

STATEMENTS: Final[dict[str, str]] = {
    name: value
    for name, value in vars(statements).items()
    if isinstance(value, str) and re.match(r"\s*(INSERT|SELECT|UPDATE|DELETE)\b", value)
}


def fill(connection: sqlite3.Connection, count: int = 2_000) -> None:
    """A blast in the middle: so many envelopes, each with a text, and statistics of them."""
    common = {"account_id": 1, "now": NOW, "author": AUTHOR, "engagement_id": ENGAGEMENT, "epoch": 1, "sender": SENDER}
    common |= {"phone_number_id": NUMBER_ID, "service_profile_id": PROFILE, "revision": None}
    places = range(count)
    ids = {
        "ids": b"".join(map(envelope_id, places)),
        "envelopes": b"".join(map(envelope_id, places)),
        "texts": b"".join(map(text_id, places)),
    }
    connection.execute(
        statements.INSERT_ENVELOPES,
        common | ids | {"rows": json.dumps([[number(at), "{}", None, None, False, None] for at in places])},
    )
    texts = json.dumps([[number(at), "Hello", 1] for at in places])
    connection.execute(statements.INSERT_TEXTS, common | ids | {"rows": texts})
    refs = json.dumps([f"m{at}" for at in places])
    connection.execute(statements.ADD_REFS, common | ids | {"number": 1, "parts": 1, "rows": refs})
    connection.execute("ANALYZE")
    connection.commit()


@pytest.fixture(scope="module", params=["empty", "full"])
def connection(
    request: pytest.FixtureRequest, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    """A database without rows, and one that knows how many it has."""
    made = sqlite3.connect(shutil.copy(migrated, tmp_path_factory.mktemp("plans") / "opengage.db"))
    if request.param == "full":
        fill(made)
    yield made
    made.close()


def plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    """The lines of a statement's plan, in the order of their nesting loops."""
    names = re.findall(r":(\w+)", statement)
    parameters = dict.fromkeys(names) if names else [None] * statement.count("?")
    return [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, parameters)]


def test_every_statement_has_a_plan_here() -> None:
    """A new statement must say which index it means to take."""
    assert set(STATEMENTS) == set(SEARCHES)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_statement_takes_its_index(connection: sqlite3.Connection, name: str) -> None:
    """It searches the tables that it should, as it should, in that order."""
    searches = [_SEARCH.match(line) for line in plan(connection, STATEMENTS[name])]
    found = [(one[1], one[2], re.findall(r"(\w+)[=<>]", one[3])) for one in searches if one]
    assert found == SEARCHES[name]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_statement_walks_through_no_table(connection: sqlite3.Connection, name: str) -> None:
    """Only the batch itself is read from end to end, and it is the outermost loop of every change."""
    loops = [line for line in plan(connection, STATEMENTS[name]) if line.startswith(("SCAN", "SEARCH"))]
    walked = {line.split()[1] for line in loops if line.startswith("SCAN")}
    assert walked <= HANDED_OVER
    if STATEMENTS[name].lstrip().startswith(("UPDATE", "INSERT")):
        assert loops[0].startswith("SCAN json_each")


@pytest.mark.parametrize("name", ["DUE", "OPEN_TEXTS"])
def test_a_window_needs_no_sorting(connection: sqlite3.Connection, name: str) -> None:
    """The index gives the order, so that the next window costs the same in an engagement of a million."""
    assert not [line for line in plan(connection, STATEMENTS[name]) if "TEMP B-TREE" in line]
