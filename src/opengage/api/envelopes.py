"""/envelopes (wire contract 5.4). Step 1 of a text's path: the recipients arrive; `envelope_batches` reads them."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from litestar import post
from litestar.response.base import ASGIResponse

from opengage.api import answers, preferences
from opengage.api.body import read_items
from opengage.api.documented import documented
from opengage.api.envelope_answers import BatchAnswer
from opengage.api.envelope_batches import READER, read_batch
from opengage.api.resources.envelopes import TYPE
from opengage.api.state import Api, ApiState, Member, WebRequest
from opengage.jsonapi import document
from opengage.operations import envelopes
from opengage.operations.actors import Actor


def _place_in_array(number: int) -> str:
    return f"/data/{number}"


def _only_place(_: int) -> str:
    return "/data"


@post(f"/{TYPE}", status_code=201, opt=documented(reader=READER, bulk=True))
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /envelopes: one, or an array of them; all or none."""
    data = await read_items(request)
    if isinstance(data, list):
        made = await _add(api, actor, data, _place_in_array)
        if preferences.wants_minimal(request.headers.getall("prefer", [])):
            counted = answers.send(request, document.count(len(data)), 201)
            counted.headers.update(preferences.APPLIED)
            return counted
        return answers.send(request, document.many(await made.resources()), 201)
    made = await _add(api, actor, [data], _only_place)
    return answers.one(request, made.first(), 201)


async def _add(api: ApiState, actor: Actor, items: Sequence[msgspec.Raw], place: Callable[[int], str]) -> BatchAnswer:
    batch = await read_batch(items, place, api.settings.bulk_limit, api.limits)
    added = await envelopes.add(api.store, api.clock, api.new_id, actor, batch.targets, batch.new, place)
    return BatchAnswer(api, actor, batch, added)


ROUTES: Final = [create]
