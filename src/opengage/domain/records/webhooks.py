"""What others want to be told: endpoints, deliveries to them, and every attempt at one."""

from opengage.clock import Instant
from opengage.domain.records.base import Authored, Record
from opengage.ids import Id


class WebhookEndpoint(Authored, frozen=True, kw_only=True):
    """Who is told of an account's events, and the sealed secret that signs it.

    An endpoint of kind `callbacks` has no URL: it holds the secret that signs the callbacks which envelopes and texts
    name themselves, and an account has one of them.
    """

    kind: str
    """`events` or `callbacks`."""
    url: str | None
    events: str
    """JSON list of event names; `*` stands for all."""
    include: str | None = None
    """Include paths of the documents that are posted, parted by commas."""
    is_active: bool = True
    disabled_reason: str | None = None
    """`gone` when the receiver answered 410; None when a member switched it off, or while it is on."""
    secret: str
    """Sealed."""
    previous_secret: str | None = None
    """Sealed: signs too, until `previous_until`."""
    previous_until: Instant | None = None


class WebhookDelivery(Record, frozen=True, kw_only=True):
    """One event for one listener. Its id is the `webhook-id` of every attempt, and `created_at` when it happened."""

    target: str
    """Whose turn it is: the endpoint's wire id, or scheme, host and port of a callback."""
    endpoint_id: Id | None
    url: str | None
    """A callback's own URL; an endpoint's is looked up at each attempt."""
    event: str
    subject_type: str
    subject_id: Id
    include: str | None
    status: str = "pending"
    attempts: int = 0
    """Since it was written or last resent by hand; counted before the attempt, so that one which is cut off counts."""
    next_at: Instant | None
    """When the next attempt is due, or the one under way counts as lost; None when there is nothing to do."""
    delivered_at: Instant | None = None


class WebhookAttempt(Record, frozen=True, kw_only=True):
    """What one attempt came to; `created_at` is when it began."""

    delivery_id: Id
    number: int
    url: str
    code: int | None
    """The HTTP status; None when there was no answer."""
    error: str | None
    """Why there was none, in a word or two."""
    body: str | None
    """The first 2 KiB of the answer, as text."""
    duration_ms: int
