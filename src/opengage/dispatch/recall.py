"""What was stored just before an earlier worker ended: its network may not know that it was taken.

Asked by the dispatcher before it connects a service profile, for `domain.redelivery`.
"""

from collections import Counter
from typing import Final

import sqlalchemy as sa

from opengage.clock import SECOND, Instant
from opengage.dispatch import matching
from opengage.domain.records import PhoneNumber, ServiceProfile
from opengage.ids import floor
from opengage.store import rows, tables
from opengage.store.contract import Transaction

_LOOK_BACK: Final = 900 * SECOND
"""How old the last texts may be; those of a longer rest were surely acknowledged, or have come again already."""

_TOGETHER: Final = 5 * SECOND
"""Acknowledgements leave at once: what was stored so long before the last text has surely been acknowledged."""

_MOST: Final = 1000
"""Texts of one number."""

_STORED: Final = (
    sa.select(tables.texts.c.sender, tables.texts.c.recipient, tables.texts.c.body, tables.texts.c.created_at)
    .where(
        tables.texts.c.account_id == sa.bindparam("account_id"),
        tables.texts.c.recipient == sa.bindparam("recipient"),
        tables.texts.c.engagement_id.is_(None),
        tables.texts.c.id >= sa.bindparam("since"),
        tables.texts.c.direction == "inbound",
    )
    .order_by(tables.texts.c.id.desc())
    .limit(_MOST)
)

Said = tuple[str, str, str]
"""Sender, recipient and words of a text."""


async def stored_last(tx: Transaction, profile: ServiceProfile, now: Instant) -> list[Said]:
    """The inbound texts that were stored last, if that was lately, each as often as it may come again."""
    since = floor(Instant(now - _LOOK_BACK))
    accounts = [await _stored(tx, *party, since) for party in await matching.parties(tx, profile)]
    newest = max((at for found in accounts for _, at in found), default=0)
    last: Counter[Said] = Counter()
    for found in accounts:
        # a text to a number of several accounts is stored in each, and comes again once
        last |= Counter(said for said, at in found if at >= newest - _TOGETHER)
    return list(last.elements())


async def _stored(tx: Transaction, account_id: int, profile_id: bytes, since: bytes) -> list[tuple[Said, int]]:
    """The newest texts to an account's numbers, with the instants at which they were stored."""
    found: list[tuple[Said, int]] = []
    for number in await rows.every(tx, PhoneNumber, account_id=account_id, service_profile_id=profile_id):
        told = await tx.rows(_STORED, account_id=account_id, recipient=number.phone_number, since=since)
        found += [((sender, recipient, body), at) for sender, recipient, body, at in told]
    return found
