"""`callback-status` of envelopes and texts: every attempt at telling their callback, oldest first."""

from collections.abc import Sequence

import msgspec

from opengage.ids import to_wire
from opengage.jsonapi.timestamps import to_text
from opengage.operations.webhook_deliveries import Shown


class Attempt(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """One POST to the callback: what for, what came back (`code`), or why nothing did (`error`)."""

    event: str
    code: int | None
    error: str | None
    attempted_at: str
    duration_ms: int
    webhook_delivery_id: str


def attempts(deliveries: Sequence[Shown]) -> list[Attempt]:
    """The attempts at these deliveries."""
    return [
        Attempt(
            event=shown.delivery.event,
            code=each.code,
            error=each.error,
            attempted_at=to_text(each.created_at),
            duration_ms=each.duration_ms,
            webhook_delivery_id=to_wire(shown.delivery.id),
        )
        for shown in deliveries
        for each in shown.attempts
    ]
