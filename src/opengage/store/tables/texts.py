"""Messages on the wire: their content, their fates, and who must not get any."""

import sqlalchemy as sa

from opengage.domain.states import TextStatus
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

text_messages = table(
    "text_messages",
    *authors(),
    text("body"),
    boolean("is_draft"),
    text("meta"),
    id_("text_template_id", null=True),
    id_("envelope_id", null=True),
)

texts = table(
    "texts",
    *authors(),
    text("sender"),
    text("recipient"),
    text("direction"),
    text("status"),
    text("body"),
    whole("segments"),
    id_("phone_number_id"),
    id_("service_profile_id"),
    id_("engagement_id", null=True),
    id_("envelope_id", null=True),
    id_("text_message_id", null=True),
    whole("epoch", null=True),
    whole("attempts"),
    text("code", null=True),
    id_("result_id", null=True),
    whole("sent_at", null=True),
    whole("settled_at", null=True),
    text("meta"),
    text("callback", null=True),
    text("callback_include", null=True),
    id_("text_template_revision_id", null=True),
    whole("next_at", null=True),
    whole("expires_at", null=True),
    text("purpose", null=True),
    text("hold_reason", null=True),
    whole("hold_until", null=True),
    one_of("status", TextStatus),
    sa.Index(None, "account_id", "engagement_id", "id"),
    # room for each answer on its own page; by `bench --bloat` 50 % of updates are HOT, all that can be, and 23 % at 75
    postgresql_with=CHANGING | {"fillfactor": 50},
)
# texts that are no envelope's: the envelope of every other text is what is due
sa.Index(
    "texts_due",
    texts.c.account_id,
    texts.c.phone_number_id,
    texts.c.next_at,
    texts.c.id,
    sqlite_where=texts.c.next_at.is_not(None),
    postgresql_where=texts.c.next_at.is_not(None),
)
sa.Index(
    "texts_single",
    texts.c.account_id,
    texts.c.recipient,
    texts.c.id,
    sqlite_where=texts.c.engagement_id.is_(None),
    postgresql_where=texts.c.engagement_id.is_(None),
)
sa.Index(
    "texts_open",
    texts.c.account_id,
    texts.c.phone_number_id,
    texts.c.id,
    sqlite_where=texts.c.epoch.is_not(None),
    postgresql_where=texts.c.epoch.is_not(None),
)
with_roomy_indexes(texts)
lightly_sampled(texts)

text_results = table(
    "text_results",
    id_("text_id"),
    text("kind"),
    text("code", null=True),
    sa.Index(None, "account_id", "text_id", "id"),
)
lightly_sampled(text_results)

text_segments = sa.Table(
    "text_segments",
    metadata,
    account(),
    id_("service_profile_id", key=True),
    sa.Column("carrier_ref", sa.Text, primary_key=True),
    id_("text_id", key=True),
    whole("number"),
    whole("parts"),
    text("state", null=True),
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
lightly_sampled(text_segments)

parked_receipts = sa.Table(
    "parked_receipts",
    metadata,
    account(),
    id_("service_profile_id", key=True),
    sa.Column("carrier_ref", sa.Text, primary_key=True),
    text("recipient", null=True),
    whole("reference", null=True),
    text("state"),
    text("code"),
    whole("received_at"),
    sqlite_with_rowid=False,
)
"""Receipts that came before the answer that names their text was stored: matched when it is."""

suppressions = table(
    "suppressions",
    text("phone_number"),
    text("reason"),
    sa.UniqueConstraint("account_id", "phone_number"),
)

recent_texts = sa.Table(
    "recent_texts",
    metadata,
    account(),
    sa.Column("phone_number", sa.Text, primary_key=True),
    id_("text_id", key=True),
    id_("phone_number_id"),
    # by age, to forget the oldest: ids grow, so that a new one is written at its end
    sa.Index(None, "account_id", "text_id"),
    sqlite_with_rowid=False,
)
"""Who was texted lately, when (the id tells) and from which number: for frequency caps and for senders that stick.

Written only for accounts with a cap and engagements with a pool; `dispatch.housekeeper` sweeps it."""
