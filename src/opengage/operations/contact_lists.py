"""Lists of contacts: made, renamed, deleted; who is on them; and which engagements address them.

Before a text's path begins; `fill_from_lists` is where the path starts for whoever keeps lists.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Problem
from opengage.domain.ledger import Moves
from opengage.domain.records import Contact, ContactList, Engagement
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.contacts import merge_values
from opengage.operations.reading import load
from opengage.store import contacts, ledgers, rows, tables
from opengage.store.contract import NewEnvelope, Store, Transaction, Turn

NOUN: Final = "list"
MOST_OF_ENGAGEMENT: Final = 100
"""Lists of one engagement."""
_BATCH: Final = 5000
"""Contacts that become envelopes in one statement."""
_ADDRESS: Final = sa.insert(tables.engagement_lists)
_NOBODY: Final = Id(bytes(16))


class Shown(msgspec.Struct, frozen=True):
    """A list, and how many contacts are on it."""

    list: ContactList
    count: int


async def show(tx: Transaction, account_id: int, some: Sequence[ContactList]) -> Sequence[Shown]:
    """Lists with their counts, in a number of statements that does not grow with them."""
    counts = await contacts.counts(tx, account_id, [one.id for one in some])
    return [Shown(one, counts.get(one.id, 0)) for one in some]


async def create(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, *, title: str, contact_ids: Sequence[Id] = ()
) -> Shown:
    """A new list, of these contacts. Raises Invalid, Forbidden."""
    require_writer(actor)
    problems: list[Problem] = []
    fields.name(title, problems, "/data/attributes/title")
    now = clock.now()
    made = ContactList(
        account_id=actor.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        created_by=actor.membership_id,
        updated_by=actor.membership_id,
        title=title,
    )
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=True)
        await check_contacts(tx, actor, contact_ids, problems, "/data/relationships/contacts/data")
        fields.refuse(problems)
        await rows.insert(tx, made)
        await contacts.add_members(tx, actor.account_id, made.id, contact_ids)
        return (await show(tx, actor.account_id, [made]))[0]


async def change(
    store: Store, clock: Clock, actor: Actor, id_: Id | None, *, title: str | None, contact_ids: Sequence[Id] | None
) -> Shown:
    """Give a list another title, or other contacts and no others; None leaves either as it is.

    Raises NotFound, Invalid, Forbidden.
    """
    require_writer(actor)
    problems: list[Problem] = []
    if title is not None:
        fields.name(title, problems, "/data/attributes/title")
    async with store.writing() as tx:
        if contact_ids is not None:
            await tx.take_turn(Turn.PEOPLE, (actor.account_id,))
        found = await load(tx, actor, ContactList, id_, NOUN)
        await check_contacts(tx, actor, contact_ids or (), problems, "/data/relationships/contacts/data")
        fields.refuse(problems)
        if contact_ids is not None:
            await contacts.clear(tx, actor.account_id, found.id)
            await contacts.add_members(tx, actor.account_id, found.id, contact_ids)
        new: dict[str, Any] = {} if title is None else {"title": title}
        after = await rows.change(tx, found, **new, updated_at=clock.now(), updated_by=actor.membership_id)
        return (await show(tx, actor.account_id, [after]))[0]


async def delete(store: Store, actor: Actor, id_: Id | None) -> None:
    """Delete a list; its contacts stay. Raises NotFound, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,))
        found = await load(tx, actor, ContactList, id_, NOUN)
        await contacts.remove_lists(tx, actor.account_id, [found.id])


async def add(store: Store, actor: Actor, id_: Id | None, contact_ids: Sequence[Id]) -> None:
    """Put contacts on a list, all or none. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=True)
        found = await load(tx, actor, ContactList, id_, NOUN)
        problems: list[Problem] = []
        await check_contacts(tx, actor, contact_ids, problems, "/data")
        fields.refuse(problems)
        await contacts.add_members(tx, actor.account_id, found.id, contact_ids)


async def take_off(store: Store, actor: Actor, id_: Id | None, contact_ids: Sequence[Id]) -> None:
    """Take contacts off a list; those that are not on it stay off. Raises NotFound, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,))
        found = await load(tx, actor, ContactList, id_, NOUN)
        await contacts.remove_members(tx, actor.account_id, found.id, contact_ids)


async def replace(store: Store, actor: Actor, id_: Id | None, contact_ids: Sequence[Id]) -> None:
    """Make these contacts the only ones on a list. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,))
        found = await load(tx, actor, ContactList, id_, NOUN)
        problems: list[Problem] = []
        await check_contacts(tx, actor, contact_ids, problems, "/data")
        fields.refuse(problems)
        await contacts.clear(tx, actor.account_id, found.id)
        await contacts.add_members(tx, actor.account_id, found.id, contact_ids)


async def join(store: Store, actor: Actor, id_: Id | None, list_ids: Sequence[Id], *, only: bool = False) -> None:
    """Put a contact on lists, all or none; with `only`, on no others. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=not only)
        contact = await load(tx, actor, Contact, id_, "contact")
        problems: list[Problem] = []
        found = await rows.find_many(tx, ContactList, actor.account_id, list_ids)
        problems += _absent(list_ids, found, "/data")
        fields.refuse(problems)
        if only:
            table = tables.list_contacts
            await contacts.remove_where(tx, table, "contact_id", [contact.id], actor.account_id)
        for list_id in sorted(found):
            await contacts.add_members(tx, actor.account_id, list_id, [contact.id])


async def leave(store: Store, actor: Actor, id_: Id | None, list_ids: Sequence[Id]) -> None:
    """Take a contact off lists; where it is not on them it stays off. Raises NotFound, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,))
        contact = await load(tx, actor, Contact, id_, "contact")
        for list_id in list_ids:
            await contacts.remove_members(tx, actor.account_id, list_id, [contact.id])


def _absent(ids: Sequence[Id], found: Mapping[Id, ContactList], at: str) -> list[Problem]:
    return [
        Problem(Code.UNKNOWN_TARGET, fields.missing(NOUN), f"{at}/{place}")
        for place, id_ in enumerate(ids)
        if id_ not in found
    ]


async def check_contacts(tx: Transaction, actor: Actor, ids: Sequence[Id], problems: list[Problem], at: str) -> None:
    """Each id must be a contact of this account; what is not is added to `problems`."""
    found = await rows.find_many(tx, Contact, actor.account_id, ids)
    for place, id_ in enumerate(ids):
        if id_ not in found:
            problems.append(Problem(Code.UNKNOWN_TARGET, fields.missing("contact"), f"{at}/{place}"))


async def address(
    tx: Transaction,
    engagement: Engagement,
    list_ids: Sequence[Id],
    problems: list[Problem],
    at: str = "/data/relationships/lists/data",
) -> None:
    """Make these the lists of a pending engagement; what is wrong is added to `problems`, and nothing written then.

    Share `Turn.PEOPLE` before, or a list may be deleted meanwhile.
    Saying again which they are is no change, and allowed whenever.
    """
    account_id = engagement.account_id
    before = (await addressed(tx, account_id, [engagement.id]))[engagement.id]
    if set(before) == set(list_ids):
        return
    found = await rows.find_many(tx, ContactList, account_id, list_ids)
    problems += _absent(list_ids, found, at)
    if len(found) > MOST_OF_ENGAGEMENT:
        detail = f"An engagement addresses at most {MOST_OF_ENGAGEMENT} lists. Leave some out, or join them."
        problems.append(Problem(Code.TOO_MANY, detail, at))
    if engagement.status is not EngagementStatus.PENDING:
        detail = (
            f"The engagement is {engagement.status}: the contacts of its lists became its envelopes when it was "
            "scheduled. POST /envelopes to add more, or make another engagement."
        )
        problems.append(Problem(Code.ILLEGAL_STATE, detail, at))
    if problems:
        return
    await contacts.remove_where(tx, tables.engagement_lists, "engagement_id", [engagement.id], account_id)
    for id_ in found:
        await tx.run(_ADDRESS, account_id=account_id, engagement_id=engagement.id, list_id=id_)


async def address_these(store: Store, clock: Clock, actor: Actor, id_: Id | None, list_ids: Sequence[Id]) -> None:
    """`address` by itself. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=True)
        await load(tx, actor, Engagement, id_, "engagement")
        assert id_ is not None, "what is no id was not found"
        engagement = await rows.find_locked(tx, Engagement, actor.account_id, id_)
        assert engagement is not None, "engagements are not deleted"
        problems: list[Problem] = []
        await address(tx, engagement, list_ids, problems, "/data")
        fields.refuse(problems)
        await rows.change(tx, engagement, updated_at=clock.now(), updated_by=actor.membership_id)


async def addressed(tx: Transaction, account_id: int, engagement_ids: Sequence[Id]) -> Mapping[Id, list[Id]]:
    """The lists of each of these engagements."""
    return await contacts.links(tx, tables.engagement_lists, "engagement_id", "list_id", account_id, engagement_ids)


async def fill_from_lists(tx: Transaction, engagement: Engagement, new_id: NewId, author: Id, now: Instant) -> int:
    """Make envelopes of the contacts on an engagement's lists; how many. Call it where the engagement is scheduled.

    Share `Turn.PEOPLE` before: a list after the other is gone through, and nobody must move between them.

    One for each primary number: whoever is on two lists, shares a number with another contact, or has an envelope in
    this engagement already gets no second one. The merge values are the contact's at this moment.
    The ledger moves in the same transaction.
    """
    count, account_id = 0, engagement.account_id
    for list_id in await contacts.lists_of(tx, account_id, engagement.id):
        after = _NOBODY
        while found := await contacts.members_to_address(tx, account_id, list_id, engagement.id, after, _BATCH):
            new = _envelopes(found)
            ids = [new_id() for _ in new]
            await tx.batches.insert_envelopes(account_id, engagement.id, author, ids, new, now)
            count += len(new)
            after = Id(found[-1][0])
    if count:
        moves = Moves()
        moves.arrive(account_id, engagement.id, Reason.NONE, count)
        await ledgers.move(tx, moves)
    return count


def _envelopes(found: Sequence[tuple[Any, ...]]) -> list[NewEnvelope]:
    """One for each number; of several contacts with one number the oldest."""
    new: dict[str, NewEnvelope] = {}
    for _, number, first_name, last_name, meta in found:
        if number not in new:
            new[number] = NewEnvelope(number, merge_values(first_name, last_name, meta))
    return list(new.values())
