"""`opengage worker`: the dispatcher by itself."""

import asyncio
import contextlib
from pathlib import Path

import rich_click as click

from opengage import logs
from opengage.assembly.secrets import sealer
from opengage.assembly.store import open_store
from opengage.assembly.webhooks import deliver
from opengage.assembly.worker import dispatcher, eraser, importer, purger, worker_name
from opengage.cli import options
from opengage.operations.sealed_secrets import seal_stored
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
            seals = sealer(settings)
            await seal_stored(store, seals)
            beside = [
                asyncio.create_task(each.run())
                for each in (importer(settings, store, owner), purger(settings, store), eraser(settings, store))
            ]
            try:
                # whichever fails ends the process, which is started anew
                await asyncio.gather(
                    dispatcher(settings, store, seals, owner).run(stop), deliver(settings, store, seals, stop)
                )
            finally:
                for each in beside:
                    each.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
        finally:
            await store.close()
