"""The codec pinned to the specification: bytes written by hand, field by field, from SMPP 3.4 section 4."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import codec, hot, pdu, tlv
from opengage.smpp.commands import CommandId, Status
from opengage.smpp.errors import BodyError, FramingError, PduError, UnknownCommand
from opengage.smpp.fields import ANSWERS, CLASSES, LAYOUT


def octets(*parts: str) -> bytes:
    """Bytes from hex, one argument per field."""
    return bytes.fromhex("".join(parts))


SUBMIT_SM = octets(
    "0000 003F",  # command_length 63
    "0000 0004",  # command_id submit_sm
    "0000 0000",  # command_status
    "0000 0007",  # sequence_number
    "00",  # service_type ""
    "01",  # source_addr_ton international
    "01",  # source_addr_npi E.164
    "3132303235353530313030 00",  # source_addr "12025550100"
    "01",  # dest_addr_ton
    "01",  # dest_addr_npi
    "3132303235353530313939 00",  # destination_addr "12025550199"
    "00",  # esm_class default mode
    "00",  # protocol_id
    "00",  # priority_flag
    "00",  # schedule_delivery_time immediate
    "00",  # validity_period default
    "01",  # registered_delivery receipt
    "00",  # replace_if_present_flag
    "00",  # data_coding default
    "00",  # sm_default_msg_id
    "02",  # sm_length
    "4869",  # short_message "Hi"
    "0204 0002 0102",  # user_message_reference 258
)
THE_SUBMIT = pdu.SubmitSm(
    sequence=7,
    source_addr_ton=1,
    source_addr_npi=1,
    source_addr="12025550100",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr="12025550199",
    registered_delivery=1,
    short_message=b"Hi",
    tlvs=((0x0204, b"\x01\x02"),),
)
DELIVER_SM = octets(
    "0000 004C",  # command_length 76
    "0000 0005",  # command_id deliver_sm
    "0000 0000",  # command_status
    "7FFF FFFF",  # sequence_number, the highest
    "434D54 00",  # service_type "CMT"
    "01 01 3132303235353530313939 00",  # source ton, npi, "12025550199"
    "05 00 4F70656E67616765 00",  # destination ton alphanumeric, npi, "Opengage"
    "04",  # esm_class: SMSC delivery receipt
    "00 00",  # protocol_id, priority_flag
    "00 00",  # schedule_delivery_time, validity_period
    "00 00",  # registered_delivery, replace_if_present_flag
    "03",  # data_coding latin-1
    "00",  # sm_default_msg_id
    "03 616263",  # sm_length, short_message "abc"
    "001E 0004 37454600",  # receipted_message_id "7EF"
    "0427 0001 02",  # message_state DELIVERED
    "1400 0001 FF",  # a tag of the operator's own
)
THE_DELIVER = pdu.DeliverSm(
    sequence=0x7FFFFFFF,
    service_type="CMT",
    source_addr_ton=1,
    source_addr_npi=1,
    source_addr="12025550199",
    dest_addr_ton=5,
    destination_addr="Opengage",
    esm_class=4,
    data_coding=3,
    short_message=b"abc",
    tlvs=((0x001E, b"7EF\0"), (0x0427, b"\x02"), (0x1400, b"\xff")),
)

PINNED = [
    pytest.param(
        # The worked example of the specification, section 3.2.
        octets(
            "0000002F 00000002 00000000 00000001",  # length 47, bind_transmitter, status, sequence
            "534D50503354455354 00",  # system_id "SMPP3TEST"
            "7365637265743038 00",  # password "secret08"
            "5355424D495431 00",  # system_type "SUBMIT1"
            "00 01 01 00",  # interface_version, addr_ton, addr_npi, address_range
        ),
        pdu.BindTransmitter(1, "SMPP3TEST", "secret08", "SUBMIT1", 0, 1, 1, ""),
        id="bind_transmitter",
    ),
    pytest.param(
        octets("0000001B 00000001 00000000 00000002", "61 00", "62 00", "63 00", "34 00 00", "2E2A 00"[:2] + "00"),
        pdu.BindReceiver(2, "a", "b", "c", 0x34, 0, 0, "."),
        id="bind_receiver",
    ),
    pytest.param(
        octets("00000017 00000009 00000000 00000003", "00 00 00 34 00 00 00"),
        pdu.BindTransceiver(3),
        id="bind_transceiver",
    ),
    pytest.param(
        octets("0000001A 80000009 00000000 00000003", "736D736363 00"[:8] + "00", "0210 0001 34"),
        pdu.BindTransceiverResp(3, 0, "smsc", ((0x0210, b"\x34"),)),
        id="bind_transceiver_resp",
    ),
    pytest.param(
        octets("00000010 80000001 0000000E 00000003"),
        pdu.BindReceiverResp(3, Status.ESME_RINVPASWD),
        id="bind_receiver_resp refused: no body",
    ),
    pytest.param(
        octets("00000012 80000002 00000000 00000003", "78 00"),
        pdu.BindTransmitterResp(3, 0, "x"),
        id="bind_transmitter_resp",
    ),
    pytest.param(
        octets("00000014 0000000B 00000000 00000001", "78 00", "79 00"), pdu.Outbind(1, "x", "y"), id="outbind"
    ),
    pytest.param(octets("00000010 00000006 00000000 00000009"), pdu.Unbind(9), id="unbind"),
    pytest.param(octets("00000010 80000006 00000000 00000009"), pdu.UnbindResp(9), id="unbind_resp"),
    pytest.param(octets("00000010 00000015 00000000 00000009"), pdu.EnquireLink(9), id="enquire_link"),
    pytest.param(octets("00000010 80000015 00000000 00000009"), pdu.EnquireLinkResp(9), id="enquire_link_resp"),
    pytest.param(
        octets("00000010 80000000 00000003 00000000"),
        pdu.GenericNack(0, Status.ESME_RINVCMDID),
        id="generic_nack",
    ),
    pytest.param(SUBMIT_SM, THE_SUBMIT, id="submit_sm"),
    pytest.param(
        octets("00000014 80000004 00000000 00000007", "374546 00"),
        pdu.SubmitSmResp(7, 0, "7EF"),
        id="submit_sm_resp",
    ),
    pytest.param(
        octets("00000010 80000004 00000058 00000007"),
        pdu.SubmitSmResp(7, Status.ESME_RTHROTTLED),
        id="submit_sm_resp throttled: no body",
    ),
    pytest.param(DELIVER_SM, THE_DELIVER, id="deliver_sm"),
    pytest.param(
        octets("00000011 80000005 00000000 7FFFFFFF", "00"), pdu.DeliverSmResp(0x7FFFFFFF), id="deliver_sm_resp"
    ),
    pytest.param(
        octets("00000011 80000005 00000065 00000001", "00"),
        pdu.DeliverSmResp(1, Status.ESME_RX_P_APPN),
        id="deliver_sm_resp refused keeps its empty message_id",
    ),
    pytest.param(
        octets(
            "00000024 00000103 00000000 00000004",
            "00 01 01 31 00 01 01 32 00",  # service_type, source, destination
            "00 01 08",  # esm_class, registered_delivery, data_coding
            "0424 0004 00480069",  # message_payload
        ),
        pdu.DataSm(4, "", 1, 1, "1", 1, 1, "2", 0, 1, 8, ((0x0424, b"\0H\0i"),)),
        id="data_sm",
    ),
    pytest.param(octets("00000012 80000103 00000000 00000004", "61 00"), pdu.DataSmResp(4, 0, "a"), id="data_sm_resp"),
    pytest.param(
        octets("00000017 00000003 00000000 00000005", "374546 00", "01 01 00"),
        pdu.QuerySm(5, "7EF", 1, 1, ""),
        id="query_sm",
    ),
    pytest.param(
        octets(
            "00000027 80000003 00000000 00000005",
            "374546 00",  # message_id
            "32363131323330393030303030303030 2B00"[:32] + "00",  # final_date, sixteen octets
            "02 00",  # message_state DELIVERED, error_code
        ),
        pdu.QuerySmResp(5, 0, "7EF", "2611230900000000", 2, 0),
        id="query_sm_resp",
    ),
    pytest.param(
        octets("0000001B 00000008 00000000 00000006", "00", "374546 00", "01 01 00", "01 01 00"),
        pdu.CancelSm(6, "", "7EF", 1, 1, "", 1, 1, ""),
        id="cancel_sm",
    ),
    pytest.param(octets("00000010 80000008 00000011 00000006"), pdu.CancelSmResp(6, 0x11), id="cancel_sm_resp"),
    pytest.param(
        octets("0000001E 00000007 00000000 00000006", "374546 00", "01 01 00", "00 00", "01", "00", "02 4F6B"),
        pdu.ReplaceSm(6, "7EF", 1, 1, "", "", "", 1, 0, b"Ok"),
        id="replace_sm",
    ),
    pytest.param(octets("00000010 80000007 00000000 00000006"), pdu.ReplaceSmResp(6), id="replace_sm_resp"),
    pytest.param(
        octets("00000012 00000021 00000000 00000006", "AABB"), pdu.SubmitMulti(6, b"\xaa\xbb"), id="submit_multi"
    ),
    pytest.param(octets("00000010 80000021 00000003 00000006"), pdu.SubmitMultiResp(6, 3), id="submit_multi_resp"),
    pytest.param(
        octets("0000001D 00000102 00000000 00000001", "01 01 31 00", "01 01 32 00", "0422 0001 00"),
        pdu.AlertNotification(1, 1, 1, "1", 1, 1, "2", ((0x0422, b"\0"),)),
        id="alert_notification",
    ),
]


@pytest.mark.parametrize(("data", "record"), PINNED)
def test_encodes_as_the_specification_lays_it_out(data: bytes, record: pdu.Pdu) -> None:
    """Each record becomes exactly the bytes written by hand from the specification."""
    assert codec.encode(record).hex(" ") == data.hex(" ")


@pytest.mark.parametrize(("data", "record"), PINNED)
def test_decodes_what_the_specification_lays_out(data: bytes, record: pdu.Pdu) -> None:
    """The bytes written by hand become exactly the record, sequence, status and optional parameters included."""
    assert codec.decode(data) == record


def test_every_command_is_pinned() -> None:
    """No command id of the table goes without fixed bytes."""
    pinned = {type(case.values[1]) for case in PINNED}
    assert pinned == set(LAYOUT)
    assert set(CLASSES) == set(CommandId)


def test_answers_are_paired() -> None:
    """Every request but outbind and alert_notification has an answer; those two have none."""
    requests = {command for command in CommandId if command < 0x80000000}
    assert requests - set(ANSWERS) == {CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION}


def test_template_builds_the_body_of_the_pinned_submit() -> None:
    """The hot path's prepared body is octet for octet the pinned submit_sm behind its header."""
    template = hot.SubmitTemplate("12025550100")
    body = template.body("12025550199", 0, b"Hi", tlvs=tlv.user_message_reference(258))
    assert body == SUBMIT_SM[16:]


def test_template_keeps_esm_class_and_data_coding_apart() -> None:
    """Bodies of other classes and codings from the same template differ in just those octets."""
    template = hot.SubmitTemplate("12025550100", validity_period="000000010000000R")
    for esm_class, coding in [(0, 0), (0x40, 8), (0, 8), (0x40, 0)]:
        found = hot.decode_submit_sm(1, template.body("12025550199", coding, b"x", esm_class))
        assert (found.esm_class, found.data_coding) == (esm_class, coding)
        assert found.validity_period == "000000010000000R"


def test_template_moves_long_user_data_into_message_payload() -> None:
    """More than 254 octets leave short_message empty and travel as parameter 0x0424."""
    found = hot.decode_submit_sm(1, hot.SubmitTemplate("1").body("2", 0, b"x" * 255))
    assert (found.short_message, found.payload) == (b"", b"x" * 255)


@pytest.mark.parametrize("destination", ["1" * 21, "1\0", "１２"])
def test_template_refuses_an_impossible_destination(destination: str) -> None:
    """A destination over 20 characters, with a NUL or beyond ASCII is no destination_addr."""
    with pytest.raises(BodyError) as caught:
        hot.SubmitTemplate("1").body(destination, 0, b"x")
    assert caught.value.status is Status.ESME_RINVDSTADR


def test_fast_answers_equal_the_table() -> None:
    """The two hot answers are octet for octet what the table makes of the records."""
    assert hot.submit_sm_resp(7, 0, "7EF") == codec.encode(pdu.SubmitSmResp(7, 0, "7EF"))
    assert hot.submit_sm_resp(7, 0x58, "") == codec.encode(pdu.SubmitSmResp(7, 0x58))
    assert hot.deliver_sm_resp(7, 0x65) == codec.encode(pdu.DeliverSmResp(7, 0x65))


@pytest.mark.parametrize("message_id", ["x" * 65, "a\0b", "ā"])
def test_fast_submit_answer_refuses_an_impossible_message_id(message_id: str) -> None:
    """A message id that message_id cannot hold is an error of ours, not a broken PDU on the wire."""
    with pytest.raises(BodyError) as caught:
        hot.submit_sm_resp(1, 0, message_id)
    assert caught.value.status is Status.ESME_RINVMSGID


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"7EF\0", "7EF"), (b"7EF\0\x04\x20\0\0", "7EF"), (b"", ""), (b"no NUL", ""), (b"x" * 65 + b"\0", "")],
)
def test_message_id_of_an_answer(body: bytes, expected: str) -> None:
    """The id is read up to its NUL within 65 octets; an unreadable one is empty, never an error."""
    assert hot.message_id_of(body) == expected


BROKEN = [
    (pdu.SubmitSm(service_type="123456"), Status.ESME_RINVSERTYP),
    (pdu.SubmitSm(source_addr="1" * 21), Status.ESME_RINVSRCADR),
    (pdu.SubmitSm(destination_addr="1" * 21), Status.ESME_RINVDSTADR),
    (pdu.SubmitSm(schedule_delivery_time="tomorrow"), Status.ESME_RINVSCHED),
    (pdu.SubmitSm(validity_period="1"), Status.ESME_RINVEXPIRY),
    (pdu.SubmitSm(short_message=b"x" * 255), Status.ESME_RINVMSGLEN),
    (pdu.SubmitSm(source_addr="1\x002"), Status.ESME_RINVSRCADR),
    (pdu.SubmitSm(source_addr_ton=256), Status.ESME_RINVSRCTON),
    (pdu.BindTransmitter(system_id="x" * 16), Status.ESME_RINVSYSID),
    (pdu.BindTransmitter(password="x" * 9), Status.ESME_RINVPASWD),
    (pdu.BindTransmitter(system_type="x" * 13), Status.ESME_RINVSYSTYP),
    (pdu.BindTransmitter(address_range="x" * 41), Status.ESME_RINVPARLEN),
    (pdu.QuerySm(message_id="x" * 65), Status.ESME_RINVMSGID),
    (pdu.QuerySm(message_id="\u20ac"), Status.ESME_RINVMSGID),
    (pdu.SubmitSm(tlvs=((0x0424, b"x" * 65_536),)), Status.ESME_RINVPARLEN),
]


@pytest.mark.parametrize(("record", "status"), BROKEN)
def test_refuses_to_encode_what_breaks_a_limit(record: pdu.Pdu, status: Status) -> None:
    """A value beyond its field raises the status that a peer would answer; nothing is cut silently."""
    with pytest.raises(BodyError) as caught:
        codec.encode(record)
    assert caught.value.status is status


def with_field(**fields: bytes) -> bytes:
    """A submit_sm body in which some fields are other octets than they may be."""
    parts = {
        "service_type": b"\0",
        "source": b"\1\x011\0",
        "destination": b"\1\x012\0",
        "flags": b"\0\0\0",
        "schedule": b"\0",
        "validity": b"\0",
        "tail": b"\1\0\0\0",
        "message": b"\2Hi",
        "tlvs": b"",
    }
    return b"".join((parts | fields).values())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (with_field(service_type=b"123456\0"), Status.ESME_RINVSERTYP),
        (with_field(source=b"\1\1" + b"1" * 21 + b"\0"), Status.ESME_RINVSRCADR),
        (with_field(destination=b"\1\1" + b"1" * 21 + b"\0"), Status.ESME_RINVDSTADR),
        (with_field(schedule=b"soon\0"), Status.ESME_RINVSCHED),
        (with_field(validity=b"1234567890123456789\0"), Status.ESME_RINVEXPIRY),
        (with_field(message=b"\3Hi"), Status.ESME_RINVMSGLEN),
        (with_field(message=b"\xff" + b"x" * 255), Status.ESME_RINVMSGLEN),
        (with_field(tlvs=b"\4\x24\0"), Status.ESME_RINVOPTPARSTREAM),
        (with_field(tlvs=b"\4\x24\0\5abc"), Status.ESME_RINVOPTPARSTREAM),
        (with_field()[:12], Status.ESME_RINVCMDLEN),
        (b"", Status.ESME_RINVCMDLEN),
    ],
)
def test_broken_bodies_name_their_status(body: bytes, status: Status) -> None:
    """Each broken submit_sm carries the command_status its answer must have, on the fast path and by the table."""
    with pytest.raises(BodyError) as fast:
        codec.decode_body(CommandId.SUBMIT_SM, 0, 1, body)
    with pytest.raises(BodyError) as table:
        codec.decode_by_table(CommandId.SUBMIT_SM, 0, 1, body)
    assert fast.value.status is status
    assert table.value.status is status


def test_unknown_command() -> None:
    """A command id that SMPP 3.4 does not have is ESME_RINVCMDID."""
    with pytest.raises(UnknownCommand) as caught:
        codec.decode(octets("00000010 00000777 00000000 00000001"))
    assert caught.value.status is Status.ESME_RINVCMDID


@pytest.mark.parametrize("data", [b"", b"\0" * 15, octets("00000011 00000015 00000000 00000001")])
def test_bytes_that_are_not_one_frame(data: bytes) -> None:
    """Less than a header, or a command_length other than the bytes at hand, is a framing error."""
    with pytest.raises(FramingError):
        codec.decode(data)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (CommandId.SUBMIT_SM, "00000010 80000004 00000001 00000005"),
        (CommandId.DELIVER_SM, "00000011 80000005 00000001 00000005 00"),
        (CommandId.OUTBIND, "00000010 80000000 00000001 00000005"),
        (0x777, "00000010 80000000 00000001 00000005"),
    ],
)
def test_refusals(command: int, expected: str) -> None:
    """A request is refused by its own answer when it has one, otherwise by generic_nack."""
    assert codec.refusal(command, 5, Status.ESME_RINVMSGLEN) == octets(expected)


@given(st.sampled_from(sorted(CommandId)), st.integers(0, 0xFFFFFFFF), st.binary(max_size=120))
def test_any_body_decodes_or_raises_a_pdu_error(command: int, status: int, body: bytes) -> None:
    """Whatever the octets, nothing but PduError comes out, and the fast paths agree with the table on all of them."""
    outcomes: list[pdu.Pdu | pdu.Status] = []
    for decoder in (codec.decode_body, codec.decode_by_table):
        try:
            outcomes.append(decoder(command, status, 1, body))
        except PduError as error:
            outcomes.append(error.status)
    assert outcomes[0] == outcomes[1]


@given(
    st.sampled_from([case.values[0] for case in PINNED]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 90),
)
def test_mutated_pdus_decode_or_raise_a_pdu_error(data: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    """Good PDUs with a few octets changed or their end cut off behave as any other bytes do."""
    mutated = bytearray(data)
    for place, value in changes:
        mutated[place % len(mutated)] = value
    kept = bytes(mutated[: max(len(mutated) - cut, 0)] if cut < 45 else mutated)
    with contextlib.suppress(PduError):
        record = codec.decode(kept)
        assert codec.decode(codec.encode(record)) == record


octet = st.integers(0, 255)
address = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)
when = st.sampled_from(["", "261123090000000+", "000000010000000R"])
messages = st.builds(
    pdu.SubmitSm,
    st.integers(1, 0x7FFFFFFF),
    st.sampled_from(["", "CMT", "WAP"]),
    octet,
    octet,
    address,
    octet,
    octet,
    address,
    octet,
    octet,
    octet,
    when,
    when,
    octet,
    octet,
    octet,
    octet,
    st.binary(max_size=254),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=3).map(tuple),
)


@given(messages)
def test_round_trip(record: pdu.SubmitSm) -> None:
    """Every legal submit_sm survives bytes unchanged, unknown and repeated optional parameters in their order."""
    assert codec.decode(codec.encode(record)) == record
