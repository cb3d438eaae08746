"""Delivery receipts in every dialect: pinned texts, parameters, dates and hostile bytes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import receipt
from opengage.smpp.pdu import DeliverSm
from opengage.smpp.receipt import Receipt, State

COMMON = (
    b"id:7EF sub:001 dlvrd:001 submit date:2611230859 done date:2611230900 stat:DELIVRD err:000 text:Hello id:1 you"
)


def test_the_common_form() -> None:
    """The text of Appendix B gives every part; what follows text: is never searched for parts."""
    expected = Receipt("7EF", State.DELIVRD, "000", "2611230859", "2611230900", 1, 1, b"Hello id:1 you")
    assert receipt.parse_text(COMMON) == expected


@pytest.mark.parametrize("state", list(State))
def test_every_state_by_name_and_number(state: State) -> None:
    """The eight states are read from the text and from message_state alike."""
    text = COMMON.replace(b"DELIVRD", state.name.encode())
    found = receipt.parse_text(text)
    assert found is not None
    assert found.state is state
    silent = DeliverSm(esm_class=4, tlvs=receipt.build_tlvs("7EF", state))
    assert receipt.parse(silent) == Receipt("7EF", state)


def test_final_states() -> None:
    """ENROUTE and ACCEPTD leave the fate open; all others close it."""
    assert {state for state in State if not state.final} == {State.ENROUTE, State.ACCEPTD}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            b"ID:7ef SUB:001 DLVRD:000 SUBMIT DATE:2611230859 DONE DATE:2611230900 STAT:undeliv ERR:1a2 TEXT:x",
            Receipt("7ef", State.UNDELIV, "1a2", "2611230859", "2611230900", 1, 0, b"x"),
            id="other case",
        ),
        pytest.param(b"id:7EF stat:EXPIRED", Receipt("7EF", State.EXPIRED), id="only the needed parts"),
        pytest.param(
            b"stat:DELIVRD  id: 7EF  err: 000", Receipt("7EF", State.DELIVRD, "000"), id="other order, with spaces"
        ),
        pytest.param(
            b"id:7EF submitdate:261123085959 donedate:261123090001 stat:DELIVERED err:0",
            Receipt("7EF", State.DELIVRD, "0", "261123085959", "261123090001"),
            id="words run together, long state",
        ),
        pytest.param(b"id:7EF,stat:REJECTD,err:5\0", Receipt("7EF", State.REJECTD, "5"), id="commas and a NUL"),
        pytest.param(b"id:7EF stat:WHATEVER", Receipt("7EF", State.UNKNOWN), id="a state nobody knows"),
        pytest.param(b"id:7EF sub:abc stat:DELIVRD", Receipt("7EF", State.DELIVRD), id="a count that is none"),
        pytest.param(b"id: stat:DELIVRD", None, id="an empty id"),
        pytest.param(b"Your parcel is here", None, id="prose"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_dialects(data: bytes, expected: Receipt | None) -> None:
    """Case, order, spacing and missing parts do not matter; without an id there is no receipt."""
    assert receipt.parse_text(data) == expected


def test_parameters_win_over_text() -> None:
    """When both forms disagree, the structured one counts; the text's other parts stay."""
    both = DeliverSm(esm_class=4, short_message=COMMON, tlvs=receipt.build_tlvs("DEC-2031", State.UNDELIV))
    found = receipt.parse(both)
    assert found is not None
    assert (found.message_id, found.state, found.done_date) == ("DEC-2031", State.UNDELIV, "2611230900")


def test_network_error_code_stands_in_for_err() -> None:
    """Without err: in the text, the two octets of network_error_code are the error."""
    tlvs = (*receipt.build_tlvs("7EF", State.UNDELIV), (0x0423, b"\x03\x01\x02"))
    found = receipt.parse(DeliverSm(esm_class=4, tlvs=tlvs))
    assert found is not None
    assert found.error == "258"


@pytest.mark.parametrize(("esm_class", "expected"), [(0, False), (4, True), (0x44, True), (0x20, True), (0x40, False)])
def test_only_esm_class_makes_a_receipt(esm_class: int, expected: bool) -> None:
    """A text that merely looks like a receipt is a text; the header indicator bit does not matter."""
    message = DeliverSm(esm_class=esm_class, short_message=COMMON)
    assert receipt.is_receipt(message) is expected
    assert (receipt.parse(message) is not None) is expected


def test_receipt_in_message_payload() -> None:
    """A receipt whose text came as message_payload is read all the same."""
    found = receipt.parse(DeliverSm(esm_class=4, tlvs=((0x0424, COMMON),)))
    assert found is not None
    assert found.message_id == "7EF"


def test_a_receipt_without_any_id() -> None:
    """Parameters without an id and a text without one make no receipt."""
    assert receipt.parse(DeliverSm(esm_class=4, tlvs=((0x0427, b"\x02"),))) is None


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2611230900", datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),
        ("261123090012", datetime(2026, 11, 23, 9, 0, 12, tzinfo=UTC)),
        ("20261123090012", datetime(2026, 11, 23, 9, 0, 12, tzinfo=UTC)),
        ("2613230900", None),
        ("", None),
        ("26112309OO", None),
        ("26112309٠٠", None),
    ],
)
def test_moment(date: str, expected: datetime | None) -> None:
    """Dates of 10, 12 or 14 digits are instants; anything else is None, not an error."""
    assert receipt.moment(date) == expected


def test_moment_in_the_carriers_zone() -> None:
    """The zone, which receipts do not carry, is applied as given."""
    zone = timezone(timedelta(hours=2))
    assert receipt.moment("2611230900", zone) == datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def test_build_is_pinned() -> None:
    """What the simulator sends is Appendix B to the octet."""
    built = receipt.build_text(Receipt("7EF", State.UNDELIV, "", "2611230859", "2611230900", 1, 0, b"x" * 30))
    assert built == (
        b"id:7EF sub:001 dlvrd:000 submit date:2611230859 done date:2611230900 stat:UNDELIV err:000 text:" + b"x" * 20
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_a_receipt_or_none(data: bytes) -> None:
    """No octets make the parser raise."""
    for text in (data, b"id:" + data, COMMON[:60] + data):
        found = receipt.parse(DeliverSm(esm_class=4, short_message=text))
        assert found is None or found.message_id


@given(st.text(st.sampled_from("0123456789abcdefABCDEF-"), min_size=1, max_size=64), st.sampled_from(State))
def test_round_trip(message_id: str, state: State) -> None:
    """What is built is read back with id and state."""
    original = Receipt(message_id, state, "001", "2611230859", "2611230900", 1, 1, b"Hi")
    assert receipt.parse_text(receipt.build_text(original)) == original
