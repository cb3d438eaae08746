"""Optional parameters: pinned bytes, order, and what is cut short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import tlv
from opengage.smpp.commands import Status
from opengage.smpp.errors import BodyError
from opengage.smpp.tlv import Tag


def test_pinned_bytes() -> None:
    """Tag, length, value as section 5.3 has them; the example is receipted_message_id and message_state."""
    pairs = ((Tag.RECEIPTED_MESSAGE_ID, b"7EF\0"), (Tag.MESSAGE_STATE, b"\x02"))
    data = bytes.fromhex("001E 0004 37454600 0427 0001 02")
    assert tlv.encode(pairs) == data
    assert tlv.decode(data) == pairs


def test_user_message_reference_wraps() -> None:
    """The prepared parameter holds two octets; larger references are taken modulo 65,536."""
    assert tlv.user_message_reference(0x12345) == bytes.fromhex("0204 0002 2345")


def test_find() -> None:
    """Look-ups give the first value of a tag, as octets, number or text without its NUL.

    Absent ones give None.
    """
    pairs = ((0x001E, b"7EF\0"), (0x0427, b"\x02"), (0x0427, b"\x05"), (0x0423, b""))
    assert tlv.find(pairs, Tag.MESSAGE_STATE) == b"\x02"
    assert tlv.find_int(pairs, Tag.MESSAGE_STATE) == 2
    assert tlv.find_text(pairs, Tag.RECEIPTED_MESSAGE_ID) == "7EF"
    assert tlv.find_int(pairs, Tag.NETWORK_ERROR_CODE) is None
    assert tlv.find(pairs, Tag.MESSAGE_PAYLOAD) is None
    assert tlv.find_int(pairs, Tag.MESSAGE_PAYLOAD) is None
    assert tlv.find_text(pairs, Tag.MESSAGE_PAYLOAD) is None


@pytest.mark.parametrize("data", ["04", "042400", "0424 0002 01"])
def test_cut_short(data: str) -> None:
    """Bytes that end inside a parameter are ESME_RINVOPTPARSTREAM."""
    with pytest.raises(BodyError) as caught:
        tlv.decode(bytes.fromhex(data))
    assert caught.value.status is Status.ESME_RINVOPTPARSTREAM


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30))).map(tuple))
def test_round_trip(pairs: tlv.Tlvs) -> None:
    """All pairs come back, unknown and repeated ones too, in order."""
    assert tlv.decode(b"head" + tlv.encode(pairs), 4) == pairs


def test_a_tag_beyond_two_octets_is_refused() -> None:
    """A tag that does not fit raises before any bytes exist."""
    with pytest.raises(BodyError):
        tlv.encode(((0x10000, b""),))
