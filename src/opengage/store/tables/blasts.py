"""What is sent to whom: templates, engagements, activities, envelopes, and the counts that prove it."""

import sqlalchemy as sa

from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason
from opengage.store.tables.columns import (
    CHANGING,
    account,
    authors,
    boolean,
    id_,
    lightly_sampled,
    metadata,
    one_of,
    table,
    text,
    whole,
    with_roomy_indexes,
)

text_templates = table(
    "text_templates",
    *authors(),
    text("name"),
    text("body"),
    id_("revision_id"),
    boolean("is_archived"),
    whole("deleted_at", null=True),
    id_("deleted_by", null=True),
    # empty in every row: `store.text_templates` shows revisions as templates that have it
    id_("text_template_id", null=True),
    sa.Index(None, "account_id", "name", "id"),
    sa.Index(None, "account_id", "created_at"),
    sa.Index(None, "account_id", "is_archived", "id"),
)

text_template_revisions = table(
    "text_template_revisions",
    *authors(),
    id_("text_template_id"),
    text("name"),
    text("body"),
    sa.Index(None, "account_id", "text_template_id", "id"),
)

tags = table("tags", *authors(), text("name"), sa.UniqueConstraint("account_id", "name"))

text_template_tags = sa.Table(
    "text_template_tags",
    metadata,
    account(),
    id_("text_template_id", key=True),
    id_("tag_id", key=True),
    sa.Index(None, "account_id", "tag_id"),
    sqlite_with_rowid=False,
)
"""Which templates are filed under which tags."""

engagements = table(
    "engagements",
    *authors(),
    text("name"),
    text("status"),
    text("direction"),
    text("delivery_type"),
    whole("delivery_time", null=True),
    boolean("delivery_compliance_is_approved"),
    id_("activity_id", null=True),
    text("queue_kind"),
    whole("queue_batch_limit"),
    sa.Column("queue_progressive_ratio", sa.Float, nullable=True),
    whole("queue_throttle_hold_limit", null=True),
    whole("queue_throttle_day_limit", null=True),
    whole("queue_throttle_hour_limit", null=True),
    boolean("queue_schedule_is_enabled"),
    text("queue_schedule", null=True),
    boolean("is_archived"),
    whole("deleted_at", null=True),
    id_("deleted_by", null=True),
    whole("scheduled_at", null=True),
    whole("started_at", null=True),
    whole("completed_at", null=True),
    text("delivery_local_time", null=True),
    whole("undo_seconds", null=True),
    whole("starts_at", null=True),
    whole("validity_seconds", null=True),
    whole("canary_size", null=True),
    whole("canary_wait_seconds", null=True),
    sa.Column("canary_delivery_ratio", sa.Float, nullable=True),
    text("canary_state", null=True),
    sa.Column("pause_failure_ratio", sa.Float, nullable=True),
    sa.Column("pause_opt_out_ratio", sa.Float, nullable=True),
    text("guard_base", null=True),
    text("pause_reason", null=True),
    text("hold_reason", null=True),
    whole("hold_until", null=True),
    id_("copied_from", null=True),
    sa.Column("has_callbacks", sa.Boolean(create_constraint=False), nullable=True),
    whole("bodies_purged_at", null=True),
    whole("numbers_purged_at", null=True),
    sa.Column("is_own_record", sa.Boolean(create_constraint=False), nullable=True),
    one_of("status", EngagementStatus),
    sa.Index(None, "account_id", "status"),
    sa.Index(None, "account_id", "name", "id"),
    sa.Index(None, "account_id", "created_at"),
    sa.Index(None, "account_id", "is_archived", "id"),
    sa.Index(None, "account_id", "hold_reason"),
    sa.Index(None, "account_id", "hold_until"),
)
sa.Index(
    "engagements_own_records",
    engagements.c.account_id,
    engagements.c.completed_at,
    sqlite_where=engagements.c.is_own_record.is_not(None),
    postgresql_where=engagements.c.is_own_record.is_not(None),
)

engagement_numbers = sa.Table(
    "engagement_numbers",
    metadata,
    account(),
    id_("engagement_id", key=True),
    id_("phone_number_id", key=True),
    whole("position"),
    sa.Index(None, "account_id", "phone_number_id"),
    sqlite_with_rowid=False,
)
"""The sender pool of an engagement, its activity's own number among them; none for those with one number."""

activities = table(
    "activities",
    *authors(),
    id_("engagement_id"),
    text("name"),
    text("kind"),
    id_("phone_number_id"),
    id_("text_template_id"),
    sa.Index(None, "account_id", "engagement_id", "id"),
    sa.Index(None, "account_id", "phone_number_id", "id"),
    sa.Index(None, "account_id", "text_template_id", "id"),
)

envelopes = table(
    "envelopes",
    *authors(),
    id_("engagement_id"),
    text("phone_number"),
    text("status"),
    text("reason"),
    text("meta"),
    whole("next_at", null=True),
    whole("retry_attempts"),
    id_("text_id", null=True),
    text("callback", null=True),
    text("callback_include", null=True),
    boolean("is_priority"),
    whole("delay_in_seconds", null=True),
    whole("scheduled_at", null=True),
    whole("processed_at", null=True),
    whole("completed_at", null=True),
    id_("phone_number_id", null=True),
    text("hold_reason", null=True),
    whole("hold_until", null=True),
    whole("claims", null=True),
    one_of("status", EnvelopeStatus),
    one_of("reason", Reason),
    sa.Index(None, "account_id", "engagement_id", "id"),
    # finds duplicates at sending time; random order costs pages, and ingest writes them by the ten thousand
    sa.Index(None, "account_id", "engagement_id", "phone_number"),
    # after it was taken it changes twice on its page; by `bench --bloat` 59 % of updates are HOT, of 67 % that could be
    postgresql_with=CHANGING | {"fillfactor": 60},
)
sa.Index(
    "envelopes_due",
    envelopes.c.account_id,
    envelopes.c.engagement_id,
    envelopes.c.phone_number_id,
    envelopes.c.is_priority,
    envelopes.c.next_at,
    envelopes.c.id,
    sqlite_where=envelopes.c.next_at.is_not(None),
    postgresql_where=envelopes.c.next_at.is_not(None),
)
with_roomy_indexes(envelopes)
lightly_sampled(envelopes)

ledger = sa.Table(
    "ledger",
    metadata,
    account(),
    id_("engagement_id", key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    whole("count"),
    one_of("reason", Reason),
    sqlite_with_rowid=False,
    postgresql_with=CHANGING,
)
"""How many envelopes of an engagement stand at each reason (the empty reason is `pending`)."""

ledger_details = sa.Table(
    "ledger_details",
    metadata,
    account(),
    id_("engagement_id", key=True),
    sa.Column("dimension", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    whole("count"),
    sqlite_with_rowid=False,
)
"""How often something happened in an engagement: `minute` texts written as sending, by the minute and by the `number`
that they went from; `code` what the carrier said last of a text that did not arrive."""
