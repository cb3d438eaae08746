"""Texts from handsets: stored before they are acknowledged, and a STOP takes effect in the same commit."""

from collections.abc import Sequence

import sqlalchemy as sa

from opengage import logs
from opengage.clock import Instant
from opengage.dispatch import matching
from opengage.domain.consent import Keyword, recognise
from opengage.domain.outcomes import Inbound
from opengage.domain.records import Membership, PhoneNumber, ServiceProfile, Suppression, Text
from opengage.domain.segments import count
from opengage.domain.states import TextStatus
from opengage.domain.webhooks import Event, Happening
from opengage.ids import NewId
from opengage.store import outbox, rows, tables
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
    parties = await matching.parties(tx, profile)
    happened: list[Happening] = []
    for inbound in texts:
        numbers = await _numbers(tx, parties, inbound.recipient)
        if not numbers:
            log.warning("a text to a number that is not ours", action="inbound", recipient=inbound.recipient)
        for number in numbers:
            owner = await rows.first(tx, Membership, account_id=number.account_id, role="owner")
            assert owner is not None, "an account is made with its owner"
            text = _text(owner, number, inbound, now, new_id)
            await rows.insert(tx, text)
            happened.append(Happening(number.account_id, Event.TEXT_RECEIVED, "texts", text.id))
            happened += await _apply_consent(tx, number.account_id, inbound, now, new_id)
    await outbox.announce(tx, happened, now, new_id)


async def _numbers(tx: Transaction, parties: Sequence[matching.Party], recipient: str) -> list[PhoneNumber]:
    """The number that a text came to, in each account that has it on this login: a STOP must reach them all."""
    found = [
        await rows.first(tx, PhoneNumber, account_id=account_id, phone_number=recipient, service_profile_id=profile_id)
        for account_id, profile_id in parties
    ]
    return [number for number in found if number is not None]


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
    tx: Transaction, account_id: int, inbound: Inbound, now: Instant, new_id: NewId
) -> list[Happening]:
    """What a keyword does to the list of those who must not be texted, and who is to be told of it."""
    keyword = recognise(inbound.body)
    if keyword is Keyword.START:
        await tx.run(_FORGIVE, account_id=account_id, phone_number=inbound.sender)
    if keyword is not Keyword.STOP or inbound.sender in await tx.batches.suppressed(account_id, [inbound.sender]):
        return []
    suppression = Suppression(
        account_id=account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        phone_number=inbound.sender,
        reason="opted-out",
    )
    await rows.insert(tx, suppression)
    return [Happening(account_id, Event.SUPPRESSION_CREATED, "suppressions", suppression.id)]
