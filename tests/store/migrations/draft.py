"""Drafts the revision of the coming release: all that `store.tables` declares and the last released schema lacks.

`make revision` runs it. There is one revision for each release, drafted anew until the release is out; never change one
that is. Read the draft: a renamed column is drafted as one that goes and one that comes.
"""

import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext

from opengage.store import migrations
from opengage.store.tables import metadata
from opengage.store.tables.columns import SETTINGS

VERSIONS = Path(migrations.__file__).parent / "versions"
PAGE = '''"""{title}

Revises: {before}
"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    {body}
'''
_ZERO = {sa.Boolean: "false", sa.Text: "''", sa.LargeBinary: "''"}
"""What a new column without a default holds in rows that are there already; everything else: 0."""


def main(revision: str, title: str) -> None:
    """Write `r{revision}_*.py`, in place of an earlier draft."""
    for draft in VERSIONS.glob(f"r{revision}_*.py"):
        draft.unlink()
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        before = migrations.current(connection)
        context = MigrationContext.configure(connection, opts={"render_as_batch": True, "target_metadata": metadata})
        script = produce_migrations(context, metadata)
        assert script.upgrade_ops is not None
        lines = _additions(script.upgrade_ops) + _checks(connection) + _storage(connection)
        body = render_python_code(script.upgrade_ops, render_as_batch=True, migration_context=context)
    path = VERSIONS / f"r{revision}_{title.lower().replace(' ', '_')}.py"
    body = "\n    ".join([body.strip(), *lines])
    path.write_text(PAGE.format(title=title, before=before, revision=revision, body=body))


def _additions(upgrade: ops.UpgradeOps) -> list[str]:
    """New columns that must hold something get a default for the rows that are there, and lose it again."""
    lines = []
    for table in (each for each in upgrade.ops if isinstance(each, ops.ModifyTableOps)):
        for each in table.ops:
            if isinstance(each, ops.AddColumnOp) and not each.column.nullable and each.column.server_default is None:
                zero = next((text for kind, text in _ZERO.items() if isinstance(each.column.type, kind)), "0")
                each.column.server_default = sa.DefaultClause(sa.text(zero))
                lines += [
                    f"with op.batch_alter_table({table.table_name!r}) as batch_op:",
                    f"    batch_op.alter_column({each.column.name!r}, server_default=None)",
                ]
    return lines


def _checks(connection: sa.Connection) -> list[str]:
    """Lists of values that have grown: Alembic does not compare CHECKs."""
    lines, there = [], sa.inspect(connection)
    for table in metadata.sorted_tables:
        if not there.has_table(table.name):
            continue
        old = {check["name"]: check["sqltext"] for check in there.get_check_constraints(table.name)}
        for check in table.constraints:
            if isinstance(check, sa.CheckConstraint) and old.get(f"{check.name}") != str(check.sqltext):
                lines.append(f"with op.batch_alter_table({table.name!r}) as batch_op:")
                if check.name in old:
                    lines.append(f"    batch_op.drop_constraint(op.f({str(check.name)!r}), type_='check')")
                lines.append(f"    batch_op.create_check_constraint(op.f({str(check.name)!r}), {str(check.sqltext)!r})")
    return lines


def _storage(connection: sa.Connection) -> list[str]:
    """How PostgreSQL keeps tables that were there before, and their indexes: of that SQLite, where the draft is made,
    knows nothing.

    Each release says it again, which costs nothing.
    """
    there = sa.inspect(connection)
    lines = []
    for table in metadata.sorted_tables:
        options = table.dialect_options["postgresql"]["with"]
        if options and there.has_table(table.name):
            told = ", ".join(f"{name} = {value}" for name, value in options.items())
            lines.append(f"    op.execute({f'ALTER TABLE {table.name} SET ({told})'!r})")
        lines += [f"    op.execute({statement!r})" for statement in table.info.get(SETTINGS, ())]
    return ["if op.get_context().dialect.name == 'postgresql':", *lines] if lines else []


if __name__ == "__main__":
    main(*sys.argv[1:])
