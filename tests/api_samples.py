"""Something of every resource, for tests that go through all of them."""

from typing import Any

from api_client import START, Client, to_wire_number
from opengage.domain.records import Text, TextResult, WebhookDelivery
from opengage.domain.states import TextStatus
from opengage.ids import from_wire, new_id, to_wire
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
)

FRESH = ("phone-numbers", "service-profiles", "accounts", "memberships", "api-tokens")
"""What an account has one of as soon as it is made."""


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
                status=TextStatus.SENT,
                body="Hi Ann",
                segments=1,
                phone_number_id=account.phone_number_id,
                service_profile_id=account.service_profile_id,
                result_id=result_id,
            ),
        )
        await rows.insert(tx, TextResult(**times, id=result_id, text_id=text_id, kind="sent"))
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
    ids |= {kind: (await client.get(f"/{kind}")).json()["data"][0]["id"] for kind in RESOURCES[8:]}
    return ids | {
        "texts": to_wire(text_id),
        "text-messages": to_wire(text_id),
        "text-results": to_wire(result_id),
        "phone-numbers": to_wire_number(account),
        "webhook-endpoints": endpoint_id,
        "webhook-deliveries": to_wire(delivery_id),
    }
