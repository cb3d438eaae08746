"""Which text a receipt is about: found by the carrier's id, else by what the submit carried. Called by the recorder.

Several accounts may share one login at an SMSC, which then brings a receipt over whichever of their connections it
likes: a receipt that means nothing to its own account is looked for in those of its neighbours.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.outcomes import Receipt, ReceiptState, reference_of
from opengage.domain.records import ServiceProfile, Text
from opengage.domain.states import TextEvent, TextStatus
from opengage.ids import Id
from opengage.operations.settling import Settling
from opengage.store import receipts as parking
from opengage.store import rows, tables
from opengage.store.contract import Transaction, Unanswered

Party = tuple[int, Id]
"""An account and its service profile."""

_EVENTS: Final = {
    ReceiptState.DELIVERED: TextEvent.DELIVERY,
    ReceiptState.UNDELIVERED: TextEvent.NON_DELIVERY,
    ReceiptState.EXPIRED: TextEvent.EXPIRY,
}

_SAME_LOGIN: Final = sa.select(tables.service_profiles.c.account_id, tables.service_profiles.c.id).where(
    tables.service_profiles.c.url == sa.bindparam("url"), tables.service_profiles.c.id != sa.bindparam("own")
)


async def parties(tx: Transaction, profile: ServiceProfile) -> list[Party]:
    """The profile itself, then all others with the same login; in the sandbox each account has one of its own."""
    own = (profile.account_id, profile.id)
    if profile.url is None:
        return [own]
    others = await tx.rows(_SAME_LOGIN, url=profile.url, own=profile.id)
    return [own, *((account_id, id_) for account_id, id_ in others)]


async def settle(
    tx: Transaction,
    profile: ServiceProfile,
    settling: Settling,
    receipts: Sequence[Receipt],
    answered: Mapping[str, Unanswered],
) -> list[Receipt]:
    """Apply the receipts whose texts are known, and return them.

    `answered` are the carrier's ids that this very batch brought: most receipts come right after their answer.
    """
    settled = await _settle(tx, (profile.account_id, profile.id), settling, receipts, answered)
    if len(settled) == len(receipts):
        return settled
    for party in (await parties(tx, profile))[1:]:
        known = {id(receipt) for receipt in settled}
        strays = [receipt for receipt in receipts if id(receipt) not in known]
        if strays:
            settled += await _settle(tx, party, settling, strays, {})
    return settled


async def settle_parked(
    tx: Transaction, profile: ServiceProfile, settling: Settling, look: Callable[..., Awaitable[list[Receipt]]], of: Any
) -> None:
    """Apply the parked receipts that `look` finds `of` something, at each party, where their texts are known by now."""
    for party in await parties(tx, profile):
        parked = await look(tx, *party, of)
        settled = await settle(tx, profile, settling, parked, {}) if parked else []
        if settled:
            await parking.forget(tx, *party, (receipt.carrier_ref for receipt in settled))


async def _settle(
    tx: Transaction,
    party: Party,
    settling: Settling,
    receipts: Sequence[Receipt],
    answered: Mapping[str, Unanswered],
) -> list[Receipt]:
    known = dict(answered)
    refs = [receipt.carrier_ref for receipt in receipts if receipt.carrier_ref not in known]
    if refs:
        known |= await tx.batches.texts_of_refs(*party, refs)
    strays = [receipt for receipt in receipts if receipt.carrier_ref not in known]
    guesses = await _in_doubt(tx, party, strays) if strays else {}
    # before they are applied: the next receipt with this id is a repetition, and a segment's fate needs its row
    await _name_guesses(tx, party, strays, guesses)
    settled = []
    for receipt in receipts:
        text = known.get(receipt.carrier_ref) or guesses.get(id(receipt))
        if text is None:
            continue
        settled.append(receipt)
        state = receipt.state if text.segments == 1 else await _state_of_long_text(tx, text, receipt)
        if state is not None:
            settling.apply(text, _EVENTS[state], receipt.code)
    return settled


async def _name_guesses(
    tx: Transaction, party: Party, strays: Sequence[Receipt], guesses: dict[int, Unanswered]
) -> None:
    """Remember the ids of receipts that found their text in doubt; drop guesses at one of several open segments.

    A wrong segment's number would let the right one be sent again, were a late answer to put the text off.
    """
    found: dict[str, tuple[str, Id, int, int]] = {}
    for receipt in strays:
        text = guesses.get(id(receipt))
        if text is None or receipt.carrier_ref in found:
            continue
        taken = await parking.segments(tx, text.account_id, text.text_id) if text.segments > 1 else []
        free = set(range(1, text.segments + 1)) - {segment.number for segment in taken}
        if len(free) == 1:
            found[receipt.carrier_ref] = (receipt.carrier_ref, text.text_id, free.pop(), text.segments)
        else:
            del guesses[id(receipt)]
    if found:
        await tx.batches.add_refs(*party, list(found.values()))


async def _in_doubt(tx: Transaction, party: Party, strays: Sequence[Receipt]) -> dict[int, Unanswered]:
    """Texts in doubt, or waiting to be sent again, that a receipt of unknown id must be about, and no other.

    Both have the same recipient and reference. Without a reference it must be the only text in doubt to this recipient,
    of one segment, from the receipt's sender.
    """
    candidates = await tx.batches.in_doubt(*party, [receipt.recipient for receipt in strays])
    known = await rows.find_many(tx, Text, party[0], [text.text_id for _, text in candidates]) if candidates else {}
    found = {}
    for receipt in strays:
        fitting = [text for recipient, text in candidates if recipient == receipt.recipient and _may_end(text, receipt)]
        if receipt.reference is not None:
            fitting = [text for text in fitting if receipt.reference == reference_of(text.text_id)]
        if len(fitting) != 1:
            continue
        (text,) = fitting
        if receipt.reference is not None or (text.segments == 1 and known[text.text_id].sender == receipt.sender):
            found[id(receipt)] = text
    return found


def _may_end(text: Unanswered, receipt: Receipt) -> bool:
    """Whether a receipt of unknown id may be about a text: for a wrong guess, one that waits would never be sent again.

    That one must be named by its reference, and all of it must have arrived.
    """
    if text.status is not TextStatus.QUEUED:
        return True
    return receipt.reference is not None and receipt.state is ReceiptState.DELIVERED and text.segments == 1


async def _state_of_long_text(tx: Transaction, text: Unanswered, receipt: Receipt) -> ReceiptState | None:
    """What a text of several segments comes to by this receipt: any failure decides it, and the last delivery.

    The failure may be an older one, of a segment that was taken before the rest of the text was put off. A segment that
    was taken twice has two receipts, and is one segment all the same.
    """
    await parking.mark_segment(tx, text.account_id, text.text_id, receipt.carrier_ref, receipt.state)
    segments = await parking.segments(tx, text.account_id, text.text_id)
    for failure in (ReceiptState.UNDELIVERED, ReceiptState.EXPIRED):
        if any(segment.state == failure for segment in segments):
            return failure
    delivered = {segment.number for segment in segments if segment.state == ReceiptState.DELIVERED}
    return ReceiptState.DELIVERED if len(delivered) >= text.segments else None
