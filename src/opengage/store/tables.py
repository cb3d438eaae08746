"""The tables, one for each record of `domain.records` and a few that only the dispatcher reads.

Every key leads with `account_id`, so that the same schema can be spread by account. Ids are 16 bytes of UUIDv7, which
grow with time: primary keys append. Instants are integers (microseconds). Text states repeat the lists of
`domain.states` as CHECK constraints. Two indexes exist for the dispatcher alone: `envelopes_due` (what may be taken,
on `next_at`) and `texts_open` (those whose fate is open, on `epoch`).
"""

from typing import Any

import sqlalchemy as sa

from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason, TextStatus

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)


def _id(name: str = "id", *, null: bool = False, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(16), nullable=null, primary_key=key)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _bool(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False)


def _account(*, key: bool = True) -> sa.Column[Any]:
    return sa.Column("account_id", sa.BigInteger, primary_key=key, autoincrement=False)


def _times() -> list[sa.Column[Any]]:
    return [_int("created_at"), _int("updated_at")]


def _authors() -> list[sa.Column[Any]]:
    return [_id("created_by"), _id("updated_by")]


def _one_of(column: str, values: type[EngagementStatus | EnvelopeStatus | Reason | TextStatus]) -> sa.CheckConstraint:
    # SQLite builds an IN list anew for each row it checks, at 14 µs; a chain of comparisons costs next to nothing
    return sa.CheckConstraint(" OR ".join(f"{column} = '{value.value}'" for value in values), name=column)


def _table(name: str, *columns: Any) -> sa.Table:
    """A table of records, keyed by account and id.

    On SQLite it keeps its hidden rowid: wide rows are then rewritten in place, a third cheaper than WITHOUT ROWID.
    """
    return sa.Table(name, metadata, _account(), _id(key=True), *_times(), *columns)


accounts = _table(
    "accounts",
    _text("key"),
    _text("name"),
    _bool("is_active"),
    sa.UniqueConstraint("key"),
)
memberships = _table("memberships", _text("name"), _text("role"), _bool("is_active"))
api_tokens = _table(
    "api_tokens",
    _id("membership_id"),
    _text("key"),
    sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
    _int("expires_at", null=True),
    _int("last_used_at", null=True),
    _int("revoked_at", null=True),
    sa.UniqueConstraint("key"),
)
service_profiles = _table(
    "service_profiles",
    _text("name"),
    _text("kind"),
    _text("url", null=True),
    _text("password", null=True),
    _int("window", null=True),
    _int("receipt_window_seconds", null=True),
    _bool("is_active"),
)
phone_numbers = _table(
    "phone_numbers",
    _text("phone_number"),
    _id("service_profile_id"),
    _text("label", null=True),
    sa.Column("rate", sa.Float, nullable=True),
    _bool("is_active"),
    sa.UniqueConstraint("account_id", "phone_number"),
)
text_templates = _table(
    "text_templates",
    *_authors(),
    _text("name"),
    _text("body"),
    _id("revision_id"),
    _bool("is_archived"),
    _int("deleted_at", null=True),
    _id("deleted_by", null=True),
)
text_template_revisions = _table(
    "text_template_revisions",
    *_authors(),
    _id("text_template_id"),
    _text("name"),
    _text("body"),
    sa.Index(None, "account_id", "text_template_id", "id"),
)
engagements = _table(
    "engagements",
    *_authors(),
    _text("name"),
    _text("status"),
    _text("direction"),
    _text("delivery_type"),
    _int("delivery_time", null=True),
    _bool("delivery_compliance_is_approved"),
    _id("activity_id", null=True),
    _text("queue_kind"),
    _int("queue_batch_limit"),
    sa.Column("queue_progressive_ratio", sa.Float, nullable=True),
    _int("queue_throttle_hold_limit", null=True),
    _int("queue_throttle_day_limit", null=True),
    _int("queue_throttle_hour_limit", null=True),
    _bool("queue_schedule_is_enabled"),
    _text("queue_schedule", null=True),
    _bool("is_archived"),
    _int("deleted_at", null=True),
    _id("deleted_by", null=True),
    _int("scheduled_at", null=True),
    _int("started_at", null=True),
    _int("completed_at", null=True),
    _one_of("status", EngagementStatus),
    sa.Index(None, "account_id", "status"),
)
activities = _table(
    "activities",
    *_authors(),
    _id("engagement_id"),
    _text("name"),
    _text("kind"),
    _id("phone_number_id"),
    _id("text_template_id"),
    sa.Index(None, "account_id", "engagement_id", "id"),
)
envelopes = _table(
    "envelopes",
    *_authors(),
    _id("engagement_id"),
    _text("phone_number"),
    _text("status"),
    _text("reason"),
    _text("meta"),
    _int("next_at", null=True),
    _int("retry_attempts"),
    _id("text_id", null=True),
    _text("callback", null=True),
    _text("callback_include", null=True),
    _bool("is_priority"),
    _int("delay_in_seconds", null=True),
    _int("scheduled_at", null=True),
    _int("processed_at", null=True),
    _int("completed_at", null=True),
    _one_of("status", EnvelopeStatus),
    _one_of("reason", Reason),
    sa.Index(None, "account_id", "engagement_id", "id"),
    # finds duplicates at sending time; random order costs pages, and ingest writes them by the ten thousand
    sa.Index(None, "account_id", "engagement_id", "phone_number"),
)
sa.Index(
    "envelopes_due",
    envelopes.c.account_id,
    envelopes.c.engagement_id,
    envelopes.c.next_at,
    envelopes.c.id,
    sqlite_where=envelopes.c.next_at.is_not(None),
    postgresql_where=envelopes.c.next_at.is_not(None),
)
text_messages = _table(
    "text_messages",
    *_authors(),
    _text("body"),
    _bool("is_draft"),
    _text("meta"),
    _id("text_template_id", null=True),
    _id("envelope_id", null=True),
)
texts = _table(
    "texts",
    *_authors(),
    _text("sender"),
    _text("recipient"),
    _text("direction"),
    _text("status"),
    _text("body"),
    _int("segments"),
    _id("phone_number_id"),
    _id("service_profile_id"),
    _id("engagement_id", null=True),
    _id("envelope_id", null=True),
    _id("text_message_id", null=True),
    _int("epoch", null=True),
    _int("attempts"),
    _text("code", null=True),
    _id("result_id", null=True),
    _int("sent_at", null=True),
    _int("settled_at", null=True),
    _text("meta"),
    _text("callback", null=True),
    _text("callback_include", null=True),
    _one_of("status", TextStatus),
    sa.Index(None, "account_id", "engagement_id", "id"),
)
sa.Index(
    "texts_open",
    texts.c.account_id,
    texts.c.phone_number_id,
    texts.c.id,
    sqlite_where=texts.c.epoch.is_not(None),
    postgresql_where=texts.c.epoch.is_not(None),
)
text_results = _table(
    "text_results",
    _id("text_id"),
    _text("kind"),
    _text("code", null=True),
    sa.Index(None, "account_id", "text_id", "id"),
)
suppressions = _table(
    "suppressions",
    _text("phone_number"),
    _text("reason"),
    sa.UniqueConstraint("account_id", "phone_number"),
)

text_segments = sa.Table(
    "text_segments",
    metadata,
    _account(),
    _id("service_profile_id", key=True),
    sa.Column("carrier_ref", sa.Text, primary_key=True),
    _id("text_id", key=True),
    _int("number"),
    _int("parts"),
    _text("state", null=True),
    sqlite_with_rowid=False,
)
"""Which text the carrier's own id stands for, segment by segment; `state` is that segment's receipt, where a text
has several."""

sa.Index(
    "text_segments_of_long_texts",
    text_segments.c.account_id,
    text_segments.c.text_id,
    sqlite_where=text_segments.c.parts > 1,
    postgresql_where=text_segments.c.parts > 1,
)

parked_receipts = sa.Table(
    "parked_receipts",
    metadata,
    _account(),
    _id("service_profile_id", key=True),
    sa.Column("carrier_ref", sa.Text, primary_key=True),
    _text("recipient", null=True),
    _int("reference", null=True),
    _text("state"),
    _text("code"),
    _int("received_at"),
    sqlite_with_rowid=False,
)
"""Receipts that came before the answer that names their text was stored: matched when it is."""

lanes = sa.Table(
    "lanes",
    metadata,
    _account(),
    _id("phone_number_id", key=True),
    _text("owner"),
    _int("epoch"),
    _int("expires_at"),
    sqlite_with_rowid=False,
)

ledger = sa.Table(
    "ledger",
    metadata,
    _account(),
    _id("engagement_id", key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    _int("count"),
    _one_of("reason", Reason),
    sqlite_with_rowid=False,
)
"""How many envelopes of an engagement stand at each reason (the empty reason is `pending`)."""
