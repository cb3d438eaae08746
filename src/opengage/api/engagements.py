"""/engagements (wire contract 5.2): a blast is made, let go, watched, copied. Step 1 of a text's path.

What is shown of one, and its counts, is described in `resources.engagements`.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

import msgspec
from litestar import get, patch, post
from litestar.params import FromPath
from litestar.response import Stream
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.documented import documented
from opengage.api.linkage import targets
from opengage.api.resources.engagements import RESOURCE, TYPE, answer
from opengage.api.state import Api, Member, WebRequest, charge
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.receipt_chain import Format
from opengage.domain.states import EngagementStatus
from opengage.ids import from_wire, to_wire
from opengage.jsonapi.document import Answer
from opengage.jsonapi.request import NoRelationships, Reader, ToMany
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations import blast_receipts, copies, engagements, ledgers
from opengage.operations.engagement_changes import Changes

Unset = msgspec.UnsetType
UNSET: Final = msgspec.UNSET


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab", kw_only=True):
    """What a client writes to change one."""

    name: str | Unset = UNSET
    direction: str | Unset = UNSET
    status: str | Unset = UNSET
    delivery_type: str | Unset = UNSET
    delivery_time: str | Unset | None = UNSET
    is_archived: bool | Unset = UNSET
    queue_batch_limit: int | Unset = UNSET
    queue_throttle_hour_limit: int | Unset | None = UNSET
    queue_throttle_day_limit: int | Unset | None = UNSET
    queue_schedule_is_enabled: bool | Unset = UNSET
    queue_schedule: dict[str, Any] | Unset | None = UNSET
    undo_seconds: int | Unset | None = UNSET
    validity_seconds: int | Unset | None = UNSET
    canary_size: int | Unset | None = UNSET
    canary_wait_seconds: int | Unset | None = UNSET
    canary_delivery_ratio: float | Unset | None = UNSET
    pause_failure_ratio: float | Unset | None = UNSET
    pause_opt_out_ratio: float | Unset | None = UNSET


class NewAttributes(ChangedAttributes, frozen=True, gc=False, rename="kebab", kw_only=True):
    """What a client writes to make one."""

    name: str


class Relationships(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client points at; the phone numbers are the sender pool, the lists those whose contacts it addresses."""

    phone_numbers: ToMany | Unset = UNSET
    lists: ToMany | Unset = UNSET


class CopyAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to copy one."""

    name: str | None = None
    envelopes: str | None = None
    reasons: list[str] = []


class LedgerAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """Where every envelope stands, and how it goes; the five counts sum up to `total`."""

    total: int
    pending: int
    processing: int
    hold: int
    complete: int
    incomplete: int
    reasons: dict[str, int]
    left: int
    opt_outs: int
    codes: dict[str, int]
    numbers: dict[str, int]
    hours: dict[str, int]
    rate: float
    eta: str | None
    drain_seconds: float | None
    hold_reason: str | None
    hold_until: str | None


NEW_READER: Final = Reader(TYPE, NewAttributes, Relationships)
CHANGE_READER: Final = Reader(TYPE, ChangedAttributes, Relationships)
COPY_READER: Final = Reader(TYPE, CopyAttributes, NoRelationships)
RECEIPT_QUERY: Final = {
    "format": ("ndjson or csv.", f"^({'|'.join(Format)})$"),
    "plain-numbers": ("true for numbers as they are.", "^(true|false)$"),
}
MEDIA: Final = {Format.NDJSON: "application/x-ndjson", Format.CSV: "text/csv; charset=utf-8"}


def _changes(sent: ChangedAttributes, relationships: Relationships) -> Changes:
    """What was sent, in the words of the operations. Raises Invalid."""
    values = {name: getattr(sent, name) for name in ChangedAttributes.__struct_fields__}
    problems: list[Problem] = []
    for name, field in (("phone-numbers", "phone_number_ids"), ("lists", "list_ids")):
        link: ToMany | Unset = getattr(relationships, name.replace("-", "_"))
        if link is not UNSET and link.data:
            values[field] = targets(link.data, name, name, problems, f"/data/relationships/{name}/data")
    if problems:
        raise Invalid(problems)
    return Changes(**values)


@post(f"/{TYPE}", status_code=201)
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /engagements."""
    sent = NEW_READER.one(await read_body(request))
    changes = _changes(sent.attributes, sent.relationships)
    made = await engagements.create(api.store, api.clock, api.new_id, actor, changes)
    return answers.one(request, RESOURCE.answer(api.base_url, made), 201)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /engagements/{id}."""
    sent = CHANGE_READER.one(await read_body(request), addressed=resource_id)
    changes = _changes(sent.attributes, sent.relationships)
    undo = api.settings.undo_seconds
    id_ = from_wire(resource_id)
    changed = await engagements.update(api.store, api.clock, api.new_id, actor, id_, changes, undo_seconds=undo)
    waits = changed.engagement.status is EngagementStatus.SCHEDULED
    return answers.one(request, answer(api.base_url, changed, total_is_told=not waits), 202)


@post(f"/{TYPE}/{{resource_id:str}}/copies", status_code=201, opt={"stepwise": True, **documented(answers=TYPE)})
async def copy(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """POST /engagements/{id}/copies."""
    sent = COPY_READER.one(await read_body(request)).attributes
    made = await copies.copy(
        api.store,
        api.clock,
        api.new_id,
        actor,
        from_wire(resource_id),
        name=sent.name,
        envelopes=sent.envelopes,
        reasons=sent.reasons,
        charge=partial(charge, request),
    )
    return answers.one(request, RESOURCE.answer(api.base_url, made), 201)


@get(f"/{TYPE}/{{resource_id:str}}/ledger", opt=documented(answers=("ledgers", LedgerAttributes)))
async def read_ledger(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """GET /engagements/{id}/ledger."""
    found = await ledgers.report(api.store, api.clock, actor, from_wire(resource_id))
    engagement = found.engagement
    ledger = found.ledger
    attributes = LedgerAttributes(
        total=ledger.total,
        pending=ledger.pending,
        processing=ledger.processing,
        hold=ledger.hold,
        complete=ledger.complete,
        incomplete=ledger.incomplete,
        reasons=ledger.reasons,
        left=ledger.left,
        opt_outs=found.opt_outs,
        codes=found.codes,
        numbers=found.numbers,
        hours={to_text(hour): count for hour, count in found.hours.items()},
        rate=round(found.rate, 3),
        eta=to_text_or_none(found.eta),
        drain_seconds=None if found.eta is None else round((found.eta - api.clock.now()) / 1e6, 1),
        hold_reason=engagement.hold_reason,
        hold_until=to_text_or_none(engagement.hold_until),
    )
    return answers.one(request, Answer("ledgers", to_wire(engagement.id), attributes))


@get(f"/{TYPE}/{{resource_id:str}}/receipt", opt=documented(media=tuple(MEDIA.values()), query=RECEIPT_QUERY))
async def read_receipt(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> Stream:
    """GET /engagements/{id}/receipt?format=ndjson|csv."""
    asked = request.query_params.get("format", Format.NDJSON)
    kind = next((each for each in Format if each == asked), None)
    if kind is None:
        detail = f"“{asked[:40]}” is no format. Use one of {', '.join(Format)}."
        raise Invalid([Problem(Code.BAD_PARAMETER, detail, parameter="format")])
    plain = request.query_params.get("plain-numbers") == "true"
    lines = await blast_receipts.begin(api.store, actor, from_wire(resource_id), kind, plain_numbers=plain)
    name = f'attachment; filename="receipt-{resource_id}.{kind}"'
    return Stream(_stream(lines), media_type=MEDIA[kind], headers={"Content-Disposition": name})


async def _stream(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for page in lines:
        yield page


ROUTES: Final = [create, update, copy, read_ledger, read_receipt]
