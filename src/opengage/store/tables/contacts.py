"""Who may be texted: contacts, lists, which contact is on which list, and imports."""

import sqlalchemy as sa

from opengage.domain.imports import ImportStatus
from opengage.store.tables.columns import account, authors, boolean, id_, metadata, one_of, table, text, whole

contacts = table(
    "contacts",
    *authors(),
    text("first_name", null=True),
    text("last_name", null=True),
    text("phone_number"),
    text("phone_numbers"),
    text("emails"),
    text("notes", null=True),
    text("meta"),
    # not unique: a family may share a number, unless the client asks for one contact a number
    sa.Index(None, "account_id", "phone_number", "id"),
)

lists = table("lists", *authors(), text("title"))

list_contacts = sa.Table(
    "list_contacts",
    metadata,
    account(),
    id_("list_id", key=True),
    id_("contact_id", key=True),
    sa.Index(None, "account_id", "contact_id"),
    sqlite_with_rowid=False,
)
"""Which contact is on which list."""

engagement_lists = sa.Table(
    "engagement_lists",
    metadata,
    account(),
    id_("engagement_id", key=True),
    id_("list_id", key=True),
    sa.Index(None, "account_id", "list_id"),
    sqlite_with_rowid=False,
)
"""Whose contacts become an engagement's envelopes when it is scheduled."""

contact_imports = table(
    "contact_imports",
    *authors(),
    text("status"),
    boolean("unique_primary_phone"),
    id_("upload_id"),
    id_("list_id", null=True),
    text("mapping", null=True),
    text("default_region", null=True),
    text("owner", null=True),
    whole("epoch"),
    whole("expires_at", null=True),
    whole("stalls"),
    whole("count_rows"),
    whole("count_created"),
    whole("count_updated"),
    whole("count_unchanged"),
    whole("count_failed"),
    whole("count_errors"),
    text("error", null=True),
    whole("started_at", null=True),
    whole("completed_at", null=True),
    one_of("status", ImportStatus),
)
sa.Index(
    "contact_imports_open",
    contact_imports.c.account_id,
    contact_imports.c.id,
    sqlite_where=contact_imports.c.completed_at.is_(None),
    postgresql_where=contact_imports.c.completed_at.is_(None),
)

contact_import_errors = table(
    "contact_import_errors",
    id_("import_id"),
    whole("line"),
    text("field", null=True),
    text("value"),
    text("detail"),
    text("fix"),
    sa.Index(None, "account_id", "import_id", "id"),
)
