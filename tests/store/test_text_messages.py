"""Text messages as one list: those written by themselves and those that texts carry."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from api_client import NUMBER, START
from opengage.domain.records import Text, TextMessage
from opengage.domain.states import TextStatus
from opengage.ids import Id, new_id
from opengage.store import lists, migrations, rows
from opengage.store.asks import Ask
from opengage.store.sqlite import SqliteStore


def opened(folder: Path) -> SqliteStore:
    """A migrated store."""
    path = folder / "opengage.sqlite"
    migrations.upgrade(sa.URL.create("sqlite", database=str(path)))
    return SqliteStore(path)


def common(account_id: int) -> dict[str, Any]:
    """What every record has, with an id that is greater than all before."""
    author = Id(bytes(16))
    times = {"created_at": START, "updated_at": START}
    return {"account_id": account_id, "id": new_id(), "created_by": author, "updated_by": author} | times


def text(account_id: int, body: str, message_id: Id | None = None) -> Text:
    """A text, with its own words or a message's."""
    return Text(
        **common(account_id),
        sender=NUMBER,
        recipient="+12025550123",
        direction="outbound",
        status=TextStatus.SENT,
        body=body,
        segments=1,
        phone_number_id=Id(bytes(16)),
        service_profile_id=Id(bytes(16)),
        text_message_id=message_id,
    )


async def test_both_sorts_in_order_of_creation(tmp_path: Path) -> None:
    """A text with a message of its own adds none; another account's are not there."""
    store = opened(tmp_path)
    first, message = text(1, "first"), TextMessage(**common(1), body="second")
    written = [first, message, text(1, "second", message.id), text(1, "third"), text(2, "foreign")]
    async with store.writing() as tx:
        for record in written:
            await rows.insert(tx, record)
    async with store.reading() as tx:
        page = await lists.page(tx, TextMessage, 1, Ask(limit=10))
        tail = await lists.page(tx, TextMessage, 1, Ask(limit=1, offset=2))
        total = await lists.count(tx, TextMessage, 1, ())
        found = await lists.find_many(tx, TextMessage, 1, [record.id for record in written])
    await store.close()
    assert [one.body for one in page.records] == ["first", "second", "third"]
    assert ([one.body for one in tail.records], total) == (["third"], 3)
    assert [one.body for record in written if (one := found.get(record.id))] == ["first", "second", "third"]
    assert found[first.id].is_draft is False
