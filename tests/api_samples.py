"""Something of every resource, for tests that go through all of them."""

from typing import Any

from api_client import START, Client, resource, to_wire_number
from opengage.domain.errors import Problem
from opengage.domain.records import ContactImportError, Text, TextResult, WebhookDelivery
from opengage.domain.states import TextStatus
from opengage.ids import from_wire, new_id, to_wire
from opengage.operations import files
from opengage.operations.actors import Actor
from opengage.store import rows
from opengage.store.sqlite import SqliteStore

RESOURCES = (
    "text-templates",
    "engagements",
    "activities",
    "envelopes",
    "texts",
    "text-messages",
    "text-results",
    "phone-numbers",
    "webhook-endpoints",
    "webhook-deliveries",
    "text-template-revisions",
    "service-profiles",
    "suppressions",
    "tags",
    "accounts",
    "memberships",
    "api-tokens",
    "audit-events",
    "contacts",
    "lists",
    "import-contacts",
    "import-contact-errors",
    "files",
    "erasures",
)

FRESH = ("phone-numbers", "service-profiles", "accounts", "memberships", "api-tokens")
"""What an account has one of as soon as it is made."""


async def upload(client: Client, name: str, kind: str, content: bytes) -> str:
    """Send a file by the form that the API gives for it; the upload's id."""
    answer = await client.post("/uploads", {"name": name, "type": kind, "size": len(content)})
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    sent = await client.http.post(
        data["attributes"]["request-url"],
        data={key: value for each in data["attributes"]["request-form-data"] for key, value in each.items()}
        | {"Content-Type": kind},
        files={"file": (name, content, "multipart/form-data")},
    )
    assert sent.status_code == 204, sent.text
    id_: str = data["id"]
    return id_


async def attached(client: Client, store: SqliteStore, upload_id: str, template_id: str) -> str:
    """Attach an upload to a text template; the file's id."""
    actor = Actor(1, client.account.account_key, client.account.membership_id, "owner")
    template, of_upload = from_wire(template_id), from_wire(upload_id)
    assert template is not None
    assert of_upload is not None
    problems: list[Problem] = []
    async with store.writing() as tx:
        owner = ("text-templates", template)
        await files.attach(tx, new_id, actor, START, owner, upload_ids=[of_upload], problems=problems)
        assert not problems
        return to_wire((await files.of(tx, "text-templates", 1, [template]))[template][-1])


async def people(client: Client, store: SqliteStore, template_id: str) -> dict[str, str]:
    """A contact, a list, an import with an error, and a file; their ids."""
    contact_id = await client.make("contacts", {"phone-number": "+12025550143", "first-name": "Ann"})
    list_id = await client.make("lists", {"title": "Customers"})
    upload_id = await upload(client, "people.csv", "text/csv", b"phone\n+12025550144\n")
    import_id = await client.make("import-contacts", {}, upload=("uploads", upload_id))
    error_id = new_id()
    imported = from_wire(import_id)
    assert imported is not None
    async with store.writing() as tx:
        await rows.insert(
            tx,
            ContactImportError(
                account_id=1,
                id=error_id,
                created_at=START,
                updated_at=START,
                import_id=imported,
                line=2,
                field="phone",
                value="1",
                detail="it is too short",
                fix="check its digits",
            ),
        )
    picture = await upload(client, "a.gif", "image/gif", b"GIF89a\x02\x00\x01\x00;")
    return {
        "contacts": contact_id,
        "lists": list_id,
        "import-contacts": import_id,
        "import-contact-errors": to_wire(error_id),
        "files": await attached(client, store, picture, template_id),
    }


async def one_of_each(client: Client, store: SqliteStore) -> dict[str, str]:
    """Something of every resource in this account; their ids."""
    engagement_id = await client.ready(1)
    ids = {kind: (await client.get(f"/{kind}")).json()["data"][0]["id"] for kind in RESOURCES[:4]}
    text_id, result_id, delivery_id = new_id(), new_id(), new_id()
    endpoint_id = await client.make("webhook-endpoints", {"url": "https://example.com/hooks"})
    account = client.account
    times: dict[str, Any] = {"account_id": 1, "created_at": START, "updated_at": START}
    author: dict[str, Any] = {"created_by": account.membership_id, "updated_by": account.membership_id}
    async with store.writing() as tx:
        await rows.insert(
            tx,
            Text(
                **times,
                **author,
                id=text_id,
                sender=account.phone_number,
                recipient="+12025550123",
                direction="outbound",
                status=TextStatus.IN_DOUBT,
                epoch=1,
                body="Hi Ann",
                segments=1,
                phone_number_id=account.phone_number_id,
                service_profile_id=account.service_profile_id,
                result_id=result_id,
            ),
        )
        await rows.insert(tx, TextResult(**times, id=result_id, text_id=text_id, kind="in-doubt"))
        delivery = WebhookDelivery(
            **times,
            id=delivery_id,
            target=endpoint_id,
            endpoint_id=from_wire(endpoint_id),
            url=None,
            event="text.sent",
            subject_type="texts",
            subject_id=text_id,
            include=None,
            status="failed",
            next_at=None,
        )
        await rows.insert(tx, delivery)
    assert ids["engagements"] == engagement_id
    account_id = (await client.get("/accounts")).json()["data"][0]["id"]
    named = {"data": {"type": "accounts", "attributes": {"name": "First Bank"}}}
    assert (await client.patch(f"/accounts/{account_id}", named)).status_code == 202
    await client.make("tags", {"name": "Spring"})
    await client.make("suppressions", {"phone-number": "+12025550199"})
    erasure = await client.post("/erasures", resource("erasures", {"phone-number": "+12025550198"}))
    assert erasure.status_code == 202, erasure.text
    made = await people(client, store, ids["text-templates"])
    ids |= {kind: (await client.get(f"/{kind}")).json()["data"][0]["id"] for kind in RESOURCES[8:]}
    return ids | {
        **made,
        "texts": to_wire(text_id),
        "text-messages": to_wire(text_id),
        "text-results": to_wire(result_id),
        "phone-numbers": to_wire_number(account),
        "webhook-endpoints": endpoint_id,
        "webhook-deliveries": to_wire(delivery_id),
    }
