"""The control port: one line asks, one line answers, and nothing breaks it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from opengage.simulator.control import MAX_LINE, Control
from opengage.simulator.server import Smsc
from simulator.shops import Join, Serve, text_to

Ask = Callable[[Any], Awaitable[dict[str, Any]]]


class Console:
    """A connection to the control port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, line: Any) -> dict[str, Any]:
        """Ask one thing; bytes go as they are."""
        self.writer.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        found: dict[str, Any] = json.loads(await asyncio.wait_for(self.reader.readline(), 10))
        return found


@pytest.fixture
async def smsc(serve: Serve) -> Smsc:
    """A simulator."""
    return await serve()


@pytest.fixture
async def console(smsc: Smsc) -> AsyncIterator[Console]:
    """Its control port."""
    control = Control(smsc.network)
    port = await control.start(0)
    console = Console(*await asyncio.open_connection("127.0.0.1", port))
    yield console
    console.writer.close()
    await control.stop()


async def test_handsets_can_be_looked_at(smsc: Smsc, console: Console, join: Join) -> None:
    """Counts, the handsets that rang, an inbox and its screen."""
    shop, esme = await join(smsc)
    esme.submit(text_to("12025550101", "Hello Ann"), 1)
    await shop.until(lambda: shop.receipts)
    assert (await console.ask({"do": "counts"}))["ok"]["submits"] == 1
    assert await console.ask({"do": "handsets"}) == {"ok": ["+12025550101"]}
    inbox = (await console.ask({"do": "inbox", "number": "+12025550101"}))["ok"]
    assert inbox["texts"][0]["text"] == "Hello Ann"
    assert "Hello Ann" in inbox["screen"]


async def test_a_handset_can_text(smsc: Smsc, console: Console, join: Join) -> None:
    """A text from a handset reaches the system_id that texted from the number, or the one named."""
    shop, esme = await join(smsc)
    asked = {"do": "send", "from": "+12025550101", "to": "+12025550100", "text": "STOP"}
    assert "system_id" in (await console.ask(asked))["error"]
    assert await console.ask({**asked, "system-id": "shop"}) == {"ok": {"parts": 1}}
    await shop.until(lambda: shop.texts == [b"STOP"])
    esme.submit(text_to("12025550101"), 1)
    await shop.until(lambda: shop.receipts)
    assert await console.ask({**asked, "text": "x" * 161}) == {"ok": {"parts": 2}}
    await shop.until(lambda: len(shop.texts) == 3)


async def test_chaos_can_be_changed(smsc: Smsc, console: Console) -> None:
    """A change answers all settings that hold now; without a change it only answers them."""
    changed = (await console.ask({"do": "chaos", "set": {"silent-every": 3}}))["ok"]
    assert changed["silent-every"] == 3
    assert (await console.ask({"do": "chaos"}))["ok"] == changed
    assert smsc.network.chaos.silent_every == 3


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "object"),
        (b'{"do":"reboot"}', "reboot"),
        (b'{"do":"inbox"}', "number"),
        (b'{"do":"counts","extra":1}', "extra"),
        (b'{"do":"chaos","set":{"seed":-1}}', "seed"),
        (b'{"do":"send","from":"1","to":"%s","text":"","system-id":"a"}' % (b"2" * 30), "destination_addr"),
        (b'{"do":"send","from":"1","to":"2","text":"\\ud800","system-id":"a"}', ""),
    ],
)
async def test_what_is_wrong_is_told(console: Console, line: bytes, told: str) -> None:
    """A bad request gets an error that names the fault, and the next one is served."""
    assert told in (await console.ask(line))["error"].lower()
    assert "ok" in await console.ask({"do": "counts"})


async def test_an_endless_line_is_refused(console: Console) -> None:
    """A request over the limit ends the connection with a word."""
    answer = await console.ask(b"x" * (MAX_LINE + 1))
    assert str(MAX_LINE) in answer["error"]
    assert await console.reader.read() == b""
