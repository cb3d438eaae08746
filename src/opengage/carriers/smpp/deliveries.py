"""deliver_sm to receipts and inbound texts, for the SMPP carrier, and back to their answers.

Step 7 of the text's path, on the way back. A delivery stays unanswered until the dispatcher has stored what it became,
so the SMSC keeps it until then. One `Deliveries` serves all sessions of a carrier, told apart by their marks: what a
lost session left unanswered, the SMSC delivers again on another.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from opengage import logs
from opengage.domain.outcomes import Inbound, Receipt, ReceiptState
from opengage.smpp import coding, receipt, tlv
from opengage.smpp.commands import Status
from opengage.smpp.concatenation import Reassembler, Whole, part_of
from opengage.smpp.pdu import DeliverSm, EsmClass

_log = logs.get(__name__)

_INTERNATIONAL: Final = 1
_UNKNOWN: Final = 0
_SHORTEST, _LONGEST = 7, 15
_STORED: Final = int(Status.ESME_ROK)
_NOT_STORED: Final = int(Status.ESME_RX_T_APPN)
_MARK_SHIFT: Final = 32

IN_FLIGHT: Final = 5.0
"""Seconds after which an answer that was written has surely reached the SMSC, or the link has been found dead."""


class RefForm(StrEnum):
    """How the ids in a network's answers and in its receipts differ, where they do.

    Both are brought to one form, so that they match; an id that does not have the expected form stays as it is. EXACT
    is right for most networks and the only form that can never take one id for another.
    """

    EXACT = "exact"
    PADDED = "padded"
    """Numbers in one base, with or without leading zeros, in capitals or not."""
    HEX_ANSWERS = "hex-answers"
    """Hexadecimal in the answer, decimal in the receipt."""
    HEX_RECEIPTS = "hex-receipts"
    """Decimal in the answer, hexadecimal in the receipt."""


def _exact(ref: str) -> str:
    return ref


def _unpadded(ref: str) -> str:
    return ref.lower().lstrip("0") or ref


def _decimal(ref: str) -> str:
    return str(int(ref)) if ref.isascii() and ref.isdigit() else ref


def _hexadecimal(ref: str) -> str:
    try:
        return str(int(ref, 16)) if ref.isalnum() else ref
    except ValueError:
        return ref


Normalise = Callable[[str], str]

REF_FORMS: Final[Mapping[RefForm, tuple[Normalise, Normalise]]] = MappingProxyType(
    {
        RefForm.EXACT: (_exact, _exact),
        RefForm.PADDED: (_unpadded, _unpadded),
        RefForm.HEX_ANSWERS: (_hexadecimal, _decimal),
        RefForm.HEX_RECEIPTS: (_decimal, _hexadecimal),
    }
)
"""What is done to an id in an answer, and to one in a receipt."""

STATES: Final[Mapping[receipt.State, ReceiptState]] = MappingProxyType(
    {
        receipt.State.DELIVRD: ReceiptState.DELIVERED,
        receipt.State.UNDELIV: ReceiptState.UNDELIVERED,
        receipt.State.EXPIRED: ReceiptState.EXPIRED,
        receipt.State.DELETED: ReceiptState.UNDELIVERED,
        receipt.State.REJECTD: ReceiptState.UNDELIVERED,
        # "the message is in an invalid state" (section 5.2.28): the network has lost it and will say no more
        receipt.State.UNKNOWN: ReceiptState.UNDELIVERED,
    }
)
"""The states that are final. ENROUTE and ACCEPTD say nothing that lasts."""


class Read(msgspec.Struct, gc=False):
    """What one read brought: `at_once` are the deliveries (sequence, status) that need no storing."""

    receipts: list[Receipt]
    inbound: list[Inbound]
    at_once: list[tuple[int, int]]


class Lost(msgspec.Struct, gc=False):
    """The inbound texts whose session ended, by their tokens: the SMSC delivers those again whose answer it lacks."""

    unanswered: list[int]
    answered: list[int]
    """Answered so lately that the answer may not have arrived."""


_Where = tuple[int, int]
"""The mark of a session and a sequence number in it."""


class Deliveries:
    """The deliveries of all sessions, each answered once.

    A part of a long text is answered together with the whole. One whose others do not come within `patience` seconds
    is handed over as a text of its own: an SMSC that sends the second part only after the answer to the first would
    otherwise wait for ever, and nothing may be answered that is not stored. At most `limit` texts are gathered at once.
    """

    def __init__(self, ref_form: RefForm, *, limit: int, patience: float) -> None:
        self._normalise = REF_FORMS[ref_form][1]
        self._parts: Reassembler[tuple[int, DeliverSm]] = Reassembler(limit, patience)
        self._receipts: dict[int, _Where] = {}
        self._inbounds: dict[int, tuple[_Where, ...]] = {}
        self._answered: deque[tuple[float, int, tuple[_Where, ...]]] = deque()

    @property
    def gathering(self) -> int:
        """Long texts that wait for more parts."""
        return len(self._parts)

    def read(self, mark: int, messages: Iterable[DeliverSm], now: float) -> Read:
        """What these deliveries of a session are; `now` in monotonic seconds."""
        found = Read([], [], [])
        for message in messages:
            if message.esm_class & EsmClass.TYPE_MASK in (EsmClass.RECEIPT, EsmClass.INTERMEDIATE_NOTIFICATION):
                self._read_receipt(mark, message, found)
            else:
                self._read_part(mark, message, found, now)
        return found

    def expire(self, now: float) -> list[Inbound]:
        """The parts that have waited long enough for their others; `now` in monotonic seconds."""
        return [self._inbound(whole) for whole in self._parts.expire(now)]

    def answers(self, tokens: Sequence[int], *, stored: bool, now: float) -> dict[int, list[tuple[int, int]]]:
        """(sequence, status) of the deliveries that these tokens stand for, by their sessions' marks."""
        status = _STORED if stored else _NOT_STORED
        found: dict[int, list[tuple[int, int]]] = {}
        for token in tokens:
            receipt = self._receipts.pop(token, None)
            if receipt is not None:
                found.setdefault(receipt[0], []).append((receipt[1], status))
                continue
            wheres = self._inbounds.pop(token, ())
            for mark, sequence in wheres:
                found.setdefault(mark, []).append((sequence, status))
            if wheres and stored:
                self._answered.append((now, token, wheres))
        self._forget_answered(now)
        return found

    def lose(self, mark: int, now: float) -> Lost:
        """A session has ended: nothing of it can be answered any more."""
        self._forget_answered(now)
        self._parts.discard(lambda item: item[0] == mark)
        self._receipts = {token: where for token, where in self._receipts.items() if where[0] != mark}
        unanswered = []
        for token, wheres in list(self._inbounds.items()):
            self._inbounds[token] = rest = tuple(where for where in wheres if where[0] != mark)
            if not rest:
                del self._inbounds[token]
                unanswered.append(token)
        answered = [token for _, token, wheres in self._answered if any(where[0] == mark for where in wheres)]
        return Lost(unanswered, answered)

    def _forget_answered(self, now: float) -> None:
        while self._answered and self._answered[0][0] < now - IN_FLIGHT:
            self._answered.popleft()

    def _read_receipt(self, mark: int, message: DeliverSm, found: Read) -> None:
        told = receipt.parse(message)
        # an intermediate notification is about a text whose fate is still open, whatever state it names
        is_final = message.esm_class & EsmClass.TYPE_MASK == EsmClass.RECEIPT
        state = STATES.get(told.state) if told is not None and is_final else None
        if told is None or state is None:
            if told is None:
                _log.warning("receipt without an id dropped", octets=len(message.payload))
            found.at_once.append((message.sequence, _STORED))
            return
        tlvs = message.tlvs
        token = mark << _MARK_SHIFT | message.sequence
        self._receipts[token] = (mark, message.sequence)
        found.receipts.append(
            Receipt(
                self._normalise(told.message_id),
                state,
                code_of(told),
                e164(message.destination_addr, message.dest_addr_ton),
                e164(message.source_addr, message.source_addr_ton),
                tlv.find_int(tlvs, tlv.Tag.USER_MESSAGE_REFERENCE) if tlvs else None,
                token,
            )
        )

    def _read_part(self, mark: int, message: DeliverSm, found: Read, now: float) -> None:
        item = (mark, message)
        wholes = self._parts.add(message.source_addr, message.destination_addr, part_of(message), item, now)
        found.inbound += [self._inbound(whole) for whole in wholes]

    def _inbound(self, whole: Whole[tuple[int, DeliverSm]]) -> Inbound:
        """A text, or the parts of one that were given up; its token stands for every part."""
        mark, first = whole.items[0]
        token = mark << _MARK_SHIFT | first.sequence
        self._inbounds[token] = tuple((mark, message.sequence) for mark, message in whole.items)
        return Inbound(
            e164(first.source_addr, first.source_addr_ton),
            e164(first.destination_addr, first.dest_addr_ton),
            coding.decode(first.data_coding, whole.payload),
            token,
        )


def e164(address: str, ton: int) -> str:
    """A number with its plus sign; short codes, national numbers and names stay as they came.

    Many networks leave the type of number (section 5.2.5) at 0, unknown: that is taken for international when its
    length can be.
    """
    if ton == _INTERNATIONAL and address.isdigit():
        return "+" + address
    if ton == _UNKNOWN and address.isdigit():
        digits = address.removeprefix("00")
        return "+" + digits if _SHORTEST <= len(digits) <= _LONGEST and digits[0] != "0" else address
    return address


def code_of(told: receipt.Receipt) -> str:
    """The network's own word: `DELIVRD`, or with an error other than zero `UNDELIV:069`.

    Some end the error with a NUL, as in C; it is no part of it, and PostgreSQL would not hold it.
    """
    error = told.error.replace("\0", "")
    return f"{told.state.name}:{error}" if error.strip("0") else told.state.name
