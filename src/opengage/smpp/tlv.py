"""Optional parameters (SMPP 3.4 section 5.3): tag, length, value, in any order behind the mandatory fields.

They are kept as pairs in the order of arrival, so that unknown and repeated ones survive a round trip.
"""

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct

from opengage.smpp.commands import Status
from opengage.smpp.errors import BodyError

Tlvs = tuple[tuple[int, bytes], ...]
"""Pairs of tag and value."""

_HEAD = Struct(">HH")
_USER_MESSAGE_REFERENCE = Struct(">4sH")


class Tag(IntEnum):
    """Section 5.3.2, table 5-7."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    USSD_SERVICE_OP = 0x0501
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


def find(tlvs: Tlvs, tag: int) -> bytes | None:
    """The value of the first parameter with this tag, or None."""
    for found, value in tlvs:
        if found == tag:
            return value
    return None


def find_int(tlvs: Tlvs, tag: int) -> int | None:
    """The first value with this tag as a big-endian integer; None when absent or empty."""
    for found, value in tlvs:  # a call for each receipt: no further one
        if found == tag:
            return int.from_bytes(value, "big") if value else None
    return None


def find_text(tlvs: Tlvs, tag: int) -> str | None:
    """The first value with this tag as a C-octet string, its NUL (which some peers forget) taken off."""
    value = find(tlvs, tag)
    return None if value is None else value.partition(b"\0")[0].decode("latin-1")


def encode(tlvs: Iterable[tuple[int, bytes]]) -> bytes:
    """The bytes of these parameters, in their order.

    Raises BodyError (ESME_RINVPARLEN) when a value is longer than 65,535 octets.
    """
    parts = []
    for tag, value in tlvs:
        if len(value) > 0xFFFF or not 0 <= tag <= 0xFFFF:
            raise BodyError(Status.ESME_RINVPARLEN, f"optional parameter 0x{tag:04X} holds {len(value)} octets")
        parts.append(_HEAD.pack(tag, len(value)))
        parts.append(value)
    return b"".join(parts)


def user_message_reference(reference: int) -> bytes:
    """The encoded parameter 0x0204 (section 5.3.2.17).

    The reference is taken modulo 65,536. The hot path's only one.
    """
    return _USER_MESSAGE_REFERENCE.pack(b"\x02\x04\x00\x02", reference & 0xFFFF)


def decode(data: bytes, start: int = 0) -> Tlvs:
    """The parameters from `start` to the end.

    Raises BodyError (ESME_RINVOPTPARSTREAM) when the bytes end inside one.
    """
    end = len(data)
    if start == end:
        return ()
    found = []
    while start < end:
        if start + 4 > end:
            raise BodyError(Status.ESME_RINVOPTPARSTREAM, f"{end - start} stray octets behind the parameters")
        tag, length = _HEAD.unpack_from(data, start)
        start += 4 + length
        if start > end:
            raise BodyError(Status.ESME_RINVOPTPARSTREAM, f"optional parameter 0x{tag:04X} is cut short")
        found.append((tag, data[start - length : start]))
    return tuple(found)
