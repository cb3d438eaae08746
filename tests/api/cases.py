"""One request for every operation of the API: what the tests of tenancy, roles and hostile bodies walk through.

A new route needs a line here, or `test_matrix.py` fails. Reads of one and of a list need none beyond an id in `world`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from api.test_tenancy import one_of_each
from api_client import Client, recipients, resource
from opengage.ids import new_id, to_wire
from opengage.store.sqlite import SqliteStore

V1 = "/api/v1"
Ids = dict[str, str]
"""The id of one resource of each type."""
BARE = "an engagement without an activity"
Body = Callable[[Ids], Any]


class Case(msgspec.Struct, frozen=True):
    """A request: the body is made of the ids that it points at."""

    method: str
    path: str
    """As the route has it, with the parameter in braces."""
    body: Body | None = None
    expected: int = 200

    @property
    def kind(self) -> str:
        """The type at that address."""
        return self.path.split("/")[3]

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"

    def address(self, ids: Ids) -> str:
        """The path with the id in its place."""
        before, brace, after = self.path.partition("{")
        return before + (ids[self.kind] + after.partition("}")[2] if brace else "")

    def points(self) -> bool:
        """Whether it names a resource that must be there."""
        probe = nowhere()
        text = self.address(probe) + str(self.body(probe) if self.body else "")
        return any(id_ in text for id_ in probe.values())


def _activity(ids: Ids) -> Any:
    targets = {
        "engagement": ("engagements", ids[BARE]),
        "phone_number": ("phone-numbers", ids["phone-numbers"]),
        "text_template": ("text-templates", ids["text-templates"]),
    }
    return resource("activities", {"name": "A", "kind": "text"}, **targets)


def _renamed(ids: Ids) -> Any:
    return {"data": {"type": "engagements", "id": ids["engagements"], "attributes": {"name": "Renamed"}}}


WRITES = {
    "POST /engagements": Case("POST", f"{V1}/engagements", lambda _: resource("engagements", {"name": "E"}), 201),
    "PATCH /engagements/{resource_id}": Case("PATCH", f"{V1}/engagements/{{resource_id}}", _renamed, 202),
    "POST /text-templates": Case(
        "POST", f"{V1}/text-templates", lambda _: resource("text-templates", {"name": "T", "body": "Hi"}), 201
    ),
    "POST /activities": Case("POST", f"{V1}/activities", _activity, 201),
    "POST /envelopes": Case("POST", f"{V1}/envelopes", lambda ids: {"data": recipients(ids["engagements"], 2)}, 201),
}
"""Every operation that changes something."""

KINDS = (
    "text-templates",
    "engagements",
    "activities",
    "envelopes",
    "texts",
    "text-messages",
    "text-results",
    "phone-numbers",
)
READS = {
    **{f"GET /{kind}": Case("GET", f"{V1}/{kind}") for kind in KINDS},
    **{f"GET /{kind}/{{resource_id}}": Case("GET", f"{V1}/{kind}/{{resource_id}}") for kind in KINDS},
    "GET /engagements/{resource_id}/ledger": Case("GET", f"{V1}/engagements/{{resource_id}}/ledger"),
}
CASES = {**READS, **WRITES}


async def world(client: Client, store: SqliteStore) -> Ids:
    """One resource of each type in the client's account."""
    return await one_of_each(client, store) | {BARE: await client.engagement()}


def nowhere() -> Ids:
    """Ids that nobody has."""
    return {kind: to_wire(new_id()) for kind in (*KINDS, BARE)}


__all__ = ["CASES", "READS", "WRITES", "Case", "Ids", "nowhere", "world"]
