"""When somebody was texted lately, as far as the frequency caps ask: for `intent` and `singles`, before each text.

Two places know. `recent_texts` has a row for each text to somebody, in the order of the numbers, which is no order of
sending: every row costs a page. An engagement that sends in large batches is its own record instead, for its envelopes
are found by their numbers already. Each of them is one more place to look, so an account has only a few at once
(docs/decisions/0013).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from opengage.clock import Instant
from opengage.dispatch.law import Law
from opengage.domain.records import Account
from opengage.ids import Id, made_at
from opengage.store import recent_texts, rows, work
from opengage.store.contract import Transaction, Turn

LARGE: Final = 200
"""Texts in a batch, from which on its engagement becomes its own record."""
MOST: Final = 8
"""Engagements of one account that are their own record at the same time: each is looked into for every text."""


async def counted(tx: Transaction, law: Law, account_id: int) -> Account:
    """The account; where it has caps, nobody else texts its people until this transaction has ended."""
    account = await rows.first(tx, Account, account_id=account_id)
    assert account is not None, "a lane is an account's"
    if law.has_caps(account):
        await tx.take_turn(Turn.CAPS, (account_id,))
    return account


async def texted(
    tx: Transaction, account_id: int, numbers: Sequence[str], since: Id, records: Sequence[Id]
) -> dict[Id, str]:
    """The texts that these numbers got from an id on, and whose each is; `records` are looked into too."""
    found = {each.text_id: each.phone_number for each in await tx.batches.recent(account_id, numbers, since)}
    if records:
        found.update(await tx.batches.sent_lately(account_id, records, numbers, since))
    return found


def times(texts: Mapping[Id, str]) -> dict[str, list[Instant]]:
    """When each number was texted, oldest first."""
    found: dict[str, list[Instant]] = {}
    for text_id in sorted(texts):
        found.setdefault(texts[text_id], []).append(made_at(text_id))
    return found


async def become_record(tx: Transaction, account_id: int, engagement_id: Id, since: Instant) -> bool:
    """Make an engagement its own record, if there is room; whether it is now."""
    if len(await recent_texts.own_records(tx, account_id, since)) >= MOST:
        return False
    if not await work.may_change(tx, account_id, engagement_id):
        return False
    await recent_texts.make_own_record(tx, account_id, engagement_id)
    return True
