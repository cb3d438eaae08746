"""`opengage smsc` as a process: what it prints, and how it ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from opengage.simulator.chaos import HELP, Chaos
from opengage.smpp import pdu
from opengage.smpp.commands import Status
from opengage.smpp.contract import Cause, ConnectionLost, SessionSettings
from opengage.smpp.esme import connect
from simulator.shops import Shop, text_to

PROGRAM = "import sys; from opengage.cli import main; sys.argv.insert(1, 'smsc'); main()"
LIMITS = SessionSettings(window=1000, enquire_interval=None, response_timeout=5.0)

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start the verb with these arguments."""
    made: list[asyncio.subprocess.Process] = []

    async def run(*arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        made.append(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                PROGRAM,
                *arguments,
                stdout=pipe,
                stderr=pipe,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1", "COLUMNS": "200"},
            )
        )
        return made[-1]

    yield run
    for process in made:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def first_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The ports, as the first line of stdout tells them."""
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    return found


async def ended(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """What it printed to the end, on stdout and stderr."""
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return out.decode(), err.decode()


async def answered(shop: Shop) -> None:
    """Wait for some answer."""
    await shop.until(lambda: shop.answers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_the_counts(start: Start, number: int) -> None:
    """It unbinds, prints one JSON object, logs to stderr, and exits with 0."""
    process = await start("--port", "0", "--json")
    ports = await first_line(process)
    assert list(ports) == ["port"]
    shop = Shop()
    esme = await connect(shop, LIMITS, "127.0.0.1", ports["port"], pdu.BindTransceiver(system_id="shop"))
    esme.submit_many([(text_to("12025550101"), 1), (text_to("12025550101"), 2), (text_to("12025550102"), 3)])
    await shop.until(lambda: len(shop.receipts) == 3)
    process.send_signal(number)
    assert (await esme.wait_closed()).cause is Cause.UNBOUND_BY_PEER
    out, err = await ended(process)
    counts = json.loads(out)
    assert (counts["submits"], counts["unique"], counts["duplicates"], counts["receipts"]) == (3, 2, 1, 3)
    assert process.returncode == 0
    assert "smsc.listening" in err


async def test_people_read_words(start: Start) -> None:
    """Without --json the ports are logged and the counts come as lines."""
    process = await start("--port", "0")
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), 20)
    assert b"port=" in line
    process.terminate()
    out, _ = await ended(process)
    assert out.splitlines()[0].split() == ["submits", "0"]


async def test_the_control_port_is_named(start: Start) -> None:
    """With --control 0 the first line has both ports, and chaos flags hold."""
    process = await start("--port", "0", "--control", "0", "--json", "--silent-every", "3", "--reorder")
    ports = await first_line(process)
    reader, writer = await asyncio.open_connection("127.0.0.1", ports["control"])
    writer.write(b'{"do":"chaos"}\n')
    chaos = json.loads(await reader.readline())["ok"]
    assert (chaos["silent-every"], chaos["reorder"], chaos["magic"]) == (3, True, False)
    process.terminate()
    out, _ = await ended(process)
    assert out.count("\n") == 1
    writer.close()


async def test_the_password_is_read_from_its_file(start: Start, tmp_path: Path) -> None:
    """Only who knows the pair may bind."""
    file = tmp_path / "password"
    file.write_text("secret\n", "utf-8")
    process = await start("--port", "0", "--json", "--system-id", "shop", "--password-file", str(file))
    ports = await first_line(process)
    with pytest.raises(ConnectionLost) as caught:
        await connect(Shop(), LIMITS, "127.0.0.1", ports["port"], pdu.BindTransceiver(system_id="shop", password="x"))
    assert caught.value.loss.status == Status.ESME_RINVPASWD
    bind = pdu.BindTransceiver(system_id="shop", password="secret")
    esme = await connect(Shop(), LIMITS, "127.0.0.1", ports["port"], bind)
    esme.unbind()
    await esme.wait_closed()


async def test_a_killed_simulator_still_knows_duplicates(start: Start, tmp_path: Path) -> None:
    """With --seen a text sent before a kill -9 and again after the restart counts as a duplicate."""
    flags = ("--port", "0", "--json", "--seen", str(tmp_path / "seen"))
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = await start(*flags)
        ports = await first_line(process)
        shop = Shop()
        esme = await connect(shop, LIMITS, "127.0.0.1", ports["port"], pdu.BindTransceiver(system_id="shop"))
        esme.submit(text_to("12025550101"), 1)
        await answered(shop)
        process.send_signal(number)
        await esme.wait_closed()
    counts = json.loads((await ended(process))[0])
    assert (counts["submits"], counts["unique"], counts["duplicates"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--system-id", "shop"], "--password-file"),
        (["--undelivered-percent", "101"], "undelivered-percent"),
        (["--ids", "octal"], "octal"),
        (["--port", "70000"], "70000"),
    ],
)
async def test_wrong_flags_are_told(start: Start, arguments: list[str], told: str) -> None:
    """A usage error exits with 2 before anything listens, naming the flag."""
    process = await start(*arguments)
    out, err = await ended(process)
    assert process.returncode == 2
    assert told in err
    assert out == ""


async def test_a_taken_port_is_told(start: Start) -> None:
    """Two simulators cannot share a port: the second says so and exits with 3, as every verb."""
    first = await start("--port", "0", "--json")
    port = (await first_line(first))["port"]
    second = await start("--port", str(port), "--json")
    out, err = await ended(second)
    assert second.returncode == 3
    assert f"port {port}" in err
    assert "--port" in err
    assert "Traceback" not in err
    assert out == ""


def test_every_setting_has_a_flag_and_a_place_in_the_reference() -> None:
    """The reference lists each chaos setting with its default and its meaning."""
    text = (Path(__file__).parents[2] / "docs/reference/simulator.md").read_text("utf-8")
    chaos = Chaos()
    for name, meaning in HELP.items():
        default = getattr(chaos, name.replace("-", "_"))
        shown = "off" if default is False else default
        assert f"| `--{name}` | {shown} | {meaning} |" in text
