"""/activities (wire contract 5.3). Step 1 of a text's path: the engagement learns which number says which words."""

from typing import Final

import msgspec
from litestar import post
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.linkage import target
from opengage.api.resources.activities import RESOURCE, TYPE
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.errors import Invalid, Problem
from opengage.jsonapi.request import Reader, ToOne
from opengage.operations import activities


class NewAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes."""

    name: str
    kind: str


class NewRelationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client points at."""

    engagement: ToOne | None = None
    phone_number: ToOne | None = None
    text_template: ToOne | None = None


READER: Final = Reader(TYPE, NewAttributes, NewRelationships)


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
    return answers.one(request, RESOURCE.answer(api.base_url, made), 201)


ROUTES: Final = [create]
