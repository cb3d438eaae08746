"""What an engagement needs before it may be scheduled; each lack is named with its mending (code 100).

Step 3 of a text's path.
"""

from opengage.domain.errors import Code, Problem
from opengage.domain.records import Activity, Engagement, PhoneNumber, ServiceProfile, TextTemplate
from opengage.store import ledgers, rows
from opengage.store.contract import Transaction


async def missing_for_scheduling(tx: Transaction, engagement: Engagement) -> list[Problem]:
    """Every lack, in the order in which a user would mend them."""
    account_id, lacks = engagement.account_id, []
    activity = engagement.activity_id and await rows.find(tx, Activity, account_id, engagement.activity_id)
    if not activity:
        lacks.append(
            "The engagement has no activity, and so no text template and no phone number. POST /activities with kind "
            "“text” and the relationships engagement, text-template and phone-number."
        )
    else:
        lacks += await _template_lacks(tx, activity)
        lacks += await _number_lacks(tx, activity)
    if (await ledgers.read(tx, account_id, engagement.id)).pending == 0:
        lacks.append("The engagement has no envelopes. POST /envelopes with its recipients first.")
    return [Problem(Code.NOT_READY, lack, "/data/attributes/status") for lack in lacks]


async def _template_lacks(tx: Transaction, activity: Activity) -> list[str]:
    template = await rows.find(tx, TextTemplate, activity.account_id, activity.text_template_id)
    if template is None or template.deleted_at is not None:
        return ["The activity's text template was deleted. Make a new engagement with another template."]
    return []


async def _number_lacks(tx: Transaction, activity: Activity) -> list[str]:
    number = await rows.find(tx, PhoneNumber, activity.account_id, activity.phone_number_id)
    if number is None or not number.is_active:
        return ["The activity's phone number is switched off. Switch it on, or make a new engagement with another."]
    profile = await rows.find(tx, ServiceProfile, number.account_id, number.service_profile_id)
    if profile is None or not profile.is_active:
        return [f"The service profile of {number.phone_number} is switched off. Switch it on."]
    return []
