"""kill -9 in the middle of an import: nobody is lost, nobody comes in twice."""

import sqlite3
from typing import Any

import httpx

from blasts import Tenant, Tenants
from processes import Server, until

ROWS = 20_000


def number(place: int) -> str:
    """One of a hundred thousand fictional numbers."""
    return f"+331990{place:05d}"


def queued(tenant: Tenant) -> str:
    """An import of many people, without unique numbers: a row that came in twice would show."""
    lines = [f"{number(place)},Ann{place}" for place in range(ROWS)]
    content = "\n".join(["phone,first name", *lines]).encode()
    asked = tenant.send("POST", "/uploads", {"name": "people.csv", "type": "text/csv"}).json()["data"]
    fields = {name: value for each in asked["attributes"]["request-form-data"] for name, value in each.items()}
    sent = httpx.post(asked["attributes"]["request-url"], data=fields, files={"file": ("people.csv", content)})
    assert sent.status_code == 204, sent.text
    return tenant.make("import-contacts", {"unique-primary-phone": False}, upload=("uploads", asked["id"]))


def told(tenant: Tenant, import_id: str) -> dict[str, Any]:
    """The import's attributes."""
    found: dict[str, Any] = tenant.get(f"/import-contacts/{import_id}")["data"]["attributes"]
    return found


def test_a_worker_killed_in_an_import(server: Server, tenants: Tenants) -> None:
    """Its successors go on with the next row, twice over, and the counts are those of the table."""
    tenant = tenants.new()
    import_id = queued(tenant)
    for rows in (ROWS // 10, ROWS // 2):

        def has_come_so_far(rows: int = rows) -> bool:
            return bool(told(tenant, import_id)["count-rows"] >= rows)

        until(has_come_so_far, what=f"{rows} rows")
        server.process.kill("worker")
    until(lambda: told(tenant, import_id)["status"] == "completed", 60, "the end of the import")
    found = told(tenant, import_id)
    assert (found["count-rows"], found["count-created"], found["count-failed"]) == (ROWS, ROWS, 0)
    connection = sqlite3.connect(server.data / "opengage.db")
    try:
        counted = connection.execute(
            "SELECT count(*), count(DISTINCT c.phone_number) FROM contacts AS c"
            " JOIN accounts AS a ON a.account_id = c.account_id WHERE a.key = ?",
            (tenant.key,),
        ).fetchone()
    finally:
        connection.close()
    assert counted == (ROWS, ROWS)
