"""Foreign clients on our simulator: PyPI smpplib and npm smpp."""

import asyncio
import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from opengage.simulator.network import Access
from opengage.simulator.server import Smsc
from simulator.shops import Serve

# Imported by name: the package has no type hints.
client: Any = importlib.import_module("smpplib.client")
consts: Any = importlib.import_module("smpplib.consts")
exceptions: Any = importlib.import_module("smpplib.exceptions")
gsm: Any = importlib.import_module("smpplib.gsm")

PEERS = Path(__file__).parent.parent / "peers"


class Plib:
    """A session of smpplib's blocking client, run in a thread."""

    def __init__(self, port: int) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.deliveries: list[Any] = []
        self._client = client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
        self._client.set_message_sent_handler(lambda pdu: self.answers.append((pdu.status, pdu.message_id)))
        self._client.set_message_received_handler(self._received)

    def _received(self, pdu: Any) -> int:
        self.deliveries.append(pdu)
        return 0

    def text(self, words: str, password: str = "secret", number: str = "12025550101") -> int:
        """Bind, send a text in as many parts as it takes, wait for every answer and receipt, unbind."""
        self._client.connect()
        try:
            self._client.bind_transceiver(system_id="shop", password=password)
            parts, coding, esm_class = gsm.make_parts(words)
            for part in parts:
                self._client.send_message(
                    source_addr_ton=1,
                    source_addr="12025550100",
                    dest_addr_ton=1,
                    destination_addr=number,
                    short_message=part,
                    data_coding=coding,
                    esm_class=esm_class,
                    registered_delivery=True,
                )
            while len(self.answers) < len(parts) or len(self.deliveries) < len(parts):
                self._client.read_once()
            self._client.unbind()
        finally:
            self._client.disconnect()
        return len(parts)


@pytest.mark.parametrize("words", ["Hello {you} €", "Привет 😀", "Lorem ipsum " * 30, "жук " * 60])
async def test_smpplib_texts_a_handset(serve: Serve, words: str) -> None:
    """It binds, submits, gets answers and receipts; the handset rings once, however many parts there were."""
    smsc = await serve()
    peer = Plib(smsc.port)
    parts = await asyncio.to_thread(peer.text, words)
    (found,) = smsc.network.wall.inbox("+12025550101")
    assert (found.text, found.segments) == (words, parts)
    assert [status for status, _ in peer.answers] == [0] * parts
    named = {one.receipted_message_id.rstrip(b"\0") for one in peer.deliveries}
    assert named == {message_id.rstrip(b"\0") for _, message_id in peer.answers}
    assert b"stat:DELIVRD" in peer.deliveries[0].short_message
    assert _ended(smsc, parts)


def _ended(smsc: Smsc, texts: int) -> bool:
    report = smsc.report()
    return (report["unique"], report["receipts"], report["rung"]) == (texts, texts, 1)


async def test_smpplib_is_refused(serve: Serve) -> None:
    """A wrong password is told to a foreign client in its own words."""
    smsc = await serve(access=Access("shop", "other"))
    with pytest.raises(exceptions.PDUError) as caught:
        await asyncio.to_thread(Plib(smsc.port).text, "Hello")
    assert caught.value.args[1] == consts.SMPP_ESME_RINVPASWD


@pytest.mark.skipif(
    shutil.which("node") is None or not (PEERS / "node_modules").is_dir(), reason="run npm ci in tests/peers"
)
async def test_npm_smpp_texts_handsets(serve: Serve) -> None:
    """The npm client binds, texts, acknowledges receipts, and is told that the link lives."""
    smsc = await serve(access=Access("shop", "secret"))
    node = await asyncio.create_subprocess_exec(
        "node", str(PEERS / "esme.js"), str(smsc.port), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(node.communicate(), 30)
    seen = [json.loads(line) for line in out.splitlines()]
    assert seen[0] == {"bound": 0, "system_id": "opengage", "version": 0x34}
    assert [one["answered"] for one in seen if "answered" in one] == [0, 0, 0]
    delivered = [one for one in seen if "delivery" in one]
    assert {one["id"] for one in delivered} <= {one["id"] for one in seen if "answered" in one}
    assert {one["state"] for one in delivered} == {2}
    # Its script unbinds once per receipt, so that the link may be gone before it reads the first unbind_resp.
    assert {"alive": 0} in seen
    assert smsc.report()["binds"] == {"ESME_ROK": 1}
    # That package names its GSM septets data_coding 1 (IA5), so the brackets of the first text read otherwise.
    texts = [one.text for one in smsc.network.wall.inbox("12025550199")]
    assert texts[1:] == ["Привет 😀", "x" * 160]
