"""The delivery of webhooks: where they may go, and what makes their documents. Loads no web framework."""

import asyncio
import random

from opengage.api.resources import documents
from opengage.api.resources.callback_includes import offered
from opengage.api.resources.documents import Reader
from opengage.api.resources.registry import BY_TYPE
from opengage.clock import SystemClock
from opengage.dispatch.callouts import Caller
from opengage.dispatch.webhooks import Deliverer, Pace, Render
from opengage.domain.callback_urls import Limits, networks
from opengage.domain.errors import NotFound
from opengage.ids import Id, new_id
from opengage.operations.fields import missing
from opengage.sealing import Sealer
from opengage.settings import Settings
from opengage.store.contract import Store

_SLACK = 10.0
"""Seconds beside two time-outs after which a delivery that a worker took counts as lost with it."""


def limits(settings: Settings) -> Limits:
    """Where callbacks may go."""
    ports = frozenset(int(port) for port in settings.callback_ports.split(","))
    return Limits(ports, networks(settings.callback_allow))


def renderer(settings: Settings, store: Store) -> Render:
    """What makes a delivery's document."""
    base = f"{settings.public_url.rstrip('/')}/api/v1"

    async def render(account_id: int, subject_type: str, subject_id: Id, include: str | None) -> bytes:
        resource = BY_TYPE.get(subject_type)
        if resource is None:
            raise NotFound(f"There is no resource “{subject_type}”.")
        wanted = offered(subject_type, include) if include else None
        async with store.reading() as tx:
            found = await documents.document(tx, Reader(account_id, base), resource, subject_id, wanted)
        if found is None:
            raise NotFound(missing(resource.noun))
        return found

    return render


async def deliver(settings: Settings, store: Store, sealer: Sealer, stop: asyncio.Event) -> None:
    """Deliver webhooks until `stop` is set."""
    caller = Caller(SystemClock(), limits(settings), settings.callback_timeout_seconds)
    render = renderer(settings, store)
    try:
        pace = Pace(lease=2 * settings.callback_timeout_seconds + _SLACK)
        await Deliverer(store, SystemClock(), new_id, random.random, caller.post, render, sealer, pace).run(stop)
    finally:
        await caller.close()
