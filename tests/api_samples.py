"""Something of every resource, for tests that go through all of them."""

from typing import Any

from api_client import START, Client, to_wire_number
from opengage.domain.records import Text, TextResult
from opengage.domain.states import TextStatus
from opengage.ids import new_id, to_wire
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
)


async def one_of_each(client: Client, store: SqliteStore) -> dict[str, str]:
    """Something of every resource in this account; their ids."""
    engagement_id = await client.ready(1)
    ids = {kind: (await client.get(f"/{kind}")).json()["data"][0]["id"] for kind in RESOURCES[:4]}
    text_id, result_id = new_id(), new_id()
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
    assert ids["engagements"] == engagement_id
    return ids | {
        "texts": to_wire(text_id),
        "text-messages": to_wire(text_id),
        "text-results": to_wire(result_id),
        "phone-numbers": to_wire_number(account),
    }
