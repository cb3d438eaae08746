"""The PDUs of SMPP 3.4 section 4, as records; `codec` and `hot` turn them into bytes and back.

C-octet strings are str (one character per octet, latin-1, so that nothing a peer sends is lost); octet
strings are bytes. Every record starts with the sequence number; answers carry `status`, the command_status,
which may be a peer's own code.
"""

from typing import ClassVar

import msgspec

from opengage.smpp import tlv
from opengage.smpp.commands import CommandId, Status, status_name
from opengage.smpp.tlv import Tlvs

__all__ = [
    "REGISTERED_RECEIPT",
    "AlertNotification",
    "BindReceiver",
    "BindReceiverResp",
    "BindTransceiver",
    "BindTransceiverResp",
    "BindTransmitter",
    "BindTransmitterResp",
    "CancelSm",
    "CancelSmResp",
    "CommandId",
    "DataSm",
    "DataSmResp",
    "DeliverSm",
    "DeliverSmResp",
    "EnquireLink",
    "EnquireLinkResp",
    "EsmClass",
    "GenericNack",
    "Outbind",
    "Pdu",
    "QuerySm",
    "QuerySmResp",
    "ReplaceSm",
    "ReplaceSmResp",
    "Status",
    "SubmitMulti",
    "SubmitMultiResp",
    "SubmitSm",
    "SubmitSmResp",
    "Unbind",
    "UnbindResp",
    "status_name",
]

REGISTERED_RECEIPT = 0x01
"""registered_delivery: a receipt is asked for, whatever the outcome (section 5.2.17)."""


class EsmClass:
    """Bits of esm_class (section 5.2.12)."""

    TYPE_MASK = 0x3C
    RECEIPT = 0x04
    DELIVERY_ACKNOWLEDGEMENT = 0x08
    USER_ACKNOWLEDGEMENT = 0x10
    INTERMEDIATE_NOTIFICATION = 0x20
    UDHI = 0x40
    REPLY_PATH = 0x80


class Pdu(msgspec.Struct, frozen=True, gc=False):
    """What all PDUs have."""

    command: ClassVar[CommandId]

    sequence: int = 0


class Answer(Pdu, frozen=True, gc=False):
    """What all answers have."""

    status: int = 0


class GenericNack(Answer, frozen=True, gc=False):
    """Section 4.3: the header itself could not be served."""

    command = CommandId.GENERIC_NACK


class _Bind(Pdu, frozen=True, gc=False):
    system_id: str = ""
    password: str = ""
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""


class BindReceiver(_Bind, frozen=True, gc=False):
    """Section 4.1.3."""

    command = CommandId.BIND_RECEIVER


class BindTransmitter(_Bind, frozen=True, gc=False):
    """Section 4.1.1."""

    command = CommandId.BIND_TRANSMITTER


class BindTransceiver(_Bind, frozen=True, gc=False):
    """Section 4.1.5."""

    command = CommandId.BIND_TRANSCEIVER


class _BindResp(Answer, frozen=True, gc=False):
    system_id: str = ""
    tlvs: Tlvs = ()


class BindReceiverResp(_BindResp, frozen=True, gc=False):
    """Section 4.1.4."""

    command = CommandId.BIND_RECEIVER_RESP


class BindTransmitterResp(_BindResp, frozen=True, gc=False):
    """Section 4.1.2."""

    command = CommandId.BIND_TRANSMITTER_RESP


class BindTransceiverResp(_BindResp, frozen=True, gc=False):
    """Section 4.1.6."""

    command = CommandId.BIND_TRANSCEIVER_RESP


class Outbind(Pdu, frozen=True, gc=False):
    """Section 4.1.7: the SMSC asks an ESME to bind. No answer."""

    command = CommandId.OUTBIND

    system_id: str = ""
    password: str = ""


class Unbind(Pdu, frozen=True, gc=False):
    """Section 4.2.1."""

    command = CommandId.UNBIND


class UnbindResp(Answer, frozen=True, gc=False):
    """Section 4.2.2."""

    command = CommandId.UNBIND_RESP


class EnquireLink(Pdu, frozen=True, gc=False):
    """Section 4.11.1."""

    command = CommandId.ENQUIRE_LINK


class EnquireLinkResp(Answer, frozen=True, gc=False):
    """Section 4.11.2."""

    command = CommandId.ENQUIRE_LINK_RESP


class Message(Pdu, frozen=True, gc=False):
    """The fields that submit_sm and deliver_sm share, in wire order (sections 4.4.1 and 4.6.1)."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()

    @property
    def payload(self) -> bytes:
        """The user data: short_message, or message_payload (section 5.3.2.32) when the former is empty."""
        return self.short_message or tlv.find(self.tlvs, tlv.Tag.MESSAGE_PAYLOAD) or b""


class SubmitSm(Message, frozen=True, gc=False):
    """Section 4.4.1."""

    command = CommandId.SUBMIT_SM


class DeliverSm(Message, frozen=True, gc=False):
    """Section 4.6.1: an inbound text, or a receipt when `esm_class` says so."""

    command = CommandId.DELIVER_SM


class SubmitSmResp(Answer, frozen=True, gc=False):
    """Section 4.4.2. The body is absent when the status is an error."""

    command = CommandId.SUBMIT_SM_RESP

    message_id: str = ""
    tlvs: Tlvs = ()


class DeliverSmResp(Answer, frozen=True, gc=False):
    """Section 4.6.2. `message_id` is unused and empty."""

    command = CommandId.DELIVER_SM_RESP

    message_id: str = ""
    tlvs: Tlvs = ()


class DataSm(Pdu, frozen=True, gc=False):
    """Section 4.7.1: the user data is the message_payload parameter."""

    command = CommandId.DATA_SM

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: Tlvs = ()


class DataSmResp(Answer, frozen=True, gc=False):
    """Section 4.7.2."""

    command = CommandId.DATA_SM_RESP

    message_id: str = ""
    tlvs: Tlvs = ()


class QuerySm(Pdu, frozen=True, gc=False):
    """Section 4.8.1."""

    command = CommandId.QUERY_SM

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""


class QuerySmResp(Answer, frozen=True, gc=False):
    """Section 4.8.2."""

    command = CommandId.QUERY_SM_RESP

    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0


class CancelSm(Pdu, frozen=True, gc=False):
    """Section 4.9.1."""

    command = CommandId.CANCEL_SM

    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""


class CancelSmResp(Answer, frozen=True, gc=False):
    """Section 4.9.2."""

    command = CommandId.CANCEL_SM_RESP


class ReplaceSm(Pdu, frozen=True, gc=False):
    """Section 4.10.1."""

    command = CommandId.REPLACE_SM

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""


class ReplaceSmResp(Answer, frozen=True, gc=False):
    """Section 4.10.2."""

    command = CommandId.REPLACE_SM_RESP


class SubmitMulti(Pdu, frozen=True, gc=False):
    """Section 4.5.1. Recognised so that it can be refused by its own answer; the body is kept as it came."""

    command = CommandId.SUBMIT_MULTI

    body: bytes = b""


class SubmitMultiResp(Answer, frozen=True, gc=False):
    """Section 4.5.2, the body kept as it came."""

    command = CommandId.SUBMIT_MULTI_RESP

    body: bytes = b""


class AlertNotification(Pdu, frozen=True, gc=False):
    """Section 4.12.1. No answer."""

    command = CommandId.ALERT_NOTIFICATION

    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""
    tlvs: Tlvs = ()
