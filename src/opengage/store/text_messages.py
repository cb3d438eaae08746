"""Text messages: those written by themselves, and those that a blast's texts carry under their own id."""

from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.records import TextMessage
from opengage.store import rows, tables

_TEXTS: Final = tables.texts.c


def _own() -> sa.Select[Any]:
    return sa.select(*rows.columns(TextMessage))


def _carried() -> sa.Select[Any]:
    """The same columns, out of the texts that have no message of their own."""
    return sa.select(
        _TEXTS.account_id,
        _TEXTS.id,
        _TEXTS.created_at,
        _TEXTS.created_at.label("updated_at"),
        _TEXTS.created_by,
        _TEXTS.updated_by,
        _TEXTS.body,
        sa.cast(sa.false(), sa.Boolean).label("is_draft"),
        sa.cast(sa.literal_column("'{}'"), sa.Text).label("meta"),
        sa.cast(sa.null(), sa.LargeBinary).label("text_template_id"),
        _TEXTS.envelope_id,
    ).where(_TEXTS.text_message_id.is_(None))


ALL: Final = sa.union_all(_own(), _carried()).subquery("all_text_messages")
"""What `lists` reads: looks like the table, and both databases walk each half by account and id.

For that SQLite wants every column to have the same type in both halves: hence the casts."""
