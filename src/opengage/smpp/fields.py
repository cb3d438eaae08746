"""The kinds of mandatory parameter (SMPP 3.4 section 3.1) and which of them each PDU has, in wire order.

A table, so that a PDU is one line to compare with the specification; `codec` walks it. The PDUs of the hot
path are here too: `hot` does the same faster, and the tests hold the two against each other.
"""

from dataclasses import dataclass
from typing import Final

from opengage.smpp import pdu
from opengage.smpp.commands import CommandId, Status
from opengage.smpp.errors import BodyError

MAX_SHORT_MESSAGE: Final = 254
"""Octets of short_message (section 5.2.22); longer user data goes into message_payload."""


def truncated(name: str) -> BodyError:
    """The PDU ended inside this field."""
    return BodyError(Status.ESME_RINVCMDLEN, f"the PDU ends inside {name}")


@dataclass(frozen=True, slots=True)
class CString:
    """A C-octet string of at most `most` octets, its NUL included."""

    name: str
    most: int
    status: Status = Status.ESME_RINVPARLEN

    def encode(self, value: str) -> bytes:
        """The octets with their NUL; BodyError when too long, not latin-1, or holding a NUL."""
        try:
            octets = value.encode("latin-1")
        except UnicodeEncodeError:
            raise BodyError(self.status, f"{self.name} holds characters beyond latin-1") from None
        if len(octets) >= self.most or b"\0" in octets:
            raise BodyError(self.status, f"{self.name} must be under {self.most} octets without NUL")
        return octets + b"\0"

    def decode(self, body: bytes, start: int) -> tuple[str, int]:
        """The value and where the next field starts."""
        stop = body.find(0, start, start + self.most)
        if stop < 0:
            if len(body) - start < self.most:
                raise truncated(self.name)
            raise BodyError(self.status, f"{self.name} has no NUL within {self.most} octets")
        return body[start:stop].decode("latin-1"), stop + 1


@dataclass(frozen=True, slots=True)
class Time:
    """An absolute or relative time (section 7.1.1): sixteen octets and a NUL, or the NUL alone."""

    name: str
    status: Status

    def encode(self, value: str) -> bytes:
        """The octets with their NUL; BodyError when not 0 or 16 long."""
        if len(value) not in (0, 16):
            raise BodyError(self.status, f"{self.name} must be empty or sixteen octets")
        return CString(self.name, 17, self.status).encode(value)

    def decode(self, body: bytes, start: int) -> tuple[str, int]:
        """The value and where the next field starts."""
        value, stop = CString(self.name, 17, self.status).decode(body, start)
        if len(value) not in (0, 16):
            raise BodyError(self.status, f"{self.name} must be empty or sixteen octets")
        return value, stop


@dataclass(frozen=True, slots=True)
class Octet:
    """One unsigned octet."""

    name: str
    status: Status = Status.ESME_RINVPARLEN

    def encode(self, value: int) -> bytes:
        """The octet; BodyError when it does not fit one."""
        if not 0 <= value <= 0xFF:
            raise BodyError(self.status, f"{self.name} {value} does not fit an octet")
        return bytes((value,))

    def decode(self, body: bytes, start: int) -> tuple[int, int]:
        """The value and where the next field starts."""
        if start >= len(body):
            raise truncated(self.name)
        return body[start], start + 1


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """sm_length and short_message (sections 5.2.21 and 5.2.22)."""

    name: str = "short_message"

    def encode(self, value: bytes) -> bytes:
        """The length and the octets; BodyError (ESME_RINVMSGLEN) above 254."""
        if len(value) > MAX_SHORT_MESSAGE:
            raise BodyError(Status.ESME_RINVMSGLEN, f"short_message holds {len(value)} octets")
        return bytes((len(value),)) + value

    def decode(self, body: bytes, start: int) -> tuple[bytes, int]:
        """The value and where the next field starts."""
        if start >= len(body):
            raise truncated("sm_length")
        stop = start + 1 + body[start]
        if body[start] > MAX_SHORT_MESSAGE or stop > len(body):
            raise BodyError(Status.ESME_RINVMSGLEN, f"sm_length {body[start]} is more than there is or may be")
        return body[start + 1 : stop], stop


@dataclass(frozen=True, slots=True)
class Rest:
    """Everything to the end, for PDUs that are only recognised."""

    name: str

    def encode(self, value: bytes) -> bytes:
        """As it is."""
        return value

    def decode(self, body: bytes, start: int) -> tuple[bytes, int]:
        """As it is."""
        return body[start:], len(body)


Field = CString | Time | Octet | ShortMessage | Rest

_SOURCE = (
    Octet("source_addr_ton", Status.ESME_RINVSRCTON),
    Octet("source_addr_npi", Status.ESME_RINVSRCNPI),
)
_DESTINATION = (
    Octet("dest_addr_ton", Status.ESME_RINVDSTTON),
    Octet("dest_addr_npi", Status.ESME_RINVDSTNPI),
)
_SERVICE_TYPE = CString("service_type", 6, Status.ESME_RINVSERTYP)
_SOURCE_ADDR = CString("source_addr", 21, Status.ESME_RINVSRCADR)
_LONG_SOURCE_ADDR = CString("source_addr", 65, Status.ESME_RINVSRCADR)
_DESTINATION_ADDR = CString("destination_addr", 21, Status.ESME_RINVDSTADR)
_LONG_DESTINATION_ADDR = CString("destination_addr", 65, Status.ESME_RINVDSTADR)
_MESSAGE_ID = CString("message_id", 65, Status.ESME_RINVMSGID)
_SYSTEM_ID = CString("system_id", 16, Status.ESME_RINVSYSID)
_PASSWORD = CString("password", 9, Status.ESME_RINVPASWD)
_SCHEDULE = Time("schedule_delivery_time", Status.ESME_RINVSCHED)
_VALIDITY = Time("validity_period", Status.ESME_RINVEXPIRY)
_REGISTERED = Octet("registered_delivery", Status.ESME_RINVREGDLVFLG)
_DEFAULT_MESSAGE = Octet("sm_default_msg_id", Status.ESME_RINVDFTMSGID)
_ESM_CLASS = Octet("esm_class", Status.ESME_RINVESMCLASS)
_CODING = Octet("data_coding")

_BIND: tuple[Field, ...] = (
    _SYSTEM_ID,
    _PASSWORD,
    CString("system_type", 13, Status.ESME_RINVSYSTYP),
    Octet("interface_version"),
    Octet("addr_ton"),
    Octet("addr_npi"),
    CString("address_range", 41),
)
_MESSAGE: tuple[Field, ...] = (
    _SERVICE_TYPE,
    *_SOURCE,
    _SOURCE_ADDR,
    *_DESTINATION,
    _DESTINATION_ADDR,
    _ESM_CLASS,
    Octet("protocol_id"),
    Octet("priority_flag", Status.ESME_RINVPRTFLG),
    _SCHEDULE,
    _VALIDITY,
    _REGISTERED,
    Octet("replace_if_present_flag", Status.ESME_RINVREPFLAG),
    _CODING,
    _DEFAULT_MESSAGE,
    ShortMessage(),
)

LAYOUT: Final[dict[type[pdu.Pdu], tuple[Field, ...]]] = {
    pdu.GenericNack: (),
    pdu.BindReceiver: _BIND,
    pdu.BindReceiverResp: (_SYSTEM_ID,),
    pdu.BindTransmitter: _BIND,
    pdu.BindTransmitterResp: (_SYSTEM_ID,),
    pdu.BindTransceiver: _BIND,
    pdu.BindTransceiverResp: (_SYSTEM_ID,),
    pdu.Outbind: (_SYSTEM_ID, _PASSWORD),
    pdu.Unbind: (),
    pdu.UnbindResp: (),
    pdu.EnquireLink: (),
    pdu.EnquireLinkResp: (),
    pdu.SubmitSm: _MESSAGE,
    pdu.SubmitSmResp: (_MESSAGE_ID,),
    pdu.DeliverSm: _MESSAGE,
    pdu.DeliverSmResp: (_MESSAGE_ID,),
    pdu.DataSm: (
        _SERVICE_TYPE,
        *_SOURCE,
        _LONG_SOURCE_ADDR,
        *_DESTINATION,
        _LONG_DESTINATION_ADDR,
        _ESM_CLASS,
        _REGISTERED,
        _CODING,
    ),
    pdu.DataSmResp: (_MESSAGE_ID,),
    pdu.QuerySm: (_MESSAGE_ID, *_SOURCE, _SOURCE_ADDR),
    pdu.QuerySmResp: (
        _MESSAGE_ID,
        Time("final_date", Status.ESME_RINVPARLEN),
        Octet("message_state"),
        Octet("error_code"),
    ),
    pdu.CancelSm: (_SERVICE_TYPE, _MESSAGE_ID, *_SOURCE, _SOURCE_ADDR, *_DESTINATION, _DESTINATION_ADDR),
    pdu.CancelSmResp: (),
    pdu.ReplaceSm: (
        _MESSAGE_ID,
        *_SOURCE,
        _SOURCE_ADDR,
        _SCHEDULE,
        _VALIDITY,
        _REGISTERED,
        _DEFAULT_MESSAGE,
        ShortMessage(),
    ),
    pdu.ReplaceSmResp: (),
    pdu.SubmitMulti: (Rest("body"),),
    pdu.SubmitMultiResp: (Rest("body"),),
    pdu.AlertNotification: (
        *_SOURCE,
        _LONG_SOURCE_ADDR,
        Octet("esme_addr_ton"),
        Octet("esme_addr_npi"),
        CString("esme_addr", 65),
    ),
}
"""Every PDU's mandatory parameters, in order."""

CLASSES: Final[dict[int, type[pdu.Pdu]]] = {kind.command: kind for kind in LAYOUT}
"""The record of each command id."""

ANSWERS: Final[dict[int, CommandId]] = {
    command: CommandId(command | 0x80000000) for command in CLASSES if (command | 0x80000000) in CLASSES
}
"""Request command id to answer command id."""
