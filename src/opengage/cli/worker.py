"""`opengage worker`: the dispatcher by itself."""

import asyncio
import contextlib
from pathlib import Path

import rich_click as click

from opengage import assembly, logs
from opengage.cli import options
from opengage.settings import Settings

log = logs.get(__name__)


@click.command()
@options.data
def command(data: Path | None) -> None:
    """Send what is due: the dispatcher alone. Run as many as you like; each lane has one owner at a time."""
    settings = options.settings_of(data=data)
    assembly.migrate(settings)
    options.until_stopped(lambda stop: work(settings, stop))


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Dispatch until `stop` is set, then end what is in flight."""
    owner, lock = assembly.worker_name(settings)
    with lock or contextlib.nullcontext():
        store = assembly.open_store(settings)
        try:
            log.info("worker started", action="start", owner=owner)
            await assembly.dispatcher(settings, store, owner).run(stop)
        finally:
            await store.close()
