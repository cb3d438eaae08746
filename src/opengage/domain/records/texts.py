"""Messages on the wire: their content, their fates, and who must not get any."""

from opengage.clock import Instant
from opengage.domain.records.base import Authored, Record
from opengage.domain.states import TextStatus
from opengage.ids import Id


class TextMessage(Authored, frozen=True, kw_only=True):
    """The content of a text that was written by itself; a blast's texts carry their own, under the text's id."""

    body: str
    is_draft: bool = False
    meta: str = "{}"
    text_template_id: Id | None = None
    envelope_id: Id | None = None


class Text(Authored, frozen=True, kw_only=True):
    """One message on the wire. The hot row of a blast: written as `sending` before its bytes leave.

    `epoch` is the lane's lease epoch for as long as the text's fate is open, None otherwise.
    """

    sender: str
    recipient: str
    direction: str
    status: TextStatus
    body: str
    segments: int
    phone_number_id: Id
    service_profile_id: Id
    engagement_id: Id | None = None
    envelope_id: Id | None = None
    text_message_id: Id | None = None
    epoch: int | None = None
    attempts: int = 0
    code: str | None = None
    """The carrier's last word: an ESME_ name, or a receipt's state and error."""
    result_id: Id | None = None
    sent_at: Instant | None = None
    settled_at: Instant | None = None
    meta: str = "{}"
    callback: str | None = None
    callback_include: str | None = None
    text_template_revision_id: Id | None = None
    """The words that it was rendered from."""
    next_at: Instant | None = None
    """When a text without an envelope may be taken; with one, the envelope says it."""
    expires_at: Instant | None = None
    purpose: str | None = None
    """`confirmation` or `help`: an answer of ours to a STOP, START or HELP, which no suppression stops."""
    hold_reason: str | None = None
    """Which rule lets a text without an envelope wait, and until when."""
    hold_until: Instant | None = None


class TextResult(Record, frozen=True, kw_only=True):
    """One fate event of a text: `kind` is a TextStatus it came to."""

    text_id: Id
    kind: str
    code: str | None = None


class Suppression(Record, frozen=True, kw_only=True):
    """A number that must not be texted by this account."""

    phone_number: str
    reason: str
