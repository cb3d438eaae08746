"""/texts (wire contract 5.6). Single texts: one message to one number, sent at once, or taken back in time."""

from typing import Final

import msgspec
from litestar import patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.linkage import maybe_target, target
from opengage.api.resources import callback_includes
from opengage.api.resources.texts import TYPE, answer
from opengage.api.state import Api, ApiState, Member, WebRequest
from opengage.api.values import MergeValue
from opengage.domain.callback_urls import refusal
from opengage.domain.errors import Code, Invalid, Problem
from opengage.ids import from_wire
from opengage.jsonapi.request import NoRelationships, Reader, ToOne
from opengage.operations import texts
from opengage.operations.texts import New


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes; `from` follows from the phone number, whatever is sent."""

    to: str
    meta: dict[str, MergeValue] | None = None
    callback: str | None = None
    callback_include: str | None = None


class NewRelationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client points at; without a phone number, the account's only one is meant."""

    text_message: ToOne | None = None
    phone_number: ToOne | None = None


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes to take one back."""

    status: str | None = None


NEW_READER: Final = Reader(TYPE, NewAttributes, NewRelationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, NoRelationships)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /texts."""
    sent = NEW_READER.one(await read_body(request))
    problems: list[Problem] = []
    message_id = target(sent.relationships.text_message, "text-message", "text-messages", problems)
    number_id = maybe_target(sent.relationships.phone_number, "phone-number", "phone-numbers", problems)
    _check_callback(api, sent.attributes, problems)
    if problems:
        raise Invalid(problems)
    new = New(
        to=sent.attributes.to,
        text_message_id=message_id,
        phone_number_id=number_id or None,
        meta=sent.attributes.meta or {},
        callback=sent.attributes.callback,
        callback_include=sent.attributes.callback_include,
    )
    most = api.settings.max_segments
    made = await texts.create(api.store, api.clock, api.new_id, actor, new, max_segments=most)
    return answers.one(request, answer(api.base_url, made), 201)


def _check_callback(api: ApiState, sent: NewAttributes, problems: list[Problem]) -> None:
    """Where word of the text's fate may go, and what it may include."""
    wrong = {
        "callback": refusal(sent.callback, api.limits) if sent.callback is not None else None,
        "callback-include": callback_includes.refusal((TYPE,), sent.callback_include)
        if sent.callback_include
        else None,
    }
    problems.extend(
        Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/{name}") for name, detail in wrong.items() if detail
    )


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /texts/{id} with `status` canceled, while it is queued."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id).attributes
    id_ = from_wire(resource_id)
    changed = await texts.cancel(api.store, api.clock, api.new_id, actor, id_, sent.status)
    return answers.one(request, answer(api.base_url, changed), 202)


ROUTES: Final = [create, update]
