"""What an engagement needs before it may be scheduled; each lack is named with its mending (code 100).

Step 3 of a text's path.
"""

from collections.abc import Sequence

from opengage.clock import SECOND, Instant
from opengage.domain import budgets, weekly
from opengage.domain.budgets import Budget, Use
from opengage.domain.drain import Lane, forecast, refusal
from opengage.domain.errors import Code, Problem
from opengage.domain.records import Activity, Engagement, PhoneNumber, ServiceProfile, TextTemplate
from opengage.ids import Id
from opengage.store import ledgers, pools, rows, work
from opengage.store.contract import Transaction


async def missing_for_scheduling(tx: Transaction, engagement: Engagement, now: Instant) -> list[Problem]:
    """Every lack, in the order in which a user would mend them."""
    account_id = engagement.account_id
    lacks: list[str] = []
    numbers: list[PhoneNumber] = []
    activity = engagement.activity_id and await rows.find(tx, Activity, account_id, engagement.activity_id)
    if not activity:
        lacks.append(
            "The engagement has no activity, and so no text template and no phone number. POST /activities with kind "
            "“text” and the relationships engagement, text-template and phone-number."
        )
    else:
        lacks += await _template_lacks(tx, activity)
        numbers = await _numbers(tx, engagement, activity)
        lacks += await _number_lacks(tx, numbers)
    pending = (await ledgers.read(tx, account_id, engagement.id)).pending
    if pending == 0:
        lacks.append("The engagement has no envelopes. POST /envelopes with its recipients first.")
    if not lacks:
        lacks += await _time_lacks(tx, engagement, numbers, pending, now)
    return [Problem(Code.NOT_READY, lack, "/data/attributes/status") for lack in lacks]


async def _template_lacks(tx: Transaction, activity: Activity) -> list[str]:
    template = await rows.find(tx, TextTemplate, activity.account_id, activity.text_template_id)
    if template is None or template.deleted_at is not None:
        return ["The activity's text template was deleted. Make a new engagement with another template."]
    return []


async def _numbers(tx: Transaction, engagement: Engagement, activity: Activity) -> list[PhoneNumber]:
    """Those that it sends from."""
    pool = (await pools.of_many(tx, engagement.account_id, [engagement.id]))[engagement.id]
    found = await rows.find_many(tx, PhoneNumber, engagement.account_id, pool or [activity.phone_number_id])
    return [number for number in found.values() if number.is_active]


async def _number_lacks(tx: Transaction, numbers: Sequence[PhoneNumber]) -> list[str]:
    if not numbers:
        return ["The activity's phone number is switched off. Switch it on, or make a new engagement with another."]
    for number in numbers:
        profile = await rows.find(tx, ServiceProfile, number.account_id, number.service_profile_id)
        if profile is None or not profile.is_active:
            return [f"The service profile of {number.phone_number} is switched off. Switch it on."]
    return []


async def _time_lacks(
    tx: Transaction, engagement: Engagement, numbers: Sequence[PhoneNumber], pending: int, now: Instant
) -> list[str]:
    """Whether it could all go before it expires, or within a reasonable time (bars R17)."""
    waiting = pending
    shared: dict[Id, list[Budget]] = {}
    for number in numbers:
        for other, _ in await work.running(tx, number.account_id, number.id):
            waiting += (await ledgers.read(tx, number.account_id, other.id)).pending
        profile = await rows.find(tx, ServiceProfile, number.account_id, number.service_profile_id)
        if profile and profile.budgets:
            shared[profile.id] = budgets.parse(profile.budgets)
    lanes = [Lane(number.rate, _unused(budgets.parse(number.budgets) if number.budgets else [])) for number in numbers]
    own = budgets.of_engagement(engagement.queue_throttle_hour_limit, engagement.queue_throttle_day_limit)
    hours = engagement.queue_schedule if engagement.queue_schedule_is_enabled else None
    begins = engagement.starts_at or engagement.delivery_time or now
    validity = engagement.validity_seconds
    found = forecast(
        waiting,
        lanes,
        Instant(max(now, begins)),
        weekly=weekly.parse(hours) if hours else None,
        shared=_unused([*own, *(each for some in shared.values() for each in some)]),
        valid_until=Instant(max(now, begins) + validity * SECOND) if validity else None,
    )
    why = refusal(found, validity)
    return [why] if why else []


def _unused(of: Sequence[Budget]) -> tuple[Use, ...]:
    return tuple(Use(budget, 0) for budget in of)
