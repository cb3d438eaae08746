"""One request for every operation of the API: what the tests of tenancy, roles and hostile bodies walk through.

Reads follow from the descriptions of the resources. A new write, or a read of its own, needs a line here; without one
`test_matrix.py` fails.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from api_client import Client, recipients, resource
from api_samples import RESOURCES as KINDS
from api_samples import one_of_each
from opengage.api.resources.registry import BY_TYPE, RESOURCES
from opengage.ids import new_id, to_wire
from opengage.store.sqlite import SqliteStore

V1 = "/api/v1"
Ids = dict[str, str]
"""The id of one resource of each type."""
BARE = "an engagement without an activity"
Body = Callable[[Ids], Any]


class Case(msgspec.Struct, frozen=True):
    """A request: the body is made of the ids that it points at."""

    operation: str
    """The method, and the path below /api/v1 as the route has it."""
    body: Body | None = None
    expected: int = 200
    name: str = ""
    """What stands for `{name}` in the path."""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.operation.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path with its parameters in braces."""
        return self.operation.partition(" ")[2]

    def address(self, ids: Ids) -> str:
        """The path with the ids in their places."""
        kind = self.path.split("/")[1]
        return V1 + self.path.replace("{resource_id}", ids.get(kind, "")).replace("{name}", self.name)

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


def _copy(_: Ids) -> Any:
    return resource("engagements", {"envelopes": "everybody"})


def _resolution(_: Ids) -> Any:
    return resource("resolutions", {"verb": "resend"})


def _login(_: Ids) -> Any:
    return resource("logins", {"email": "ann@example.org", "password": "correct horse battery"})


WRITES = (
    Case("POST /engagements", lambda _: resource("engagements", {"name": "E"}), 201),
    Case("PATCH /engagements/{resource_id}", _renamed, 202),
    Case("POST /text-templates", lambda _: resource("text-templates", {"name": "T", "body": "Hi"}), 201),
    Case("POST /activities", _activity, 201),
    Case("POST /envelopes", lambda ids: {"data": recipients(ids["engagements"], 2)}, 201),
    Case("POST /engagements/{resource_id}/copies", _copy, 201),
    Case("POST /engagements/{resource_id}/resolutions", _resolution, 201),
    Case("PUT /memberships/{resource_id}/login", _login, 204),
)
"""Every operation that changes something."""


def _reads() -> Iterator[Case]:
    for each in RESOURCES:
        yield Case(f"GET /{each.type}")
        yield Case(f"GET /{each.type}/{{resource_id}}")
        served = [name for name, found in each.relationships.items() if found.target in BY_TYPE]
        for name in (*served, "nothing"):
            yield Case(f"GET /{each.type}/{{resource_id}}/{{name}}", name=name)
            yield Case(f"GET /{each.type}/{{resource_id}}/relationships/{{name}}", name=name)


READS = (
    *_reads(),
    Case("GET /engagements/{resource_id}/ledger"),
    # there is none yet, while the blast may still change
    Case("GET /engagements/{resource_id}/receipt", expected=400),
)
"""Every operation that changes nothing."""


async def world(client: Client, store: SqliteStore) -> Ids:
    """One resource of each type in the client's account."""
    ids = await one_of_each(client, store)
    return ids | {BARE: await client.engagement(), "memberships": to_wire(client.account.membership_id)}


def nowhere() -> Ids:
    """Ids that nobody has."""
    return {kind: to_wire(new_id()) for kind in (*KINDS, "memberships", BARE)}
