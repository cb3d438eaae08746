"""The outbox's statements stay on their indexes, however much an account has behind it."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from opengage.store import deliveries, outbox, tables

BY_DUE = "webhook_deliveries USING COVERING INDEX webhook_deliveries_due"
PLANS = {
    "accounts": (deliveries._ACCOUNTS, [BY_DUE, f"{BY_DUE} (account_id>?)"]),
    "targets": (
        deliveries._TARGETS,
        [*[f"{BY_DUE} (account_id=? AND target>?)"] * 2, "(account_id=? AND target=? AND next_at"],
    ),
    "due": (deliveries._DUE, ["webhook_deliveries_due (account_id=? AND target=? AND next_at"]),
    "cancel": (deliveries._CANCEL, ["webhook_deliveries_due (account_id=? AND target=? AND next_at"]),
    "record": (deliveries._RECORD, ["(account_id=? AND id=?)"]),
    "resend": (deliveries._RESEND, ["(account_id=? AND id=?)"]),
    "put off": (deliveries._put_off(4), ["(account_id=? AND id=?)"]),
    "over": (deliveries._OVER, ["(account_id=? AND id<?)"]),
    "forget": (deliveries._forget(tables.webhook_attempts, "delivery_id", 4), ["(account_id=? AND delivery_id=?)"]),
    "subjects": (deliveries._of_subjects(4), ["(account_id=? AND subject_id=?)"]),
    "attempts": (deliveries._attempts_of(4), ["(account_id=? AND delivery_id=?)"]),
    "endpoints": (outbox._listening(0), ["webhook_endpoints USING INDEX sqlite_autoindex_webhook_endpoints_1"]),
    "listeners": (outbox._listening(4), ["webhook_endpoints", "engagements_1 (account_id=? AND id=?)"]),
    "callbacks": (outbox._select_callbacks(tables.envelopes, 4), ["envelopes_1 (account_id=? AND id=?)"]),
}


@pytest.mark.parametrize("name", PLANS)
def test_no_statement_reads_all_of_an_account(database: Path, name: str) -> None:
    """Each step of each plan is one of those above, and no table is scanned."""
    statement, expected = PLANS[name]
    compiled = statement.compile(
        dialect=sqlite.dialect(paramstyle="named"), compile_kwargs={"render_postcompile": True}
    )
    values = {key: 1 if value is None else value for key, value in compiled.params.items()}
    with sqlite3.connect(database) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
    connection.close()
    steps = [step for step in plan if step.startswith("SEARCH") or "webhook" in step]
    assert len(steps) == len(expected), plan
    assert all(part in step for part, step in zip(expected, steps, strict=True)), plan
