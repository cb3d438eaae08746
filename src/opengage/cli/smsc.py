"""`opengage smsc`: the SMSC simulator alone, until SIGTERM.

Its flags for chaos are the fields of `simulator.chaos.Chaos`, so that flag, control port and reference cannot part.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import rich_click as click
import uvloop

from opengage import logs
from opengage.clock import SystemClock
from opengage.domain.errors import Unavailable
from opengage.simulator.chaos import HELP, Chaos, InvalidChaos, changed
from opengage.simulator.control import Control
from opengage.simulator.counts import Seen
from opengage.simulator.network import Access, Limits
from opengage.simulator.server import SESSION, Smsc, SmscSettings

_PORT = click.IntRange(0, 65_535)


def _chaos_options() -> list[click.Option]:
    """One flag per chaos setting."""
    hints = get_type_hints(Chaos)
    return [
        _chaos_option(field.encode_name, hints[field.name], field.default) for field in msgspec.structs.fields(Chaos)
    ]


def _chaos_option(name: str, kind: Any, default: Any) -> click.Option:
    options: dict[str, Any] = {"help": HELP[name], "default": default, "show_default": True}
    if kind is bool:
        options["is_flag"] = True
    else:
        options["type"] = click.Choice(get_args(kind)) if get_origin(kind) is Literal else kind
    return click.Option([f"--{name}"], **options)


_OPTIONS = [
    click.Option(["--host"], default="127.0.0.1", show_default=True, help="address to listen on"),
    click.Option(["--port"], default=2775, show_default=True, type=_PORT, help="port to listen on; 0 takes a free one"),
    click.Option(["--system-id"], help="the only system_id that may bind; without it everybody may"),
    click.Option(
        ["--password-file"],
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="file with the password that goes with --system-id",
    ),
    click.Option(
        ["--window"],
        default=SESSION.window,
        show_default=True,
        type=click.IntRange(1, 100_000),
        help="deliveries that a link may leave unanswered",
    ),
    click.Option(
        ["--response-timeout"],
        default=SESSION.response_timeout,
        show_default=True,
        type=click.FloatRange(0.1, 3_600),
        help="seconds after which an unanswered delivery is sent again",
    ),
    click.Option(
        ["--max-pending"],
        default=Limits().max_pending,
        show_default=True,
        type=click.IntRange(1, 100_000_000),
        help="receipts of one system_id that may wait; above it submits get ESME_RMSGQFUL",
    ),
    click.Option(["--control"], type=_PORT, help="loopback port for control and inspection; 0 takes a free one"),
    click.Option(
        ["--seen"],
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        help="file that remembers the texts taken, so that a restarted simulator still knows duplicates",
    ),
    click.Option(["--json"], is_flag=True, help="print the counts as one JSON object"),
    click.Option(
        ["--log-level"],
        default="info",
        type=click.Choice(["debug", "info", "warning", "error"]),
        show_default=True,
        help="the least severe log lines that are written",
    ),
    click.Option(
        ["--log-format"],
        default="console",
        type=click.Choice(["console", "json"]),
        show_default=True,
        help="lines for people, or one JSON object a line",
    ),
    *_chaos_options(),
]


def run(**flags: Any) -> None:
    """Check the flags, then serve until SIGTERM or SIGINT."""
    logs.configure(flags["log_level"], flags["log_format"])
    settings = _settings(flags)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            counts = runner.run(_serve(settings, _seen(flags["seen"]), flags["control"], announce=flags["json"]))
    except OSError as error:
        where = error.filename or f"{settings.host} port {settings.port}"
        why = os.strerror(error.errno) if error.errno else error
        raise Unavailable(
            f"The simulator cannot use {where} ({why}). Stop what uses it, or choose another with "
            "--port, --control or --seen."
        ) from error
    click.echo(json.dumps(counts) if flags["json"] else _for_people(counts))


def _settings(flags: dict[str, Any]) -> SmscSettings:
    """Raises UsageError for flags that contradict each other or are out of bounds."""
    names = {field.encode_name: field.name for field in msgspec.structs.fields(Chaos)}
    try:
        chaos = changed(Chaos(), {wire: flags[name] for wire, name in names.items()})
    except InvalidChaos as error:
        raise click.UsageError(str(error)) from None
    session = msgspec.structs.replace(SESSION, window=flags["window"], response_timeout=flags["response_timeout"])
    limits = Limits(max_pending=flags["max_pending"])
    access = _access(flags["system_id"], flags["password_file"])
    return SmscSettings(
        host=flags["host"], port=flags["port"], access=access, limits=limits, session=session, chaos=chaos
    )


def _access(system_id: str | None, file: Path | None) -> Access:
    """A password comes from a file, so that no list of processes shows it."""
    if (system_id is None) is not (file is None):
        raise click.UsageError("--system-id and --password-file go together")
    return Access(system_id, file.read_text("utf-8").strip() if file else "")


def _seen(path: Path | None) -> Seen:
    if path is None:
        return Seen()
    path.touch(mode=0o600)
    return Seen(file=path.open("r+b", buffering=0))


async def _serve(settings: SmscSettings, seen: Seen, control_port: int | None, *, announce: bool) -> dict[str, Any]:
    """Run to the signal; returns the counts."""
    smsc = Smsc(settings, SystemClock(), seen)
    control = Control(smsc.network)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    gc.freeze()  # what is loaded now stays: no collection needs to look at it again
    ports = {"port": await smsc.start()}
    if control_port is not None:
        ports["control"] = await control.start(control_port)
    if announce and 0 in (settings.port, control_port):
        sys.stdout.write(json.dumps(ports) + "\n")
        sys.stdout.flush()
    await ended.wait()
    await control.stop()
    await smsc.stop()
    return smsc.report()


def _for_people(counts: dict[str, Any]) -> str:
    """One line per count."""
    rows = []
    for name, value in counts.items():
        shown = ", ".join(f"{key} {number}" for key, number in value.items()) if isinstance(value, dict) else value
        rows.append(f"{name:<14} {shown}")
    return "\n".join(rows)


command = click.RichCommand(
    name="smsc",
    callback=run,
    params=list(_OPTIONS),
    help="Run the SMSC simulator alone: a network of fake handsets behind an SMPP 3.4 port.\n\n"
    "On SIGTERM or SIGINT it unbinds its links and prints what it counted. With --json that is the one object on "
    "stdout; when a port is 0, a first line names the ports.",
)
