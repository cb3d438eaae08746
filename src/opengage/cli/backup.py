"""`opengage backup`: everything that is kept, in one file, while all goes on."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import rich_click as click

from opengage import __version__
from opengage.assembly.store import open_store
from opengage.cli import options
from opengage.clock import SystemClock
from opengage.domain.errors import Conflict, Unavailable
from opengage.operations import backups
from opengage.settings import Settings
from opengage.store import revision


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@options.data
def command(file: Path, data: Path | None) -> None:
    """Write everything into FILE (- is standard output), as of one moment. Nothing need be stopped for it.

    The file holds secrets, such as carriers' passwords: keep it as you keep the database.
    """
    settings = options.settings_of(data=data)
    with _written(file) as stream:
        counts = options.run(_backup(settings, stream))
    click.echo(f"Backed up {counts.get('envelopes', 0)} envelopes and {sum(counts.values())} rows in all.", err=True)


async def _backup(settings: Settings, stream: IO[bytes]) -> dict[str, int]:
    store = open_store(settings)
    try:
        await revision.require_exactly(store)
        return await backups.backup(store, SystemClock(), revision.NEEDED, __version__, stream)
    finally:
        await store.close()


@contextlib.contextmanager
def _written(file: Path) -> Iterator[IO[bytes]]:
    """A stream into a file that has its name once it is whole and on the disk; one that exists is left alone."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if file.exists():
        raise Conflict(f"{file} exists. Name a new file: a backup is never overwritten.")
    part = file.with_name(f"{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(file)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written ({error.strerror}). Name a file on a disk with room.") from error
    finally:
        part.unlink(missing_ok=True)
