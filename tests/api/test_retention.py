"""How long an account keeps what was said and to whom, and what the API says of what is forgotten."""

from pathlib import Path

import msgspec
import pytest

from api_client import Client, StandingClock, resource
from opengage.clock import SECOND, Instant, SystemClock
from opengage.dispatch.purger import Keeps, Purger
from opengage.domain.receipt_chain import Intact, verify
from opengage.store.blobs import Blobs
from opengage.store.pseudonyms import MARK
from opengage.store.sqlite import SqliteStore


def later(clock: StandingClock) -> None:
    """Forty days after now: ids hold the time in which they were made, wherever the test's clock stands."""
    clock.instant = Instant(SystemClock().now() + 40 * 24 * 3600 * SECOND)


async def change_account(client: Client, **values: object) -> tuple[int, dict[str, object]]:
    """PATCH the account; status and the document's attributes or first error."""
    account = (await client.get("/accounts")).json()["data"][0]["id"]
    attributes = {name.replace("_", "-"): value for name, value in values.items()}
    document = {"data": {"type": "accounts", "id": account, "attributes": attributes}}
    answer = await client.patch(f"/accounts/{account}", document)
    body = answer.json()
    return answer.status_code, body["data"]["attributes"] if "data" in body else body["errors"][0]


async def test_an_owner_says_how_long(client: Client) -> None:
    """In days; null goes back to what the installation says. It is in the audit."""
    assert (await change_account(client, retention_days_bodies=30, retention_days_numbers=0))[0] == 202
    _, found = await change_account(client, name="First")
    assert (found["retention-days-bodies"], found["retention-days-numbers"]) == (30, 0)
    _, found = await change_account(client, retention_days_bodies=None)
    assert found["retention-days-bodies"] is None
    events = (await client.get("/audit-events")).json()["data"]
    assert any("retention-days-bodies" in str(each) or "retention_days_bodies" in str(each) for each in events)


@pytest.mark.parametrize("value", [-1, 36_501, "30", 1.5])
async def test_days_that_cannot_be(client: Client, value: object) -> None:
    """400, and it says which member."""
    status, error = await change_account(client, retention_days_numbers=value)
    assert status == 400
    assert "retention-days-numbers" in str(error)


async def test_a_receipt_of_what_was_forgotten(
    client: Client, store: SqliteStore, clock: StandingClock, tmp_path: Path
) -> None:
    """The chain holds over what is left, it says so in its first line, and nobody who was forgotten is copied."""
    id_ = await client.ready(2)
    await client.change(id_, status="scheduled")
    await client.change(id_, status="canceled")
    assert (await client.get(f"/engagements/{id_}/receipt")).text.count("purged-at") == 0
    later(clock)
    await Purger(store, Blobs(tmp_path), clock, Keeps(30, 30), rest=0.0).turn()
    answer = await client.get(f"/engagements/{id_}/receipt")
    assert isinstance(verify(answer.text.splitlines(keepends=True)), Intact)
    header, *lines, _ = [msgspec.json.decode(line) for line in answer.text.splitlines()]
    assert {"bodies-purged-at", "numbers-purged-at"} <= set(header["facts"])
    assert all(line["phone-number"].startswith(MARK) for line in lines)
    shown = (await client.get(f"/engagements/{id_}")).json()["data"]["attributes"]
    assert shown["bodies-purged-at"] == shown["numbers-purged-at"] == header["facts"]["bodies-purged-at"]
    copy = await client.post(f"/engagements/{id_}/copies", resource("engagements", {"envelopes": "everybody"}))
    assert copy.json()["data"]["attributes"]["count-total"] in (0, None)


async def test_words_that_were_forgotten_are_not_sent(
    client: Client, store: SqliteStore, clock: StandingClock, tmp_path: Path
) -> None:
    """A finished message without its words is refused, and the draft keeps its own."""
    finished = await client.make("text-messages", {"body": "Hi", "is-draft": False})
    draft = await client.make("text-messages", {"body": "Draft", "is-draft": True})
    later(clock)
    await Purger(store, Blobs(tmp_path), clock, Keeps(30), rest=0.0).turn()
    answer = await client.post(
        "/texts", resource("texts", {"to": "+12025550123"}, text_message=("text-messages", finished))
    )
    assert answer.status_code == 400
    assert "forgotten" in answer.json()["errors"][0]["detail"]
    assert (await client.get(f"/text-messages/{draft}")).json()["data"]["attributes"]["body"] == "Draft"
