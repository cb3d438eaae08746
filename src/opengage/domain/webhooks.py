"""Webhooks decided: which events there are, when a failed delivery is tried again, and how one is signed.

Pure: no clock, no socket. Signatures and the schedule follow the Standard Webhooks specification (version 1).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain.states import EngagementStatus, TextStatus
from opengage.ids import Id


class Event(StrEnum):
    """What an endpoint can listen to; docs/reference/webhooks.md explains each."""

    TEXT_QUEUED = "text.queued"
    TEXT_SENT = "text.sent"
    TEXT_DELIVERED = "text.delivered"
    TEXT_UNDELIVERED = "text.undelivered"
    TEXT_FAILED = "text.failed"
    TEXT_IN_DOUBT = "text.in-doubt"
    TEXT_CANCELED = "text.canceled"
    TEXT_RECEIVED = "text.received"
    ENVELOPE_INCOMPLETE = "envelope.incomplete"
    ENGAGEMENT_SCHEDULED = "engagement.scheduled"
    ENGAGEMENT_PROCESSING = "engagement.processing"
    ENGAGEMENT_PAUSED = "engagement.paused"
    ENGAGEMENT_COMPLETED = "engagement.completed"
    ENGAGEMENT_CANCELED = "engagement.canceled"
    SUPPRESSION_CREATED = "suppression.created"


EVERYTHING: Final = "*"
"""What an endpoint lists to hear of every event, of those to come too."""

TEXT_EVENTS: Final[Mapping[str, Event]] = MappingProxyType(
    {status.value: Event(f"text.{status}") for status in TextStatus if status is not TextStatus.SENDING}
)
"""The event that a text's new status is; `sending` is none, for nothing has happened to it yet."""

ENGAGEMENT_EVENTS: Final[Mapping[EngagementStatus, Event]] = MappingProxyType(
    {status: Event(f"engagement.{status}") for status in EngagementStatus if status is not EngagementStatus.PENDING}
)
"""The event that an engagement's new status is."""


class Happening(msgspec.Struct, frozen=True, gc=False):
    """Something that listeners may want to know, of the transaction that it happens in.

    A text says whose it is: its envelope's own callback is told too.
    """

    account_id: int
    event: Event
    subject_type: str
    subject_id: Id
    engagement_id: Id | None = None
    envelope_id: Id | None = None


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Its attempts are used up, or the receiver is gone."""
    CANCELED = "canceled"
    """Its endpoint was switched off or removed before it arrived."""


SCHEDULE: Final = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""Seconds to wait after the first, second, ... failed attempt; the first attempt itself is made at once."""

ATTEMPTS: Final = len(SCHEDULE) + 1
_JITTER: Final = 0.1
LONGEST_RETRY_AFTER: Final = 86_400.0
"""Seconds that a receiver may ask for; one that asks for more gets no longer rest."""


def next_attempt(attempt: int, chance: float, retry_after: float | None = None) -> float | None:
    """Seconds to wait after attempt number `attempt` (from 1) failed, or None to give up.

    `chance`, in [0, 1), makes the wait up to a tenth longer, so that what failed together does not return together.
    `retry_after` is what the receiver asked for, in seconds; it lengthens the wait and never shortens it.
    """
    if attempt < 1:
        raise ValueError("attempts are counted from 1")
    if attempt >= ATTEMPTS:
        return None
    wait = SCHEDULE[attempt - 1] * (1 + _JITTER * chance)
    return wait if retry_after is None else max(wait, min(retry_after, LONGEST_RETRY_AFTER))


def retry_after(value: str | None, now: Instant) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, section 10.2.3); None when it says nothing usable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, moment - now / SECOND)


PREFIX: Final = "whsec_"
"""What a signing secret begins with, so that it is recognised wherever it turns up."""

SECRET_BYTES: Final = 32


def secret_text(key: bytes) -> str:
    """A signing key as it is shown to its owner, once."""
    return PREFIX + base64.b64encode(key).decode()


def secret_bytes(text: str) -> bytes:
    """The key behind such a text. Raises ValueError when it is none."""
    if not text.startswith(PREFIX):
        raise ValueError("a signing secret begins with whsec_")
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a signing secret is base64 after whsec_") from error


def signature(secrets: Sequence[str], message_id: str, seconds: int, body: bytes) -> str:
    """The `webhook-signature` header: one v1 signature (HMAC-SHA256) for each secret, parted by spaces.

    `seconds` is the `webhook-timestamp`: when this attempt is made, since the Unix epoch.
    """
    signed = b"%s.%d.%s" % (message_id.encode(), seconds, body)
    macs = (hmac.digest(secret_bytes(secret), signed, "sha256") for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)
