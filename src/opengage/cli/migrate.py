"""`opengage migrate`: the database's schema as this version needs it."""

from pathlib import Path

import rich_click as click

from opengage.assembly.schema import migrate
from opengage.cli import options


@click.command()
@options.data
def command(data: Path | None) -> None:
    """Bring the database in the data folder to this version's schema. Safe to run again."""
    before, after = migrate(options.settings_of(data=data))
    click.echo(f"The schema is at revision {after}" + ("." if before == after else f" (was: {before or 'empty'})."))
