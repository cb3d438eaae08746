"""Activities: which number says which template in an engagement.

Step 3 of a text's path.
"""

from typing import Final

from opengage.clock import Clock
from opengage.domain.errors import Code, Problem
from opengage.domain.records import Activity, Engagement, PhoneNumber, TextTemplate
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, NewId, to_wire
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer
from opengage.store import rows
from opengage.store.contract import Store, Transaction

TEXT: Final = "text"


async def create(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    *,
    name: str,
    engagement_id: Id,
    phone_number_id: Id,
    text_template_id: Id,
) -> Activity:
    """Give an engagement its activity. Raises Invalid with every missing or unusable target, Forbidden."""
    require_writer(actor)
    problems: list[Problem] = []
    fields.name(name, problems)
    now = clock.now()
    activity = Activity(
        account_id=actor.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        created_by=actor.membership_id,
        updated_by=actor.membership_id,
        engagement_id=engagement_id,
        name=name,
        kind=TEXT,
        phone_number_id=phone_number_id,
        text_template_id=text_template_id,
    )
    async with store.writing() as tx:
        # before the engagement, as for who writes a batch of it
        numbers = await rows.hold(tx, PhoneNumber, activity.account_id, [phone_number_id], shared=True)
        engagement = await _check_engagement(tx, activity, problems)
        _check_number(numbers.get(phone_number_id), problems)
        await _check_template(tx, activity, problems)
        fields.refuse(problems)
        assert engagement is not None, "a missing engagement is a problem"
        await rows.insert(tx, activity)
        await rows.change(tx, engagement, activity_id=activity.id, updated_at=now, updated_by=actor.membership_id)
    return activity


def unsupported_kind(kind: str) -> Problem:
    """What is said of every kind but text."""
    detail = f"The activity kind “{kind[:40]}” is not supported. This server sends texts: set “kind” to “{TEXT}”."
    return Problem(Code.UNSUPPORTED_KIND, detail, "/data/attributes/kind")


def _unknown(relationship: str, detail: str) -> Problem:
    return Problem(Code.UNKNOWN_TARGET, detail, f"/data/relationships/{relationship}")


async def _check_engagement(tx: Transaction, activity: Activity, problems: list[Problem]) -> Engagement | None:
    held = await rows.hold(tx, Engagement, activity.account_id, [activity.engagement_id])
    found = held.get(activity.engagement_id)
    if found is None or found.deleted_at is not None:
        problems.append(_unknown("engagement", fields.missing("engagement")))
        return None
    if found.activity_id is not None:
        detail = f"The engagement has an activity already ({to_wire(found.activity_id)}). Make another engagement."
        problems.append(Problem(Code.ILLEGAL_STATE, detail, "/data/relationships/engagement"))
    elif found.status is not EngagementStatus.PENDING:
        detail = f"The engagement is {found.status}; activities are added while it is pending. Make another engagement."
        problems.append(Problem(Code.ILLEGAL_STATE, detail, "/data/relationships/engagement"))
    return found


def _check_number(found: PhoneNumber | None, problems: list[Problem]) -> None:
    if found is None:
        problems.append(_unknown("phone-number", fields.missing("phone number")))
    elif not found.is_active:
        detail = f"The phone number {found.phone_number} is switched off. Choose an active one."
        problems.append(_unknown("phone-number", detail))


async def _check_template(tx: Transaction, activity: Activity, problems: list[Problem]) -> None:
    found = await rows.find(tx, TextTemplate, activity.account_id, activity.text_template_id)
    if found is None or found.deleted_at is not None:
        problems.append(_unknown("text-template", fields.missing("text template")))
