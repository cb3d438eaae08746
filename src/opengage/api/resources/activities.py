"""/activities (wire contract 5.3). Step 1 of a text's path: the engagement learns which number says which words."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, Through, ToOne, as_it_is
from opengage.domain.records import Activity
from opengage.ids import to_wire
from opengage.jsonapi.document import NOTHING, Answer, LinkedMany, One, Related
from opengage.jsonapi.timestamps import to_text

TYPE: Final = "activities"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What is answered for kind `text`, in recorded order."""

    name: str
    kind: str
    created_at: str
    updated_at: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """For kind `text`, in recorded order; no authors, as recorded."""

    engagement: One
    transition: One
    triggers: LinkedMany
    phone_number: One
    text_template: One


def answer(base: str, activity: Activity) -> Answer:
    """An activity as its resource object."""
    id_ = to_wire(activity.id)
    return Answer(
        TYPE,
        id_,
        Attributes(activity.name, activity.kind, to_text(activity.created_at), to_text(activity.updated_at)),
        Relationships(
            engagement=to_one("engagements", activity.engagement_id),
            transition=NOTHING,
            triggers=LinkedMany(Related(f"{base}/triggers?filter[activity.id]=eq:{id_}")),
            phone_number=to_one("phone-numbers", activity.phone_number_id),
            text_template=to_one("text-templates", activity.text_template_id),
        ),
    )


RESOURCE: Final = Resource[Activity, Activity](
    type=TYPE,
    noun="activity",
    record=Activity,
    attributes=Attributes,
    relationships={
        "engagement": ToOne("engagements", "engagement_id", indexed=True),
        "transition": ToOne("activities"),
        "triggers": Through("triggers", "activity"),
        "phone-number": ToOne("phone-numbers", "phone_number_id", indexed=True),
        "text-template": ToOne("text-templates", "text_template_id", indexed=True),
    },
    answer=answer,
    show=as_it_is,
)
