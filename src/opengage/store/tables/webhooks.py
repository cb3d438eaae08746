"""What others want to be told: endpoints, deliveries to them, and every attempt at one."""

import sqlalchemy as sa

from opengage.store.tables.columns import authors, boolean, id_, table, text, whole

webhook_endpoints = table(
    "webhook_endpoints",
    *authors(),
    text("kind"),
    text("url", null=True),
    text("events"),
    text("include", null=True),
    boolean("is_active"),
    text("disabled_reason", null=True),
    text("secret"),
    text("previous_secret", null=True),
    whole("previous_until", null=True),
)

webhook_deliveries = table(
    "webhook_deliveries",
    text("target"),
    id_("endpoint_id", null=True),
    text("url", null=True),
    text("event"),
    text("subject_type"),
    id_("subject_id"),
    text("include", null=True),
    text("status"),
    whole("attempts"),
    whole("next_at", null=True),
    whole("delivered_at", null=True),
    sa.Index(None, "account_id", "subject_id", "id"),
    sa.Index(None, "account_id", "endpoint_id", "id"),
)
"""The outbox: written in the transaction of what it tells."""

# found by account, then by target, so that each of them gets its turn
sa.Index(
    "webhook_deliveries_due",
    webhook_deliveries.c.account_id,
    webhook_deliveries.c.target,
    webhook_deliveries.c.next_at,
    webhook_deliveries.c.id,
    sqlite_where=webhook_deliveries.c.next_at.is_not(None),
    postgresql_where=webhook_deliveries.c.next_at.is_not(None),
)

webhook_attempts = table(
    "webhook_attempts",
    id_("delivery_id"),
    whole("number"),
    text("url"),
    whole("code", null=True),
    text("error", null=True),
    text("body", null=True),
    whole("duration_ms"),
    sa.Index(None, "account_id", "delivery_id", "id"),
)
