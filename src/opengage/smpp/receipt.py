"""Delivery receipts: the carrier's word on a text's fate, inside a deliver_sm.

Two forms, often both: the text of SMPP 3.4 Appendix B and the parameters receipted_message_id and message_state
(section 5.3.2.12, 5.3.2.35). Carriers differ in case, order, padding and what they leave out; all of that is read.
"""

import re
from datetime import UTC, datetime, timezone
from enum import IntEnum
from typing import Final

import msgspec

from opengage.smpp import tlv
from opengage.smpp.pdu import DeliverSm, EsmClass
from opengage.smpp.tlv import Tag


class State(IntEnum):
    """message_state (section 5.2.28) with the names of Appendix B's table B-2."""

    ENROUTE = 1
    DELIVRD = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIV = 5
    ACCEPTD = 6
    UNKNOWN = 7
    REJECTD = 8

    @property
    def final(self) -> bool:
        """Whether the carrier will say no more about this text."""
        return self not in (State.ENROUTE, State.ACCEPTD)


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """One receipt. Dates are kept as they came (see `moment`); `error` is the carrier's own code, in its own words."""

    message_id: str
    state: State
    error: str = ""
    submit_date: str = ""
    done_date: str = ""
    submitted: int | None = None
    delivered: int | None = None
    text: bytes = b""


_COMMON: Final = re.compile(
    r"id:([^ \0]{1,64}) sub:([0-9]{3}) dlvrd:([0-9]{3}) submit date:([0-9]{10,14}) done date:([0-9]{10,14})"
    r" stat:([A-Z]{7}) err:([^ ]{1,8})(?: text:|\Z)"
)
_PARTS: Final = re.compile(
    rb"(?:^|(?<=[\s,;|]))(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*[:=]\s*", re.IGNORECASE
)
_NAMES: Final = {
    **{state.name: state for state in State},
    "DELIVERED": State.DELIVRD,
    "DELIVERD": State.DELIVRD,
    "UNDELIVERABLE": State.UNDELIV,
    "UNDELIVERED": State.UNDELIV,
    "UNDELIVE": State.UNDELIV,
    "UNDELVD": State.UNDELIV,
    "ACCEPTED": State.ACCEPTD,
    "ACCEPT": State.ACCEPTD,
    "REJECTED": State.REJECTD,
    "BUFFERED": State.ENROUTE,
    "BUFFRED": State.ENROUTE,
    "EN_ROUTE": State.ENROUTE,
}
_COUNTS: Final = {f"{number:03}": number for number in range(1_000)}
_RECEIPTS: Final = (EsmClass.RECEIPT, EsmClass.INTERMEDIATE_NOTIFICATION)
_TYPE_MASK: Final = EsmClass.TYPE_MASK
_BY_NUMBER: Final = {int(state): state for state in State}
_FORMATS: Final = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}


def is_receipt(message: DeliverSm) -> bool:
    """Whether esm_class calls this a receipt or an intermediate notification (section 5.2.12), not a text."""
    return message.esm_class & _TYPE_MASK in _RECEIPTS


def parse(message: DeliverSm) -> Receipt | None:
    """The receipt in this deliver_sm; None when it is a text, or names no message id in either form.

    The parameters win over the text: they are the carrier's structured word.
    """
    if message.esm_class & _TYPE_MASK not in _RECEIPTS:
        return None
    found = parse_text(message.short_message or message.payload)
    return _with_parameters(found, message.tlvs) if message.tlvs else found


def parse_text(data: bytes) -> Receipt | None:
    """The receipt that an Appendix B text is, whatever its dialect; None when it names no message id."""
    # One decode for all the parts: in latin-1 an octet's place is its character's place.
    common = _COMMON.match(data.decode("latin-1"))
    if common is None:
        return _parse_loosely(data)
    message_id, submitted, delivered, submit_date, done_date, state, error = common.groups()
    return Receipt(
        message_id,
        _NAMES.get(state) or State.UNKNOWN,
        error,
        submit_date,
        done_date,
        _COUNTS[submitted],
        _COUNTS[delivered],
        data[common.end() :],
    )


def _parse_loosely(data: bytes) -> Receipt | None:
    parts = _parts_of(data)
    message_id = _word(parts, b"id")
    if not message_id:
        return None
    return Receipt(
        message_id,
        _NAMES.get(_word(parts, b"stat").upper(), State.UNKNOWN),
        _word(parts, b"err"),
        _word(parts, b"submitdate"),
        _word(parts, b"donedate"),
        _count(parts, b"sub"),
        _count(parts, b"dlvrd"),
        parts.get(b"text", b""),
    )


def _parts_of(data: bytes) -> dict[bytes, bytes]:
    """Each named part up to the next; the text, which comes last, may hold anything and ends the search."""
    marks = list(_PARTS.finditer(data))
    parts: dict[bytes, bytes] = {}
    for place, mark in enumerate(marks):
        name = mark.group(1).lower().replace(b" ", b"").replace(b"_", b"")
        if name == b"text":
            parts.setdefault(name, data[mark.end() :])
            break
        end = marks[place + 1].start() if place + 1 < len(marks) else len(data)
        parts.setdefault(name, data[mark.end() : end].strip(b" \t\r\n\0,;|"))
    return parts


def _word(parts: dict[bytes, bytes], name: bytes) -> str:
    value = parts.get(name, b"").split(maxsplit=1)
    return value[0].decode("latin-1") if value else ""


def _count(parts: dict[bytes, bytes], name: bytes) -> int | None:
    digits = parts.get(name, b"")
    return int(digits) if digits.isdigit() and len(digits) <= 9 else None


def _with_parameters(found: Receipt | None, tlvs: tlv.Tlvs) -> Receipt | None:
    message_id = tlv.find_text(tlvs, Tag.RECEIPTED_MESSAGE_ID) or (found.message_id if found else "")
    if not message_id:
        return None
    number = tlv.find_int(tlvs, Tag.MESSAGE_STATE)
    if found is not None and found.error and (message_id, number) == (found.message_id, found.state):
        return found  # both forms agree, as they nearly always do
    error = tlv.find(tlvs, Tag.NETWORK_ERROR_CODE)
    base = found or Receipt(message_id, State.UNKNOWN)
    return msgspec.structs.replace(
        base,
        message_id=message_id,
        state=base.state if number is None else _BY_NUMBER.get(number, State.UNKNOWN),
        error=base.error or (str(int.from_bytes(error[1:3], "big")) if error and len(error) == 3 else ""),
    )


def moment(date: str, zone: timezone = UTC) -> datetime | None:
    """The instant of a receipt's date (YYMMDDhhmm, with seconds, or with a four-digit year); None when it is no date.

    Receipts carry no zone: `zone` is the carrier's, which its owner configures.
    """
    pattern = _FORMATS.get(len(date))
    if pattern is None or not date.isascii() or not date.isdigit():
        return None
    try:
        return datetime.strptime(date, pattern).replace(tzinfo=zone)
    except ValueError:
        return None


def build_text(receipt: Receipt) -> bytes:
    """The Appendix B text of this receipt, as the simulator sends it; `text` is cut to its first 20 octets."""
    return b"id:%b sub:%03d dlvrd:%03d submit date:%b done date:%b stat:%b err:%b text:%b" % (
        receipt.message_id.encode("latin-1"),
        receipt.submitted or 0,
        receipt.delivered or 0,
        receipt.submit_date.encode(),
        receipt.done_date.encode(),
        receipt.state.name.encode(),
        receipt.error.encode("latin-1") or b"000",
        receipt.text[:20],
    )


def build_tlvs(message_id: str, state: State) -> tlv.Tlvs:
    """The two parameters that say the same without prose."""
    return (
        (Tag.RECEIPTED_MESSAGE_ID, message_id.encode("latin-1") + b"\0"),
        (Tag.MESSAGE_STATE, bytes((state,))),
    )
