"""One request for every operation of the API: what the tests of tenancy, roles and hostile bodies walk through.

Reads follow from the descriptions of the resources. A new write, or a read of its own, needs a line here; without one
`test_matrix.py` fails.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from api_client import Client, recipients, resource
from api_samples import RESOURCES as KINDS
from api_samples import one_of_each, upload
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


def _moved(ids: Ids) -> Any:
    attributes = {"url": "https://example.com/moved"}
    return {"data": {"type": "webhook-endpoints", "id": ids["webhook-endpoints"], "attributes": attributes}}


def _login(_: Ids) -> Any:
    return resource("logins", {"email": "ann@example.org", "password": "correct horse battery"})


def _of(kind: str, /, **attributes: Any) -> Body:
    """A document with these attributes; underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return lambda _: resource(kind, named)


def _text(ids: Ids) -> Any:
    return resource("texts", {"to": "+12025550123"}, text_message=("text-messages", ids["text-messages"]))


def _tags(ids: Ids) -> Any:
    return {"data": [{"type": "tags", "id": ids["tags"]}]}


def _with_file(kind: str, /, **attributes: str) -> Body:
    """A document that points at a file."""
    return lambda ids: _pointing(kind, attributes, "files", ids["files"])


def _with_upload(kind: str, /, **attributes: str) -> Body:
    """A document that points at an upload."""
    return lambda ids: _pointing(kind, attributes, "uploads", ids["uploads"])


def _pointing(kind: str, attributes: dict[str, str], name: str, id_: str) -> Any:
    document = resource(kind, attributes)
    document["data"]["relationships"][name] = {"data": [{"type": name, "id": id_}]}
    return document


MANAGED = (
    Case("PATCH /text-templates/{resource_id}", _with_file("text-templates", body="Hello"), 202),
    Case("GET /text-templates/{resource_id}/relationships/tags"),
    Case("POST /text-templates/{resource_id}/relationships/tags", _tags),
    Case("PATCH /text-templates/{resource_id}/relationships/tags", _tags),
    Case("DELETE /text-templates/{resource_id}/relationships/tags", _tags),
    Case("DELETE /text-templates/{resource_id}", expected=204),
    Case("POST /text-messages", _with_file("text-messages", body="Hi"), 201),
    # the sample is what a blast's text carries, and so no draft
    Case("PATCH /text-messages/{resource_id}", _of("text-messages", body="Hi"), 400),
    Case("DELETE /text-messages/{resource_id}", expected=400),
    Case("POST /texts", _text, 201),
    Case("PATCH /texts/{resource_id}", _of("texts", status="in-doubt"), 202),
    Case("POST /phone-numbers", _of("phone-numbers", phone_number="+12025550101"), 201),
    Case("PATCH /phone-numbers/{resource_id}", _of("phone-numbers", label="L"), 202),
    Case("DELETE /phone-numbers/{resource_id}", expected=204),
    Case("POST /service-profiles", _of("service-profiles", name="P", kind="sandbox"), 201),
    Case("PATCH /service-profiles/{resource_id}", _of("service-profiles", name="P"), 202),
    # a phone number is on it
    Case("DELETE /service-profiles/{resource_id}", expected=400),
    Case("POST /suppressions", _of("suppressions", phone_number="+12025550177"), 201),
    Case("DELETE /suppressions/{resource_id}", expected=204),
    Case("POST /tags", _of("tags", name="Summer"), 201),
    Case("PATCH /tags/{resource_id}", _of("tags", name="Autumn"), 202),
    Case("DELETE /tags/{resource_id}", expected=204),
    Case("PATCH /accounts/{resource_id}", _of("accounts", name="Bank"), 202),
    Case("POST /memberships", _of("memberships", name="Ann", role="viewer"), 201),
    Case("PATCH /memberships/{resource_id}", _of("memberships", name="Ann"), 202),
)


def _one(kind: str, attributes: dict[str, Any]) -> Body:
    return lambda ids: {"data": {"type": kind, "id": ids[kind], "attributes": attributes}}


def _some(*kinds: str) -> Body:
    return lambda ids: {"data": [{"type": kind, "id": ids[kind]} for kind in kinds]}


def _changed_envelopes(ids: Ids) -> Any:
    return {"data": [_one("envelopes", {"is-priority": True})(ids)["data"]]}


def _import(ids: Ids) -> Any:
    return resource("import-contacts", {}, upload=("uploads", ids["uploads"]))


_MEMBERS = "/lists/{resource_id}/relationships/contacts"
_LISTS = "/contacts/{resource_id}/relationships/lists"

WRITES = (
    *(case for case in MANAGED if case.method != "GET"),
    Case("POST /contacts", lambda _: resource("contacts", {"phone-number": "+12025550101"}), 201),
    Case("PATCH /contacts/{resource_id}", _one("contacts", {"notes": "x"}), 202),
    Case("DELETE /contacts/{resource_id}", None, 204),
    Case("DELETE /contacts", _some("contacts"), 204),
    Case("POST /lists", lambda _: resource("lists", {"title": "L"}), 201),
    Case("PATCH /lists/{resource_id}", _one("lists", {"title": "M"}), 202),
    Case("DELETE /lists/{resource_id}", None, 204),
    *(Case(f"{method} {_MEMBERS}", _some("contacts"), 204) for method in ("POST", "PATCH", "DELETE")),
    *(Case(f"{method} {_LISTS}", _some("lists"), 204) for method in ("POST", "PATCH", "DELETE")),
    Case("PATCH /engagements/{resource_id}/relationships/lists", _some("lists"), 204),
    Case("POST /texts/{resource_id}/resolutions", _of("resolutions", verb="resend"), 201),
    Case("POST /uploads", lambda _: {"name": "a.csv", "type": "text/csv", "size": 1}, 201),
    Case("POST /import-contacts", _import, 201),
    Case("PATCH /envelopes/{resource_id}", _one("envelopes", {"is-priority": True}), 202),
    Case("PATCH /envelopes", _changed_envelopes, 202),
    Case("DELETE /envelopes/{resource_id}", None, 204),
    Case("DELETE /envelopes", _some("envelopes"), 204),
    Case("POST /engagements", lambda _: resource("engagements", {"name": "E"}), 201),
    Case("PATCH /engagements/{resource_id}", _renamed, 202),
    Case("POST /text-templates", _with_upload("text-templates", name="T", body="Hi"), 201),
    Case("POST /activities", _activity, 201),
    Case("POST /envelopes", lambda ids: {"data": recipients(ids["engagements"], 2)}, 201),
    Case("POST /engagements/{resource_id}/copies", _copy, 201),
    Case("POST /engagements/{resource_id}/resolutions", _resolution, 201),
    Case("POST /webhook-endpoints", lambda _: resource("webhook-endpoints", {"url": "https://example.com/"}), 201),
    Case("PATCH /webhook-endpoints/{resource_id}", _moved, 202),
    Case("DELETE /webhook-endpoints/{resource_id}", expected=204),
    Case("POST /webhook-endpoints/{resource_id}/rotate-secret"),
    Case("POST /webhook-deliveries/{resource_id}/resend", expected=202),
    Case("POST /erasures", _of("erasures", phone_number="+12025550188"), 202),
    Case("PUT /memberships/{resource_id}/login", _login, 204),
)
"""Every operation that changes something, but for those of OWN."""

OWN = (
    Case("POST /api-tokens", _of("api-tokens"), 201),
    Case("PATCH /api-tokens/{resource_id}", _of("api-tokens", expires_at=None), 202),
    Case("DELETE /api-tokens/{resource_id}", expected=204),
)
"""What every member may do, with what is theirs."""


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
    *(case for case in MANAGED if case.method == "GET"),
    Case("GET /engagements/{resource_id}/ledger"),
    Case("GET /engagements/{resource_id}/relationships/lists"),
    Case(f"GET {_LISTS}"),
    Case(f"GET {_MEMBERS}"),
    Case("GET /import-contacts/{resource_id}/errors.csv"),
    # there is none yet, while the blast may still change
    Case("GET /engagements/{resource_id}/receipt", expected=400),
)
"""Every operation that changes nothing."""


async def world(client: Client, store: SqliteStore) -> Ids:
    """One resource of each type in the client's account."""
    ids = await one_of_each(client, store)
    more = {BARE: await client.engagement(), "uploads": await upload(client, "b.csv", "text/csv", b"phone\n1\n")}
    return ids | more | {"memberships": to_wire(client.account.membership_id)}


def nowhere() -> Ids:
    """Ids that nobody has."""
    return {kind: to_wire(new_id()) for kind in (*KINDS, "memberships", "uploads", BARE)}
