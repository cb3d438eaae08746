"""Foreign implementations as oracles: PyPI smpplib and npm smpp must read what we write, and we what they write."""

import asyncio
import json
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import smpplib.client
import smpplib.gsm
import smpplib.smpp

from opengage.smpp import codec, coding, concatenation, hot, pdu, receipt, tlv
from opengage.smpp.commands import Status
from opengage.smpp.contract import Cause, ConnectionLost
from opengage.smpp.esme import connect

PEERS = Path(__file__).parent.parent / "peers"
BIND = pdu.BindTransceiver(system_id="shop", password="secret")


class Sequence:
    """What smpplib asks its client for when it builds a PDU."""

    def __init__(self, number: int) -> None:
        self.sequence = number

    def next_sequence(self) -> int:
        """The next number."""
        self.sequence += 1
        return self.sequence


def theirs(data: bytes) -> Any:
    """smpplib's reading of one PDU."""
    return smpplib.smpp.parse_pdu(data, client=Sequence(0), allow_unknown_opt_params=True)


OURS_TO_THEIRS = [
    pdu.BindTransceiver(5, "shop", "secret", "type", 0x34, 1, 1, "1202"),
    pdu.BindTransmitter(5, "shop", "secret"),
    pdu.BindReceiver(5, "shop", "secret"),
    pdu.BindTransceiverResp(5, 0, "smsc"),
    pdu.SubmitSm(
        5, "CMT", 5, 0, "Opengage", 1, 1, "12025550199", 0x40, 1, 2, "", "000000010000000R", 1, 0, 8, 0, b"\x04\x10"
    ),
    pdu.SubmitSm(5, source_addr="1", destination_addr="2", short_message=b"x" * 254),
    pdu.SubmitSmResp(5, 0, "7EF"),
    pdu.SubmitSmResp(5, Status.ESME_RTHROTTLED),
    pdu.DeliverSm(5, "", 1, 1, "12025550199", 1, 1, "12025550100", 4, short_message=b"id:7EF stat:DELIVRD"),
    pdu.DeliverSmResp(5),
    pdu.QuerySm(5, "7EF", 1, 1, "12025550100"),
    pdu.QuerySmResp(5, 0, "7EF", "", 2, 0),
    pdu.EnquireLink(5),
    pdu.EnquireLinkResp(5),
    pdu.Unbind(5),
    pdu.UnbindResp(5),
    pdu.GenericNack(5, Status.ESME_RINVCMDID),
    pdu.DataSmResp(5, 0, "7EF"),
]


@pytest.mark.parametrize("record", OURS_TO_THEIRS, ids=lambda record: type(record).__name__)
def test_smpplib_reads_what_we_write(record: pdu.Pdu) -> None:
    """Every field that both sides name has the same value in smpplib's reading of our bytes."""
    found = theirs(codec.encode(record))
    assert found.sequence == record.sequence
    assert found.command == record.command.name.lower()
    compared = 0
    for name in record.__struct_fields__:
        if name in found.params or name == "status":
            expected = getattr(record, name)
            given = getattr(found, name)
            given = given.decode("latin-1") if isinstance(given, bytes) and isinstance(expected, str) else given
            assert (given or type(expected)()) == expected, name
            compared += 1
    assert compared >= len(record.__struct_fields__) - 2


def test_smpplib_reads_our_parameters() -> None:
    """The optional parameters of a receipt mean the same to smpplib."""
    found = theirs(codec.encode(pdu.DeliverSm(5, esm_class=4, tlvs=receipt.build_tlvs("7EF", receipt.State.UNDELIV))))
    assert found.receipted_message_id == b"7EF"
    assert found.message_state == 5


THEIRS_TO_OURS: list[tuple[str, dict[str, Any], pdu.Pdu]] = [
    (
        "bind_transceiver",
        {"system_id": "shop", "password": "secret", "interface_version": 0x34},
        pdu.BindTransceiver(9, "shop", "secret"),
    ),
    (
        "submit_sm",
        {
            "source_addr_ton": 5,
            "source_addr": "Opengage",
            "dest_addr_ton": 1,
            "dest_addr_npi": 1,
            "destination_addr": "12025550199",
            "esm_class": 0x40,
            "registered_delivery": 1,
            "data_coding": 8,
            "short_message": b"\x04\x10",
            "user_message_reference": 258,
        },
        pdu.SubmitSm(
            9,
            source_addr_ton=5,
            source_addr="Opengage",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="12025550199",
            esm_class=0x40,
            registered_delivery=1,
            data_coding=8,
            short_message=b"\x04\x10",
            tlvs=((0x0204, b"\x01\x02"),),
        ),
    ),
    (
        "deliver_sm",
        {"source_addr": "1", "destination_addr": "2", "esm_class": 4, "short_message": b"id:7EF", "message_state": 2},
        pdu.DeliverSm(
            9,
            source_addr="1",
            destination_addr="2",
            esm_class=4,
            short_message=b"id:7EF",
            tlvs=((0x0427, b"\x02"),),
        ),
    ),
    ("query_sm", {"message_id": "7EF", "source_addr": "1"}, pdu.QuerySm(9, "7EF", 0, 0, "1")),
    ("enquire_link", {}, pdu.EnquireLink(9)),
    ("unbind", {}, pdu.Unbind(9)),
    ("unbind_resp", {}, pdu.UnbindResp(9)),
    ("deliver_sm_resp", {}, pdu.DeliverSmResp(9)),
]


@pytest.mark.parametrize(("command", "fields", "expected"), THEIRS_TO_OURS, ids=[one[0] for one in THEIRS_TO_OURS])
def test_we_read_what_smpplib_writes(command: str, fields: dict[str, Any], expected: pdu.Pdu) -> None:
    """smpplib's bytes are exactly the record we would have meant."""
    made = smpplib.smpp.make_pdu(command, client=Sequence(8), **fields)
    made.sequence = 9
    assert codec.decode(made.generate()) == expected


@pytest.mark.parametrize("text", ["Hello @ you_", "€[]{}|~^\\", "ÅåÄäÖöÑñ¿¡£¥", "ΔΦΓΛΩΠΨΣΘΞ", "x" * 153])
def test_smpplib_agrees_on_the_gsm_alphabet(text: str) -> None:
    """smpplib's own table gives the same septets; it lacks the section sign, which the standard has at 0x5F."""
    parts, data_coding, _ = smpplib.gsm.make_parts(text)
    assert data_coding == 0
    assert parts[0] == coding.encode_gsm7(text)


@pytest.mark.parametrize("text", ["x" * 161, "ж" * 71, "a€" * 200])
def test_smpplib_agrees_on_segments(text: str) -> None:
    """The number of segments, their user data and their headers (but for the reference) are the same."""
    parts, _, esm_class = smpplib.gsm.make_parts(text)
    ours = concatenation.split(text, 0)
    assert esm_class == ours.esm_class
    assert [part[:3] + part[4:] for part in parts] == [payload[:3] + payload[4:] for payload in ours.payloads]


def business_with_smpplib(port: int, seen: dict[str, Any], done: threading.Event) -> None:
    """A whole smpplib client: bind, submit, take the receipt, unbind. Runs in a thread."""
    client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)

    def received(pdu: Any) -> None:
        seen["receipt"] = pdu.short_message
        seen["state"] = pdu.message_state

    def sent(pdu: Any) -> None:
        seen["message_id"] = pdu.message_id

    client.set_message_sent_handler(sent)
    client.set_message_received_handler(received)
    client.connect()
    try:
        client.bind_transceiver(system_id="shop", password="secret")
        client.send_message(
            source_addr="12025550100", destination_addr="12025550199", short_message=b"Hi", registered_delivery=1
        )
        while "receipt" not in seen:
            client.read_once()
        client.unbind()
    finally:
        client.disconnect()
        done.set()


async def test_a_smpplib_client_at_our_smsc(smsc: Any, network: Any) -> None:
    """smpplib binds to our session, its submit is answered, and it takes and answers a deliver_sm."""
    seen: dict[str, Any] = {}
    port = await smsc()
    client = asyncio.get_running_loop().run_in_executor(None, business_with_smpplib, port, seen, threading.Event())
    await network.until(lambda: network.submits)
    text = receipt.build_text(receipt.Receipt("m0", receipt.State.DELIVRD, done_date="2611230900"))
    tlvs = receipt.build_tlvs("m0", receipt.State.DELIVRD)
    body = hot.body_of(pdu.DeliverSm(source_addr="12025550199", esm_class=4, short_message=text, tlvs=tlvs))
    network.sessions[0].deliver(body, "receipt")
    await network.until(lambda: network.answers)
    await client
    await network.until(lambda: network.lost)
    assert network.answers == [("receipt", 0, "")]
    assert (network.submits[0].short_message, network.submits[0].destination_addr) == (b"Hi", "12025550199")
    assert seen == {"message_id": b"m0", "receipt": text, "state": 2}
    assert network.lost[0][2].cause is Cause.UNBOUND_BY_PEER


class Script:
    """One of the scripts under tests/peers, and the JSON lines it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []

    async def next(self, key: str) -> Any:
        """The value of the next line that has this key."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self.process.stdout.readline():
                self.seen.append(json.loads(line))
                if key in self.seen[-1]:
                    return self.seen[-1][key]
        raise AssertionError(f"the script ended without {key}: {self.seen}")


@pytest.fixture
async def node() -> AsyncIterator[Any]:
    """Run a script of tests/peers; skips, and says how to mend it, where its packages are missing."""
    if shutil.which("node") is None or not (PEERS / "node_modules" / "smpp").is_dir():
        pytest.skip("npm peer not checked: run npm ci in tests/peers")
    started: list[asyncio.subprocess.Process] = []

    async def run(script: str, *arguments: str) -> Script:
        process = await asyncio.create_subprocess_exec(
            "node",
            str(PEERS / script),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return Script(process)

    yield run
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_our_esme_at_the_npm_smsc(node: Any, business: Any, settings: Any) -> None:
    """The npm server takes our bind, submits and parameters, and its receipts are read and answered."""
    peer = await node("smsc.js")
    port = await peer.next("port")
    esme = await connect(business, settings(), "127.0.0.1", port, BIND)
    assert esme.system_id == "npm"
    template = hot.SubmitTemplate("12025550100")
    long = concatenation.split("Long €" * 40, 0xAB)
    bodies = [
        template.body("12025550199", 0, coding.encode_gsm7("Hi [you]"), tlvs=tlv.user_message_reference(258)),
        template.body("12025550198", 8, coding.encode_ucs2("Привет 😀")),
        *(template.body("12025550197", long.data_coding, payload, long.esm_class) for payload in long.payloads),
    ]
    assert esme.submit_many([(body, place) for place, body in enumerate(bodies)]) == len(bodies)
    await business.until(lambda: len(business.answers) == len(bodies) == len(business.deliveries))
    assert business.answers == [(place, 0, f"npm-{place}") for place in range(len(bodies))]
    receipts = [receipt.parse(one) for one in business.deliveries]
    assert [(one.message_id, one.state) for one in receipts if one] == [
        (f"npm-{place}", receipt.State.DELIVRD) for place in range(len(bodies))
    ]
    esme.answer_deliveries([(one.sequence, 0) for one in business.deliveries])
    for _ in bodies:
        assert await peer.next("delivered") == 0
    assert (await esme.close(5.0)).cause is Cause.UNBOUND
    submits = [one for one in peer.seen if "submit" in one]
    assert submits[0] | {"submit": "Hi [you]", "destination": "12025550199", "reference": 258} == submits[0]
    assert submits[1]["submit"] == "Привет 😀"
    assert "".join(one["submit"] for one in submits[2:]) == "Long €" * 40
    assert [one["udh"] for one in submits[2:]] == [["0003ab0201"], ["0003ab0202"]]
    assert not [one for one in peer.seen if "error" in one]


async def test_the_npm_smsc_refuses_a_wrong_password(node: Any, business: Any, settings: Any) -> None:
    """Its ESME_RINVPASWD, which has no body, is understood."""
    peer = await node("smsc.js")
    port = await peer.next("port")
    with pytest.raises(ConnectionLost) as caught:
        await connect(business, settings(), "127.0.0.1", port, pdu.BindTransceiver(system_id="shop", password="no"))
    assert caught.value.loss.status == Status.ESME_RINVPASWD


async def test_the_npm_esme_at_our_smsc(node: Any, smsc: Any, network: Any) -> None:
    """The npm client binds to our session, submits in both alphabets, takes a receipt, enquires and unbinds."""
    peer = await node("esme.js", str(await smsc()))
    assert await peer.next("bound") == 0
    assert peer.seen[-1] == {"bound": 0, "system_id": "smsc", "version": 0x34}
    await network.until(lambda: len(network.submits) == 3)
    # That package names its GSM septets data_coding 1 (IA5), not 0.
    assert [one.data_coding for one in network.submits] == [1, 8, 1]
    read = [coding.decode(one.data_coding & 8, one.payload) for one in network.submits]
    assert read == ["Hello [you] {€}", "Привет 😀", "x" * 160]
    assert tlv.find_int(network.submits[0].tlvs, tlv.Tag.USER_MESSAGE_REFERENCE) == 258
    body = hot.body_of(
        pdu.DeliverSm(
            source_addr="12025550199",
            esm_class=4,
            short_message=b"id:m0 stat:UNDELIV",
            tlvs=receipt.build_tlvs("m0", receipt.State.UNDELIV),
        )
    )
    network.sessions[0].deliver(body, "receipt")
    await network.until(lambda: network.answers)
    assert await peer.next("unbound") == 0
    assert [one["id"] for one in peer.seen if "answered" in one] == ["m0", "m1", "m2"]
    (delivered,) = [one for one in peer.seen if "delivery" in one]
    assert delivered == {"delivery": "id:m0 stat:UNDELIV", "source": "12025550199", "id": "m0", "state": 5}
    assert {"alive": 0} in peer.seen
    assert not [one for one in peer.seen if "error" in one]
    await network.until(lambda: network.lost)
    assert network.lost[0][2].cause is Cause.UNBOUND_BY_PEER
