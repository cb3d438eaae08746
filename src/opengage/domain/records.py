"""What is remembered, as records: one class per noun, one field per column, in the order of the table.

Frozen: a change makes a new record. Ids are 16 bytes, instants whole microseconds, JSON values their text.
`store.tables` declares the tables that hold them.
"""

import msgspec

from opengage.clock import Instant
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason, TextStatus
from opengage.ids import Id


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every row has: its tenant and its identity. `account_id` leads every key."""

    account_id: int
    id: Id
    created_at: Instant
    updated_at: Instant


class Account(Record, frozen=True, kw_only=True):
    """A tenant; `key` is the X-Account-Key value, `account_id` the number that leads every other table's keys."""

    key: str
    name: str
    is_active: bool = True


class Membership(Record, frozen=True, kw_only=True):
    """A user's place in an account."""

    name: str
    role: str
    is_active: bool = True


class ApiToken(Record, frozen=True, kw_only=True):
    """Key and secret for HTTP Basic; only the SHA-256 of the secret is stored (it has 128+ random bits)."""

    membership_id: Id
    key: str
    secret_hash: bytes
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None


class ServiceProfile(Record, frozen=True, kw_only=True):
    """One carrier connection of an account; `kind` is `sandbox` or `smpp`."""

    name: str
    kind: str
    url: str | None = None
    """smpp://SYSTEM_ID@HOST:PORT, without the password; None for the sandbox, whose address `serve` knows."""
    password: str | None = None
    window: int | None = None
    """Unanswered submits at once; None for the setting's default."""
    receipt_window_seconds: int | None = None
    is_active: bool = True


class PhoneNumber(Record, frozen=True, kw_only=True):
    """A sender in E.164 on a service profile; `rate` is segments per second, None for no limit of ours."""

    phone_number: str
    service_profile_id: Id
    label: str | None = None
    rate: float | None = None
    is_active: bool = True


class Authored(Record, frozen=True, kw_only=True):
    """A record that members write."""

    created_by: Id
    updated_by: Id


class TextTemplate(Authored, frozen=True, kw_only=True):
    """A named body with merge fields; `revision_id` is its newest revision."""

    name: str
    body: str
    revision_id: Id
    is_archived: bool = False
    deleted_at: Instant | None = None
    deleted_by: Id | None = None


class TextTemplateRevision(Authored, frozen=True, kw_only=True):
    """A template as it was after one edit."""

    text_template_id: Id
    name: str
    body: str


class Engagement(Authored, frozen=True, kw_only=True):
    """One blast: its activity says what, its envelopes to whom, these fields when and how fast."""

    name: str
    status: EngagementStatus = EngagementStatus.PENDING
    direction: str = "outbound"
    delivery_type: str = "immediately"
    delivery_time: Instant | None = None
    delivery_compliance_is_approved: bool = False
    activity_id: Id | None = None
    queue_kind: str = "batch"
    queue_batch_limit: int = 1000
    queue_progressive_ratio: float | None = None
    queue_throttle_hold_limit: int | None = None
    queue_throttle_day_limit: int | None = None
    queue_throttle_hour_limit: int | None = None
    queue_schedule_is_enabled: bool = False
    queue_schedule: str | None = None
    is_archived: bool = False
    deleted_at: Instant | None = None
    deleted_by: Id | None = None
    scheduled_at: Instant | None = None
    started_at: Instant | None = None
    completed_at: Instant | None = None


class Activity(Authored, frozen=True, kw_only=True):
    """The step of an engagement: which number says which template."""

    engagement_id: Id
    name: str
    kind: str
    phone_number_id: Id
    text_template_id: Id


class Envelope(Authored, frozen=True, kw_only=True):
    """One recipient of an engagement with its merge values; it is also the job that sends the text.

    `next_at` is when the dispatcher may take it, None when there is nothing to take.
    """

    engagement_id: Id
    phone_number: str
    status: EnvelopeStatus = EnvelopeStatus.PENDING
    reason: Reason = Reason.NONE
    meta: str = "{}"
    next_at: Instant | None = Instant(0)
    retry_attempts: int = 0
    text_id: Id | None = None
    callback: str | None = None
    callback_include: str | None = None
    is_priority: bool = False
    delay_in_seconds: int | None = None
    scheduled_at: Instant | None = None
    processed_at: Instant | None = None
    completed_at: Instant | None = None


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


class TextResult(Record, frozen=True, kw_only=True):
    """One fate event of a text: `kind` is a TextStatus it came to."""

    text_id: Id
    kind: str
    code: str | None = None


class Suppression(Record, frozen=True, kw_only=True):
    """A number that must not be texted by this account."""

    phone_number: str
    reason: str
