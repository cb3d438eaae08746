"""The hot path's bodies held against the table's: same octets, same refusals."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import codec, hot, pdu
from opengage.smpp.commands import Status, status_name
from opengage.smpp.errors import BodyError, PduError

number = st.integers(-1, 256)
address = st.one_of(st.text(st.characters(max_codepoint=255), max_size=22), st.just("ā"))


def outcome(build: Callable[[Any], bytes], record: pdu.Pdu) -> bytes | Status:
    """The bytes, or the status of the refusal."""
    try:
        return build(record)
    except PduError as error:
        return error.status


@given(
    st.builds(
        pdu.DeliverSm,
        service_type=st.sampled_from(["", "CMT", "123456"]),
        source_addr_ton=number,
        source_addr=address,
        destination_addr=address,
        esm_class=number,
        schedule_delivery_time=st.sampled_from(["", "261123090000000+", "soon"]),
        validity_period=st.sampled_from(["", "000000010000000R", "soon"]),
        data_coding=number,
        short_message=st.binary(max_size=256),
        tlvs=st.sampled_from([(), ((0x0427, b"\x02"),), ((0x10000, b""),)]),
    )
)
def test_body_of_equals_the_table(record: pdu.DeliverSm) -> None:
    """Any deliver_sm becomes the table's octets, or is refused with the table's status."""
    assert outcome(hot.body_of, record) == outcome(lambda one: codec.encode(one)[16:], record)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"source_addr": "1" * 21}, Status.ESME_RINVSRCADR),
        ({"service_type": "123456"}, Status.ESME_RINVSERTYP),
        ({"dest_addr_ton": 256}, Status.ESME_RINVDSTTON),
        ({"validity_period": "1 day"}, Status.ESME_RINVEXPIRY),
    ],
)
def test_a_template_refuses_at_once(fields: dict[str, Any], status: Status) -> None:
    """A template that could only make broken PDUs is refused when it is made, not when the first text leaves."""
    with pytest.raises(BodyError) as caught:
        hot.SubmitTemplate(**({"source_addr": "12025550100"} | fields))
    assert caught.value.status is status


def test_a_template_refuses_an_impossible_coding() -> None:
    """data_coding and esm_class are octets."""
    for coding, esm_class, status in [(256, 0, Status.ESME_RINVPARLEN), (0, 256, Status.ESME_RINVESMCLASS)]:
        with pytest.raises(BodyError) as caught:
            hot.SubmitTemplate("1").body("2", coding, b"x", esm_class)
        assert caught.value.status is status


def test_status_names() -> None:
    """Known statuses have the specification's names, a peer's own its number."""
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x401) == "0x00000401"
