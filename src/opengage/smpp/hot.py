"""The PDUs that exist once or more per text, written out for speed; the same rules as the table in `fields`.

submit_sm and deliver_sm share one layout (SMPP 3.4 sections 4.4.1 and 4.6.1). A body does not depend on the
sequence number, so it is built here and the session puts the header in front.
"""

from struct import Struct
from typing import Any, TypeVar

from opengage.smpp import tlv
from opengage.smpp.commands import CommandId, Status
from opengage.smpp.errors import BodyError
from opengage.smpp.fields import LAYOUT, MAX_SHORT_MESSAGE, Field, truncated
from opengage.smpp.framing import HEADER
from opengage.smpp.pdu import REGISTERED_RECEIPT, DeliverSm, Message, SubmitSm

_M = TypeVar("_M", bound=Message)

# Looking up an enum's member costs more than the packing.
_SUBMIT_SM_RESP_ID = int(CommandId.SUBMIT_SM_RESP)
_DELIVER_SM_RESP_ID = int(CommandId.DELIVER_SM_RESP)
_DELIVER_SM_RESP = Struct(">IIIIx")
_LONGEST_ADDRESS = 20
_FIELDS: dict[str, Field] = {field.name: field for field in LAYOUT[SubmitSm]}
_LONGEST_MESSAGE_ID = 65


def deliver_sm_resp(sequence: int, status: int = 0) -> bytes:
    """The whole answer to a deliver_sm; its message_id is unused (section 4.6.2)."""
    return _DELIVER_SM_RESP.pack(17, _DELIVER_SM_RESP_ID, status, sequence)


def submit_sm_resp(sequence: int, status: int, message_id: str) -> bytes:
    """The whole answer to a submit_sm; without body when the status is an error (section 4.4.2).

    Raises BodyError (ESME_RINVMSGID) for a message id over 64 characters or beyond latin-1.
    """
    if status:
        return HEADER.pack(16, _SUBMIT_SM_RESP_ID, status, sequence)
    try:
        octets = message_id.encode("latin-1")
    except UnicodeEncodeError:
        octets = b"\0"
    if len(octets) >= _LONGEST_MESSAGE_ID or 0 in octets:
        raise BodyError(Status.ESME_RINVMSGID, "message_id must be under 65 octets of latin-1 without NUL")
    return HEADER.pack(17 + len(octets), _SUBMIT_SM_RESP_ID, 0, sequence) + octets + b"\0"


def message_id_of(body: bytes) -> str:
    """The message_id of a submit_sm_resp body; empty when the body is absent or breaks its limit.

    An answer is an answer: its status, in the header, counts even when the id is unreadable.
    """
    stop = body.find(0, 0, _LONGEST_MESSAGE_ID)
    return body[:stop].decode("latin-1") if stop > 0 else ""


def decode_submit_sm(sequence: int, body: bytes) -> SubmitSm:
    """A submit_sm body. Raises BodyError with the status for its answer."""
    return _decode(SubmitSm, sequence, body)


def decode_deliver_sm(sequence: int, body: bytes) -> DeliverSm:
    """A deliver_sm body. Raises BodyError with the status for its answer."""
    return _decode(DeliverSm, sequence, body)


def _decode(kind: type[_M], sequence: int, body: bytes) -> _M:
    try:
        service = body.index(0)
        source = body.index(0, service + 3)
        destination = body.index(0, source + 3)
        schedule = body.index(0, destination + 4)
        validity = body.index(0, schedule + 1)
        registered, replace, coding, default_message, length = body[validity + 1 : validity + 6]
    except ValueError:
        raise _judge(body) from None
    start = validity + 6
    stop = start + length
    if (
        service > 5
        or source - service > 23
        or destination - source > 23
        or schedule - destination not in (4, 20)
        or validity - schedule not in (1, 17)
        or length > MAX_SHORT_MESSAGE
        or stop > len(body)
    ):
        raise _judge(body)
    # One decode for all the strings: in latin-1 an octet's place is its character's place.
    text = body.decode("latin-1")
    return kind(
        sequence,
        text[:service],
        body[service + 1],
        body[service + 2],
        text[service + 3 : source],
        body[source + 1],
        body[source + 2],
        text[source + 3 : destination],
        body[destination + 1],
        body[destination + 2],
        body[destination + 3],
        text[destination + 4 : schedule],
        text[schedule + 1 : validity],
        registered,
        replace,
        coding,
        default_message,
        body[start:stop],
        tlv.decode(body, stop) if stop < len(body) else (),
    )


def _judge(body: bytes) -> BodyError:
    """Which field is wrong: the table's words for what the fast path found broken."""
    start = 0
    try:
        for field in LAYOUT[SubmitSm]:
            _, start = field.decode(body, start)
    except BodyError as error:
        return error
    return truncated("the mandatory parameters")


def body_of(message: Message) -> bytes:
    """The body of any submit_sm or deliver_sm, for senders whose every field varies.

    Raises BodyError with the status that a peer would answer.
    """
    try:
        body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b%b" % (
            message.service_type.encode("latin-1"),
            message.source_addr_ton,
            message.source_addr_npi,
            message.source_addr.encode("latin-1"),
            message.dest_addr_ton,
            message.dest_addr_npi,
            message.destination_addr.encode("latin-1"),
            message.esm_class,
            message.protocol_id,
            message.priority_flag,
            message.schedule_delivery_time.encode("latin-1"),
            message.validity_period.encode("latin-1"),
            message.registered_delivery,
            message.replace_if_present_flag,
            message.data_coding,
            message.sm_default_msg_id,
            len(message.short_message),
            message.short_message,
            tlv.encode(message.tlvs) if message.tlvs else b"",
        )
        # Reading it back is cheaper than checking each field, and proves that a peer reads what was meant.
        if _decode(type(message), message.sequence, body) == message:
            return body
    except (OverflowError, UnicodeEncodeError, BodyError):
        pass  # the table says which field it is
    slow = [field.encode(getattr(message, field.name)) for field in LAYOUT[SubmitSm]]
    return b"".join(slow) + tlv.encode(message.tlvs)


class SubmitTemplate:
    """All of a submit_sm that is constant for one phone number, encoded once.

    Raises BodyError when a value breaks its limit.
    """

    __slots__ = ("_after", "_before", "_middle")

    def __init__(
        self,
        source_addr: str,
        *,
        source_addr_ton: int = 1,
        source_addr_npi: int = 1,
        dest_addr_ton: int = 1,
        dest_addr_npi: int = 1,
        service_type: str = "",
        protocol_id: int = 0,
        priority_flag: int = 0,
        validity_period: str = "",
        registered_delivery: int = REGISTERED_RECEIPT,
        replace_if_present_flag: int = 0,
    ) -> None:
        """Only what differs from number to number and carrier to carrier; the rest goes to `body`."""
        self._before = _octets(
            service_type=service_type,
            source_addr_ton=source_addr_ton,
            source_addr_npi=source_addr_npi,
            source_addr=source_addr,
            dest_addr_ton=dest_addr_ton,
            dest_addr_npi=dest_addr_npi,
        )
        self._middle = _octets(
            protocol_id=protocol_id,
            priority_flag=priority_flag,
            schedule_delivery_time="",
            validity_period=validity_period,
            registered_delivery=registered_delivery,
            replace_if_present_flag=replace_if_present_flag,
        )
        self._after: dict[tuple[int, int], bytes] = {}

    def body(
        self,
        destination_addr: str,
        data_coding: int,
        short_message: bytes,
        esm_class: int = 0,
        tlvs: bytes = b"",
    ) -> bytes:
        """The body of one submit_sm; `tlvs` are already encoded.

        User data above 254 octets travels as message_payload (section 5.3.2.32). Raises BodyError when the
        destination or a number breaks its limit.
        """
        if len(destination_addr) > _LONGEST_ADDRESS or not destination_addr.isascii() or "\0" in destination_addr:
            raise BodyError(Status.ESME_RINVDSTADR, "destination_addr must be at most 20 ASCII characters")
        after = self._after.get((esm_class, data_coding)) or self._remember(esm_class, data_coding)
        length = len(short_message)
        if length > MAX_SHORT_MESSAGE:
            tlvs += tlv.encode(((tlv.Tag.MESSAGE_PAYLOAD, short_message),))
            length, short_message = 0, b""
        return b"%b%b%b%c%b%b" % (self._before, destination_addr.encode(), after, length, short_message, tlvs)

    def _remember(self, esm_class: int, data_coding: int) -> bytes:
        constant = (
            _octets(esm_class=esm_class),
            self._middle,
            _octets(data_coding=data_coding, sm_default_msg_id=0),
        )
        after = self._after[esm_class, data_coding] = b"\0" + b"".join(constant)
        return after


def _octets(**values: Any) -> bytes:
    return b"".join(_FIELDS[name].encode(value) for name, value in values.items())
