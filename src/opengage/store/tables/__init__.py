"""The tables, one for each record of `domain.records` and a few that only the dispatcher reads.

Every key leads with `account_id`, so that the same schema can be spread by account. Ids are 16 bytes of UUIDv7, which
grow with time: primary keys append. Instants are integers (microseconds). Text states repeat the lists of
`domain.states` as CHECK constraints. Two indexes exist for the dispatcher alone: `envelopes_due` (what may be taken,
on `next_at`) and `texts_open` (those whose fate is open, on `epoch`).
"""

from opengage.store.tables.blasts import (
    activities,
    engagement_numbers,
    engagements,
    envelopes,
    ledger,
    ledger_details,
    tags,
    text_template_revisions,
    text_template_tags,
    text_templates,
)
from opengage.store.tables.columns import metadata
from opengage.store.tables.contacts import (
    contact_import_errors,
    contact_imports,
    contacts,
    engagement_lists,
    list_contacts,
    lists,
)
from opengage.store.tables.files import account_keys, files, text_message_files, text_template_files, uploads
from opengage.store.tables.network import budget_uses, lanes, phone_numbers, service_profiles
from opengage.store.tables.people import (
    accounts,
    api_tokens,
    audit_events,
    erasures,
    idempotency_keys,
    memberships,
    sessions,
    signing_keys,
)
from opengage.store.tables.texts import (
    parked_receipts,
    recent_texts,
    suppressions,
    text_messages,
    text_results,
    text_segments,
    texts,
)
from opengage.store.tables.webhooks import webhook_attempts, webhook_deliveries, webhook_endpoints

__all__ = [
    "account_keys",
    "accounts",
    "activities",
    "api_tokens",
    "audit_events",
    "budget_uses",
    "contact_import_errors",
    "contact_imports",
    "contacts",
    "engagement_lists",
    "engagement_numbers",
    "engagements",
    "envelopes",
    "erasures",
    "files",
    "idempotency_keys",
    "lanes",
    "ledger",
    "ledger_details",
    "list_contacts",
    "lists",
    "memberships",
    "metadata",
    "parked_receipts",
    "phone_numbers",
    "recent_texts",
    "service_profiles",
    "sessions",
    "signing_keys",
    "suppressions",
    "tags",
    "text_message_files",
    "text_messages",
    "text_results",
    "text_segments",
    "text_template_files",
    "text_template_revisions",
    "text_template_tags",
    "text_templates",
    "texts",
    "uploads",
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_endpoints",
]
