"""Texts that are no envelope's: sent one by one through the API, or our own answers to a STOP, START or HELP."""

from typing import Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.records import Text
from opengage.domain.states import TextStatus
from opengage.ids import Id
from opengage.store import rows, tables
from opengage.store.contract import Transaction

_texts: Final = tables.texts

_MINE: Final = (
    _texts.c.account_id == sa.bindparam("account_id"),
    _texts.c.phone_number_id == sa.bindparam("phone_number_id"),
    _texts.c.next_at.is_not(None),
)

_DUE: Final = (
    sa.select(*rows.columns(Text))
    .where(*_MINE, _texts.c.next_at <= sa.bindparam("now"))
    .order_by(_texts.c.next_at, _texts.c.id)
    .limit(sa.bindparam("most"))
    .with_for_update(key_share=True, skip_locked=True)
)

_NEXT_AT: Final = sa.select(sa.func.min(_texts.c.next_at)).where(*_MINE)

_QUEUED: Final = (
    _texts.c.account_id == sa.bindparam("key_account_id"),
    _texts.c.id == sa.bindparam("key_id"),
    _texts.c.status == TextStatus.QUEUED.value,
    _texts.c.next_at.is_not(None),
)

_INTEND: Final = (
    sa.update(_texts)
    .where(*_QUEUED)
    .values(
        status=TextStatus.SENDING.value,
        epoch=sa.bindparam("lane_epoch"),
        service_profile_id=sa.bindparam("profile_id"),
        attempts=_texts.c.attempts + 1,
        next_at=sa.null(),
        hold_reason=sa.null(),
        hold_until=sa.null(),
        updated_at=sa.bindparam("now"),
    )
)

_HOLD: Final = (
    sa.update(_texts)
    .where(*_QUEUED)
    .values(next_at=sa.bindparam("until"), hold_reason=sa.bindparam("rule"), hold_until=sa.bindparam("until"))
)


async def due(tx: Transaction, account_id: int, phone_number_id: Id, now: Instant, limit: int) -> list[Text]:
    """The next single texts of a phone number, as they became due, held to the end of the transaction.

    One that somebody takes back or forgets at this moment is left out: it is theirs.
    """
    key = {"account_id": account_id, "phone_number_id": phone_number_id}
    return [rows.from_row(Text, row) for row in await tx.rows(_DUE, **key, now=now, most=limit)]


async def next_at(tx: Transaction, account_id: int, phone_number_id: Id) -> Instant | None:
    """When the next single text of a phone number is due."""
    found = await tx.rows(_NEXT_AT, account_id=account_id, phone_number_id=phone_number_id)
    return None if found[0][0] is None else Instant(found[0][0])


async def intend(tx: Transaction, text: Text, epoch: int, service_profile_id: Id, now: Instant) -> bool:
    """Write a text as sending; False when it is no longer due."""
    key = {"key_account_id": text.account_id, "key_id": text.id}
    return bool(await tx.run(_INTEND, **key, lane_epoch=epoch, profile_id=service_profile_id, now=now))


async def hold(tx: Transaction, text: Text, rule: str, until: Instant) -> None:
    """Let a text wait, and say by which rule and until when."""
    await tx.run(_HOLD, key_account_id=text.account_id, key_id=text.id, rule=rule, until=until)
