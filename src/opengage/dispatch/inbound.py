"""Texts from handsets: stored before they are acknowledged, and a STOP takes effect in the same commit."""

from collections.abc import Sequence

import sqlalchemy as sa

from opengage import logs
from opengage.clock import Instant
from opengage.domain.consent import Keyword, recognise
from opengage.domain.outcomes import Inbound
from opengage.domain.records import Membership, PhoneNumber, ServiceProfile, Suppression, Text
from opengage.domain.segments import count
from opengage.domain.states import TextStatus
from opengage.ids import NewId
from opengage.store import rows, tables
from opengage.store.contract import Transaction

log = logs.get(__name__)

_FORGIVE = sa.delete(tables.suppressions).where(
    tables.suppressions.c.account_id == sa.bindparam("account_id"),
    tables.suppressions.c.phone_number == sa.bindparam("phone_number"),
)


async def record_inbound(
    tx: Transaction, profile: ServiceProfile, texts: Sequence[Inbound], now: Instant, new_id: NewId
) -> None:
    """Store texts that handsets sent to this profile's numbers; STOP suppresses the sender, START restores it."""
    owner = await rows.first(tx, Membership, account_id=profile.account_id, role="owner")
    for inbound in texts:
        number = await rows.first(
            tx,
            PhoneNumber,
            account_id=profile.account_id,
            phone_number=inbound.recipient,
            service_profile_id=profile.id,
        )
        if number is None or owner is None:
            log.warning("a text to a number that is not ours", action="inbound", recipient=inbound.recipient)
            continue
        await rows.insert(tx, _text(owner, number, inbound, now, new_id))
        await _apply_consent(tx, profile, inbound, now, new_id)


def _text(owner: Membership, number: PhoneNumber, inbound: Inbound, now: Instant, new_id: NewId) -> Text:
    return Text(
        account_id=number.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        # nobody of the account wrote it: its owner stands for it
        created_by=owner.id,
        updated_by=owner.id,
        sender=inbound.sender,
        recipient=inbound.recipient,
        direction="inbound",
        status=TextStatus.RECEIVED,
        body=inbound.body,
        segments=count(inbound.body).segments,
        phone_number_id=number.id,
        service_profile_id=number.service_profile_id,
        settled_at=now,
    )


async def _apply_consent(
    tx: Transaction, profile: ServiceProfile, inbound: Inbound, now: Instant, new_id: NewId
) -> None:
    keyword = recognise(inbound.body)
    if keyword is Keyword.START:
        await tx.run(_FORGIVE, account_id=profile.account_id, phone_number=inbound.sender)
    elif keyword is Keyword.STOP:
        if inbound.sender in await tx.batches.suppressed(profile.account_id, [inbound.sender]):
            return
        suppression = Suppression(
            account_id=profile.account_id,
            id=new_id(),
            created_at=now,
            updated_at=now,
            phone_number=inbound.sender,
            reason="opted-out",
        )
        await rows.insert(tx, suppression)
