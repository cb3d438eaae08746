"""Engagements: made, read, and changed within the law of `domain.states`.

Step 3 of a text's path. A PATCH that schedules is the moment a blast is let go: everything that it needs is checked
here, in the same transaction.
"""

from collections.abc import Mapping, Sequence

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Code, Problem
from opengage.domain.ledger import Ledger
from opengage.domain.records import Activity, Engagement, PhoneNumber
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import Id, NewId
from opengage.operations import contact_lists, engagement_changes, fields, scheduling
from opengage.operations.actors import Actor, require_writer
from opengage.operations.engagement_changes import MOST_NUMBERS, Changes
from opengage.operations.reading import hold, load
from opengage.store import endings, ledgers, pools, rows, work
from opengage.store.contract import Stale, Store, Transaction, Turn

NOUN = "engagement"
_UNSET = msgspec.UNSET


class Shown(msgspec.Struct, frozen=True):
    """An engagement with what its document derives from elsewhere; `ledger` is None when nothing counts yet."""

    engagement: Engagement
    activity: Activity | None = None
    ledger: Ledger | None = None
    phone_number_ids: Sequence[Id] = ()
    """Its sender pool, or its activity's number alone."""
    list_ids: Sequence[Id] = ()
    """Whose contacts it addresses."""


async def create(store: Store, clock: Clock, new_id: NewId, actor: Actor, changes: Changes) -> Shown:
    """A new engagement, pending. Raises Invalid, Forbidden."""
    require_writer(actor)
    now = clock.now()
    engagement = Engagement(
        account_id=actor.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        created_by=actor.membership_id,
        updated_by=actor.membership_id,
        name="" if changes.name is _UNSET else changes.name,
    )
    problems: list[Problem] = []
    fields.name(engagement.name, problems)
    if changes.status not in (_UNSET, EngagementStatus.PENDING):
        problems.append(scheduling.starts_as_pending(str(changes.status)))
    engagement = msgspec.structs.replace(engagement, **engagement_changes.values(engagement, changes, problems))
    async with store.writing() as tx:
        if changes.list_ids:
            await _share_lists(tx, actor)
        await _write_pool(tx, engagement, changes, await _hold_numbers(tx, actor, changes), problems)
        fields.refuse(problems)
        await rows.insert(tx, engagement)
        if changes.list_ids:
            await contact_lists.address(tx, engagement, changes.list_ids, problems)
            fields.refuse(problems)
        numbers = await pools.of_many(tx, actor.account_id, [engagement.id])
    return Shown(engagement, phone_number_ids=numbers[engagement.id], list_ids=sorted(changes.list_ids))


async def show(tx: Transaction, account_id: int, found: Sequence[Engagement]) -> list[Shown]:
    """Engagements and their true counts, in a fixed number of statements."""
    wanted = [one.activity_id for one in found if one.activity_id]
    activities = await rows.find_many(tx, Activity, account_id, wanted)
    ids = [one.id for one in found]
    balances, numbers = await ledgers.read_many(tx, account_id, ids), await pools.of_many(tx, account_id, ids)
    lists = await contact_lists.addressed(tx, account_id, ids)
    shown = [
        _shown(one, activities.get(one.activity_id) if one.activity_id else None, balances[one.id], numbers[one.id])
        for one in found
    ]
    return [msgspec.structs.replace(one, list_ids=lists[one.engagement.id]) for one in shown]


def _shown(engagement: Engagement, activity: Activity | None, ledger: Ledger, numbers: Sequence[Id]) -> Shown:
    return Shown(engagement, activity, ledger, numbers or ([activity.phone_number_id] if activity else []))


async def update(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    id_: Id | None,
    changes: Changes,
    *,
    undo_seconds: int = 0,
) -> Shown:
    """Change an engagement: its name, when it goes out, how fast, its sender pool, its status.

    Canceling stops everything that has not left, in the same transaction: no intent is written after it. Of a large
    engagement the rest is closed bit by bit right after. Raises NotFound, Invalid, Forbidden.
    """
    require_writer(actor)
    async with store.writing() as tx:
        before = await load(tx, actor, Engagement, id_, NOUN)
        if shares := await _needs_lists(tx, before, changes):
            await _share_lists(tx, actor)
        numbers = await _hold_numbers(tx, actor, changes)
        engagement = await hold(tx, actor, Engagement, id_, NOUN)
        if not shares and await _needs_lists(tx, engagement, changes):
            raise Stale
        now = clock.now()
        status = scheduling.next_status(engagement, changes.status)
        problems: list[Problem] = []
        values = engagement_changes.values(engagement, changes, problems)
        await _write_pool(tx, engagement, changes, numbers, problems)
        if changes.list_ids:
            await contact_lists.address(tx, engagement, changes.list_ids, problems)
        changed = msgspec.structs.replace(engagement, **values)
        if status is EngagementStatus.SCHEDULED and engagement.status is EngagementStatus.PENDING:
            await contact_lists.fill_from_lists(tx, changed, new_id, actor.membership_id, now)
        values |= await scheduling.status_values(tx, changed, status, now, undo_seconds, problems)
        fields.refuse(problems)
        if status is EngagementStatus.CANCELED and engagement.status is not status:
            await ledgers.move(tx, await work.close_remainder(tx, *_key(engagement), Reason.CANCELED, now, new_id))
        if status is not engagement.status:
            await endings.announce(tx, [_key(engagement)], status, now, new_id)
        changed = await rows.change(tx, engagement, **values, updated_at=now, updated_by=actor.membership_id)
        return (await show(tx, actor.account_id, [changed]))[0]


async def _needs_lists(tx: Transaction, engagement: Engagement, changes: Changes) -> bool:
    """Whether lists are addressed, or become envelopes: only before an engagement is scheduled for the first time."""
    if engagement.status is not EngagementStatus.PENDING:
        return False
    if changes.list_ids:
        return True
    if changes.status != EngagementStatus.SCHEDULED:
        return False
    return bool((await contact_lists.addressed(tx, engagement.account_id, [engagement.id])).get(engagement.id))


async def _share_lists(tx: Transaction, actor: Actor) -> None:
    """Let nobody change an account's lists meanwhile."""
    await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=True)


def _key(engagement: Engagement) -> tuple[int, Id]:
    return engagement.account_id, engagement.id


async def _hold_numbers(tx: Transaction, actor: Actor, changes: Changes) -> dict[Id, PhoneNumber]:
    """The numbers that are to be the sender pool, held before the engagement is, as for who writes a batch of it."""
    wanted = [] if changes.phone_number_ids is _UNSET else changes.phone_number_ids
    return await rows.hold(tx, PhoneNumber, actor.account_id, wanted, shared=True)


async def _write_pool(
    tx: Transaction, engagement: Engagement, changes: Changes, known: Mapping[Id, PhoneNumber], problems: list[Problem]
) -> None:
    """Make these the engagement's sender pool; whoever is not in it any more gives back what it was given."""
    if changes.phone_number_ids is _UNSET:
        return
    wanted = list(dict.fromkeys(changes.phone_number_ids))
    for place, phone_number_id in enumerate(wanted):
        number = known.get(phone_number_id)
        if number is None or not number.is_active:
            detail = "There is no active phone number with this id in this account. Check the id; the list shows them."
            pointer = f"/data/relationships/phone-numbers/data/{place}"
            problems.append(Problem(Code.UNKNOWN_TARGET, detail, pointer))
    if len(wanted) > MOST_NUMBERS:
        detail = f"A sender pool holds at most {MOST_NUMBERS} phone numbers. Name fewer."
        problems.append(Problem(Code.TOO_MANY, detail, "/data/relationships/phone-numbers"))
    if problems:
        return
    before = [member.id for member in await pools.members(tx, engagement.account_id, engagement.id)]
    await pools.release(tx, engagement.account_id, engagement.id, [id_ for id_ in before if id_ not in wanted])
    await pools.replace(tx, engagement.account_id, engagement.id, wanted)
