"""/accounts (wire contract 5.9). What an owner changes of the account itself; `opengage init` makes accounts."""

from typing import Final

import msgspec
from litestar import patch
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.body import read_body
from opengage.api.resources.accounts import TYPE, answer
from opengage.api.state import Api, Member, WebRequest
from opengage.api.values import or_unset
from opengage.ids import from_wire
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations import account_settings
from opengage.operations.account_settings import Changes


class Written(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes; null goes back to the default, where there is one."""

    name: str | msgspec.UnsetType | None = msgspec.UNSET
    quiet_hours: str | msgspec.UnsetType | None = msgspec.UNSET
    frequency_cap: int | msgspec.UnsetType | None = msgspec.UNSET
    frequency_hours: int | msgspec.UnsetType | None = msgspec.UNSET
    stop_reply: str | msgspec.UnsetType | None = msgspec.UNSET
    start_reply: str | msgspec.UnsetType | None = msgspec.UNSET
    help_reply: str | msgspec.UnsetType | None = msgspec.UNSET
    retention_days_bodies: int | msgspec.UnsetType | None = msgspec.UNSET
    retention_days_numbers: int | msgspec.UnsetType | None = msgspec.UNSET


READER: Final = Reader(TYPE, Written, NoRelationships)


@patch(f"/{TYPE}/{{resource_id:str}}", status_code=202)
async def update(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
    """PATCH /accounts/{id}."""
    sent = READER.one(await read_body(request), addressed=resource_id).attributes
    changes = Changes(
        name=or_unset(sent.name),
        quiet_hours=sent.quiet_hours,
        frequency_cap=sent.frequency_cap,
        frequency_hours=sent.frequency_hours,
        stop_reply=sent.stop_reply,
        start_reply=sent.start_reply,
        help_reply=sent.help_reply,
        retention_days_bodies=sent.retention_days_bodies,
        retention_days_numbers=sent.retention_days_numbers,
    )
    changed = await account_settings.update(api.store, api.clock, api.new_id, actor, from_wire(resource_id), changes)
    return answers.one(request, answer(api.base_url, changed), 202)


ROUTES: Final = [update]
