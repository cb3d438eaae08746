"""An engagement is let go, paused, resumed or canceled: the writes of its status, within the law of `domain.states`.

Step 3 of a text's path. The PATCH that schedules is the moment a blast is let go: everything that it needs is checked
here, in the same transaction. A resume sends nothing again: it only lets the rest go on.
"""

from typing import Any

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain import local_time
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import Engagement
from opengage.domain.states import EngagementStatus, write_engagement_status
from opengage.operations import guarding
from opengage.operations.readiness import missing_for_scheduling
from opengage.store.contract import Transaction

_CLOSED = (EngagementStatus.COMPLETED, EngagementStatus.CANCELED)
_UNSET = msgspec.UNSET


def next_status(engagement: Engagement, wanted: str | msgspec.UnsetType) -> EngagementStatus:
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


def starts_as_pending(status: str) -> Problem:
    """What is said of a new engagement that wants to be anything else."""
    detail = (
        f"A new engagement is pending, not “{status[:40]}”. Leave “status” out; "
        "schedule it by PATCH once its activity and envelopes exist."
    )
    return Problem(Code.ILLEGAL_STATE, detail, "/data/attributes/status")


async def status_values(
    tx: Transaction,
    engagement: Engagement,
    status: EngagementStatus,
    now: Instant,
    undo_seconds: int,
    problems: list[Problem],
) -> dict[str, Any]:
    """The columns that a change of status writes; `engagement` has its other changes already.

    Scheduling a pending one looks for all that it needs. `undo_seconds` is the server's, for those without their own.
    """
    before = engagement.status
    if status is EngagementStatus.SCHEDULED:
        values: dict[str, Any] = {"status": status, "starts_at": starts_at(engagement, now, undo_seconds)}
        if before is EngagementStatus.PENDING:
            problems.extend(await missing_for_scheduling(tx, engagement, now))
            values["scheduled_at"] = now
        return values
    if status is before:
        return {}
    if status is EngagementStatus.CANCELED:
        return {"status": status, "completed_at": now, "hold_reason": None, "hold_until": None}
    if before is EngagementStatus.PAUSED:
        return {"status": status} | await _resumed(tx, engagement)
    return {"status": status}


def starts_at(engagement: Engagement, now: Instant, undo_seconds: int) -> Instant | None:
    """When a scheduled engagement may begin: its time, and not before it can no longer be taken back. None: at once."""
    undo = undo_seconds if engagement.undo_seconds is None else engagement.undo_seconds
    wanted = engagement.delivery_time
    if engagement.delivery_local_time is not None:
        # where the hour strikes first; everybody else's envelope waits for its own
        wanted = local_time.earliest(local_time.parse(engagement.delivery_local_time))
    if not undo:
        return wanted
    let_go = engagement.scheduled_at or now
    return Instant(max(wanted or 0, let_go + undo * SECOND))


async def _resumed(tx: Transaction, engagement: Engagement) -> dict[str, Any]:
    """What a resume forgives: the guard counts from here on, and a canary that failed has been looked at."""
    base = (await guarding.counts(tx, engagement.account_id, engagement.id)).to_base()
    values: dict[str, Any] = {"pause_reason": None, "guard_base": base, "hold_reason": None, "hold_until": None}
    if engagement.canary_state == "failed":
        values["canary_state"] = "passed"
    return values
