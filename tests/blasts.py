"""A tenant's client for the tests of the whole path: the guide's five calls with its exact headers."""

import asyncio
import base64
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from opengage.clock import SystemClock
from opengage.ids import new_id, to_wire
from opengage.operations.accounts import Created, create_account
from opengage.store.sqlite import SqliteStore
from processes import until

BULK = "application/vnd.api+json; ext=bulk"
STATUSES = ("pending", "processing", "hold", "complete", "incomplete")


def add_account(
    data: Path, key: str, *, smsc: str | None = None, rate: float | None = None, phone_number: str = "+12025550100"
) -> dict[str, str]:
    """What `opengage init --json` tells, without starting a process for it."""

    async def create() -> Created:
        store = SqliteStore(data / "opengage.db")
        try:
            return await create_account(
                store, SystemClock(), new_id, key=key, phone_number=phone_number, smsc=smsc, rate=rate
            )
        finally:
            await store.close()

    made = asyncio.run(create())
    return {
        "account-key": made.account_key,
        "token-key": made.token_key,
        "token-secret": made.token_secret,
        "phone-number-id": to_wire(made.phone_number_id),
        "phone-number": made.phone_number,
    }


def number(each: int) -> str:
    """One of ten thousand fictional numbers."""
    return f"+3319900{each:04d}"


class Tenant:
    """One account's client."""

    def __init__(self, url: str, told: dict[str, str]) -> None:
        self.key = told["account-key"]
        self.phone_number = told["phone-number"]
        self._phone_number_id = told["phone-number-id"]
        pair = f"{told['token-key']}:{told['token-secret']}"
        # the headers of the guide, and no others: no Content-Type on the plain calls
        self.headers = {
            "X-Account-Key": self.key,
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        }
        self.http = httpx.Client(base_url=f"{url}/api/v1", timeout=30)
        self.http.headers.clear()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A request."""
        named = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else httpx.Request("POST", "http://-", json=body).content
        return self.http.request(method, path, content=content, headers=named)

    def get(self, path: str) -> Any:
        """The document at a path."""
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make(self, kind: str, attributes: dict[str, Any], **targets: tuple[str, str]) -> str:
        """POST one resource; its id."""
        relationships = {name.replace("_", "-"): _link(*target) for name, target in targets.items()}
        body: dict[str, Any] = {"data": {"type": kind, "attributes": attributes}}
        if relationships:
            body["data"]["relationships"] = relationships
        answer = self.send("POST", f"/{kind}", body)
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["data"]["id"]
        return made

    def prepare(self, body: str | None = None, phone_number_id: str | None = None) -> str:
        """The first three calls: a template, an engagement, its activity. The engagement's id.

        Without a phone number, it is the account's first.
        Texts name the account, so that no two accounts say the same and the simulator can tell duplicates.
        """
        words = body if body is not None else f"Hello {{{{first-name}}}}, {self.key} supports variables."
        template_id = self.make("text-templates", {"name": "Text Template", "body": words})
        engagement_id = self.make("engagements", {"name": "Example Text Blast", "direction": "outbound"})
        self.make(
            "activities",
            {"name": "Text Blast", "kind": "text"},
            engagement=("engagements", engagement_id),
            text_template=("text-templates", template_id),
            phone_number=("phone-numbers", phone_number_id or self._phone_number_id),
        )
        return engagement_id

    def address(self, engagement_id: str, numbers: list[str], **headers: str) -> httpx.Response:
        """The fourth call: envelopes to these numbers, in bulk."""
        bulk = {"Content_Type": BULK, "Accept": BULK}
        return self.send("POST", "/envelopes", _envelopes(engagement_id, numbers), **bulk, **headers)

    def change(self, engagement_id: str, **attributes: str) -> dict[str, Any]:
        """PATCH an engagement; its attributes as answered."""
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        body = {"data": {"id": engagement_id, "type": "engagements", "attributes": named}}
        answer = self.send("PATCH", f"/engagements/{engagement_id}", body)
        assert answer.status_code == 202, answer.text
        changed: dict[str, Any] = answer.json()["data"]["attributes"]
        return changed

    def schedule(self, engagement_id: str) -> None:
        """The fifth call."""
        self.change(engagement_id, status="scheduled", delivery_type="immediately")

    def blast(self, count: int | list[str], body: str | None = None) -> str:
        """All five calls, to so many numbers or to these; the engagement's id."""
        engagement_id = self.prepare(body)
        answer = self.address(
            engagement_id, [number(each) for each in range(count)] if isinstance(count, int) else count
        )
        assert answer.status_code == 201, answer.text
        self.schedule(engagement_id)
        return engagement_id

    # what is watched

    def ledger(self, engagement_id: str) -> dict[str, Any]:
        """The ledger, once it is shown to sum up."""
        found: dict[str, Any] = self.get(f"/engagements/{engagement_id}/ledger")["data"]["attributes"]
        assert found["total"] == sum(found[status] for status in STATUSES)
        return found

    def status(self, engagement_id: str) -> str:
        """The engagement's status."""
        found: str = self.get(f"/engagements/{engagement_id}")["data"]["attributes"]["status"]
        return found

    def completed(self, engagement_id: str, within: float = 30.0) -> dict[str, Any]:
        """The ledger, once the engagement is completed."""
        until(lambda: self.status(engagement_id) == "completed", within, "completion")
        return self.ledger(engagement_id)

    def every(self, kind: str, **filters: str) -> list[dict[str, Any]]:
        """All resources of a kind, page after page."""
        wanted = "".join(f"&filter[{name.replace('_', '.')}]={value}" for name, value in filters.items())
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"/{kind}?page[limit]=1000&page[offset]={len(found)}{wanted}")["data"]
            found += page
            if len(page) < 1000:
                return found

    def reasons(self, engagement_id: str) -> dict[str, str]:
        """Each envelope's reason, by its number."""
        found = self.every("envelopes", engagement_id=engagement_id)
        return {each["attributes"]["phone-number"]: each["attributes"]["reason"] for each in found}


def _link(kind: str, id_: str) -> dict[str, Any]:
    return {"data": {"type": kind, "id": id_}}


def _envelopes(engagement_id: str, numbers: list[str]) -> dict[str, Any]:
    return {
        "data": [
            {
                "type": "envelopes",
                "attributes": {"phone-number": each, "meta": {"first-name": f"Ann{place}", "last-name": "Lee"}},
                "relationships": {"engagement": _link("engagements", engagement_id)},
            }
            for place, each in enumerate(numbers)
        ]
    }


class Tenants:
    """Makes clients on one server, and closes them in the end."""

    def __init__(self, url: str, data: Path, name: str) -> None:
        self._url = url
        self._data = data
        self._name = name.removeprefix("test_").replace("_", "-")[:40].strip("-")
        self._all: list[Tenant] = []

    def new(self, smsc: Callable[[str], str] | None = None, **more: Any) -> Tenant:
        """The client of a new account; `smsc` makes its carrier's address of its key."""
        key = f"{self._name}-{len(self._all)}"
        return self.of(add_account(self._data, key, smsc=smsc(key[-15:]) if smsc else None, **more))

    def of(self, told: dict[str, str]) -> Tenant:
        """The client of an account that `opengage init` made."""
        self._all.append(Tenant(self._url, told))
        return self._all[-1]

    def close(self) -> None:
        """Close every client."""
        for tenant in self._all:
            tenant.http.close()


def recount(data: Path, key: str) -> dict[str, int]:
    """The envelopes of an account by status, counted row by row in the table itself."""
    connection = sqlite3.connect(data / "opengage.db")
    try:
        counted = connection.execute(
            "SELECT e.status, count(*) FROM envelopes AS e JOIN accounts AS a ON a.account_id = e.account_id"
            " WHERE a.key = ? GROUP BY e.status",
            (key,),
        )
        return dict(counted.fetchall())
    finally:
        connection.close()
