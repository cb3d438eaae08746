"""Statements about contacts that run once a batch: SQLite finds what they ask for by an index, never by a scan."""

import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

from opengage.store import contacts, envelope_edits, tables

STATEMENTS: dict[str, tuple[ClauseElement, str]] = {
    "by number": (contacts._by_numbers(4), "contacts_account_id_phone_number_id (account_id=? AND phone_number=?)"),
    "to address": (contacts._MEMBERS, "PRIMARY KEY (account_id=? AND list_id=? AND contact_id>?)"),
    "already addressed": (contacts._MEMBERS, "(account_id=? AND engagement_id=? AND phone_number=?)"),
    "counts": (contacts._counts(2), "PRIMARY KEY (account_id=? AND list_id=?)"),
    "lists of contacts": (
        contacts._pairs(tables.list_contacts, "contact_id", "list_id", 2),
        "list_contacts_account_id_contact_id (account_id=? AND contact_id=?)",
    ),
    "leaving": (
        contacts._remove_where(tables.list_contacts, "contact_id", (), 2),
        "list_contacts_account_id_contact_id (account_id=? AND contact_id=?)",
    ),
    "edit": (envelope_edits._change(("meta",)), "(account_id=? AND id=?)"),
    "take back": (envelope_edits._remove(2), "(account_id=? AND id=?)"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_found_by_index(database: Path, name: str) -> None:
    """No scan, and the index that was made for it."""
    statement, wanted = STATEMENTS[name]
    dialect = sqlite.dialect(paramstyle="named")
    text = str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))
    connection = sqlite3.connect(database)
    try:
        parameters = dict.fromkeys(re.findall(r":(\w+)", text), 1)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]
    finally:
        connection.close()
    assert not [step for step in plan if step.startswith("SCAN")], plan
    assert any(wanted in step for step in plan), plan
