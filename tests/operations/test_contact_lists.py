"""Lists become envelopes: once for each number, whatever lists it is on and whoever has it already."""

import msgspec
import pytest

from api_client import NUMBER, StandingClock
from opengage.domain.records import Contact, ContactList, Engagement, Envelope
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, new_id
from opengage.operations import contact_lists, contacts, engagements, envelopes
from opengage.operations.accounts import create_account
from opengage.operations.actors import Actor
from opengage.operations.contacts import merge_values
from opengage.operations.engagement_changes import Changes
from opengage.store import contacts as stored
from opengage.store import ledgers, rows
from opengage.store.contract import NewEnvelope
from opengage.store.sqlite import SqliteStore


class Shop:
    """An account that keeps lists."""

    def __init__(self, store: SqliteStore, clock: StandingClock, actor: Actor) -> None:
        self.store = store
        self.clock = clock
        self.actor = actor

    async def list_of(self, *numbers: str, **more: object) -> Id:
        """A new list of new contacts with these numbers."""
        new = [contacts.New(contacts.Changes(phone_number=number, **more)) for number in numbers]  # type: ignore[arg-type]
        made = await contacts.create(self.store, self.clock, new_id, self.actor, new, str)
        ids = [one.contact.id for one in made]
        shown = await contact_lists.create(self.store, self.clock, new_id, self.actor, title="L", contact_ids=ids)
        return shown.list.id

    async def engagement(self, *list_ids: Id) -> Engagement:
        """A pending engagement that addresses these lists."""
        changes = Changes(name="Blast", list_ids=list_ids)
        return (await engagements.create(self.store, self.clock, new_id, self.actor, changes)).engagement

    async def fill(self, engagement: Engagement) -> int:
        """What scheduling does."""
        async with self.store.writing() as tx:
            return await contact_lists.fill_from_lists(
                tx, engagement, new_id, self.actor.membership_id, self.clock.now()
            )

    async def envelopes(self, engagement: Engagement) -> list[tuple[str, object]]:
        """(number, merge values) of its envelopes, as they were made."""
        async with self.store.reading() as tx:
            found = await rows.every(tx, Envelope, account_id=1, engagement_id=engagement.id)
            assert (await ledgers.read(tx, 1, engagement.id)).pending == len(found)
        return [(one.phone_number, msgspec.json.decode(one.meta)) for one in sorted(found, key=lambda one: one.id)]


@pytest.fixture
async def shop(store: SqliteStore, clock: StandingClock) -> Shop:
    """An account on a fresh store."""
    account = await create_account(store, clock, new_id, key="firstbank", phone_number=NUMBER)
    return Shop(store, clock, Actor(1, "firstbank", account.membership_id, "owner"))


A, B, C = "+12025550143", "+12025550144", "+12025550145"


async def test_one_envelope_for_each_number(shop: Shop) -> None:
    """Two lists, a shared number, and an envelope that was there already: nobody gets two."""
    engagement = await shop.engagement(await shop.list_of(A, B, A), await shop.list_of(B, C))
    added = [NewEnvelope(C, '{"first-name":"Own"}')]
    await envelopes.add(shop.store, shop.clock, new_id, shop.actor, [engagement.id], added, str)
    assert await shop.fill(engagement) == 2
    assert [number for number, _ in await shop.envelopes(engagement)] == [C, A, B]
    assert await shop.fill(engagement) == 0


async def test_merge_values_are_the_contacts(shop: Shop) -> None:
    """Its own values and its names; a value of the name's own name wins."""
    list_id = await shop.list_of(A, first_name="Ann", last_name="Lee", meta={"city": "Oslo", "last-name": "Lie"})
    engagement = await shop.engagement(list_id, await shop.list_of(B))
    await shop.fill(engagement)
    values = {"first-name": "Ann", "last-name": "Lie", "city": "Oslo"}
    assert sorted(await shop.envelopes(engagement)) == sorted([(A, values), (B, {})])
    assert merge_values(None, "", '{"a":1}') == '{"a":1}'


async def test_another_engagement_is_not_counted(shop: Shop) -> None:
    """A number that another blast has is new to this one; contacts on no list stay out."""
    list_id = await shop.list_of(A)
    await shop.list_of(B)
    first, second = await shop.engagement(list_id), await shop.engagement(list_id)
    assert (await shop.fill(first), await shop.fill(second)) == (1, 1)


async def test_many_contacts_in_batches(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve thousand on two lists that overlap: each once, in more than one batch."""
    numbers = [f"+33199{place:06d}"[:12] for place in range(12_000)]
    one, two = await shop.list_of(), await shop.list_of()
    now = shop.clock.now()
    people = [
        Contact(
            account_id=1,
            id=new_id(),
            created_at=now,
            updated_at=now,
            created_by=shop.actor.membership_id,
            updated_by=shop.actor.membership_id,
            phone_number=number,
            phone_numbers=f'["{number}"]',
        )
        for number in numbers
    ]
    async with shop.store.writing() as tx:
        await rows.insert_many(tx, people)
        await stored.add_members(tx, 1, one, [person.id for person in people[:9000]])
        await stored.add_members(tx, 1, two, [person.id for person in people[6000:]])
    engagement = await shop.engagement(one, two)
    assert await shop.fill(engagement) == 12_000
    found = await shop.envelopes(engagement)
    assert sorted(number for number, _ in found) == numbers


async def test_the_lists_of_an_engagement_are_settled_when_it_is_scheduled(shop: Shop) -> None:
    """Afterwards they cannot change; to repeat them is no change."""
    list_id, other = await shop.list_of(A), await shop.list_of(B)
    engagement = await shop.engagement(list_id)
    async with shop.store.writing() as tx:
        scheduled = await rows.change(tx, engagement, status=EngagementStatus.SCHEDULED)
        for ids, count in (([list_id], 0), ([other], 1), ([], 1)):
            problems: list[object] = []
            await contact_lists.address(tx, scheduled, ids, problems)  # type: ignore[arg-type]
            assert len(problems) == count
        assert await contact_lists.addressed(tx, 1, [engagement.id]) == {engagement.id: [list_id]}


async def test_deleting_a_list_leaves_its_people(shop: Shop) -> None:
    """And the engagements that it was addressed by."""
    list_id = await shop.list_of(A, B)
    engagement = await shop.engagement(list_id)
    await contact_lists.delete(shop.store, shop.actor, list_id)
    async with shop.store.reading() as tx:
        assert len(await rows.every(tx, Contact, account_id=1)) == 2
        assert await rows.every(tx, ContactList, account_id=1) == []
        assert await contact_lists.addressed(tx, 1, [engagement.id]) == {engagement.id: []}
    assert await shop.fill(engagement) == 0
