"""Receipts and inbound texts on their way in: what they are read as, and when they are answered."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from carriers.smpp.scripted import (
    RECIPIENT,
    SENDER,
    Recorder,
    ScriptedSmsc,
    in_turn,
    inbound_pdu,
    receipt_pdu,
    submission,
    text_id,
)
from opengage.carriers.smpp import RefForm, SmppCarrier
from opengage.carriers.smpp.deliveries import Deliveries, Read, e164
from opengage.domain.outcomes import Accepted, Inbound, Receipt, ReceiptState
from opengage.smpp import pdu, tlv
from opengage.smpp.commands import Status
from opengage.smpp.concatenation import split

Bound = Callable[..., Awaitable[SmppCarrier]]
HEAD = b"id:m1 sub:001 dlvrd:001 submit date:2601010101 done date:2601010102 stat:"
DELIVERED = receipt_pdu(HEAD + b"DELIVRD err:000 text:Hello")
YES, NO = ReceiptState.DELIVERED, ReceiptState.UNDELIVERED


def read(*messages: pdu.DeliverSm) -> Read:
    """What a fresh session's deliveries are read as."""
    deliveries = Deliveries(RefForm.EXACT, limit=10, patience=5.0)
    return deliveries.read(1, messages, 0.0)


@pytest.mark.parametrize(
    ("text", "state", "code"),
    [
        (b"DELIVRD err:000 text:Hello", YES, "DELIVRD"),
        (b"DELIVRD err:000", YES, "DELIVRD"),
        (b"DELIVRD", YES, "DELIVRD"),
        (b"UNDELIV err:069 text:", NO, "UNDELIV:069"),
        (b"UNDELIV err:69\0 text:", NO, "UNDELIV:69"),
        (b"DELIVRD err:00\0 text:", YES, "DELIVRD"),
        (b"EXPIRED err:000 text:", ReceiptState.EXPIRED, "EXPIRED"),
        (b"DELETED err:1 text:", NO, "DELETED:1"),
        (b"REJECTD err:0x45 text:", NO, "REJECTD:0x45"),
        (b"UNKNOWN err:000 text:", NO, "UNKNOWN"),
    ],
)
def test_final_receipts_are_told(text: bytes, state: ReceiptState, code: str) -> None:
    """Each final state comes with the network's own word for it, to be answered when stored."""
    found = read(receipt_pdu(HEAD + text, sequence=7))
    assert found.receipts == [Receipt("m1", state, code, SENDER, RECIPIENT, None, 1 << 32 | 7)]
    assert (found.at_once, found.inbound) == ([], [])


@pytest.mark.parametrize(
    "message",
    [
        receipt_pdu(HEAD + b"ENROUTE err:000 text:", sequence=7),
        receipt_pdu(HEAD + b"ACCEPTD err:000 text:", sequence=7),
        receipt_pdu(HEAD + b"UNDELIV err:001 text:", esm_class=pdu.EsmClass.INTERMEDIATE_NOTIFICATION, sequence=7),
        receipt_pdu(b"no id in here", sequence=7),
    ],
)
def test_what_is_not_final_is_answered_at_once(message: pdu.DeliverSm) -> None:
    """Receipts that say nothing final, or nothing at all, are taken off the network's hands and not told."""
    found = read(message)
    assert (found.receipts, found.inbound, found.at_once) == ([], [], [(7, Status.ESME_ROK)])


def test_a_receipt_brings_the_reference_back() -> None:
    """The user_message_reference of the submit is told where the network repeats it; parameters win over the text."""
    tlvs = (
        (tlv.Tag.USER_MESSAGE_REFERENCE, b"\x12\x34"),
        (tlv.Tag.RECEIPTED_MESSAGE_ID, b"other\0"),
        (tlv.Tag.MESSAGE_STATE, b"\x05"),
    )
    found = read(receipt_pdu(HEAD + b"DELIVRD err:000 text:", tlvs=tlvs))
    told = found.receipts[0]
    assert (told.reference, told.carrier_ref, told.state, told.code) == (0x1234, "other", NO, "UNDELIV")


@pytest.mark.parametrize(
    ("form", "answered", "receipted", "matched"),
    [
        (RefForm.EXACT, "0AF3", "0AF3", True),
        (RefForm.EXACT, "0AF3", "AF3", False),
        (RefForm.EXACT, "AF3", "af3", False),
        (RefForm.PADDED, "0000AF3", "af3", True),
        (RefForm.PADDED, "0", "000", False),
        (RefForm.HEX_ANSWERS, "0AF3", "2803", True),
        (RefForm.HEX_ANSWERS, "af3", "0000002803", True),
        (RefForm.HEX_ANSWERS, "no-number", "no-number", True),
        (RefForm.HEX_ANSWERS, "+1", "1", False),
        (RefForm.HEX_RECEIPTS, "2803", "AF3", True),
        (RefForm.HEX_RECEIPTS, "10", "10", False),
    ],
)
async def test_ids_match_in_the_form_of_the_network(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder, form: RefForm, answered: str, receipted: str, matched: bool
) -> None:
    """Ids that a network writes differently in answers and receipts come to one form, where the option says so."""
    carrier = await bound(ref_form=form)
    smsc.reply = in_turn((0, answered))
    carrier.submit([submission(1)])
    await recorder.until(lambda: recorder.told)
    smsc.deliver(receipt_pdu(HEAD.replace(b"m1", receipted.encode()) + b"DELIVRD err:000 text:"))
    await recorder.until(lambda: recorder.got_receipts)
    accepted = recorder.told[0]
    assert isinstance(accepted, Accepted)
    assert ((recorder.got_receipts[0].carrier_ref,) == accepted.carrier_refs) is matched


@pytest.mark.parametrize(
    ("address", "ton", "number"),
    [
        ("447700900123", 1, "+447700900123"),
        ("+447700900123", 1, "+447700900123"),
        ("447700900123", 0, "+447700900123"),
        ("00447700900123", 0, "+447700900123"),
        ("07700900123", 0, "07700900123"),
        ("07700900123", 2, "07700900123"),
        ("12345", 0, "12345"),
        ("12345", 3, "12345"),
        ("Bank", 5, "Bank"),
        ("", 0, ""),
    ],
)
def test_numbers_get_their_plus_sign(address: str, ton: int, number: str) -> None:
    """International numbers are E.164; what cannot be known to be one stays as it came."""
    assert e164(address, ton) == number


async def test_receipts_are_answered_only_when_told(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """Stored receipts are answered ok, others with try-again; a second word on the same one says nothing."""
    carrier = await bound()
    smsc.deliver(DELIVERED, DELIVERED, DELIVERED)
    await recorder.until(lambda: len(recorder.got_receipts) == 3)
    assert smsc.session.in_flight == 3
    first, second, third = (told.token for told in recorder.got_receipts)
    carrier.acknowledge([second], stored=True)
    await smsc.until(lambda: smsc.delivered)
    assert smsc.delivered == [(1, Status.ESME_ROK)]
    carrier.acknowledge([second, third, 999], stored=False)
    carrier.acknowledge([first], stored=True)
    await smsc.until(lambda: len(smsc.delivered) == 3)
    assert smsc.delivered[1:] == [(2, Status.ESME_RX_T_APPN), (0, Status.ESME_ROK)]
    assert smsc.session.counters.stray_answers == 0


async def test_what_is_not_final_is_answered_on_the_wire(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """An ENROUTE receipt does not wait for the dispatcher."""
    await bound()
    smsc.deliver(receipt_pdu(HEAD + b"ENROUTE err:000 text:"))
    await smsc.until(lambda: smsc.delivered)
    assert smsc.delivered == [(0, Status.ESME_ROK)]
    assert recorder.got_receipts == []


async def test_a_receipt_may_come_before_the_answer(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """It is told as it comes; matching it is the dispatcher's business."""
    carrier = await bound()
    smsc.reply = lambda submit: None
    carrier.submit([submission(1)])
    await smsc.until(lambda: smsc.submits)
    smsc.deliver(DELIVERED)
    await recorder.until(lambda: recorder.got_receipts)
    assert recorder.told == []
    smsc.session.answer_submits([(smsc.submits[0].sequence, 0, "m1")])
    await recorder.until(lambda: recorder.told)
    assert recorder.told == [Accepted(text_id(1), ("m1",))]
    assert recorder.got_receipts[0].carrier_ref == "m1"


async def test_tokens_of_a_lost_session_are_ignored(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """After a reconnect the same sequence number names another delivery, and an old token does not answer it."""
    carrier = await bound()
    smsc.deliver(DELIVERED)
    await recorder.until(lambda: recorder.got_receipts)
    smsc.session.abort()
    await recorder.until(lambda: not carrier.is_bound)
    carrier.acknowledge([recorder.got_receipts[0].token], stored=True)
    await recorder.until(lambda: carrier.is_bound)
    smsc.deliver(DELIVERED)
    await recorder.until(lambda: len(recorder.got_receipts) == 2)
    old, new = (told.token for told in recorder.got_receipts)
    assert old != new
    carrier.acknowledge([old], stored=False)
    carrier.acknowledge([new], stored=True)
    await smsc.until(lambda: smsc.delivered)
    assert smsc.delivered == [(0, Status.ESME_ROK)]


@pytest.mark.parametrize(
    ("text", "data_coding", "payload"),
    [
        ("STOP", 0, b"STOP"),
        ("£5 [für]", 0, b"\x015 \x1b<f\x7er\x1b>"),
        ("Да 👍", 8, "Да 👍".encode("utf-16-be")),
        ("café", 3, "café".encode("latin-1")),
        ("", 0, b""),
    ],
)
def test_inbound_texts_are_decoded(text: str, data_coding: int, payload: bytes) -> None:
    """The data coding says how; numbers are E.164."""
    found = read(inbound_pdu(payload, data_coding=data_coding, sequence=3))
    assert found.inbound == [Inbound(RECIPIENT, SENDER, text, 1 << 32 | 3)]
    assert (found.receipts, found.at_once) == ([], [])


def parts_of(text: str, reference: int = 7) -> list[pdu.DeliverSm]:
    """The deliveries of a long inbound text."""
    cut = split(text, reference)
    return [inbound_pdu(one, esm_class=cut.esm_class, data_coding=cut.data_coding) for one in cut.payloads]


@pytest.mark.parametrize("text", ["a" * 150 + "[" + "b" * 200, "Ж" * 66 + "👍" + "Ж" * 60])
@pytest.mark.parametrize("stored", [True, False])
async def test_a_long_inbound_text_is_answered_as_a_whole(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder, text: str, stored: bool
) -> None:
    """Its parts, in any order, are one text; none is answered before it is whole, and then all are alike."""
    carrier = await bound()
    parts = parts_of(text)
    smsc.deliver(*reversed(parts[1:]))
    smsc.deliver(inbound_pdu(b"STOP"))
    await recorder.until(lambda: recorder.got_inbound)
    assert [told.body for told in recorder.got_inbound] == ["STOP"]
    assert smsc.delivered == []
    smsc.deliver(parts[0])
    await recorder.until(lambda: len(recorder.got_inbound) == 2)
    assert recorder.got_inbound[1].body == text
    carrier.acknowledge([recorder.got_inbound[1].token], stored=stored)
    await smsc.until(lambda: len(smsc.delivered) == len(parts))
    assert {status for _, status in smsc.delivered} == {0 if stored else Status.ESME_RX_T_APPN}


async def test_a_part_whose_others_stay_away_is_handed_over(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder
) -> None:
    """An SMSC that waits for the first part's answer before it sends the second gets that answer; no word is lost."""
    carrier = await bound(inbound_patience=0.02)
    first, second = parts_of("a" * 200)
    smsc.deliver(first)
    await recorder.until(lambda: recorder.got_inbound)
    carrier.acknowledge([recorder.got_inbound[0].token], stored=True)
    await smsc.until(lambda: smsc.delivered)
    smsc.deliver(second)
    await recorder.until(lambda: len(recorder.got_inbound) == 2)
    assert [told.body for told in recorder.got_inbound] == ["a" * 153, "a" * 47]


async def test_parts_of_a_lost_session_are_forgotten(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """Unanswered parts come again on the next session, so the old ones must not be joined with them."""
    carrier = await bound()
    first, second = parts_of("a" * 160 + "b")
    smsc.deliver(first, inbound_pdu(b"x"))
    await recorder.until(lambda: recorder.got_inbound)
    smsc.session.abort()
    await recorder.until(lambda: not carrier.is_bound)
    await recorder.until(lambda: carrier.is_bound)
    smsc.deliver(second, inbound_pdu(b"y"))
    await recorder.until(lambda: len(recorder.got_inbound) == 2)
    smsc.deliver(first)
    await recorder.until(lambda: len(recorder.got_inbound) == 3)
    carrier.acknowledge([recorder.got_inbound[2].token], stored=True)
    await smsc.until(lambda: len(smsc.delivered) == 2)
    assert [told.body for told in recorder.got_inbound] == ["x", "y", "a" * 160 + "b"]


def test_unfinished_texts_are_bounded() -> None:
    """Over the limit the oldest is handed over as it is: nothing grows for ever, and nothing disappears."""
    deliveries = Deliveries(RefForm.EXACT, limit=2, patience=5.0)
    firsts = [parts_of("a" * 200, reference)[0] for reference in range(3)]
    found = deliveries.read(1, firsts, 0.0)
    assert (len(found.inbound), deliveries.gathering) == (1, 2)
    assert deliveries.expire(5.0) == []
    assert (len(deliveries.expire(5.1)), deliveries.gathering) == (2, 0)


def test_a_repeated_part_is_answered_too() -> None:
    """An impatient SMSC that sends a part twice gets an answer to both."""
    deliveries = Deliveries(RefForm.EXACT, limit=2, patience=5.0)
    first, second = parts_of("a" * 200)
    first, again, second = (
        msgspec.structs.replace(part, sequence=sequence) for part, sequence in ((first, 1), (first, 9), (second, 2))
    )
    found = deliveries.read(1, [first, again, second], 0.0)
    answers = deliveries.answers([found.inbound[0].token], stored=True, now=0.0)
    assert {mark: sorted(found) for mark, found in answers.items()} == {1: [(1, 0), (2, 0), (9, 0)]}


def test_parts_may_come_over_several_sessions() -> None:
    """A network that spreads the parts of a text over its links gets an answer on each."""
    deliveries = Deliveries(RefForm.EXACT, limit=2, patience=5.0)
    first, second = parts_of("a" * 200)
    assert deliveries.read(1, [msgspec.structs.replace(first, sequence=4)], 0.0).inbound == []
    (text,) = deliveries.read(2, [msgspec.structs.replace(second, sequence=4)], 0.0).inbound
    assert text.body == "a" * 200
    assert deliveries.answers([text.token], stored=True, now=0.0) == {1: [(4, 0)], 2: [(4, 0)]}


@pytest.mark.parametrize(
    ("answered_at", "lost_at", "unanswered", "answered"),
    [(None, 1.0, True, False), (1.0, 5.9, False, True), (1.0, 6.1, False, False)],
)
def test_a_lost_session_tells_which_answers_may_lack(
    answered_at: float | None, lost_at: float, unanswered: bool, answered: bool
) -> None:
    """Inbound texts without an answer, and those with one that was written just before; never receipts."""
    deliveries = Deliveries(RefForm.EXACT, limit=2, patience=5.0)
    found = deliveries.read(1, [inbound_pdu(b"x", sequence=1), DELIVERED], 0.0)
    elsewhere = deliveries.read(2, [inbound_pdu(b"x", sequence=1)], 0.0).inbound[0].token
    token = found.inbound[0].token
    if answered_at is not None:
        deliveries.answers([token], stored=True, now=answered_at)
    lost = deliveries.lose(1, lost_at)
    assert (lost.unanswered, lost.answered) == ([token] * unanswered, [token] * answered)
    assert deliveries.answers([token, found.receipts[0].token], stored=True, now=lost_at) == {}
    assert deliveries.answers([elsewhere], stored=True, now=lost_at) == {2: [(1, 0)]}


def test_a_refused_delivery_is_not_taken_for_stored() -> None:
    """What was answered with "try again later" comes again in any case, and was never stored."""
    deliveries = Deliveries(RefForm.EXACT, limit=2, patience=5.0)
    (text,) = deliveries.read(1, [inbound_pdu(b"x", sequence=1)], 0.0).inbound
    assert deliveries.answers([text.token], stored=False, now=0.0) == {1: [(1, Status.ESME_RX_T_APPN)]}
    lost = deliveries.lose(1, 0.0)
    assert (lost.unanswered, lost.answered) == ([], [])
