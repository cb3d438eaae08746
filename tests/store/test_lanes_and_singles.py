"""Leases on lanes, and single texts that are due, on each database: whose they are, and who may write them."""

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.records import PhoneNumber, Text
from opengage.domain.states import TextStatus
from opengage.ids import Id, new_id
from opengage.store import canceling, lanes, rows, singles
from opengage.store.contract import Store
from store.samples import ACCOUNT, AUTHOR, NOW, NUMBER_ID, PROFILE, SENDER

COMMON: dict[str, Any] = {
    "account_id": ACCOUNT,
    "created_at": NOW,
    "updated_at": NOW,
    "created_by": AUTHOR,
    "updated_by": AUTHOR,
}


async def leased(store: Store, owner: str, seconds: float = 60.0) -> lanes.Lease:
    """A lane of its own."""
    base = {name: COMMON[name] for name in ("account_id", "created_at", "updated_at")}
    number = PhoneNumber(**base, id=new_id(), phone_number=SENDER, service_profile_id=PROFILE)
    async with store.writing() as tx:
        lease = await lanes.take(tx, number, owner, seconds)
    assert lease is not None
    return lease


async def until(store: Store, lease: lanes.Lease) -> int:
    """When a lease runs out."""
    async with store.reading() as tx:
        statement = sa.text("SELECT expires_at FROM lanes WHERE account_id = :account_id AND phone_number_id = :id")
        return int((await tx.rows(statement, account_id=ACCOUNT, id=lease.phone_number_id))[0][0])


async def test_a_worker_renews_what_it_still_holds(store: Store) -> None:
    """Neither another's lease, nor one of its own that has run out: somebody may be taking it at this moment."""
    mine, theirs, lost = await leased(store, "a"), await leased(store, "b"), await leased(store, "a", -1)
    before = [await until(store, each) for each in (mine, theirs, lost)]
    async with store.writing() as tx:
        assert await lanes.renew(tx, "a", 600.0) == [mine]
    after = [await until(store, each) for each in (mine, theirs, lost)]
    assert after[0] > before[0]
    assert after[1:] == before[1:]


async def test_a_worker_lets_go_of_its_own(store: Store) -> None:
    """Of one lane under its lease, of all under its name; what others hold stays theirs."""
    one, two, theirs = await leased(store, "a"), await leased(store, "a"), await leased(store, "b")
    async with store.writing() as tx:
        await lanes.let_go(tx, one)
    assert [await until(store, each) == 0 for each in (one, two, theirs)] == [True, False, False]
    async with store.writing() as tx:
        await lanes.release(tx, "a")
    assert [await until(store, each) == 0 for each in (one, two, theirs)] == [True, True, False]


def single(**values: Any) -> Text:
    """A single text that is due."""
    fields: dict[str, Any] = {
        "id": new_id(),
        "sender": SENDER,
        "recipient": "+12025550143",
        "direction": "outbound",
        "status": TextStatus.QUEUED,
        "body": "Hello",
        "segments": 1,
        "phone_number_id": NUMBER_ID,
        "service_profile_id": PROFILE,
        "next_at": NOW,
    }
    return Text(**COMMON | fields | values)


async def test_due_are_those_of_the_number_whose_time_has_come(store: Store) -> None:
    """The oldest first."""
    later = single(next_at=Instant(NOW + 1))
    mine, other = single(), single(phone_number_id=new_id())
    gone = single(status=TextStatus.SENT, next_at=None)
    async with store.writing() as tx:
        await rows.insert_many(tx, [later, mine, other, gone])
        assert await singles.due(tx, ACCOUNT, NUMBER_ID, NOW, 10) == [mine]
        assert await singles.due(tx, ACCOUNT, NUMBER_ID, Instant(NOW + 1), 10) == [mine, later]
        assert await singles.next_at(tx, ACCOUNT, NUMBER_ID) == NOW
        assert await singles.next_at(tx, ACCOUNT, Id(bytes(16))) is None


@pytest.mark.parametrize(
    "values",
    [
        {"status": TextStatus.CANCELED},
        {"status": TextStatus.SENDING},
        {"next_at": None},  # an envelope's text that was put off: its envelope says when
    ],
    ids=["canceled", "sending", "an envelope's"],
)
async def test_only_what_still_waits_is_intended_or_held(store: Store, values: dict[str, Any]) -> None:
    """Whatever it was when it was looked at."""
    text, waits = single(**values), single()
    async with store.writing() as tx:
        await rows.insert_many(tx, [text, waits])
        assert not await singles.intend(tx, text, 7, PROFILE, NOW)
        await singles.hold(tx, text, "a rule", Instant(NOW + 1))
        assert await rows.find(tx, Text, ACCOUNT, text.id) == text
        assert await rows.find(tx, Text, ACCOUNT, waits.id) == waits
        assert await singles.intend(tx, waits, 7, PROFILE, NOW)
        found = await rows.find(tx, Text, ACCOUNT, waits.id)
    assert found is not None
    assert (found.status, found.epoch, found.attempts, found.next_at) == (TextStatus.SENDING, 7, 1, None)


@pytest.mark.parametrize("values", [{"status": TextStatus.SENDING}, {"next_at": None}], ids=["taken", "an envelope's"])
async def test_only_what_still_waits_is_canceled(store: Store, values: dict[str, Any]) -> None:
    """Taken by its lane since it was seen as queued, a text is not; nor is any other."""
    seen, waits = single(), single()
    text = msgspec.structs.replace(seen, **values)
    async with store.writing() as tx:
        await rows.insert_many(tx, [text, waits])
        assert not await canceling.cancel(tx, seen, TextStatus.CANCELED, new_id(), AUTHOR, NOW)
        assert await rows.find(tx, Text, ACCOUNT, text.id) == text
        assert await rows.find(tx, Text, ACCOUNT, waits.id) == waits
        assert await canceling.cancel(tx, waits, TextStatus.CANCELED, new_id(), AUTHOR, NOW)
        found = await rows.find(tx, Text, ACCOUNT, waits.id)
    assert found is not None
    assert (found.status, found.next_at) == (TextStatus.CANCELED, None)
