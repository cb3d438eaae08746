"""`opengage worker`: the dispatcher by itself."""

import asyncio
import contextlib
from pathlib import Path

import rich_click as click

from opengage import logs
from opengage.assembly.store import open_store
from opengage.assembly.worker import dispatcher, importer, worker_name
from opengage.cli import options
from opengage.settings import Settings
from opengage.store import revision

log = logs.get(__name__)


@click.command()
@options.data
def command(data: Path | None) -> None:
    """Send what is due: the dispatcher alone. Run as many as you like; each lane has one owner at a time."""
    settings = options.settings_of(data=data)
    options.until_stopped(lambda stop: work(settings, stop))


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Dispatch until `stop` is set, then end what is in flight."""
    owner, lock = worker_name(settings)
    with lock or contextlib.nullcontext():
        store = open_store(settings)
        try:
            await revision.require(store)
            log.info("worker started", action="start", owner=owner)
            importing = asyncio.create_task(importer(settings, store, owner).run())
            try:
                await dispatcher(settings, store, owner).run(stop)
            finally:
                importing.cancel()
                await asyncio.gather(importing, return_exceptions=True)
        finally:
            await store.close()
