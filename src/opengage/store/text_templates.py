"""Text templates, and their revisions as the templates that they were: both are addressed in the same way."""

from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.records import TextTemplate
from opengage.store import rows, tables

_REVISIONS: Final = tables.text_template_revisions.c


def _revisions() -> sa.Select[Any]:
    """The same columns, out of the revisions: each is its own newest one."""
    return sa.select(
        _REVISIONS.account_id,
        _REVISIONS.id,
        _REVISIONS.created_at,
        _REVISIONS.updated_at,
        _REVISIONS.created_by,
        _REVISIONS.updated_by,
        _REVISIONS.name,
        _REVISIONS.body,
        _REVISIONS.id.label("revision_id"),
        sa.false().label("is_archived"),
        sa.null().label("deleted_at"),
        sa.null().label("deleted_by"),
        _REVISIONS.text_template_id,
    )


ALL: Final = sa.union_all(sa.select(*rows.columns(TextTemplate)), _revisions()).subquery("all_text_templates")
"""Where they are found by id: looks like the table; revisions have a `text_template_id`, templates have none."""
