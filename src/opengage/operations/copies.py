"""A new engagement like an old one: for nobody yet, for everybody again, or for those alone whom it failed.

Step 3 of a text's path. The old engagement and its ledger stay as they are: a finished blast is never sent again, its
people are texted anew because somebody asked for that, in an engagement that says where it came from.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Problem
from opengage.domain.ledger import Moves
from opengage.domain.records import Activity, Engagement
from opengage.domain.states import CLOSED, STATUS_OF, EngagementStatus, Reason
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.engagements import NOUN, Shown, show
from opengage.operations.reading import load
from opengage.store import ledgers, pools, rows, tables
from opengage.store.contract import NewEnvelope, Store, Transaction, Turn
from opengage.store.pseudonyms import MARK

EVERYBODY: Final = "everybody"
REASONS: Final = frozenset(
    reason for reason in Reason if STATUS_OF[reason] in CLOSED and reason not in (Reason.OPTED_OUT, Reason.DUPLICATE)
)
"""The ends at which somebody may be picked up again."""

_BATCH: Final = 5_000
_envelopes: Final = tables.envelopes
_columns: Final = tuple(
    _envelopes.c[name]
    for name in ("id", "phone_number", "meta", "callback", "callback_include", "is_priority", "delay_in_seconds")
)
_WITHIN: Final = (
    _envelopes.c.account_id == sa.bindparam("account_id"),
    _envelopes.c.engagement_id == sa.bindparam("engagement_id"),
    _envelopes.c.id > sa.bindparam("after"),
    # who was forgotten cannot be texted again
    _envelopes.c.phone_number.not_like(f"{MARK}%"),
)
_NEXT: Final = sa.select(*_columns, _envelopes.c.reason).where(*_WITHIN).order_by(_envelopes.c.id).limit(_BATCH)

_FRESH: Final[dict[str, Any]] = {
    "status": EngagementStatus.PENDING,
    "is_archived": False,
    **dict.fromkeys(
        (
            *(
                "deleted_at",
                "deleted_by",
                "scheduled_at",
                "started_at",
                "completed_at",
                "starts_at",
                "bodies_purged_at",
                "numbers_purged_at",
                "is_own_record",
                "activity_id",
            ),
            *("guard_base", "pause_reason", "hold_reason", "hold_until"),
            *("delivery_time", "delivery_local_time"),
        )
    ),
    "delivery_type": "immediately",
}
"""What a copy does not take over: its own life begins here."""


async def copy(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    id_: Id | None,
    *,
    name: str | None = None,
    envelopes: str | None = None,
    reasons: Collection[str] = (),
    charge: Callable[[int], None],
) -> Shown:
    """A pending engagement with the settings, activity and sender pool of another.

    `envelopes` “everybody” takes all its recipients over, `reasons` those who ended there; neither: nobody. `charge` is
    told how many, and may refuse. Recipients are taken over batch by batch, each in a transaction of its own. Raises
    NotFound, Invalid, Forbidden, TooMany.
    """
    require_writer(actor)
    problems: list[Problem] = []
    if name is not None:
        fields.name(name, problems)
    wanted = _wanted(envelopes, reasons, problems)
    fields.refuse(problems)
    async with store.writing() as tx:
        old = await load(tx, actor, Engagement, id_, NOUN)
        if wanted:
            ledger = await ledgers.read(tx, actor.account_id, old.id)
            ended = sum(ledger.reasons.get(reason, 0) for reason in wanted)
            charge(ledger.total if Reason.NONE in wanted else ended)
        new = await _begin(tx, clock.now(), new_id, actor, old, name)
    if wanted:
        await _take_over(store, clock, new_id, actor, old.id, new.id, wanted)
    async with store.reading() as tx:
        return (await show(tx, actor.account_id, [new]))[0]


def _wanted(envelopes: str | None, reasons: Collection[str], problems: list[Problem]) -> frozenset[Reason]:
    """The reasons of those to take over."""
    if envelopes not in (None, EVERYBODY):
        detail = f"“envelopes” is “{envelopes[:40]}”. Set it to “{EVERYBODY}”, name “reasons” instead, or leave it out."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/envelopes"))
    for place, reason in enumerate(reasons):
        if reason not in REASONS:
            detail = f"“{reason[:40]}” is no end to pick people up from. Use some of {', '.join(sorted(REASONS))}."
            problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/reasons/{place}"))
    return frozenset(Reason) if envelopes == EVERYBODY else frozenset(Reason(each) for each in reasons if not problems)


async def _begin(
    tx: Transaction, now: Instant, new_id: NewId, actor: Actor, old: Engagement, name: str | None
) -> Engagement:
    """The new engagement with everything but recipients."""
    common: dict[str, Any] = {
        "created_at": now,
        "updated_at": now,
        "created_by": actor.membership_id,
        "updated_by": actor.membership_id,
    }
    canary = "waiting" if old.canary_size else None
    own = common | {"id": new_id(), "name": name or old.name, "copied_from": old.id, "canary_state": canary}
    new = msgspec.structs.replace(old, **{**_FRESH, **own})
    activity = old.activity_id and await rows.find(tx, Activity, old.account_id, old.activity_id)
    if activity:
        activity = msgspec.structs.replace(activity, id=new_id(), engagement_id=new.id, **common)
        new = msgspec.structs.replace(new, activity_id=activity.id)
        await rows.insert(tx, activity)
    await rows.insert(tx, new)
    numbers = (await pools.of_many(tx, old.account_id, [old.id]))[old.id]
    await pools.replace(tx, old.account_id, new.id, numbers)
    return new


async def _take_over(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, old_id: Id, id_: Id, wanted: frozenset[Reason]
) -> None:
    """Add the recipients that are wanted, in their order."""
    after: Id | None = Id(b"")
    while after is not None:
        page = {"account_id": actor.account_id, "engagement_id": old_id, "after": after}
        async with store.reading() as tx:
            found = await tx.rows(_NEXT, **page)
        if any(Reason(row[-1]) in wanted for row in found):
            async with store.writing() as tx:
                # with whoever is forgotten an erasure is alone: read here again, they cannot be back after it
                await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=True)
                found = await tx.rows(_NEXT, **page)
                new = [NewEnvelope(*row[1:-1]) for row in found if Reason(row[-1]) in wanted]
                if new and not await _add(tx, clock.now(), new_id, actor, id_, new):
                    return
        after = Id(found[-1][0]) if found else None


async def _add(tx: Transaction, now: Instant, new_id: NewId, actor: Actor, id_: Id, new: Sequence[NewEnvelope]) -> bool:
    """Write recipients of a copy; False when it was canceled while they were being taken over."""
    held = await rows.hold(tx, Engagement, actor.account_id, [id_], shared=True)
    if held[id_].status in (EngagementStatus.COMPLETED, EngagementStatus.CANCELED):
        return False
    moves = Moves()
    moves.arrive(actor.account_id, id_, Reason.NONE, len(new))
    ids = [new_id() for _ in new]
    await tx.batches.insert_envelopes(actor.account_id, id_, actor.membership_id, ids, new, now)
    await ledgers.move(tx, moves)
    return True
