"""What verbs share: the settings from flags over the environment, logs, and running until told to stop."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
import uvloop

from opengage import logs
from opengage.domain.errors import Unavailable
from opengage.settings import Settings, load

T = TypeVar("T")

data = click.option("--data", type=click.Path(path_type=Path), help="The folder that holds everything.")
host = click.option("--host", help="The address to listen on.")
port = click.option("--port", type=int, help="The port to listen on.")


def settings_of(**flags: object) -> Settings:
    """The settings, with these flags over them; logs are set up by them. Raises SettingsError."""
    settings = load(os.environ, None, **flags)
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    return settings


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop."""
    return uvloop.run(main)


def until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that is handed an event; SIGTERM and SIGINT set it."""

    async def with_signals() -> T:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await main(stop)

    return uvloop.run(with_signals())


def refused_port(host: str, port: int) -> OSError | None:
    """Why nothing can listen there, or None."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def cannot_listen(host: str, port: int, why: OSError) -> Unavailable:
    """The refusal for an address that cannot be had."""
    return Unavailable(
        f"Cannot listen on {host}:{port} ({why.strerror}). Stop what uses it, or choose another address with --host "
        "and --port."
    )


def free_port() -> int:
    """A loopback port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
