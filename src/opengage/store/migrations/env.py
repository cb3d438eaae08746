"""Alembic's entry: runs the revisions on the connection that `migrations.upgrade` hands over, or writes them down."""

from alembic import context

from opengage.store.tables import metadata

if context.is_offline_mode():
    # the script is run within a transaction of whoever asked for it
    context.configure(
        dialect_name=context.config.attributes["dialect"], target_metadata=metadata, transactional_ddl=False
    )
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
context.run_migrations()
