"""`opengage web`: the API by itself."""

import asyncio
import errno
from pathlib import Path
from typing import Final

import rich_click as click
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

from opengage import logs
from opengage.assembly.store import open_store
from opengage.assembly.web import web_app
from opengage.cli import options
from opengage.settings import Settings
from opengage.store import revision

log = logs.get(__name__)

_WAIT_FOR_PORT: Final = 10.0
"""Seconds that a predecessor which is just stopping may hold the port."""

_LAST_WORDS: Final = 2.0
"""Seconds in which those that are cut off may read why."""

_BACKLOG: Final = 1024
_MOST_CONNECTIONS: Final = 8192
"""Connections served at once. The web server's own bound, 128, would let as many idle or slow clients shut out all."""


@click.command()
@options.data
@options.host
@options.port
def command(data: Path | None, host: str | None, port: int | None) -> None:
    """Answer requests: the API alone. It keeps nothing; run as many as you like."""
    settings = options.settings_of(data=data, host=host, port=port)
    options.until_stopped(lambda stop: serve(settings, stop))


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Answer requests until `stop` is set; those under way are finished, or cut off after a stop's time-out.

    Raises Unavailable when the port is taken.
    """
    await _free_port(settings.host, settings.port)
    store = open_store(settings)
    await revision.require(store)
    app = web_app(settings, store, stop)
    web = server(app, settings.host, settings.port, settings.log_format)
    serving = asyncio.create_task(web.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        log.info("API listening", action="start", url=f"{settings.public_url}/api/v1")
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            # /readyz is red from here on: whoever shares out requests has time to hear of it
            await asyncio.wait((serving,), timeout=settings.drain_seconds)
        web.stop()  # type: ignore[no-untyped-call]
        # no connection is accepted any more, and each ends with the answer that it is owed
        await asyncio.wait((serving,), timeout=settings.stop_timeout_seconds)
        if not serving.done():
            log.warning("requests take too long and are cut off", action="stop", requests=app.state.in_flight.cut())
            await asyncio.wait((serving,), timeout=_LAST_WORDS)
    finally:
        stopping.cancel()
        await store.close()


def server(app: Litestar, host: str, port: int, log_format: str) -> Server:
    """The web server around an application."""
    return Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,  # the application has nothing to start or to end
        websockets=False,
        backlog=_BACKLOG,
        backpressure=_MOST_CONNECTIONS,
        log_dictconfig=logs.stdlib_config("warning", log_format),
    )


async def _free_port(host: str, port: int) -> None:
    """Wait until the port can be bound: the server itself would only say so in a log line."""
    deadline = asyncio.get_running_loop().time() + _WAIT_FOR_PORT
    while error := options.refused_port(host, port):
        if error.errno != errno.EADDRINUSE or asyncio.get_running_loop().time() > deadline:
            raise options.cannot_listen(host, port, error) from error
        await asyncio.sleep(0.1)
