"""/activities (wire contract 5.3). Step 1 of a text's path: the engagement learns which number says which words."""

from typing import Final

import msgspec
from litestar import post
from litestar.response.base import ASGIResponse

from opengage.api import answers, reads
from opengage.api.body import read_body
from opengage.api.linkage import target, to_one
from opengage.api.state import Api, ApiState, Member, WebRequest
from opengage.domain.errors import Invalid, Problem
from opengage.domain.records import Activity
from opengage.ids import to_wire
from opengage.jsonapi.document import NOTHING, Answer, LinkedMany, One, Related
from opengage.jsonapi.request import Reader, ToOne
from opengage.jsonapi.timestamps import to_text
from opengage.operations import activities, reading

TYPE: Final = "activities"


class NewAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes."""

    name: str
    kind: str


class NewRelationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client points at."""

    engagement: ToOne | None = None
    phone_number: ToOne | None = None
    text_template: ToOne | None = None


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


READER: Final = Reader(TYPE, NewAttributes, NewRelationships)


def answer(api: ApiState, activity: Activity) -> Answer:
    """An activity as its resource object."""
    id_ = to_wire(activity.id)
    return Answer(
        TYPE,
        id_,
        Attributes(activity.name, activity.kind, to_text(activity.created_at), to_text(activity.updated_at)),
        Relationships(
            engagement=to_one("engagements", activity.engagement_id),
            transition=NOTHING,
            triggers=LinkedMany(Related(f"{api.base_url}/triggers?filter[activity.id]=eq:{id_}")),
            phone_number=to_one("phone-numbers", activity.phone_number_id),
            text_template=to_one("text-templates", activity.text_template_id),
        ),
    )


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /activities."""
    sent = READER.one(await read_body(request))
    problems: list[Problem] = []
    if sent.attributes.kind != activities.TEXT:
        problems.append(activities.unsupported_kind(sent.attributes.kind))
    engagement_id = target(sent.relationships.engagement, "engagement", "engagements", problems)
    number_id = target(sent.relationships.phone_number, "phone-number", "phone-numbers", problems)
    template_id = target(sent.relationships.text_template, "text-template", "text-templates", problems)
    if problems:
        raise Invalid(problems)
    made = await activities.create(
        api.store,
        api.clock,
        api.new_id,
        actor,
        name=sent.attributes.name,
        engagement_id=engagement_id,
        phone_number_id=number_id,
        text_template_id=template_id,
    )
    return answers.one(request, answer(api, made), 201)


READS: Final = reads.Reads[Activity](
    type=TYPE,
    find=lambda api, actor, id_: reading.find(api.store, actor, Activity, id_, "activity"),
    page=lambda api, actor, limit, offset, **equal: reading.page(api.store, actor, Activity, limit, offset, **equal),
    answer=answer,
    filters={"engagement.id": "engagement_id"},
)

ROUTES: Final = [create, *reads.routes(READS)]
