"""`opengage serve`: everything on one machine, as supervised child processes over one SQLite file.

The children end with this process, whatever ends it, and one that dies is started again: each is safe to kill at any
moment, because nothing is acknowledged before it is stored.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import rich_click as click

from opengage import logs
from opengage.cli import CANNOT_START, options
from opengage.settings import PREFIX, Settings, to_environment

log = logs.get(__name__)

_LOOK: Final = 0.1
_GREETING: Final = """Opengage answers at {url}/api/v1 (stop it with Ctrl-C). Try: curl {url}/readyz\n"""

_PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a child that died is started again: longer each time it dies soon."""

_LIVED_WELL: Final = 10.0
"""Seconds after which a death is no longer "soon"."""


@click.command()
@options.data
@options.host
@options.port
@click.option("--smsc-control", type=int, help="A loopback port at which the simulator's handsets can be asked.")
def command(data: Path | None, host: str | None, port: int | None, smsc_control: int | None) -> None:
    """Run everything on one machine: the API, the dispatcher and the SMSC simulator."""
    settings = options.settings_of(data=data, host=host, port=port)
    # at once, though `web` would find out too: it waits for a predecessor that might just be stopping
    if error := options.refused_port(settings.host, settings.port):
        raise options.cannot_listen(settings.host, settings.port, error)
    sys.exit(options.until_stopped(lambda stop: supervise(settings, stop, smsc_control)))


async def supervise(settings: Settings, stop: asyncio.Event, smsc_control: int | None = None) -> int:
    """Run the children until `stop` is set or one of them cannot start; the exit code."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= to_environment(settings)
    # in a process of its own, so that this one stays small
    if code := await Child("migrate", environment).run():
        return code
    simulator: list[Child] = []
    if settings.sandbox_smsc is None:
        smsc_port = options.free_port()  # the same one when it is started again
        environment[f"{PREFIX}SANDBOX_SMSC"] = f"smpp://sandbox:sandbox@127.0.0.1:{smsc_port}"
        flags = ["--port", str(smsc_port), "--log-level", settings.log_level, "--log-format", settings.log_format]
        flags += ["--control", str(smsc_control)] if smsc_control is not None else []
        simulator = [Child("smsc", environment, *flags)]
    children = [*simulator, Child("worker", environment), Child("web", environment)]
    tasks = [asyncio.create_task(child.keep_alive()) for child in children]
    stopping = asyncio.create_task(stop.wait())
    greeting = asyncio.create_task(_greet(settings))
    await asyncio.wait((stopping, *tasks), return_when=asyncio.FIRST_COMPLETED)
    greeting.cancel()
    failed = any(task.done() for task in tasks)
    # those who send go first, so that the simulator answers until they are done
    for group in ([child for child in children if child not in simulator], simulator):
        await asyncio.gather(*(child.stop(settings.stop_timeout_seconds + 5) for child in group))
    await asyncio.gather(*tasks, return_exceptions=True)
    stopping.cancel()
    return CANNOT_START if failed and not stop.is_set() else 0


async def _greet(settings: Settings) -> None:
    """Once the API answers, say where: to people at a terminal in a line of their own, to machines in the log."""
    while not await _is_ready(settings.host, settings.port):  # noqa: ASYNC110 - another process has no event
        await asyncio.sleep(_LOOK)
    log.info("API ready", action="ready", url=f"{settings.public_url}/api/v1")
    if sys.stderr.isatty():
        sys.stderr.write(_GREETING.format(url=settings.public_url))
        sys.stderr.flush()


async def _is_ready(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
        finally:
            writer.close()
    except OSError:
        return False


class Child:
    """One verb in a process of its own, kept alive."""

    def __init__(self, verb: str, environment: dict[str, str], *arguments: str) -> None:
        self._verb = verb
        self._environment = environment
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def keep_alive(self) -> None:
        """Start the process, and again whenever it dies, until stopped; returns when it cannot be started."""
        deaths = 0
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            code = await self.run()
            if self._stopping.is_set() or code == CANNOT_START:
                return
            deaths = 0 if asyncio.get_running_loop().time() - started > _LIVED_WELL else deaths + 1
            pause = _PAUSES[min(deaths, len(_PAUSES) - 1)]
            log.error("a process died and is started again", action="restart", verb=self._verb, code=code, pause=pause)
            await self._pause(pause)

    async def run(self) -> int:
        """Run the process once; its exit code."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "opengage",
            "--with-parent",
            self._verb,
            *self._arguments,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C reaches this process, which stops them in order
        )
        if self._stopping.is_set():  # asked to stop while it was being started
            self._process.terminate()
        return await self._process.wait()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def stop(self, within: float) -> None:
        """Ask the process to stop, and end it if it has not after `within` seconds."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            log.error("a process did not stop in time", action="stop", verb=self._verb)
            process.kill()
