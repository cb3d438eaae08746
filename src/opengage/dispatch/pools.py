"""Which number of a sender pool takes whom: asked by `intent` for the envelopes that nobody was given yet.

Every lane of a pool takes from the same envelopes, so the load spreads by itself: whoever has room comes. Only where a
recipient belongs to another healthy number (the one that texted them before, or one of their own area or country) is
the envelope given to that number, and left for its lane.
"""

from collections.abc import Sequence

from opengage.clock import Instant
from opengage.domain import pool
from opengage.domain.records import Engagement, PhoneNumber
from opengage.ids import Id
from opengage.store.contract import Due, Recent, Transaction
from opengage.store.pools import Member

_ANY_TIME = Id(bytes(16))


async def mine(
    tx: Transaction,
    engagement: Engagement,
    number: PhoneNumber,
    members: Sequence[Member],
    due: list[Due],
    now: Instant,
) -> list[Due]:
    """Those of the due envelopes that this number takes; the others are given to theirs."""
    if len(members) < 2:
        return due
    free = [envelope.phone_number for envelope in due if not envelope.is_assigned]
    before = _latest(await tx.batches.recent(engagement.account_id, free, _ANY_TIME)) if free else {}
    candidates = [_candidate(each, number.id, now) for each in members]
    taken, given = [], []
    for envelope in due:
        chosen = number.id
        if not envelope.is_assigned:
            chosen = pool.choose(envelope.phone_number, candidates, before.get(envelope.phone_number)) or number.id
        if chosen == number.id:
            taken.append(envelope)
        else:
            given.append((envelope.envelope_id, chosen))
    if given:
        await tx.batches.assign(engagement.account_id, given)
    return taken


def _latest(recent: Sequence[Recent]) -> dict[str, Id]:
    """Which number texted each recipient last."""
    return {each.phone_number: each.phone_number_id for each in recent}


def _candidate(member: Member, own: Id, now: Instant) -> pool.Candidate:
    """A member as the choice sees it. Whoever asks has room, so among equals it takes the envelope itself."""
    load = -1.0 if member.id == own else member.under_way or 0.0
    return pool.candidate(member.id, member.phone_number, load, is_healthy=member.id == own or member.is_healthy(now))
