"""The SMPP carrier against a real socket: each text has one outcome, whatever befalls the link."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from carriers.smpp.scripted import LONG, Recorder, Reply, ScriptedSmsc, accept_all, in_turn, submission, text_id
from opengage.carriers.smpp import SmppCarrier
from opengage.clock import SECOND, Instant, SystemClock
from opengage.domain.outcomes import (
    CONNECTION_LOST,
    NEVER_SENT,
    NO_ANSWER,
    Accepted,
    Deferred,
    Outcome,
    Refused,
    Unknown,
    reference_of,
)
from opengage.smpp import pdu, tlv
from opengage.smpp.commands import Status

Bound = Callable[..., Awaitable[SmppCarrier]]
ONE = text_id(1)
OK1, OK2, OK3 = (0, "m1"), (0, "m2"), (0, "m3")
THROTTLED, BUSY, NO = (Status.ESME_RTHROTTLED, ""), (Status.ESME_RSYSERR, ""), (Status.ESME_RINVDSTADR, "")


def nothing(submit: pdu.SubmitSm) -> Reply:
    """An SMSC that does not answer."""
    return None


@pytest.mark.parametrize(
    ("body", "replies", "expected"),
    [
        ("Hi", [OK1], Accepted(ONE, ("m1",))),
        ("Hi", [(0, "")], Accepted(ONE, ("",))),
        ("Hi", [THROTTLED], Deferred(ONE, "ESME_RTHROTTLED", throttled=True)),
        ("Hi", [(Status.ESME_RMSGQFUL, "")], Deferred(ONE, "ESME_RMSGQFUL", throttled=True)),
        ("Hi", [BUSY], Deferred(ONE, "ESME_RSYSERR", throttled=False)),
        ("Hi", [NO], Refused(ONE, "ESME_RINVDSTADR")),
        ("Hi", [(0x0415, "")], Refused(ONE, "0x00000415")),
        ("Hi", [None], Unknown(ONE, NO_ANSWER)),
        (LONG, [OK1, OK2, OK3], Accepted(ONE, ("m1", "m2", "m3"))),
        (LONG, [NO, NO, NO], Refused(ONE, "ESME_RINVDSTADR")),
        (LONG, [OK1, NO, OK3], Refused(ONE, "ESME_RINVDSTADR", ((1, "m1"), (3, "m3")))),
        (LONG, [OK1, NO, BUSY], Refused(ONE, "ESME_RINVDSTADR", ((1, "m1"),))),
        (LONG, [OK1, THROTTLED, OK3], Deferred(ONE, "ESME_RTHROTTLED", True, ((1, "m1"), (3, "m3")))),
        (LONG, [THROTTLED, BUSY, OK3], Deferred(ONE, "ESME_RSYSERR", False, ((3, "m3"),))),
        (LONG, [THROTTLED, THROTTLED, THROTTLED], Deferred(ONE, "ESME_RTHROTTLED", throttled=True)),
        (LONG, [OK1, None, NO], Unknown(ONE, NO_ANSWER, ((1, "m1"),))),
        (LONG, [None, None, None], Unknown(ONE, NO_ANSWER)),
    ],
)
async def test_answers_come_to_one_outcome(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder, body: str, replies: list[Reply], expected: Outcome
) -> None:
    """Every mixture of answers to a text's segments is one outcome, told once."""
    carrier = await bound(response_timeout=0.2)
    smsc.reply = in_turn(*replies)
    carrier.submit([submission(1, body, attempt=2)])
    await recorder.until(lambda: recorder.told)
    await carrier.stop(0.1)
    assert recorder.told == [msgspec.structs.replace(expected, attempt=2)]


async def test_submits_say_what_the_dispatcher_meant(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """Addresses, receipt, reference and coding are on the wire as SMPP wants them."""
    carrier = await bound()
    carrier.submit([submission(0x0102, "Grüße"), submission(3, "Привет")])
    await recorder.until(lambda: len(recorder.told) == 2)
    latin, cyrillic = smsc.submits
    assert (latin.source_addr_ton, latin.source_addr_npi, latin.source_addr) == (1, 1, "12025550100")
    assert (latin.dest_addr_ton, latin.dest_addr_npi, latin.destination_addr) == (1, 1, "447700900123")
    assert (latin.registered_delivery, latin.esm_class, latin.data_coding) == (1, 0, 0)
    assert tlv.find_int(latin.tlvs, tlv.Tag.USER_MESSAGE_REFERENCE) == 0x0102 == reference_of(text_id(0x0102))
    assert (cyrillic.data_coding, cyrillic.short_message) == (8, "Привет".encode("utf-16-be"))


async def test_a_text_that_expires_says_when(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """Each segment carries what is left of its validity; a text without one leaves that to the network."""
    carrier = await bound()
    soon = Instant(SystemClock().now() + 7_200 * SECOND + SECOND // 2)
    over = Instant(SystemClock().now() - SECOND)
    carrier.submit([submission(1, LONG, expires_at=soon), submission(2), submission(3, expires_at=over)])
    await recorder.until(lambda: len(recorder.told) == 3)
    periods = [submit.validity_period for submit in smsc.submits]
    assert periods == ["000000020000000R"] * 3 + ["", "000000000001000R"]


async def test_a_long_text_is_sent_in_segments_that_name_it(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder
) -> None:
    """Segments carry a header derived from the text's id, and all the same reference for receipts."""
    carrier = await bound()
    carrier.submit([submission(0x01FE, LONG)])
    await recorder.until(lambda: recorder.told)
    heads = [submit.short_message[:6] for submit in smsc.submits]
    assert heads == [bytes((5, 0, 3, 0xFE, 3, number)) for number in (1, 2, 3)]
    assert {submit.esm_class for submit in smsc.submits} == {pdu.EsmClass.UDHI}
    assert {tlv.find_int(submit.tlvs, tlv.Tag.USER_MESSAGE_REFERENCE) for submit in smsc.submits} == {0x01FE}


@pytest.mark.parametrize("refusal", [THROTTLED, BUSY])
async def test_a_retry_sends_only_the_rest(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder, refusal: tuple[int, str]
) -> None:
    """After a partial deferral only the missing segment goes out, byte for byte as before."""
    carrier = await bound()
    smsc.reply = in_turn(OK1, refusal, OK3, OK2)
    carrier.submit([submission(1, LONG)])
    await recorder.until(lambda: recorder.told)
    deferred = recorder.told[0]
    assert isinstance(deferred, Deferred)
    carrier.submit([submission(1, LONG, accepted=dict(deferred.carrier_refs))])
    await recorder.until(lambda: len(recorder.told) == 2)
    assert recorder.told[1] == Accepted(ONE, ("m1", "m2", "m3"))
    assert len(smsc.submits) == 4
    assert smsc.submits[3].short_message == smsc.submits[1].short_message


async def test_a_text_whose_segments_all_went_before_is_accepted(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder
) -> None:
    """Nothing is sent again, and the outcome comes after `submit` has returned."""
    carrier = await bound()
    carrier.submit([submission(1, "Hi", accepted={1: "m9"})])
    assert recorder.told == []
    await recorder.until(lambda: recorder.told)
    assert recorder.told == [Accepted(ONE, ("m9",))]
    assert smsc.submits == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"body": "half a pair \ud83d"}, "unencodable"),
        ({"body": "a" * 153 * 256}, "unencodable"),
        ({"recipient": "+" + "4" * 30}, "ESME_RINVDSTADR"),
        ({"sender": "+" + "1" * 30}, "ESME_RINVSRCADR"),
    ],
)
async def test_a_text_that_cannot_be_written_is_refused_alone(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder, changes: dict[str, str], code: str
) -> None:
    """Its neighbours go out, and nothing is raised."""
    carrier = await bound()
    carrier.submit([submission(2), submission(1, **changes, attempt=2), submission(3)])
    await recorder.until(lambda: len(recorder.told) == 3)
    assert Refused(ONE, code, attempt=2) in recorder.told
    assert len(smsc.submits) == 2


@pytest.mark.parametrize(
    ("body", "before", "after", "expected"),
    [
        ("Hi", [None], [OK1], Accepted(ONE, ("m1",))),
        ("Hi", [None], [NO], Refused(ONE, "ESME_RINVDSTADR")),
        ("Hi", [None], [THROTTLED], Deferred(ONE, "ESME_RTHROTTLED", throttled=True)),
        (LONG, [OK1, None, None], [OK2, OK3], Accepted(ONE, ("m1", "m2", "m3"))),
        (LONG, [OK1, None, None], [OK2, NO], Refused(ONE, "ESME_RINVDSTADR", ((1, "m1"), (2, "m2")))),
        (LONG, [OK1, BUSY, None], [OK3], Deferred(ONE, "ESME_RSYSERR", False, ((1, "m1"), (3, "m3")))),
        (LONG, [OK1, None, None], [OK2], None),
    ],
)
async def test_late_answers_resolve_a_doubt_once(
    bound: Bound,
    smsc: ScriptedSmsc,
    recorder: Recorder,
    body: str,
    before: list[Reply],
    after: list[tuple[int, str]],
    expected: Outcome | None,
) -> None:
    """After Unknown, answers to all segments make one more outcome; answers to some make none."""
    carrier = await bound(response_timeout=0.2)
    smsc.reply = in_turn(*before)
    carrier.submit([submission(1, body, attempt=2)])
    await recorder.until(lambda: recorder.told)
    assert isinstance(recorder.told[0], Unknown)
    mute = [submit for submit, reply in zip(smsc.submits, before, strict=True) if reply is None]
    smsc.session.answer_submits([(submit.sequence, *reply) for submit, reply in zip(mute, after, strict=False)])
    # what is answered behind the late answers is told behind them
    smsc.reply = accept_all()
    carrier.submit([submission(2)])
    last = Accepted(text_id(2), ("m1",))
    await recorder.until(lambda: last in recorder.told)
    assert recorder.told[1:] == ([msgspec.structs.replace(expected, attempt=2), last] if expected else [last])


async def test_a_lost_link_leaves_what_was_sent_in_doubt(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """Texts in the window are Unknown, those that waited are Deferred; each exactly once, and none is sent again."""
    carrier = await bound(window=3)
    smsc.reply = nothing
    carrier.submit([submission(number, attempt=number) for number in range(1, 6)])
    await smsc.until(lambda: len(smsc.submits) == 3)
    smsc.session.abort()
    await recorder.until(lambda: len(recorder.told) == 5)
    assert recorder.told[:3] == [Unknown(text_id(number), CONNECTION_LOST, attempt=number) for number in (1, 2, 3)]
    waited = [Deferred(text_id(number), NEVER_SENT, throttled=True, attempt=number) for number in (4, 5)]
    assert recorder.told[3:] == waited
    await recorder.until(lambda: carrier.is_bound)
    await carrier.stop(1)
    assert len(recorder.told) == 5
    assert len(smsc.submits) == 3


@pytest.mark.parametrize(
    ("window", "replies", "expected"),
    [
        (3, [OK1, None, None], Unknown(ONE, CONNECTION_LOST, ((1, "m1"),))),
        (2, [None, None], Unknown(ONE, CONNECTION_LOST)),
        (1, [None], Unknown(ONE, CONNECTION_LOST)),
    ],
)
async def test_a_long_text_on_a_lost_link_is_in_doubt_as_a_whole(
    bound: Bound, smsc: ScriptedSmsc, recorder: Recorder, window: int, replies: list[Reply], expected: Outcome
) -> None:
    """One segment in doubt puts the text in doubt, whatever is known of the others."""
    carrier = await bound(window=window)
    smsc.reply = in_turn(*replies)
    carrier.submit([submission(1, LONG, attempt=2)])
    await smsc.until(lambda: len(smsc.submits) == len(replies))
    smsc.session.abort()
    await recorder.until(lambda: recorder.told)
    assert recorder.told == [msgspec.structs.replace(expected, attempt=2)]


async def test_the_window_is_the_capacity(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """Capacity counts segments in flight and waiting; what waits leaves as answers come."""
    carrier = await bound(window=4)
    assert carrier.capacity() == 4
    smsc.reply = nothing
    carrier.submit([submission(1, LONG)])
    assert carrier.capacity() == 1
    carrier.submit([submission(2, LONG)])
    assert carrier.capacity() == 0
    await smsc.until(lambda: len(smsc.submits) == 4)
    smsc.session.answer_submits([(submit.sequence, 0, "m") for submit in smsc.submits[:3]])
    await smsc.until(lambda: len(smsc.submits) == 6)
    assert carrier.capacity() == 1
    assert recorder.told == [Accepted(ONE, ("m", "m", "m"))]


async def test_room_is_told(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """The dispatcher hears of every chance to submit more, and not of the others."""
    carrier = await bound(window=1)
    assert recorder.readies == 1
    carrier.submit([submission(1), submission(2)])
    await recorder.until(lambda: len(recorder.told) == 2 and carrier.capacity() == 1)
    assert recorder.readies == 2


async def test_a_network_that_does_not_read_shuts_the_window(
    smsc: ScriptedSmsc, make: Callable[..., SmppCarrier], recorder: Recorder
) -> None:
    """Under back-pressure capacity is 0 with window to spare; what is lost unsent is Deferred, the rest Unknown."""
    await smsc.serve(max_unanswered=1)
    smsc.reply = nothing
    carrier = make(window=1_000_000)
    carrier.start(recorder)
    await recorder.until(lambda: carrier.is_bound)
    count = 0
    while carrier.capacity():
        carrier.submit([submission(number, "a" * 160) for number in range(count, count + 1000)])
        count += 1000
        await asyncio.sleep(0)
    carrier.submit([submission(count)])
    smsc.session.abort()
    await recorder.until(lambda: len(recorder.told) == count + 1)
    assert len({outcome.text_id for outcome in recorder.told}) == count + 1
    assert recorder.told[-1] == Deferred(text_id(count), NEVER_SENT, throttled=True)
    seen = {reference_of(text_id(0))} | {tlv.find_int(one.tlvs, tlv.Tag.USER_MESSAGE_REFERENCE) for one in smsc.submits}
    unknown = {reference_of(one.text_id) for one in recorder.told if isinstance(one, Unknown)}
    assert seen <= unknown


async def test_nothing_is_submitted_while_not_bound(
    smsc: ScriptedSmsc, make: Callable[..., SmppCarrier], recorder: Recorder
) -> None:
    """Without a bind there is no capacity, and texts come back as never sent, after `submit` has returned."""
    await smsc.serve()
    smsc.bind_status = Status.ESME_RBINDFAIL
    carrier = make()
    carrier.start(recorder)
    carrier.submit([submission(1, attempt=2)])
    assert (carrier.is_bound, carrier.capacity(), recorder.told) == (False, 0, [])
    await recorder.until(lambda: recorder.told)
    assert recorder.told == [Deferred(ONE, NEVER_SENT, throttled=True, attempt=2)]


async def test_a_lost_link_is_dialled_again(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """After a loss the carrier says so, binds anew and carries on."""
    carrier = await bound()
    smsc.session.abort()
    await recorder.until(lambda: not carrier.is_bound)
    assert (carrier.capacity(), recorder.readies) == (0, 2)
    await recorder.until(lambda: carrier.is_bound)
    assert len(smsc.sessions) == 2
    carrier.submit([submission(1)])
    await recorder.until(lambda: recorder.told)
    assert recorder.told == [Accepted(ONE, ("m1",))]


async def test_a_network_that_is_away_is_awaited(
    smsc: ScriptedSmsc, make: Callable[..., SmppCarrier], recorder: Recorder
) -> None:
    """Refused binds are tried again until one succeeds."""
    await smsc.serve()
    refused = 0

    def refuse_twice(session: object, bind: object) -> int:
        nonlocal refused
        refused += 1
        return Status.ESME_RBINDFAIL if refused < 3 else 0

    smsc.on_bind = refuse_twice  # type: ignore[method-assign]
    carrier = make()
    carrier.start(recorder)
    await recorder.until(lambda: carrier.is_bound)
    assert refused == 3


async def test_stop_waits_for_answers_in_flight(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """A stop takes nothing more, lets answers come, unbinds, and leaves nothing in doubt."""
    carrier = await bound(window=1)
    smsc.reply = nothing
    carrier.submit([submission(1), submission(2)])
    await smsc.until(lambda: smsc.submits)
    stopping = asyncio.ensure_future(carrier.stop(5))
    await recorder.until(lambda: recorder.told)
    assert recorder.told == [Deferred(text_id(2), NEVER_SENT, throttled=True)]
    assert (carrier.is_bound, carrier.capacity()) == (False, 0)
    carrier.submit([submission(3)])
    smsc.session.answer_submits([(smsc.submits[0].sequence, 0, "m1")])
    await stopping
    assert recorder.told[1:] == [Deferred(text_id(3), NEVER_SENT, throttled=True), Accepted(ONE, ("m1",))]
    assert len(smsc.submits) == 1


async def test_stop_gives_up_when_its_time_is_over(bound: Bound, smsc: ScriptedSmsc, recorder: Recorder) -> None:
    """Texts still without an answer at a stop's end are Unknown, once."""
    carrier = await bound()
    smsc.reply = nothing
    carrier.submit([submission(1), submission(2, LONG)])
    await smsc.until(lambda: len(smsc.submits) == 4)
    await carrier.stop(0.05)
    assert recorder.told == [Unknown(ONE, CONNECTION_LOST), Unknown(text_id(2), CONNECTION_LOST)]


async def test_stop_does_not_wait_for_a_mute_network(
    smsc: ScriptedSmsc, make: Callable[..., SmppCarrier], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SMSC that never answers the unbind is cut off after a short grace, not after its response time-out."""
    monkeypatch.setattr("opengage.carriers.smpp.carrier.UNBIND_GRACE", 0.05)
    await smsc.serve()
    carrier = make(response_timeout=60.0)
    carrier.start(recorder)
    await recorder.until(lambda: carrier.is_bound)
    smsc.session._handle = lambda frame: None  # type: ignore[method-assign]
    async with asyncio.timeout(5):
        await carrier.stop(0.05)
    assert not carrier.is_bound


@pytest.mark.parametrize("started", [True, False])
async def test_stop_before_the_bind_is_no_trouble(
    smsc: ScriptedSmsc, make: Callable[..., SmppCarrier], recorder: Recorder, started: bool
) -> None:
    """A carrier that is not connected, or was never started, stops at once, and says what it was handed."""
    await smsc.serve()
    carrier = make()
    if started:
        carrier.start(recorder)
        carrier.submit([submission(1)])
    await carrier.stop(1)
    assert recorder.told == ([Deferred(ONE, NEVER_SENT, throttled=True)] if started else [])
