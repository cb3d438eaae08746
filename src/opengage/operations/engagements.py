"""Engagements: made, read, and changed within the law of `domain.states`.

Step 3 of a text's path. A PATCH that schedules is the moment a blast is let go: everything that it needs is checked
here, in the same transaction.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.ledger import Ledger
from opengage.domain.records import Activity, Engagement
from opengage.domain.states import EngagementStatus, write_engagement_status
from opengage.ids import Id, NewId
from opengage.operations import contact_lists, fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.readiness import missing_for_scheduling
from opengage.operations.reading import load
from opengage.store import ledgers, rows, work
from opengage.store.contract import Store, Transaction

NOUN = "engagement"
IMMEDIATELY, SCHEDULED, LOCAL_TIME = "immediately", "scheduled", "local-time"
_CLOSED = (EngagementStatus.COMPLETED, EngagementStatus.CANCELED)
_UNSET = msgspec.UNSET


class Shown(msgspec.Struct, frozen=True):
    """An engagement with what its document derives from elsewhere; `ledger` is None when nothing counts yet."""

    engagement: Engagement
    activity: Activity | None = None
    ledger: Ledger | None = None
    list_ids: tuple[Id, ...] = ()


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants changed; what is left unset stays as it is."""

    name: str | msgspec.UnsetType = _UNSET
    direction: str | msgspec.UnsetType = _UNSET
    status: str | msgspec.UnsetType = _UNSET
    delivery_type: str | msgspec.UnsetType = _UNSET
    delivery_time: Instant | msgspec.UnsetType | None = _UNSET
    queue_batch_limit: int | msgspec.UnsetType = _UNSET
    list_ids: Sequence[Id] = ()
    """Whose contacts it addresses; none given changes nothing."""


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
        problems.append(_starts_as_pending(str(changes.status)))
    values = _values(engagement, changes, problems)
    fields.refuse(problems)
    engagement = msgspec.structs.replace(engagement, **values)
    async with store.writing() as tx:
        await rows.insert(tx, engagement)
        if changes.list_ids:
            await contact_lists.address(tx, engagement, changes.list_ids, problems)
            fields.refuse(problems)
    return Shown(engagement, list_ids=tuple(sorted(changes.list_ids)))


async def show(tx: Transaction, account_id: int, found: Sequence[Engagement]) -> list[Shown]:
    """Engagements and their true counts, in a fixed number of statements."""
    wanted = [one.activity_id for one in found if one.activity_id]
    activities = await rows.find_many(tx, Activity, account_id, wanted)
    ids = [one.id for one in found]
    balances = await ledgers.read_many(tx, account_id, ids)
    lists = await contact_lists.addressed(tx, account_id, ids)
    return [
        Shown(one, activities.get(one.activity_id) if one.activity_id else None, balances[one.id], tuple(lists[one.id]))
        for one in found
    ]


async def read_ledger(store: Store, actor: Actor, id_: Id | None) -> tuple[Engagement, Ledger]:
    """Where every envelope of an engagement stands. Raises NotFound."""
    async with store.reading() as tx:
        engagement = await load(tx, actor, Engagement, id_, NOUN)
        return engagement, await ledgers.read(tx, actor.account_id, engagement.id)


async def update(store: Store, clock: Clock, actor: Actor, id_: Id | None, changes: Changes) -> Shown:
    """Change an engagement: its name, when it goes out, how many at once, its status.

    Canceling closes every envelope without a submitted text in the same transaction.
    Raises NotFound, Invalid, Forbidden.
    """
    require_writer(actor)
    async with store.writing() as tx:
        engagement = await load(tx, actor, Engagement, id_, NOUN)
        now = clock.now()
        status = _next_status(engagement, changes.status)
        problems: list[Problem] = []
        values = _values(engagement, changes, problems)
        if changes.list_ids:
            await contact_lists.address(tx, engagement, changes.list_ids, problems)
        values |= await _status_values(tx, engagement, status, now, problems)
        fields.refuse(problems)
        if status is EngagementStatus.CANCELED and engagement.status is not status:
            await ledgers.move(tx, await work.cancel_remainder(tx, engagement.account_id, engagement.id, now))
        changed = await rows.change(tx, engagement, **values, updated_at=now, updated_by=actor.membership_id)
        return (await show(tx, actor.account_id, [changed]))[0]


def _next_status(engagement: Engagement, wanted: str | msgspec.UnsetType) -> EngagementStatus:
    """The status that this change leads to. Raises Invalid when it may not be, or may not be changed any more."""
    current = engagement.status
    if wanted is _UNSET and current not in _CLOSED:
        return current
    allowed = [each for each in EngagementStatus if write_engagement_status(current, each)]
    asked = next((each for each in EngagementStatus if each == wanted), None)
    status = write_engagement_status(current, asked) if asked else None
    if status is None:
        raise Invalid([_illegal(current, wanted, allowed)])
    if current is EngagementStatus.PAUSED and asked is EngagementStatus.SCHEDULED and engagement.started_at is None:
        return EngagementStatus.SCHEDULED  # it was paused before its time came: it waits for it again
    return status


def _illegal(current: EngagementStatus, wanted: str | msgspec.UnsetType, allowed: list[EngagementStatus]) -> Problem:
    """A status write that the law does not know from here."""
    possible = ", ".join(f"“{each}”" for each in allowed if each is not current)
    then = f"From here “status” may become {possible}." if possible else "It can no longer be changed: make a new one."
    asked = "" if wanted is _UNSET else f" and cannot become “{str(wanted)[:40]}”"
    return Problem(Code.ILLEGAL_STATE, f"The engagement is {current}{asked}. {then}", "/data/attributes/status")


def _starts_as_pending(status: str) -> Problem:
    detail = (
        f"A new engagement is pending, not “{status[:40]}”. Leave “status” out; "
        "schedule it by PATCH once its activity and envelopes exist."
    )
    return Problem(Code.ILLEGAL_STATE, detail, "/data/attributes/status")


async def _status_values(
    tx: Transaction, engagement: Engagement, status: EngagementStatus, now: Instant, problems: list[Problem]
) -> dict[str, Any]:
    """The columns that a change of status writes; scheduling a pending one looks for all that it needs."""
    if status is engagement.status:
        return {}
    if status is EngagementStatus.SCHEDULED and engagement.status is EngagementStatus.PENDING:
        problems.extend(await missing_for_scheduling(tx, engagement))
        return {"status": status, "scheduled_at": now}
    if status is EngagementStatus.CANCELED:
        return {"status": status, "completed_at": now}
    return {"status": status}


def _values(engagement: Engagement, changes: Changes, problems: list[Problem]) -> dict[str, Any]:
    """The columns that the plain attributes write."""
    values: dict[str, Any] = {}
    if changes.name is not _UNSET and changes.name != engagement.name:
        fields.name(changes.name, problems)
        values["name"] = changes.name
    if changes.direction is not _UNSET:
        fields.direction(changes.direction, problems)
    if changes.queue_batch_limit is not _UNSET:
        values["queue_batch_limit"] = changes.queue_batch_limit
    return values | _delivery(engagement, changes, problems)


def _delivery(engagement: Engagement, changes: Changes, problems: list[Problem]) -> dict[str, Any]:
    """When it goes out: at once, or from an instant on."""
    kind = engagement.delivery_type if changes.delivery_type is _UNSET else changes.delivery_type
    time = engagement.delivery_time if changes.delivery_time is _UNSET else changes.delivery_time
    if kind == IMMEDIATELY and changes.delivery_time in (_UNSET, None):
        time = None
    problem = _delivery_problem(kind, time)
    moved = (kind, time) != (engagement.delivery_type, engagement.delivery_time)
    if problem is None and moved and engagement.started_at is not None:
        problem = "It has begun to go out: when it does can no longer be changed. Pause or cancel it instead."
    if problem is not None:
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, problem, "/data/attributes/delivery-type"))
        return {}
    return {"delivery_type": kind, "delivery_time": time} if moved else {}


def _delivery_problem(kind: str, time: Instant | None) -> str | None:
    if kind == LOCAL_TIME:
        return f"“{LOCAL_TIME}” is not supported yet. Use “{IMMEDIATELY}”, or “{SCHEDULED}” with a “delivery-time”."
    if kind not in (IMMEDIATELY, SCHEDULED):
        return f"“delivery-type” is “{kind[:40]}”. Use “{IMMEDIATELY}”, or “{SCHEDULED}” with a “delivery-time”."
    if kind == SCHEDULED and time is None:
        return f"“{SCHEDULED}” needs a “delivery-time”, as in 2026-12-01T09:00:00+00:00. Add it."
    if kind == IMMEDIATELY and time is not None:
        return f"“delivery-time” is given, but “delivery-type” is “{IMMEDIATELY}”. Set it to “{SCHEDULED}”."
    return None
