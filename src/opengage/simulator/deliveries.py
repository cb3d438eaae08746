"""What the network sends to an ESME: receipts and texts of handsets, as bodies of deliver_sm.

Receipts say the same twice, as text (SMPP 3.4 Appendix B) and as parameters (sections 5.3.2.12 and 5.3.2.35).
"""

from datetime import UTC, datetime
from struct import Struct
from typing import Final

import msgspec

from opengage.clock import SECOND, Instant
from opengage.simulator.chaos import Ids
from opengage.smpp import hot, tlv
from opengage.smpp.concatenation import split
from opengage.smpp.pdu import DeliverSm, EsmClass, SubmitSm
from opengage.smpp.receipt import State

_ERRORS: Final = {State.DELIVRD: b"000", State.UNDELIV: b"001", State.EXPIRED: b"034"}
_HEAD: Final = Struct(">HH")
_RECEIPTED_MESSAGE_ID: Final = int(tlv.Tag.RECEIPTED_MESSAGE_ID)  # an enum's member takes longer to pack
_STATES: Final = {state: Struct(">HHB").pack(tlv.Tag.MESSAGE_STATE, 1, state) for state in State}
_ONLY_FAILURE, _ONLY_SUCCESS = 2, 3
_INTERNATIONAL: Final = 1


class Delivery(msgspec.Struct, gc=False):
    """One deliver_sm on its way: kept until an ESME acknowledges it."""

    body: bytes
    receipt: bool
    acknowledged: bool = False


def wants_receipt(registered: int, state: State) -> bool:
    """Whether registered_delivery asks for a receipt with this state (section 5.2.17; 3 is from SMPP 5.0)."""
    asked = registered & 3
    if asked == _ONLY_FAILURE:
        return state is not State.DELIVRD
    return asked == 1 or (asked == _ONLY_SUCCESS and state is State.DELIVRD)


class Writer:
    """Writes receipts; ids count up from the moment of the start, so that no two runs share one."""

    def __init__(self, start: Instant) -> None:
        self._last = int(start)
        self._fates: dict[State, bytes] = {}
        self._stamped = 0

    def next_id(self) -> int:
        """A message id that was never given before."""
        self._last += 1
        return self._last

    def receipt(self, submit: SubmitSm, message_id: bytes, state: State, now: Instant) -> bytes:
        """The body of the deliver_sm that tells what became of this submit."""
        words = b"" if submit.data_coding or submit.esm_class & EsmClass.UDHI else submit.short_message[:20]
        fate = self._fate(state, now)
        return b"\0%c%c%b\0%c%c%b\0\x04\0\0\0\0\0\0\0\0%cid:%b%b%b%b%b\0%b%b" % (
            submit.dest_addr_ton,
            submit.dest_addr_npi,
            submit.destination_addr.encode("latin-1"),
            submit.source_addr_ton,
            submit.source_addr_npi,
            submit.source_addr.encode("latin-1"),
            len(b"id:") + len(message_id) + len(fate) + len(words),
            message_id,
            fate,
            words,
            _HEAD.pack(_RECEIPTED_MESSAGE_ID, len(message_id) + 1),
            message_id,
            _STATES[state],
            _reference(submit) if submit.tlvs else b"",
        )

    def _fate(self, state: State, now: Instant) -> bytes:
        """What Appendix B writes between the id and the words, the same for all receipts of one second."""
        second = now // SECOND
        if second != self._stamped:
            self._stamped = second
            self._fates.clear()
        found = self._fates.get(state)
        if found is None:
            found = self._fates[state] = _fate_at(state, second)
        return found


def _fate_at(state: State, second: int) -> bytes:
    stamp = datetime.fromtimestamp(second, UTC).strftime("%y%m%d%H%M").encode()
    return b" sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:" % (
        b"001" if state is State.DELIVRD else b"000",
        stamp,
        stamp,
        state.name.encode(),
        _ERRORS[state],
    )


def _reference(submit: SubmitSm) -> bytes:
    """The submit's user_message_reference (section 5.3.2.17), if it has one."""
    value = tlv.find(submit.tlvs, tlv.Tag.USER_MESSAGE_REFERENCE)
    return b"" if value is None else _HEAD.pack(tlv.Tag.USER_MESSAGE_REFERENCE, len(value)) + value


def written(message_id: int, form: Ids) -> str:
    """A message id in the form that the carrier uses."""
    return f"{message_id:x}" if form == "hex" else str(message_id)


def inbound(source: str, destination: str, text: str, reference: int) -> list[bytes]:
    """The bodies that carry a handset's text.

    Raises BodyError for an impossible number, ValueError above 255 segments or for a lone surrogate.
    """
    segments = split(text, reference)
    return [
        hot.body_of(
            DeliverSm(
                source_addr_ton=_INTERNATIONAL,
                source_addr_npi=1,
                source_addr=source,
                dest_addr_ton=_INTERNATIONAL,
                dest_addr_npi=1,
                destination_addr=destination,
                esm_class=segments.esm_class,
                data_coding=segments.data_coding,
                short_message=payload,
            )
        )
        for payload in segments.payloads
    ]
