"""`opengage restore`: a backup into an empty database, and nothing of it sent again."""

import json
import sys
from pathlib import Path

import msgspec
import rich_click as click

from opengage.assembly.schema import migrate
from opengage.assembly.store import open_store
from opengage.cli import options
from opengage.clock import SystemClock
from opengage.domain.errors import Unavailable
from opengage.ids import new_id
from opengage.operations import backups
from opengage.settings import Settings
from opengage.store import dump_format, revision

_TOLD = """Restored {rows} rows. What may have left since the backup is not sent again:
  {in_doubt} texts are in doubt, {paused} engagements are paused, {unscheduled} are drafts again\
{policies}
docs/explanation/backup-and-restore.md tells how to go on."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@options.data
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: Path, data: Path | None, as_json: bool) -> None:
    """Restore FILE (- is standard input) into an empty database: a new data folder, or that of the settings.

    Whatever may have left since the backup is in doubt or paused afterwards; nothing is sent again by itself.
    """
    settings = options.settings_of(data=data)
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            reader = dump_format.Reader(stream)
            _require_known(reader.header.revision)
            migrate(settings, reader.header.revision)
            counts = options.run(_fill(settings, reader))
    except OSError as error:
        raise Unavailable(f"{file} cannot be read ({error.strerror}). Name a backup.") from error
    migrate(settings)
    restored = options.run(_make_safe(settings, counts))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(restored)))
        return
    policies = f", {restored.policies} service profiles no longer resend by themselves." if restored.policies else "."
    click.echo(
        _TOLD.format(
            rows=sum(restored.counts.values()),
            in_doubt=restored.in_doubt,
            paused=restored.paused,
            unscheduled=restored.unscheduled,
            policies=policies,
        )
    )


def _require_known(found: str) -> None:
    """Raise Unavailable for a backup of a later version's schema."""
    if found > revision.NEEDED:
        raise Unavailable(
            f"The backup's schema is at revision {found}, and this version of Opengage knows {revision.NEEDED}. "
            "Restore it with the version that made it, or with a newer one."
        )


async def _fill(settings: Settings, reader: dump_format.Reader) -> dict[str, int]:
    store = open_store(settings)
    try:
        return await backups.fill(store, reader)
    finally:
        await store.close()


async def _make_safe(settings: Settings, counts: dict[str, int]) -> backups.Restored:
    store = open_store(settings)
    try:
        return await backups.make_safe(store, SystemClock(), new_id, counts)
    finally:
        await store.close()
