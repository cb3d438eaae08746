"""The version after this one, made up for the drill: the same code, and a schema with one revision more."""

import re
import shutil
from pathlib import Path
from typing import Final

from source import SRC

_REVISION: Final = '''"""What only the drill's next version has, all beside what is there.

Revises: {before}
"""

import sqlalchemy as sa
from alembic import op

revision = "{after}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table("of_the_next", sa.Column("account_id", sa.BigInteger(), primary_key=True))
    for table in ("engagements", "envelopes", "texts"):
        op.add_column(table, sa.Column("of_the_next", sa.BigInteger(), nullable=True))
    op.create_index("texts_of_the_next", "texts", ["account_id", "of_the_next"])
    op.create_check_constraint("envelopes_of_the_next", "envelopes", "of_the_next IS NULL OR of_the_next >= 0")
'''
_NEEDED: Final = re.compile(r'^(NEEDED: Final = ")(\d+)(")$', re.MULTILINE)


class Release:
    """A tree of sources that can be run, and its schema's revision."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "src"
        shutil.copytree(SRC, self.source)
        known = self.source / "opengage" / "store" / "revision.py"
        code = known.read_text("utf-8")
        found = _NEEDED.search(code)
        assert found, "store/revision.py names no revision"
        self.before = found[2]
        self.revision = f"{int(self.before) + 1:04d}"
        known.write_text(_NEEDED.sub(rf"\g<1>{self.revision}\g<3>", code), "utf-8")
        page = _REVISION.format(before=self.before, after=self.revision)
        versions = self.source / "opengage" / "store" / "migrations" / "versions"
        (versions / f"r{self.revision}_of_the_next.py").write_text(page, "utf-8")
