"""Where texts leave: service profiles, phone numbers, the leases on their lanes, and what limits used up."""

import sqlalchemy as sa

from opengage.store.tables.columns import CHANGING, account, boolean, id_, metadata, table, text, whole

service_profiles = table(
    "service_profiles",
    text("name"),
    text("kind"),
    text("url", null=True),
    text("password", null=True),
    whole("window", null=True),
    whole("receipt_window_seconds", null=True),
    boolean("is_active"),
    whole("binds", null=True),
    id_("fallback_id", null=True),
    text("in_doubt_policy", null=True),
    text("budgets", null=True),
)

phone_numbers = table(
    "phone_numbers",
    text("phone_number"),
    id_("service_profile_id"),
    text("label", null=True),
    sa.Column("rate", sa.Float, nullable=True),
    boolean("is_active"),
    text("budgets", null=True),
    sa.UniqueConstraint("account_id", "phone_number"),
    sa.Index(None, "account_id", "is_active", "id"),
)

lanes = sa.Table(
    "lanes",
    metadata,
    account(),
    id_("phone_number_id", key=True),
    text("owner"),
    whole("epoch"),
    whole("expires_at"),
    sa.Column("rate", sa.Float, nullable=True),
    whole("under_way", null=True),
    whole("unhealthy_since", null=True),
    text("circuit", null=True),
    whole("crashes", null=True),
    sqlite_with_rowid=False,
    postgresql_with=CHANGING,
)

budget_uses = sa.Table(
    "budget_uses",
    metadata,
    account(),
    id_("scope_id", key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("began_at", sa.BigInteger, primary_key=True),
    whole("used"),
    sqlite_with_rowid=False,
)
"""What an engagement (texts), a phone number or a service profile (segments) has used up of a limit in one minute,
hour or day."""
