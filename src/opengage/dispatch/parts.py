"""Long texts of which the carrier has taken a part: asked by `intent` and `singles` before such a text goes again.

A part that was taken is never submitted again, and the others belong to the carrier and the number that took it: a
handset joins what comes from one sender alone.
"""

from typing import Final

from opengage.clock import SECOND
from opengage.domain.records import ServiceProfile, Text
from opengage.ids import Id
from opengage.store import receipts
from opengage.store.contract import Transaction

PART_ELSEWHERE: Final = "part-with-other-carrier"
"""What holds a long text of which another carrier has taken a part."""

LOOK_AGAIN: Final = 30 * SECOND
"""How long it waits each time."""


async def taken(tx: Transaction, account_id: int, text_id: Id, segments: int) -> dict[int, str] | None:
    """The parts of a text that was put off which the carrier has, with its ids; None for a text of one part."""
    if segments < 2:
        return None
    found = await receipts.segments(tx, account_id, text_id)
    return {segment.number: segment.carrier_ref for segment in found}


async def are_elsewhere(tx: Transaction, text: Text, profile: ServiceProfile, number_id: Id) -> bool:
    """Whether another carrier than this profile's, or this one for another number, has taken a part of a text."""
    is_here = text.service_profile_id == profile.id and text.phone_number_id == number_id
    return not is_here and bool(await taken(tx, text.account_id, text.id, text.segments))
