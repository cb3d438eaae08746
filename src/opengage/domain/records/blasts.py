"""What is sent to whom: templates, engagements, activities, envelopes."""

from opengage.clock import Instant
from opengage.domain.records.base import Authored
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason
from opengage.ids import Id


class TextTemplate(Authored, frozen=True, kw_only=True):
    """A named body with merge fields; `revision_id` is its newest revision."""

    name: str
    body: str
    revision_id: Id
    is_archived: bool = False
    deleted_at: Instant | None = None
    deleted_by: Id | None = None
    text_template_id: Id | None = None
    """Of a revision that is shown as the template that it was: the template that it belongs to."""


class TextTemplateRevision(Authored, frozen=True, kw_only=True):
    """A template as it was after one edit."""

    text_template_id: Id
    name: str
    body: str


class Tag(Authored, frozen=True, kw_only=True):
    """A word to file templates under; no two of an account read the same."""

    name: str


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
    delivery_local_time: str | None = None
    """The wall-clock time of `local-time`, as 2026-12-01T09:00:00, in each recipient's own zone."""
    undo_seconds: int | None = None
    starts_at: Instant | None = None
    """When it may begin: its delivery time, and not before the undo window is over."""
    validity_seconds: int | None = None
    """How long after its start a text may still be submitted; what is left then has expired."""
    canary_size: int | None = None
    canary_wait_seconds: int | None = None
    canary_delivery_ratio: float | None = None
    """The share of it that must be delivered; None: `guard.CANARY_DELIVERED`."""
    canary_state: str | None = None
    """`waiting` until the canary's receipts have decided, then `passed` or `failed`."""
    pause_failure_ratio: float | None = None
    pause_opt_out_ratio: float | None = None
    guard_base: str | None = None
    """JSON: the counts that the guard had seen when the engagement was last resumed."""
    pause_reason: str | None = None
    hold_reason: str | None = None
    """What keeps the whole engagement from sending right now, and until when, as far as that is known."""
    hold_until: Instant | None = None
    copied_from: Id | None = None
    has_callbacks: bool | None = None
    """Whether any of its envelopes has a callback: where none has, nobody looks for one. None means no."""
    bodies_purged_at: Instant | None = None
    """When what it said, and to whom, was forgotten."""
    numbers_purged_at: Instant | None = None
    is_own_record: bool | None = None
    """Whether its own envelopes are looked at for who was texted lately (`dispatch.lately`); None means no."""


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
    phone_number_id: Id | None = None
    """The sender chosen from the engagement's pool; None as long as any may take it."""
    hold_reason: str | None = None
    """Which rule holds it, and until when."""
    hold_until: Instant | None = None
    claims: int | None = None
    """How often a worker was lost just when it had this envelope in hand."""
