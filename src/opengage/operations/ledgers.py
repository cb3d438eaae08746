"""Where every envelope of an engagement stands, and how it goes: counts, codes, numbers, hours, rate and end.

Step 3 of a text's path, looking back. Everything here was counted in the transactions that moved the envelopes: reading
it costs the same for ten recipients and for ten million.
"""

from collections import Counter
from typing import Final

import msgspec

from opengage.clock import SECOND, Clock, Instant
from opengage.domain import weekly
from opengage.domain.drain import eta, measured_rate
from opengage.domain.ledger import Dimension, Ledger
from opengage.domain.records import Engagement
from opengage.domain.states import Reason
from opengage.ids import Id
from opengage.operations.actors import Actor
from opengage.operations.engagements import NOUN
from opengage.operations.reading import load
from opengage.store import ledgers
from opengage.store.contract import Store

_MINUTE: Final = 60 * SECOND
_MINUTES_PER_HOUR: Final = 60


class Report(msgspec.Struct, frozen=True):
    """A ledger, and how the engagement goes."""

    engagement: Engagement
    ledger: Ledger
    codes: dict[str, int]
    """The carrier's last word on texts that came to their end."""
    numbers: dict[str, int]
    """Texts by the wire id of the phone number that they went from."""
    hours: dict[Instant, int]
    """Texts by the hour in which they went."""
    opt_outs: int
    rate: float
    """Texts a second, of late."""
    eta: Instant | None
    """When the last one has left at that rate; None when nothing moves."""


async def report(store: Store, clock: Clock, actor: Actor, id_: Id | None) -> Report:
    """Everything that is counted of an engagement. Raises NotFound."""
    async with store.reading() as tx:
        engagement = await load(tx, actor, Engagement, id_, NOUN)
        ledger = (await ledgers.read_many(tx, actor.account_id, [engagement.id]))[engagement.id]
        counted = await ledgers.all_details(tx, actor.account_id, engagement.id)
    now = clock.now()
    minutes = {Instant(int(minute) * _MINUTE): count for minute, count in counted[Dimension.MINUTE].items()}
    rate = measured_rate(minutes, now)
    hours = engagement.queue_schedule if engagement.queue_schedule_is_enabled else None
    return Report(
        engagement,
        ledger,
        counted[Dimension.CODE],
        counted[Dimension.NUMBER],
        _hours(minutes),
        sum(counted[Dimension.OPT_OUT].values()),
        rate,
        eta(waiting, rate, now, weekly.parse(hours) if hours else None) if (waiting := _waiting(ledger)) else None,
    )


def _waiting(ledger: Ledger) -> int:
    """Envelopes that have yet to leave: neither closed nor under way nor in doubt."""
    under_way = sum(ledger.reasons.get(each.value, 0) for each in (Reason.SENDING, Reason.SENT, Reason.IN_DOUBT))
    return ledger.pending + ledger.processing + ledger.hold - under_way


def _hours(minutes: dict[Instant, int]) -> dict[Instant, int]:
    hour = _MINUTES_PER_HOUR * _MINUTE
    counted: Counter[Instant] = Counter()
    for minute, count in minutes.items():
        counted[Instant(minute - minute % hour)] += count
    return dict(sorted(counted.items()))
