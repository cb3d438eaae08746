"""PATCH and DELETE of envelopes, one or many (wire contract 5.4). Step 1 of a text's path: as long as they wait."""

from typing import Final

import msgspec
from litestar import delete, patch
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers, places
from opengage.api.body import read_body, read_identifiers, read_items
from opengage.api.documented import documented
from opengage.api.envelope_batches import Delay, MergeValue
from opengage.api.errors import problems_of
from opengage.api.linkage import target
from opengage.api.resources import callback_includes
from opengage.api.resources.envelopes import RESOURCE, TYPE
from opengage.api.state import Api, Member, WebRequest
from opengage.domain.callback_urls import Limits, refusal
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.phone_numbers import InvalidNumber, parse
from opengage.ids import Id, from_wire
from opengage.jsonapi import document
from opengage.jsonapi.faults import DocumentError, Fault, FaultKind
from opengage.jsonapi.request import Reader, Resource, ToOne
from opengage.operations import envelope_edits
from opengage.operations.envelope_edits import Changes

_UNSET: Final = msgspec.UNSET
_encode: Final = msgspec.json.Encoder().encode


class ChangedAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes to change one."""

    phone_number: str | msgspec.UnsetType = _UNSET
    meta: dict[str, MergeValue] | msgspec.UnsetType | None = _UNSET
    callback: str | msgspec.UnsetType | None = _UNSET
    callback_include: str | msgspec.UnsetType | None = _UNSET
    is_priority: bool | msgspec.UnsetType = _UNSET
    delay_in_seconds: Delay | msgspec.UnsetType | None = _UNSET


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """What a client may repeat: an envelope stays in its engagement."""

    engagement: ToOne | None = None


READER: Final = Reader(TYPE, ChangedAttributes, Relationships)


class _Named(msgspec.Struct):
    id: str | None = None


def _changes(
    sent: Resource[ChangedAttributes, Relationships], at: str, limits: Limits, problems: list[Problem]
) -> Changes:
    return _values(sent.attributes, sent.relationships.engagement, at, limits, problems)


def _values(sent: ChangedAttributes, link: ToOne | None, at: str, limits: Limits, problems: list[Problem]) -> Changes:
    number, meta = sent.phone_number, sent.meta
    if isinstance(number, str):
        try:
            number = parse(number)
        except InvalidNumber as error:
            detail = f"{error.reason[:1].upper()}{error.reason[1:]}: {error.fix}."
            problems.append(Problem(Code.INVALID_NUMBER, detail, f"{at}/attributes/phone-number"))
    wrong = refusal(sent.callback, limits) if isinstance(sent.callback, str) else None
    if wrong is not None:
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, wrong, f"{at}/attributes/callback"))
    wrong = callback_includes.refusal((TYPE,), sent.callback_include) if sent.callback_include else None
    if wrong is not None:
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, wrong, f"{at}/attributes/callback-include"))
    engagement_id = target(link, "engagement", "engagements", problems, at) if link and link.data else None
    return Changes(
        engagement_id=engagement_id,
        phone_number=number,
        meta=_UNSET if meta is _UNSET else _encode(meta or {}).decode(),
        callback=sent.callback,
        callback_include=sent.callback_include,
        is_priority=sent.is_priority,
        delay_in_seconds=sent.delay_in_seconds,
    )


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /envelopes/{id}."""
    sent = READER.one(await read_body(request), addressed=resource_id)
    problems: list[Problem] = []
    changes = _changes(sent, "/data", api.limits, problems)
    if problems:
        raise Invalid(problems)
    (changed,) = await envelope_edits.update(api.store, api.clock, actor, [(from_wire(resource_id), changes)], None)
    return answers.one(request, RESOURCE.answer(api.base_url, changed), 202)


@patch(f"/{TYPE}", status_code=202, opt=documented(reader=READER, bulk=True))
async def update_many(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """PATCH /envelopes: those of an array, each with its id; all or none."""
    items = await read_items(request)
    if not isinstance(items, list):
        detail = "Send an array of envelopes here, or PATCH /envelopes/{id} with one."
        raise DocumentError(Fault(FaultKind.WRONG_TYPE, detail, "/data"))
    places.check_size(len(items), api.settings.bulk_limit, "envelopes")
    edits: list[tuple[Id | None, Changes]] = []
    faults: list[Fault] = []
    problems: list[Problem] = []
    for number, raw in enumerate(items):
        at, named = places.in_array(number), _id_of(raw)
        sent = READER.read(raw, named) if named else None
        if sent is not None:
            edits.append((from_wire(str(named)), _changes(sent, at, api.limits, problems)))
        elif named:
            faults += READER.faults(raw, at, named)
        else:
            detail = "“id” is missing. Say which envelope is to be changed."
            faults.append(Fault(FaultKind.REQUIRED, detail, f"{at}/id"))
    places.refuse_faults(faults, problems)
    if problems:
        raise Invalid([*problems_of(faults), *problems])
    changed = await envelope_edits.update(api.store, api.clock, actor, edits, places.in_array)
    shown = [document.resource(RESOURCE.answer(api.base_url, each)) for each in changed]
    return answers.send(request, document.many(shown), 202)


def _id_of(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@delete(f"/{TYPE}/{{resource_id:str}}", status_code=204)
async def delete_one(api: Api, actor: Member, resource_id: FromPath[str]) -> None:
    """DELETE /envelopes/{id}."""
    await envelope_edits.delete(api.store, api.clock, api.new_id, actor, [from_wire(resource_id)], None)


@delete(f"/{TYPE}", status_code=204, opt=documented(points_at=TYPE))
async def delete_many(request: WebRequest, api: Api, actor: Member) -> None:
    """DELETE /envelopes: those of an array; all or none."""
    some = await read_identifiers(request)
    places.check_size(len(some), api.settings.bulk_limit, "envelopes")
    places.check_types(some, TYPE)
    await envelope_edits.delete(
        api.store, api.clock, api.new_id, actor, [from_wire(one.id) for one in some], places.in_array
    )


ROUTES: Final = [update, update_many, delete_one, delete_many]
