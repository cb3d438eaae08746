"""Receipts and handsets' texts as an ESME reads them."""

import pytest

from opengage.clock import SECOND, Instant
from opengage.simulator.deliveries import Writer, inbound, wants_receipt, written
from opengage.smpp import hot, receipt, tlv
from opengage.smpp.concatenation import part_of
from opengage.smpp.pdu import SubmitSm
from opengage.smpp.receipt import State

NOW = Instant(1_795_000_000_000_000)
SUBMIT = SubmitSm(
    source_addr_ton=5,
    source_addr="Shop",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr="12025550101",
    registered_delivery=1,
    short_message=b"Hello, this is a long greeting",
    tlvs=((tlv.Tag.USER_MESSAGE_REFERENCE, b"\x01\x02"),),
)


def test_each_receipt_has_the_date_of_its_own_minute() -> None:
    """What receipts of one second share is written anew in the next one."""
    writer = Writer(NOW)
    bodies = [writer.receipt(SUBMIT, b"7ef", State.DELIVRD, Instant(NOW + minutes * 60 * SECOND)) for minutes in (0, 1)]
    told = [receipt.parse(hot.decode_deliver_sm(1, body)) for body in bodies]
    assert [each and each.done_date for each in told] == ["2611181106", "2611181107"]


@pytest.mark.parametrize("state", [State.DELIVRD, State.UNDELIV, State.EXPIRED])
def test_a_receipt_says_the_same_twice(state: State) -> None:
    """Text and parameters agree, the addresses change places, and the reference comes back."""
    body = Writer(NOW).receipt(SUBMIT, b"7ef", state, NOW)
    found = hot.decode_deliver_sm(1, body)
    assert receipt.parse(found) == receipt.parse_text(found.short_message)
    assert receipt.parse(found) == receipt.Receipt(
        "7ef",
        state,
        {State.DELIVRD: "000", State.UNDELIV: "001", State.EXPIRED: "034"}[state],
        "2611181106",
        "2611181106",
        1,
        1 if state is State.DELIVRD else 0,
        b"Hello, this is a lon",
    )
    assert tlv.find_text(found.tlvs, tlv.Tag.RECEIPTED_MESSAGE_ID) == "7ef"
    assert tlv.find_int(found.tlvs, tlv.Tag.MESSAGE_STATE) == state
    assert tlv.find_int(found.tlvs, tlv.Tag.USER_MESSAGE_REFERENCE) == 258
    assert (found.source_addr, found.destination_addr) == ("12025550101", "Shop")
    assert (found.source_addr_ton, found.dest_addr_ton) == (1, 5)


def test_a_receipt_is_what_the_codec_would_write() -> None:
    """The fast path's bytes are those of the checked one."""
    body = Writer(NOW).receipt(SUBMIT, b"7ef", State.DELIVRD, NOW)
    assert hot.body_of(hot.decode_deliver_sm(0, body)) == body


def test_ids_never_come_again() -> None:
    """Ids count up from the moment of the start, so that a restarted simulator gives others."""
    writer = Writer(NOW)
    assert [writer.next_id(), writer.next_id()] == [NOW + 1, NOW + 2]
    assert written(255, "hex") == "ff"
    assert written(255, "decimal") == "255"


@pytest.mark.parametrize(
    ("registered", "delivered", "undelivered"),
    [(0, False, False), (1, True, True), (2, False, True), (3, True, False), (0x10, False, False), (0x11, True, True)],
)
def test_a_receipt_comes_when_asked_for(registered: int, delivered: bool, undelivered: bool) -> None:
    """registered_delivery tells for which outcomes."""
    assert wants_receipt(registered, State.DELIVRD) is delivered
    assert wants_receipt(registered, State.UNDELIV) is undelivered


def test_a_long_text_travels_in_parts() -> None:
    """A handset's long text is cut like any other."""
    parts = [hot.decode_deliver_sm(0, body) for body in inbound("12025550101", "12025550100", "x" * 200, 3)]
    assert [(part_of(one).number, part_of(one).total) for one in parts] == [(1, 2), (2, 2)]


def test_an_impossible_number_is_refused() -> None:
    """Nothing is sent from an address that no PDU holds."""
    with pytest.raises(ValueError, match="source_addr"):
        inbound("1" * 30, "12025550100", "Hi", 0)
