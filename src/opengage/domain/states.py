"""States and their legal changes: the one place that says what may become what.

A text travels `queued → sending → sent → delivered | undelivered`; each event below is one step, and `change` is the
whole of the law. The lists are repeated as CHECK constraints in `store.tables`, and a table test walks every pair.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class EngagementStatus(StrEnum):
    """The life of a blast (design: `completed` only when pending, hold and processing are all 0)."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELED = "canceled"


class EnvelopeStatus(StrEnum):
    """Where a recipient stands; together with a Reason it is that recipient's one named place."""

    PENDING = "pending"
    PROCESSING = "processing"
    HOLD = "hold"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


class Reason(StrEnum):
    """Why an envelope is where it is: a closed list, each reason belonging to one status."""

    NONE = ""
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    RETRYING = "retrying"
    QUIET_HOURS = "quiet-hours"
    THROTTLED = "throttled"
    CANARY = "canary"
    REVIEW = "review"
    IN_DOUBT = "in-doubt"
    ACCOUNT_SUSPENDED = "account-suspended"
    DELIVERED = "delivered"
    SENT_UNCONFIRMED = "sent-unconfirmed"
    OPTED_OUT = "opted-out"
    DUPLICATE = "duplicate"
    INVALID_NUMBER = "invalid-number"
    UNREACHABLE_REGION = "unreachable-region"
    MISSING_VARIABLE = "missing-variable"
    TOO_LONG = "too-long"
    REJECTED = "rejected"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


STATUS_OF: Final[Mapping[Reason, EnvelopeStatus]] = {
    Reason.NONE: EnvelopeStatus.PENDING,
    **dict.fromkeys((Reason.QUEUED, Reason.SENDING, Reason.SENT, Reason.RETRYING), EnvelopeStatus.PROCESSING),
    **dict.fromkeys(
        (
            Reason.QUIET_HOURS,
            Reason.THROTTLED,
            Reason.CANARY,
            Reason.REVIEW,
            Reason.IN_DOUBT,
            Reason.ACCOUNT_SUSPENDED,
        ),
        EnvelopeStatus.HOLD,
    ),
    **dict.fromkeys((Reason.DELIVERED, Reason.SENT_UNCONFIRMED), EnvelopeStatus.COMPLETE),
    **dict.fromkeys(
        (
            Reason.OPTED_OUT,
            Reason.DUPLICATE,
            Reason.INVALID_NUMBER,
            Reason.UNREACHABLE_REGION,
            Reason.MISSING_VARIABLE,
            Reason.TOO_LONG,
            Reason.REJECTED,
            Reason.UNDELIVERED,
            Reason.EXPIRED,
            Reason.CANCELED,
            Reason.UNKNOWN,
        ),
        EnvelopeStatus.INCOMPLETE,
    ),
}
"""The status that each reason belongs to: a reason alone names an envelope's place."""


CLOSED: Final = frozenset((EnvelopeStatus.COMPLETE, EnvelopeStatus.INCOMPLETE))
"""The statuses of envelopes that nothing moves any more."""


class TextStatus(StrEnum):
    """The fate of one message on the wire."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    IN_DOUBT = "in-doubt"
    CANCELED = "canceled"
    RECEIVED = "received"


class TextEvent(StrEnum):
    """What can happen to an outbound text."""

    SUBMIT = "submit"
    """The intent is written: after this commit its bytes may leave."""
    ACCEPTED = "accepted"
    """The carrier took every segment and named each."""
    REFUSED = "refused"
    """The carrier said no, for good."""
    DEFERRED = "deferred"
    """The carrier said not now, or the bytes never left: it may be tried again."""
    NO_ANSWER = "no-answer"
    """It may or may not have arrived; nobody can tell yet."""
    DELIVERY = "delivery"
    """A receipt says that the handset has it."""
    NON_DELIVERY = "non-delivery"
    """A receipt says that the handset will not have it."""
    EXPIRY = "expiry"
    """A receipt says that the network tried for as long as it was allowed to."""
    RECEIPT_WINDOW_OVER = "receipt-window-over"
    """No receipt came in time; the text stays sent, its envelope is closed as sent-unconfirmed."""
    CANCEL = "cancel"
    LAPSED = "lapsed"
    """Its validity was over before it could be submitted."""
    RESEND = "resend"
    """In doubt, and an operator (or the service profile's policy) takes the risk of a second text."""
    GIVE_UP = "give-up"
    """In doubt, and an operator closes it as unknown: it is not sent again."""
    CONFIRM = "confirm"
    """In doubt, and an operator knows that it arrived."""
    RESTORED = "restored"
    """Its row comes from a backup: it may have left since, whatever the row says."""


_CHANGES: Final[Mapping[tuple[TextStatus, TextEvent], TextStatus]] = {
    (TextStatus.QUEUED, TextEvent.SUBMIT): TextStatus.SENDING,
    (TextStatus.QUEUED, TextEvent.CANCEL): TextStatus.CANCELED,
    (TextStatus.QUEUED, TextEvent.REFUSED): TextStatus.FAILED,
    (TextStatus.QUEUED, TextEvent.LAPSED): TextStatus.FAILED,
    (TextStatus.SENDING, TextEvent.ACCEPTED): TextStatus.SENT,
    (TextStatus.SENDING, TextEvent.REFUSED): TextStatus.FAILED,
    (TextStatus.SENDING, TextEvent.DEFERRED): TextStatus.QUEUED,
    (TextStatus.SENDING, TextEvent.NO_ANSWER): TextStatus.IN_DOUBT,
    (TextStatus.QUEUED, TextEvent.RESTORED): TextStatus.IN_DOUBT,
    (TextStatus.SENDING, TextEvent.RESTORED): TextStatus.IN_DOUBT,
    # before it goes out again its first submit may prove to have arrived: there is no need then
    (TextStatus.QUEUED, TextEvent.ACCEPTED): TextStatus.SENT,
    (TextStatus.QUEUED, TextEvent.DELIVERY): TextStatus.DELIVERED,
    # the answer to a submit that was given up on may still come, and so may its receipt
    (TextStatus.IN_DOUBT, TextEvent.ACCEPTED): TextStatus.SENT,
    (TextStatus.IN_DOUBT, TextEvent.REFUSED): TextStatus.FAILED,
    (TextStatus.IN_DOUBT, TextEvent.DEFERRED): TextStatus.QUEUED,
    (TextStatus.IN_DOUBT, TextEvent.DELIVERY): TextStatus.DELIVERED,
    (TextStatus.IN_DOUBT, TextEvent.NON_DELIVERY): TextStatus.UNDELIVERED,
    (TextStatus.IN_DOUBT, TextEvent.EXPIRY): TextStatus.UNDELIVERED,
    (TextStatus.IN_DOUBT, TextEvent.RESEND): TextStatus.QUEUED,
    (TextStatus.IN_DOUBT, TextEvent.GIVE_UP): TextStatus.FAILED,
    (TextStatus.IN_DOUBT, TextEvent.CONFIRM): TextStatus.DELIVERED,
    (TextStatus.SENT, TextEvent.EXPIRY): TextStatus.UNDELIVERED,
    (TextStatus.SENT, TextEvent.DELIVERY): TextStatus.DELIVERED,
    (TextStatus.SENT, TextEvent.NON_DELIVERY): TextStatus.UNDELIVERED,
    (TextStatus.SENT, TextEvent.RECEIPT_WINDOW_OVER): TextStatus.SENT,
}


def change(status: TextStatus, event: TextEvent) -> TextStatus | None:
    """The status that `event` leads to from `status`, or None when the event changes nothing there.

    None is an answer, not a failure: a duplicate or late receipt meets a terminal status and leaves it as it is.
    """
    return _CHANGES.get((status, event))


_PLACE: Final[Mapping[TextStatus, Reason]] = {
    TextStatus.QUEUED: Reason.RETRYING,
    TextStatus.SENDING: Reason.SENDING,
    TextStatus.SENT: Reason.SENT,
    TextStatus.DELIVERED: Reason.DELIVERED,
    TextStatus.UNDELIVERED: Reason.UNDELIVERED,
    TextStatus.FAILED: Reason.REJECTED,
    TextStatus.IN_DOUBT: Reason.IN_DOUBT,
    TextStatus.CANCELED: Reason.CANCELED,
}


_ENDING: Final[Mapping[TextEvent, Reason]] = {
    TextEvent.EXPIRY: Reason.EXPIRED,
    TextEvent.LAPSED: Reason.EXPIRED,
    TextEvent.GIVE_UP: Reason.UNKNOWN,
    TextEvent.RECEIPT_WINDOW_OVER: Reason.SENT_UNCONFIRMED,
}
"""Events that say more of an envelope's place than the status that they lead to."""


def place(status: TextStatus, event: TextEvent | None = None) -> Reason:
    """Where the envelope of an outbound text with this status stands; `event` is what brought it there."""
    return _ENDING.get(event) or _PLACE[status] if event else _PLACE[status]


_WRITES: Final[Mapping[tuple[EngagementStatus, EngagementStatus], EngagementStatus]] = {
    (EngagementStatus.PENDING, EngagementStatus.SCHEDULED): EngagementStatus.SCHEDULED,
    (EngagementStatus.PAUSED, EngagementStatus.SCHEDULED): EngagementStatus.PROCESSING,
    (EngagementStatus.SCHEDULED, EngagementStatus.SCHEDULED): EngagementStatus.SCHEDULED,
    (EngagementStatus.PROCESSING, EngagementStatus.SCHEDULED): EngagementStatus.PROCESSING,
    (EngagementStatus.SCHEDULED, EngagementStatus.PAUSED): EngagementStatus.PAUSED,
    (EngagementStatus.PROCESSING, EngagementStatus.PAUSED): EngagementStatus.PAUSED,
    (EngagementStatus.PAUSED, EngagementStatus.PAUSED): EngagementStatus.PAUSED,
    (EngagementStatus.PENDING, EngagementStatus.PENDING): EngagementStatus.PENDING,
    (EngagementStatus.PENDING, EngagementStatus.CANCELED): EngagementStatus.CANCELED,
    (EngagementStatus.SCHEDULED, EngagementStatus.CANCELED): EngagementStatus.CANCELED,
    (EngagementStatus.PROCESSING, EngagementStatus.CANCELED): EngagementStatus.CANCELED,
    (EngagementStatus.PAUSED, EngagementStatus.CANCELED): EngagementStatus.CANCELED,
    (EngagementStatus.CANCELED, EngagementStatus.CANCELED): EngagementStatus.CANCELED,
}


def write_engagement_status(current: EngagementStatus, wanted: EngagementStatus) -> EngagementStatus | None:
    """The status that a client's PATCH leads to, or None when that write is not allowed from here.

    Scheduling what is already scheduled or running is the same wish twice: it changes nothing and is no error.
    """
    return _WRITES.get((current, wanted))


LEFT: Final = frozenset(
    (
        *(Reason.SENDING, Reason.SENT, Reason.IN_DOUBT, Reason.DELIVERED, Reason.SENT_UNCONFIRMED),
        *(Reason.REJECTED, Reason.UNDELIVERED),
    )
)
"""The reasons of envelopes whose text has left, or may have: what a cancel comes too late for."""

LEFT_OR_NOT: Final = frozenset((Reason.EXPIRED, Reason.UNKNOWN))
"""The reasons of some whose text has left and of others that never had one: the ledger counts the former beside."""
