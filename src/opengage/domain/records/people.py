"""Whose everything is: accounts, their members and tokens, and what an operator did."""

from opengage.clock import Instant
from opengage.domain.erasures import ErasureStatus
from opengage.domain.records.base import Authored, Record
from opengage.ids import Id


class Account(Record, frozen=True, kw_only=True):
    """A tenant; `key` is the X-Account-Key value, `account_id` the number that leads every other table's keys."""

    key: str
    name: str
    is_active: bool = True
    quiet_hours: str | None = None
    """`on` where the legal clock holds this account's texts; None for off."""
    frequency_cap: int | None = None
    """Texts that one person may get in `frequency_hours` (None: 24), from all engagements together."""
    frequency_hours: int | None = None
    stop_reply: str | None = None
    """The one confirmation of an opt-out; None for the usual words, empty for none at all. So with the other two."""
    start_reply: str | None = None
    help_reply: str | None = None
    retention_days_bodies: int | None = None
    """Days after which what was said is forgotten, and after which to whom: None for what the installation says, 0 for
    never."""
    retention_days_numbers: int | None = None


class Erasure(Authored, frozen=True, kw_only=True):
    """A number that an account forgets: only its pseudonym stays."""

    pseudonym: str
    number: str | None
    """Sealed, for as long as it must be looked for."""
    status: ErasureStatus = ErasureStatus.PENDING
    count_contacts: int = 0
    count_envelopes: int = 0
    count_texts: int = 0
    count_canceled: int = 0
    """Envelopes and texts among them that had not left yet, and never will."""
    count_waiting: int = 0
    """Texts that must come to their end first."""
    count_others: int = 0
    completed_at: Instant | None = None


class Membership(Record, frozen=True, kw_only=True):
    """A user's place in an account."""

    name: str
    role: str
    is_active: bool = True
    email: str | None = None
    """In lower case; with a password, what its user logs in with."""
    password_hash: str | None = None
    """Argon2id, in its own encoded form."""


class ApiToken(Record, frozen=True, kw_only=True):
    """Key and secret for HTTP Basic; only the SHA-256 of the secret is stored (it has 128+ random bits)."""

    membership_id: Id
    key: str
    secret_hash: bytes
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None


class Session(Record, frozen=True, kw_only=True):
    """What a bearer token speaks for, in one account; `id` is derived from a secret that only the token holds.

    A session that reaches several accounts has a row with the same id in each.
    """

    membership_id: Id
    api_token_id: Id | None = None
    """The API token that it was opened with, and with which it ends."""
    generation: int = 0
    """How often it was refreshed: older refresh tokens are spent."""
    expires_at: Instant
    revoked_at: Instant | None = None


class SigningKey(Record, frozen=True, kw_only=True):
    """What bearer tokens are signed with; `id` is their `kid`."""

    secret: bytes


class AuditEvent(Record, frozen=True, kw_only=True):
    """What an operator did that the machine would not have done by itself."""

    created_by: Id
    action: str
    subject_type: str
    subject_id: Id
    detail: str = "{}"
