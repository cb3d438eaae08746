"""Envelopes: recipients added to engagements, all of a request or none.

Step 3 of a text's path: here recipients arrive, ten thousand at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Problem
from opengage.domain.ledger import Moves
from opengage.domain.records import Engagement, Envelope
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import Id, NewId
from opengage.operations import fields, webhook_deliveries
from opengage.operations.actors import Actor, require_writer
from opengage.store import ledgers, rows
from opengage.store.contract import NewEnvelope, Store, Transaction

_CLOSED: Final = (EngagementStatus.COMPLETED, EngagementStatus.CANCELED)


class Shown(msgspec.Struct, frozen=True):
    """An envelope with the engagement that it belongs to."""

    envelope: Envelope
    engagement: Engagement
    callbacks: Sequence[webhook_deliveries.Shown] = ()
    """What came of its callback so far."""


class Added(msgspec.Struct, frozen=True):
    """What a request added: the id of each item in request order, and what they have in common."""

    ids: list[Id]
    now: Instant
    engagements: dict[Id, Engagement]


async def add(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    targets: Sequence[Id],
    new: Sequence[NewEnvelope],
    place: Callable[[int], str],
) -> Added:
    """Add envelopes, each to the engagement in the same place of `targets`, in one transaction.

    `place` gives the JSON pointer of the n-th item, for problems. Raises Invalid with one problem for each item whose
    engagement is not there or closed, Forbidden.
    """
    require_writer(actor)
    ids = [new_id() for _ in new]
    async with store.writing() as tx:
        engagements = await _held(tx, actor, targets, new)
        problems = _problems(engagements, targets, place)
        fields.refuse(problems)
        now, moves = clock.now(), Moves()
        for engagement_id, some_ids, some in _grouped(targets, ids, new):
            await tx.batches.insert_envelopes(actor.account_id, engagement_id, actor.membership_id, some_ids, some, now)
            moves.arrive(actor.account_id, engagement_id, Reason.NONE, len(some_ids))
            if any(one.callback for one in some) and not engagements[engagement_id].has_callbacks:
                await rows.change(tx, engagements[engagement_id], has_callbacks=True)
        await ledgers.move(tx, moves)
    return Added(ids, now, engagements)


async def _held(
    tx: Transaction, actor: Actor, targets: Sequence[Id], new: Sequence[NewEnvelope]
) -> dict[Id, Engagement]:
    """The engagements, so that none is canceled or completed before these envelopes are counted in it.

    Together with others who add to them, unless they must be changed: two who hold one together cannot both change it.
    """
    wanted = list(set(targets))
    calling = {target for target, one in zip(targets, new, strict=True) if one.callback}
    before = await rows.find_many(tx, Engagement, actor.account_id, list(calling))
    is_changed = any(not each.has_callbacks for each in before.values())
    return await rows.hold(tx, Engagement, actor.account_id, wanted, shared=not is_changed)


def _grouped(
    targets: Sequence[Id], ids: Sequence[Id], new: Sequence[NewEnvelope]
) -> list[tuple[Id, Sequence[Id], Sequence[NewEnvelope]]]:
    """The batch by engagement; nearly always there is one."""
    if len(set(targets)) == 1:
        return [(targets[0], ids, new)]
    groups: dict[Id, tuple[list[Id], list[NewEnvelope]]] = {}
    for target, id_, one in zip(targets, ids, new, strict=True):
        some_ids, some = groups.setdefault(target, ([], []))
        some_ids.append(id_)
        some.append(one)
    return [(target, some_ids, some) for target, (some_ids, some) in groups.items()]


def _problems(engagements: dict[Id, Engagement], targets: Sequence[Id], place: Callable[[int], str]) -> list[Problem]:
    refused = {target: _refusal(engagements.get(target)) for target in set(targets)}
    if not any(refused.values()):
        return []
    return [
        Problem(refusal[0], refusal[1], f"{place(number)}/relationships/engagement")
        for number, target in enumerate(targets)
        if (refusal := refused[target])
    ]


def _refusal(engagement: Engagement | None) -> tuple[Code, str] | None:
    if engagement is None or engagement.deleted_at is not None:
        return Code.UNKNOWN_TARGET, fields.missing("engagement")
    if engagement.status in _CLOSED:
        return (
            Code.ILLEGAL_STATE,
            f"The engagement is {engagement.status} and takes no more envelopes. Make a new engagement for them.",
        )
    return None


async def show(tx: Transaction, account_id: int, envelopes: Sequence[Envelope]) -> list[Shown]:
    """Envelopes with their engagements, in a fixed number of statements."""
    wanted = [envelope.engagement_id for envelope in envelopes]
    engagements = await rows.find_many(tx, Engagement, account_id, wanted)
    asked = [envelope.id for envelope in envelopes if envelope.callback]
    told = await webhook_deliveries.of_subjects(tx, account_id, asked)
    return [Shown(each, engagements[each.engagement_id], told.get(each.id, ())) for each in envelopes]


async def total(tx: Transaction, account_id: int, equal: Mapping[str, Any]) -> int | None:
    """How many envelopes an account has, one of its engagements, or one status or reason of that: the ledger knows."""
    engagement_id, asked = equal.get("engagement_id"), set(equal) - {"engagement_id"}
    if not asked:
        return await ledgers.count(tx, account_id, engagement_id)
    if engagement_id is None or len(asked) > 1 or not asked <= {"status", "reason"} or None in equal.values():
        return None
    ledger = await ledgers.read(tx, account_id, engagement_id)
    by_status = msgspec.structs.asdict(ledger)
    return int(by_status[equal["status"]] if "status" in asked else ledger.reasons.get(equal["reason"], 0))
