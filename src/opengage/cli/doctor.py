"""`opengage doctor`: what is wrong, and how to mend it."""

import os
import sys
from pathlib import Path
from typing import Final

import msgspec
import rich_click as click

from opengage.assembly.store import open_store
from opengage.assembly.web import free_bytes
from opengage.cli import options
from opengage.clock import SystemClock
from opengage.domain.errors import OpengageError
from opengage.operations import checkup
from opengage.operations.checkup import Finding
from opengage.settings import Settings, SettingsError

_FAILED: Final = 1
_PRIVATE: Final = 0o077


@click.command()
@options.data
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each check, in a list.")
def command(data: Path | None, as_json: bool) -> None:
    """Look for what is wrong: settings, database, schema, disk, permissions, clock, carriers. Changes nothing."""
    findings = _examine(data)
    if as_json:
        click.echo(msgspec.json.encode(findings).decode())
    else:
        click.echo("\n".join(f"{'ok  ' if each.ok else 'FAIL'}  {each.check}: {each.detail}" for each in findings))
    sys.exit(0 if all(each.ok for each in findings) else _FAILED)


def _examine(data: Path | None) -> list[Finding]:
    try:
        settings = options.settings_of(data=data)
    except SettingsError as error:
        return [Finding("settings", False, str(problem)) for problem in error.problems]
    return [Finding("settings", True, "Every setting can be used."), *_folder(settings), *_database(settings)]


def _folder(settings: Settings) -> list[Finding]:
    """The data folder: whose it is, who can read it, and the room on its disk."""
    folder = settings.data
    if not folder.is_dir():
        return [
            Finding("folder", False, f"There is no folder {folder}. Run “opengage migrate”, or name it with --data.")
        ]
    found = []
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        found.append(Finding("folder", False, f"{folder} cannot be written. Run “chown -R” to the user of Opengage."))
    elif folder.stat().st_mode & _PRIVATE:
        found.append(Finding("folder", False, f"Others can read {folder}. Run “chmod 700 {folder}”."))
    else:
        found.append(Finding("folder", True, f"{folder} is yours alone."))
    free = free_bytes(folder)
    if free is not None and free < settings.disk_reserve_bytes:
        detail = f"{free} bytes are left, below OPENGAGE_DISK_RESERVE_BYTES ({settings.disk_reserve_bytes}). Make room."
        return [*found, Finding("disk", False, detail)]
    return [*found, Finding("disk", True, f"{free} bytes are left.")]


def _database(settings: Settings) -> list[Finding]:
    async def examine() -> list[Finding]:
        store = open_store(settings)
        try:
            return await checkup.examine(store, SystemClock())
        finally:
            await store.close()

    try:
        return options.run(examine())
    except OpengageError as error:
        return [Finding("database", False, str(error))]
