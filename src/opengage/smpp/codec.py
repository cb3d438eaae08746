"""Any PDU to bytes and back (SMPP 3.4 section 4), by walking the table in `fields`.

Nothing but PduError ever leaves these functions, whatever the bytes. The busy PDUs are decoded by `hot`.
"""

from collections.abc import Callable
from typing import Any, Final

from opengage.smpp import hot, pdu, tlv
from opengage.smpp.commands import RESPONSE_BIT, CommandId, Status
from opengage.smpp.errors import BodyError, FramingError, UnknownCommand
from opengage.smpp.fields import ANSWERS, CLASSES, LAYOUT
from opengage.smpp.framing import HEADER, HEADER_LENGTH, MAX_LENGTH, frame


def encode(record: pdu.Pdu) -> bytes:
    """The whole PDU, header included.

    An answer that carries an error and no fields leaves its body away (the notes in sections 4.1.2 and
    4.4.2), except deliver_sm_resp, whose empty message_id is always there. Raises BodyError when a value
    breaks its limit.
    """
    status = record.status if isinstance(record, pdu.Answer) else 0
    if status and _bare(record):
        return frame(record.command, status, record.sequence)
    parts = [field.encode(getattr(record, field.name)) for field in LAYOUT[type(record)]]
    parts.append(tlv.encode(getattr(record, "tlvs", ())))
    return frame(record.command, status, record.sequence, b"".join(parts))


def _bare(record: pdu.Pdu) -> bool:
    beyond_header = record.__struct_fields__[2:]
    return type(record) is not pdu.DeliverSmResp and not any(getattr(record, name) for name in beyond_header)


def decode(data: bytes) -> pdu.Pdu:
    """The one PDU that these bytes are, header included.

    Raises FramingError when they are not exactly one frame, UnknownCommand and BodyError as `decode_body`
    does.
    """
    if len(data) < HEADER_LENGTH:
        raise FramingError(Status.ESME_RINVCMDLEN, f"{len(data)} octets are no header")
    length, command, status, sequence = HEADER.unpack_from(data)
    if length != len(data) or length > MAX_LENGTH:
        raise FramingError(Status.ESME_RINVCMDLEN, f"command_length {length} for {len(data)} octets")
    return decode_body(command, status, sequence, data[HEADER_LENGTH:])


def decode_body(command: int, status: int, sequence: int, body: bytes) -> pdu.Pdu:
    """The record of one frame.

    Raises UnknownCommand (ESME_RINVCMDID), or BodyError with the status that the answer should have.
    """
    fast = _HOT.get(command)
    if fast is not None:
        return fast(sequence, body)
    return decode_by_table(command, status, sequence, body)


def decode_by_table(command: int, status: int, sequence: int, body: bytes) -> pdu.Pdu:
    """`decode_body` without the fast paths."""
    kind = CLASSES.get(command)
    if kind is None:
        raise UnknownCommand(Status.ESME_RINVCMDID, f"command id 0x{command:08X} is not known")
    found: dict[str, Any] = {"sequence": sequence}
    if command & RESPONSE_BIT:
        found["status"] = status
        if not body:
            return kind(**found)
    start = 0
    for field in LAYOUT[kind]:
        found[field.name], start = field.decode(body, start)
    tlvs = tlv.decode(body, start)
    if "tlvs" in kind.__struct_fields__:
        found["tlvs"] = tlvs
    return kind(**found)


def refusal(command: int, sequence: int, status: int) -> bytes:
    """The answer that turns a request down.

    Its own response when it has one, else generic_nack (section 4.3).
    """
    if command == CommandId.DELIVER_SM:
        return hot.deliver_sm_resp(sequence, status)
    return frame(ANSWERS.get(command, CommandId.GENERIC_NACK), status, sequence)


_HOT: Final[dict[int, Callable[[int, bytes], pdu.Pdu]]] = {
    CommandId.SUBMIT_SM: hot.decode_submit_sm,
    CommandId.DELIVER_SM: hot.decode_deliver_sm,
}

__all__ = [
    "BodyError",
    "FramingError",
    "UnknownCommand",
    "decode",
    "decode_body",
    "decode_by_table",
    "encode",
    "refusal",
]
