"""`opengage migrate-data`: everything from one database into another, SQLite to PostgreSQL or back."""

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import rich_click as click

from opengage.assembly.schema import migrate
from opengage.assembly.store import open_store
from opengage.cli import options
from opengage.domain.errors import Invalid
from opengage.operations import backups
from opengage.settings import Settings, SettingsError, load
from opengage.store import revision

_SERVERS = ("postgresql://", "postgres://")
_NAMED = "env:"
_FILE = "sqlite:"


@click.command()
@click.argument("source")
@click.argument("target")
def command(source: str, target: str) -> None:
    """Copy everything from SOURCE into the empty TARGET, and check it. Stop every process of Opengage first.

    Each is sqlite:FOLDER (a data folder), postgresql://…, or env:VARIABLE, an environment variable that holds the
    address: so a password stays out of the command line.
    """
    settings = options.settings_of()
    old, new = (_place(settings, each) for each in (source, target))
    if _same(old, new):
        raise Invalid("Source and target are the same database. Name two.")
    migrate(new)
    counts = options.run(_move(old, new))
    click.echo(f"Moved {counts.get('envelopes', 0)} envelopes and {sum(counts.values())} rows in all; ledgers balance.")
    click.echo("Start Opengage on the new database only: the old one would send what is due a second time.", err=True)


def _place(settings: Settings, address: str) -> Settings:
    """The settings with another database."""
    if address.startswith(_NAMED):
        variable = address.removeprefix(_NAMED)
        found = os.environ.get(variable)
        if not found:
            raise Invalid(f"There is no environment variable {variable}. Set it to the database's address.")
        return _place_of(settings, found)
    if address.startswith(_SERVERS) and urlsplit(address).password:
        raise Invalid(
            "A password on the command line can be read by others. Put the address into an environment variable and "
            "name that, as in env:TARGET_URL; or leave the password to PGPASSWORD or ~/.pgpass."
        )
    return _place_of(settings, address)


def _place_of(settings: Settings, address: str) -> Settings:
    if address.startswith(_FILE):
        return replace(settings, data=Path(address.removeprefix(_FILE)), database_url=None)
    try:
        return replace(settings, database_url=load({}, None, database_url=address).database_url)
    except SettingsError:
        raise Invalid("A database is sqlite:FOLDER, postgresql://USER@HOST:PORT/DATABASE or env:VARIABLE.") from None


def _same(one: Settings, other: Settings) -> bool:
    if one.database_url is None and other.database_url is None:
        return one.data.resolve() == other.data.resolve()
    return one.database_url == other.database_url


async def _move(old: Settings, new: Settings) -> dict[str, int]:
    source = open_store(old)
    target = open_store(new)
    try:
        await revision.require_exactly(source)
        await revision.require_exactly(target)
        return await backups.move(source, target)
    finally:
        await source.close()
        await target.close()
