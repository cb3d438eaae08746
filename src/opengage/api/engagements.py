"""/engagements and their ledgers (wire contract 5.2). Step 1 of a text's path: a blast is made, let go, watched.

The counts: a new engagement has none (null, as recorded in 2020); the answer to the PATCH that schedules has
`count-total` null and the others 0 (as recorded at that instant); every other answer tells the ledger's numbers.
`count-pending` and `count-processing`, which are ours, are true from that PATCH on.
"""

from typing import Annotated, Final

import msgspec
from litestar import get, patch, post
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.linkage import targets
from opengage.api.resources.engagements import RESOURCE, TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.clock import Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.states import EngagementStatus
from opengage.ids import from_wire, to_wire
from opengage.jsonapi.document import Answer
from opengage.jsonapi.request import Reader, ToMany
from opengage.jsonapi.timestamps import from_text
from opengage.operations import engagements
from opengage.operations.engagements import Changes

BatchLimit = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to make one."""

    name: str
    direction: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    delivery_type: str | msgspec.UnsetType = msgspec.UNSET
    delivery_time: str | msgspec.UnsetType | None = msgspec.UNSET
    queue_batch_limit: BatchLimit | msgspec.UnsetType = msgspec.UNSET


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to change one."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    direction: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    delivery_type: str | msgspec.UnsetType = msgspec.UNSET
    delivery_time: str | msgspec.UnsetType | None = msgspec.UNSET
    queue_batch_limit: BatchLimit | msgspec.UnsetType = msgspec.UNSET


class LedgerAttributes(msgspec.Struct, frozen=True, gc=False):
    """Where every envelope stands; the five counts sum up to `total`."""

    total: int
    pending: int
    processing: int
    hold: int
    complete: int
    incomplete: int
    reasons: dict[str, int]


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """What a client points at: the lists whose contacts it addresses. An empty array changes nothing."""

    lists: ToMany | None = None


NEW_READER: Final = Reader(TYPE, NewAttributes, Relationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, Relationships)


def _changes(sent: NewAttributes | ChangedAttributes, relationships: Relationships) -> Changes:
    problems: list[Problem] = []
    some = relationships.lists.data if relationships.lists else ()
    lists = targets(some, "lists", "lists", problems, "/data/relationships/lists/data")
    if problems:
        raise Invalid(problems)
    return Changes(
        list_ids=lists,
        name=sent.name,
        direction=sent.direction,
        status=sent.status,
        delivery_type=sent.delivery_type,
        delivery_time=_instant(sent.delivery_time),
        queue_batch_limit=sent.queue_batch_limit,
    )


def _instant(text: str | msgspec.UnsetType | None) -> Instant | msgspec.UnsetType | None:
    """A delivery time must name an instant: wall-clock time without an offset names another one in every zone."""
    if not isinstance(text, str):
        return text
    try:
        return Instant(from_text(text))
    except (ValueError, OverflowError) as error:
        detail = f"“{text[:40]}” is no instant. Write date, time and offset, as in 2026-12-01T09:00:00+00:00."
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/delivery-time")]) from error


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /engagements."""
    sent = NEW_READER.one(await read_body(request))
    made = await engagements.create(
        api.store, api.clock, api.new_id, actor, _changes(sent.attributes, sent.relationships)
    )
    return answers.one(request, RESOURCE.answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /engagements/{id}."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id)
    wanted = _changes(sent.attributes, sent.relationships)
    changed = await engagements.update(api.store, api.clock, actor, from_wire(resource_id), wanted)
    waits = changed.engagement.status is EngagementStatus.SCHEDULED
    return answers.one(request, answer(api.base_url, changed, total_is_told=not waits), 202)


@get(f"/{TYPE}/{{resource_id:str}}/ledger")
async def read_ledger(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """GET /engagements/{id}/ledger."""
    engagement, ledger = await engagements.read_ledger(api.store, actor, from_wire(resource_id))
    attributes = LedgerAttributes(*msgspec.structs.astuple(ledger))
    return answers.one(request, Answer("ledgers", to_wire(engagement.id), attributes))


ROUTES: Final = [create, update, read_ledger]
