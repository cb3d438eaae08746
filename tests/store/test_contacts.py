"""Contacts, lists, and envelopes that are changed while they wait: on every database."""

import asyncio
from typing import Any

import pytest

from opengage.domain.records import Contact, ContactList
from opengage.domain.states import EnvelopeStatus
from opengage.ids import Id
from opengage.store import contacts, envelope_edits, rows, tables
from opengage.store.contract import Store, Transaction
from store.conftest import Open
from store.samples import (
    ACCOUNT,
    AUTHOR,
    ENGAGEMENT,
    NOW,
    OTHER_ACCOUNT,
    OTHER_ENGAGEMENT,
    envelope,
    envelope_id,
    envelopes,
    id_of,
    number,
    sending,
)

LIST, OTHER_LIST, NOBODY = id_of(70), id_of(71), id_of(0)


def contact(place: int, account: int = ACCOUNT, **more: Any) -> Contact:
    """A contact with that number."""
    fields: dict[str, Any] = {
        "account_id": account,
        "id": id_of(7000 + place),
        "created_at": NOW,
        "updated_at": NOW,
        "created_by": AUTHOR,
        "updated_by": AUTHOR,
        "phone_number": number(place),
        "phone_numbers": f'["{number(place)}"]',
    }
    return Contact(**fields | more)


async def addressed(tx: Transaction, list_id: Id = LIST, *, after: Id = NOBODY, most: int = 999) -> list[str]:
    """The numbers of the contacts that would become envelopes."""
    found = await contacts.members_to_address(tx, ACCOUNT, list_id, ENGAGEMENT, after, most)
    return [row[1] for row in found]


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 700])
async def test_many_records_in_few_statements(store: Store, count: int) -> None:
    """Whatever the number, each is there as it was given."""
    new = [contact(place, first_name=None if place % 2 else "Zoë") for place in range(count)]
    async with store.writing() as tx:
        await rows.insert_many(tx, new)
    async with store.reading() as tx:
        assert await rows.find_many(tx, Contact, ACCOUNT, [one.id for one in new]) == {one.id: one for one in new}


async def test_contacts_by_number(store: Store) -> None:
    """The oldest of those that share one; none of another account."""
    async with store.writing() as tx:
        shared = contact(2, id=id_of(9000))
        await rows.insert_many(tx, [shared, contact(2), contact(3), contact(1, OTHER_ACCOUNT)])
        await contacts.lock_account(tx, ACCOUNT)
        found = await contacts.by_numbers(tx, ACCOUNT, [number(place) for place in (1, 2, 3, 4)] * 100)
    assert found == {number(2): contact(2), number(3): contact(3)}


async def test_unique_numbers_among_writers(open_store: Open) -> None:
    """Whoever asks for the account's lock sees what those before have written: of five one makes the contact."""
    stores = [await open_store() for _ in range(5)]

    async def make(place: int) -> bool:
        async with stores[place].writing() as tx:
            await contacts.lock_account(tx, ACCOUNT)
            if await contacts.by_numbers(tx, ACCOUNT, [number(1)]):
                return False
            await rows.insert(tx, contact(1, id=id_of(9000 + place)))
            return True

    assert sum(await asyncio.gather(*(make(place) for place in range(5)))) == 1


async def test_membership(store: Store) -> None:
    """Twice on a list is once; pages and counts agree; another account's rows stay out."""
    async with store.writing() as tx:
        await rows.insert_many(tx, [contact(place) for place in range(600)])
        ids = [contact(place).id for place in range(600)]
        await contacts.add_members(tx, ACCOUNT, LIST, ids)
        await contacts.add_members(tx, ACCOUNT, LIST, [*ids[:10], ids[0]])
        await contacts.add_members(tx, ACCOUNT, OTHER_LIST, ids[:1])
        await contacts.add_members(tx, OTHER_ACCOUNT, LIST, ids[:2])
        assert await contacts.counts(tx, ACCOUNT, [LIST, OTHER_LIST, id_of(72)]) == {LIST: 600, OTHER_LIST: 1}
        table = tables.list_contacts
        assert await contacts.links(tx, table, "contact_id", "list_id", ACCOUNT, ids[:2]) == {
            ids[0]: [LIST, OTHER_LIST],
            ids[1]: [LIST],
        }
        await contacts.remove_members(tx, ACCOUNT, LIST, ids[:598])
        assert await contacts.counts(tx, ACCOUNT, [LIST]) == {LIST: 2}
        await contacts.clear(tx, ACCOUNT, LIST)
        assert await contacts.counts(tx, ACCOUNT, [LIST, OTHER_LIST]) == {OTHER_LIST: 1}
        assert await contacts.counts(tx, OTHER_ACCOUNT, [LIST]) == {LIST: 2}


async def test_removal_takes_what_belongs_to_it(store: Store) -> None:
    """A contact leaves its lists; a list leaves its engagements; each leaves the other alone."""
    async with store.writing() as tx:
        await rows.insert_many(tx, [contact(1), contact(2)])
        lists = ContactList(
            account_id=ACCOUNT, id=LIST, created_at=NOW, updated_at=NOW, created_by=AUTHOR, updated_by=AUTHOR, title="L"
        )
        await rows.insert(tx, lists)
        await contacts.add_members(tx, ACCOUNT, LIST, [contact(1).id, contact(2).id])
        await tx.run(tables.engagement_lists.insert(), account_id=ACCOUNT, engagement_id=ENGAGEMENT, list_id=LIST)
        assert await contacts.lists_of(tx, ACCOUNT, ENGAGEMENT) == [LIST]
        await contacts.remove(tx, ACCOUNT, [contact(1).id])
        table = tables.list_contacts
        left = await contacts.links(tx, table, "list_id", "contact_id", ACCOUNT, [LIST])
        assert left == {LIST: [contact(2).id]}
        await contacts.remove_lists(tx, ACCOUNT, [LIST])
        assert await contacts.lists_of(tx, ACCOUNT, ENGAGEMENT) == []
        assert await rows.every(tx, Contact, account_id=ACCOUNT) == [contact(2)]
        assert await rows.every(tx, ContactList, account_id=ACCOUNT) == []


async def test_whom_a_list_addresses(store: Store) -> None:
    """Everybody but those whose number the engagement has; page after page, seeing what was just written."""
    async with store.writing() as tx:
        await rows.insert_many(tx, [contact(place) for place in range(5)])
        await contacts.add_members(tx, ACCOUNT, LIST, [contact(place).id for place in range(5)])
        await envelopes(tx, 1, first=1)
        await envelopes(tx, 1, first=2, engagement=OTHER_ENGAGEMENT)
        assert await addressed(tx) == [number(place) for place in (0, 2, 3, 4)]
        assert await addressed(tx, most=2) == [number(0), number(2)]
        assert await addressed(tx, after=contact(2).id) == [number(3), number(4)]
        await envelopes(tx, 1, first=3)
        assert await addressed(tx) == [number(0), number(2), number(4)]
        assert await addressed(tx, OTHER_LIST) == []


async def test_a_pending_envelope_changes(store: Store) -> None:
    """Only this one, only what is named."""
    async with store.writing() as tx:
        await envelopes(tx, 2)
        assert await envelope_edits.change(tx, ACCOUNT, envelope_id(0), {"meta": '{"a":1}', "delay_in_seconds": None})
        assert not await envelope_edits.change(tx, OTHER_ACCOUNT, envelope_id(0), {"meta": "{}"})
    assert [(await envelope(store, place)).meta for place in (0, 1)] == ['{"a":1}', "{}"]
    assert (await envelope(store, 0)).phone_number == number(0)


async def test_what_is_under_way_does_not(store: Store) -> None:
    """Neither changed nor deleted; the pending ones of the same call are."""
    await sending(store, 2)
    async with store.writing() as tx:
        await envelopes(tx, 300, first=2)
        assert not await envelope_edits.change(tx, ACCOUNT, envelope_id(0), {"meta": '{"a":1}'})
        ids = [envelope_id(place) for place in range(302)]
        assert await envelope_edits.remove(tx, OTHER_ACCOUNT, ids) == 0
        assert await envelope_edits.remove(tx, ACCOUNT, ids) == 300
    found = await envelope(store, 0)
    assert (found.meta, found.status) == ("{}", EnvelopeStatus.PROCESSING)
