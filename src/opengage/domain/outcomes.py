"""What a carrier can say of a text: the closed list of submit outcomes, and the receipts that follow.

Carriers return these and nothing else; the dispatcher decides what they mean. `Unknown` is explicit: a submit without
an answer is never taken for a failure, for it may be ringing a handset.
"""

from enum import StrEnum
from typing import Final

import msgspec

from opengage.clock import Instant
from opengage.ids import Id

NEVER_SENT: Final = "never-sent"
"""The code of a Deferred whose bytes surely did not leave: there was no connection, or it ended before their turn."""

NO_ANSWER: Final = "no-answer"
"""The code of an Unknown whose answer did not come in time; it may come yet, as one more outcome."""

CONNECTION_LOST: Final = "connection-lost"
"""The code of an Unknown whose connection ended before its answer came."""


class Submission(msgspec.Struct, gc=False):
    """One outbound text handed to a carrier after its intent is committed."""

    account_id: int
    text_id: Id
    sender: str
    """E.164."""
    recipient: str
    """E.164."""
    body: str
    accepted: dict[int, str] | None = None
    """Segments (1-based) that the carrier took in an earlier attempt, with its ids: these are not sent again."""
    expires_at: Instant | None = None
    """When the network is to give it up, if it has not been delivered by then; None leaves that to the network."""
    attempt: int = 1
    """Which submission of this text it is; its outcome names the same. A text that came to be in doubt and is sent
    again has a higher one."""


class Accepted(msgspec.Struct, gc=False):
    """The carrier took responsibility for every segment.

    `carrier_refs` are its ids, in segment order; an id is empty where the carrier gave none.
    """

    text_id: Id
    carrier_refs: tuple[str, ...]
    attempt: int = 1
    """See Submission.attempt, here and below: an answer may come when the text has been sent again."""


class Refused(msgspec.Struct, gc=False):
    """The carrier said no for good; `code` is its own word for why (an ESME_ name for SMPP)."""

    text_id: Id
    code: str
    carrier_refs: tuple[tuple[int, str], ...] = ()
    """(segment, id) of the segments that it took before it refused another."""
    attempt: int = 1


class Deferred(msgspec.Struct, gc=False):
    """Not now: throttled, queue full, or the bytes never left. Safe to try again.

    `throttled` answers slow the connection and burn no attempt. A text with the code NEVER_SENT burns none either, so
    it comes as throttled too, although nobody asked for a slower pace.
    """

    text_id: Id
    code: str
    throttled: bool
    carrier_refs: tuple[tuple[int, str], ...] = ()
    attempt: int = 1


class Unknown(msgspec.Struct, gc=False):
    """Submitted, and no answer came: the text is in doubt and must not be sent again blindly.

    Should every answer still come, one more outcome follows and ends the doubt: Accepted, Refused, or Deferred where
    the carrier says that it did not take the text.
    """

    text_id: Id
    code: str
    carrier_refs: tuple[tuple[int, str], ...] = ()
    attempt: int = 1


Outcome = Accepted | Refused | Deferred | Unknown


class ReceiptState(StrEnum):
    """The final word of a receipt; states that are not final (ENROUTE, ACCEPTD) are acknowledged and dropped."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    """The network gave up when its validity period was over."""


class Receipt(msgspec.Struct, gc=False):
    """A carrier's word on the fate of one segment."""

    carrier_ref: str
    state: ReceiptState
    code: str
    """The carrier's own state and error, such as `DELIVRD` or `UNDELIV:069`."""
    sender: str
    """Who the text was from, E.164: with `recipient` and `reference` it finds a text whose answer was lost."""
    recipient: str
    reference: int | None
    """The user_message_reference of the submit, where the carrier gives it back (SMPP 3.4, 5.3.2.17)."""
    token: int
    """Names the delivery to acknowledge once this is committed; meaningful to the carrier alone."""


def reference_of(text_id: Id) -> int:
    """The 16-bit mark that every submit of this text carries: a hint to know its receipts by, not an identity."""
    return int.from_bytes(text_id[-2:], "big")


class Inbound(msgspec.Struct, gc=False):
    """A text from a handset."""

    sender: str
    recipient: str
    body: str
    token: int
