"""How much there is of everything, for operators: from counts that are kept anyway, never by counting envelopes."""

from collections import Counter
from typing import Final

import sqlalchemy as sa

from opengage.domain.breaker import Phase
from opengage.domain.ledger import Dimension
from opengage.domain.states import STATUS_OF, EngagementStatus, Reason
from opengage.ids import Id
from opengage.metrics import Gauge
from opengage.store import tables
from opengage.store.contract import Transaction

_ledger, _engagements, _lanes = tables.ledger.c, tables.engagements.c, tables.lanes.c
_ENVELOPES: Final = sa.select(_ledger.reason, sa.func.sum(_ledger.count)).group_by(_ledger.reason)
_ENGAGEMENTS: Final = sa.select(_engagements.status, sa.func.count()).group_by(_engagements.status)
_QUEUE: Final = (
    sa.select(sa.func.coalesce(sa.func.sum(_ledger.count), 0))
    .select_from(
        tables.ledger.join(
            tables.engagements,
            sa.and_(_engagements.account_id == _ledger.account_id, _engagements.id == _ledger.engagement_id),
        )
    )
    .where(
        _engagements.status == EngagementStatus.PROCESSING.value,
        sa.or_(
            _ledger.reason == Reason.NONE.value,
            _ledger.reason == Reason.QUEUED.value,
            _ledger.reason == Reason.RETRYING.value,
        ),
    )
)
_WRITTEN: Final = sa.select(sa.func.coalesce(sa.func.sum(tables.ledger_details.c.count), 0)).where(
    tables.ledger_details.c.dimension == Dimension.MINUTE.value
)
_LANES: Final = sa.select(_lanes.expires_at > sa.bindparam("now"), _lanes.unhealthy_since, _lanes.under_way)
_numbers = tables.phone_numbers.c
_CIRCUITS: Final = (
    sa.select(_numbers.account_id, _numbers.service_profile_id, _lanes.circuit)
    .select_from(
        tables.lanes.join(
            tables.phone_numbers,
            sa.and_(_numbers.account_id == _lanes.account_id, _numbers.id == _lanes.phone_number_id),
        )
    )
    .where(_lanes.expires_at > sa.bindparam("now"))
    .distinct()
)
_WORST: Final = (Phase.CLOSED, Phase.HALF_OPEN, Phase.OPEN)
"""The worst one last: each worker has a circuit of its own for a service profile."""
_WEBHOOKS: Final = (
    sa.select(sa.func.count())
    .select_from(tables.webhook_deliveries)
    .where(tables.webhook_deliveries.c.next_at.is_not(None))
)
_PARKED: Final = sa.select(sa.func.count()).select_from(tables.parked_receipts)


async def read(tx: Transaction) -> list[Gauge]:
    """Every gauge that the database knows."""
    envelopes: dict[str, int] = dict(await tx.rows(_ENVELOPES))
    found: list[Gauge] = [
        ("opengage_envelopes", (STATUS_OF[reason].value, reason.value), float(envelopes.get(reason.value, 0)))
        for reason in Reason
    ]
    engagements: dict[str, int] = dict(await tx.rows(_ENGAGEMENTS))
    found += [("opengage_engagements", (each.value,), engagements.get(each.value, 0)) for each in EngagementStatus]
    found.append(("opengage_queue_envelopes", (), float((await tx.rows(_QUEUE))[0][0])))
    found.append(("opengage_in_doubt_envelopes", (), float(envelopes.get(Reason.IN_DOUBT.value, 0))))
    found.append(("opengage_texts_written", (), float((await tx.rows(_WRITTEN))[0][0])))
    lanes = await tx.rows(_LANES, now=await tx.now())
    held = [(since, under_way) for is_held, since, under_way in lanes if is_held]
    states = {
        "healthy": sum(since is None for since, _ in held),
        "unhealthy": sum(since is not None for since, _ in held),
        "free": len(lanes) - len(held),
    }
    found += [("opengage_lanes", (state,), count) for state, count in states.items()]
    found.append(("opengage_lane_texts_under_way", (), sum(under_way or 0 for _, under_way in held)))
    found += [("opengage_circuits", (phase.value,), count) for phase, count in (await _circuits(tx)).items()]
    found.append(("opengage_parked_receipts", (), float((await tx.rows(_PARKED))[0][0])))
    found.append(("opengage_webhook_deliveries_waiting", (), float((await tx.rows(_WEBHOOKS))[0][0])))
    return found


async def _circuits(tx: Transaction) -> dict[Phase, int]:
    """How many service profiles stand at each phase, at the worst that any worker tells."""
    worst: dict[tuple[int, Id], Phase] = {}
    for account_id, id_, circuit in await tx.rows(_CIRCUITS, now=await tx.now()):
        phase = Phase(circuit or Phase.CLOSED)
        worst[account_id, id_] = max(phase, worst.get((account_id, id_), phase), key=_WORST.index)
    counts = Counter(worst.values())
    return {phase: counts[phase] for phase in Phase}
