"""Whose everything is: accounts, their members and tokens, and what an operator did."""

import sqlalchemy as sa

from opengage.domain.erasures import ErasureStatus
from opengage.store.tables.columns import account, authors, boolean, id_, metadata, one_of, table, text, whole

accounts = table(
    "accounts",
    text("key"),
    text("name"),
    boolean("is_active"),
    text("quiet_hours", null=True),
    whole("frequency_cap", null=True),
    whole("frequency_hours", null=True),
    text("stop_reply", null=True),
    text("start_reply", null=True),
    text("help_reply", null=True),
    whole("retention_days_bodies", null=True),
    whole("retention_days_numbers", null=True),
    sa.UniqueConstraint("key"),
)

memberships = table(
    "memberships",
    text("name"),
    text("role"),
    boolean("is_active"),
    text("email", null=True),
    text("password_hash", null=True),
    sa.UniqueConstraint("account_id", "email"),
    # whoever logs in names an e-mail address and no account
    sa.Index(None, "email"),
    sa.Index(None, "account_id", "is_active", "id"),
)

api_tokens = table(
    "api_tokens",
    id_("membership_id"),
    text("key"),
    sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
    whole("expires_at", null=True),
    whole("last_used_at", null=True),
    whole("revoked_at", null=True),
    sa.UniqueConstraint("key"),
    sa.Index(None, "account_id", "membership_id", "id"),
)

sessions = table(
    "sessions",
    id_("membership_id"),
    id_("api_token_id", null=True),
    whole("generation"),
    whole("expires_at"),
    whole("revoked_at", null=True),
    sa.Index(None, "account_id", "membership_id"),
    sa.Index(None, "account_id", "expires_at"),
)
"""Who holds bearer tokens: one row for each account that the session reaches, under the same id."""

signing_keys = table("signing_keys", sa.Column("secret", sa.LargeBinary(32), nullable=False))
"""What bearer tokens are signed with: the installation's own, under account 0; the newest signs."""

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    account(),
    id_("membership_id", key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
    whole("created_at"),
    whole("status", null=True),
    text("headers", null=True),
    sa.Column("body", sa.LargeBinary, nullable=True),
    sa.Index(None, "account_id", "created_at"),
)
"""Requests that carried an Idempotency-Key and changed something, with their answers; `body` is compressed. No status:
the answer held a secret and is not kept."""

audit_events = table(
    "audit_events",
    id_("created_by"),
    text("action"),
    text("subject_type"),
    id_("subject_id"),
    text("detail"),
    sa.Index(None, "account_id", "subject_id", "id"),
)

erasures = table(
    "erasures",
    *authors(),
    text("pseudonym"),
    text("number", null=True),
    text("status"),
    whole("count_contacts"),
    whole("count_envelopes"),
    whole("count_texts"),
    whole("count_canceled"),
    whole("count_waiting"),
    whole("count_others"),
    whole("completed_at", null=True),
    one_of("status", ErasureStatus),
)
"""Numbers that are forgotten at once: `number` is sealed, and goes when nothing is left to look for."""

sa.Index(
    "erasures_open",
    erasures.c.account_id,
    erasures.c.id,
    sqlite_where=erasures.c.completed_at.is_(None),
    postgresql_where=erasures.c.completed_at.is_(None),
)
