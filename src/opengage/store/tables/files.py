"""What came as bytes: uploads, files, and what files are attached to. The bytes themselves lie in `store.blobs`."""

import sqlalchemy as sa

from opengage.store.tables.columns import account, authors, id_, metadata, table, text, whole

uploads = table(
    "uploads",
    *authors(),
    text("name"),
    text("content_type"),
    text("key"),
    whole("expires_at"),
    text("blob", null=True),
    whole("size_in_bytes", null=True),
    whole("width", null=True),
    whole("height", null=True),
    whole("used_at", null=True),
    id_("file_id", null=True),
    sa.UniqueConstraint("account_id", "key"),
)
sa.Index(
    "uploads_unused",
    uploads.c.account_id,
    uploads.c.expires_at,
    sqlite_where=uploads.c.used_at.is_(None),
    postgresql_where=uploads.c.used_at.is_(None),
)

files = table(
    "files",
    *authors(),
    text("name"),
    text("content_type"),
    text("blob"),
    text("token"),
    whole("size_in_bytes"),
    whole("width", null=True),
    whole("height", null=True),
    sa.UniqueConstraint("account_id", "token"),
)

text_template_files = sa.Table(
    "text_template_files",
    metadata,
    account(),
    id_("text_template_id", key=True),
    id_("file_id", key=True),
    sqlite_with_rowid=False,
)
"""The files of a text template, in the order of their ids."""

text_message_files = sa.Table(
    "text_message_files",
    metadata,
    account(),
    id_("text_message_id", key=True),
    id_("file_id", key=True),
    sqlite_with_rowid=False,
)
"""The files of a text message, in the order of their ids."""

account_keys = sa.Table(
    "account_keys",
    metadata,
    account(),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Random keys that only this installation knows, such as the one that signs upload forms; and rows to wait at."""
