"""Whose everything is: accounts, their members and tokens, and what an operator did."""

import sqlalchemy as sa

from opengage.store.tables.columns import boolean, id_, table, text, whole

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
    sa.UniqueConstraint("key"),
)

memberships = table(
    "memberships", text("name"), text("role"), boolean("is_active"), sa.Index(None, "account_id", "is_active", "id")
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

audit_events = table(
    "audit_events",
    id_("created_by"),
    text("action"),
    text("subject_type"),
    id_("subject_id"),
    text("detail"),
    sa.Index(None, "account_id", "subject_id", "id"),
)
