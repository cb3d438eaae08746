"""Deliveries looked back on: every attempt at them, and sending one again by hand.

Beside a text's path.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from opengage.ids import Id
from opengage.operations.actors import Actor, require_writer
from opengage.operations.reading import load
from opengage.store import deliveries, rows
from opengage.store.contract import Store, Transaction

NOUN: Final = "webhook delivery"


class Shown(msgspec.Struct, frozen=True):
    """A delivery with its attempts, oldest first."""

    delivery: WebhookDelivery
    attempts: list[WebhookAttempt]


async def resend(store: Store, clock: Clock, actor: Actor, id_: Id | None) -> Shown:
    """Let a delivery that has ended begin anew, under the same `webhook-id`. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        delivery = await load(tx, actor, WebhookDelivery, id_, NOUN)
        await _require_endpoint(tx, delivery)
        if not await deliveries.resend(tx, actor.account_id, delivery.id, clock.now()):
            detail = "The delivery has attempts to come. Wait for them; “next-attempt-at” says when the next one is."
            raise Invalid([Problem(Code.ILLEGAL_STATE, detail)])
        return (await show(tx, actor.account_id, [await load(tx, actor, WebhookDelivery, id_, NOUN)]))[0]


async def _require_endpoint(tx: Transaction, delivery: WebhookDelivery) -> None:
    if delivery.endpoint_id is None:
        return
    endpoint = await rows.find(tx, WebhookEndpoint, delivery.account_id, delivery.endpoint_id)
    if endpoint is None:
        raise Invalid(
            [Problem(Code.ILLEGAL_STATE, "The delivery's endpoint was deleted. Make a new one for new events.")]
        )
    if not endpoint.is_active:
        detail = "The delivery's endpoint is switched off. Set its “is-active” to true, then send again."
        raise Invalid([Problem(Code.ILLEGAL_STATE, detail)])


async def show(tx: Transaction, account_id: int, found: Sequence[WebhookDelivery]) -> list[Shown]:
    """Deliveries with their attempts, in a fixed number of statements."""
    attempts = await deliveries.attempts_of(tx, account_id, [each.id for each in found])
    return [Shown(each, attempts[each.id]) for each in found]


async def of_subjects(tx: Transaction, account_id: int, ids: Sequence[Id]) -> dict[Id, list[Shown]]:
    """What came of the callbacks of these envelopes or texts: their `callback-status`."""
    if not ids:
        return {}
    found: dict[Id, list[Shown]] = {id_: [] for id_ in ids}
    for shown in await show(tx, account_id, await deliveries.of_subjects(tx, account_id, ids)):
        found[shown.delivery.subject_id].append(shown)
    return found
