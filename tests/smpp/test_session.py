"""Sessions of both roles over loopback, against each other and against peers that misbehave."""

import asyncio
import random
import socket
from typing import Any

import pytest

from opengage.smpp import codec, hot, pdu
from opengage.smpp.commands import CommandId, Status
from opengage.smpp.contract import Cause, ConnectionLost, ResponseTimeout, State, WindowFull
from opengage.smpp.esme import Esme, EsmeOwner, connect
from opengage.smpp.framing import frame
from opengage.smpp.smsc import SmscOwner, SmscSession

TEMPLATE = hot.SubmitTemplate("12025550100")
BIND = pdu.BindTransceiver(system_id="shop", password="secret")
BODY = TEMPLATE.body("12025550199", 0, b"Hi")


def delivery(number: int) -> bytes:
    """The body of an inbound text."""
    return hot.body_of(pdu.DeliverSm(source_addr="12025550199", short_message=b"%d" % number))


@pytest.fixture
async def link(smsc: Any, business: Any, network: Any, settings: Any) -> Any:
    """Bind our ESME to our SMSC; returns both sessions."""
    made: list[Esme] = []

    async def bound(esme: dict[str, Any] | None = None, server: dict[str, Any] | None = None) -> Any:
        port = await smsc(**(server or {}))
        made.append(await connect(business, settings(**(esme or {})), "127.0.0.1", port, BIND))
        return made[-1], network.sessions[-1]

    yield bound
    for one in made:
        one.abort()
        await one.wait_closed()


@pytest.fixture
async def against(peers: Any, business: Any, settings: Any) -> Any:
    """Bind our ESME to a peer driven by hand; returns both."""
    made: list[Esme] = []

    async def bound(**changes: Any) -> Any:
        port, arrived = await peers()
        made.append(await connect(business, settings(**changes), "127.0.0.1", port, BIND))
        return made[-1], await arrived()

    yield bound
    for one in made:
        one.abort()
        await one.wait_closed()


async def test_bind_tells_both_who_is_there(link: Any, network: Any) -> None:
    """The SMSC sees the credentials and the kind, the ESME the SMSC's name; both are bound."""
    esme, session = await link()
    assert (esme.state, session.state) == (State.BOUND, State.BOUND)
    assert esme.system_id == "smsc"
    (bind,) = network.binds
    assert isinstance(bind, pdu.BindTransceiver)
    assert (bind.system_id, bind.password) == ("shop", "secret")


async def test_submits_are_answered_with_their_tokens(link: Any, business: Any, network: Any) -> None:
    """Every token comes back once with status and message id; many answers arrive in few batches."""
    esme, _ = await link()
    assert esme.submit_many([(BODY, token) for token in range(500)]) == 500
    await business.until(lambda: len(business.answers) == 500)
    assert business.answers == [(token, 0, f"m{token}") for token in range(500)]
    assert len(business.batches) < 50
    assert len(network.submits) == 500
    assert network.submits[0].short_message == b"Hi"
    assert esme.in_flight == 0
    assert business.windows > 0


async def test_nagle_is_off(link: Any) -> None:
    """Small PDUs leave at once, on both ends."""
    for session in await link():
        link_socket = session._transport.get_extra_info("socket")
        assert link_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_one_turn_is_one_write(link: Any, business: Any, monkeypatch: Any) -> None:
    """Whatever is handed in during one turn of the loop leaves in a single write."""
    esme, _ = await link()
    writes = []

    class Counting:
        """The transport, counting."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def write(self, data: bytes) -> None:
            """Count and pass on."""
            writes.append(len(data))
            self._inner.write(data)

    monkeypatch.setattr(esme, "_transport", Counting(esme._transport))
    for token in range(20):
        esme.submit(BODY, token)
    await business.until(lambda: len(business.answers) == 20)
    assert writes == [20 * (16 + len(BODY))]


async def test_the_window_is_kept(link: Any, business: Any, network: Any) -> None:
    """No more than the window is in flight; room is announced once answers come."""
    network.answering = False
    esme, session = await link({"window": 10})
    assert esme.submit_many([(BODY, token) for token in range(15)]) == 10
    assert esme.free_window == 0
    with pytest.raises(WindowFull):
        esme.submit(BODY, "too many")
    await network.until(lambda: len(network.submits) == 10)
    before = business.windows
    session.answer_submits([(network.submits[0].sequence, 0, "x")])
    await business.until(lambda: business.windows > before)
    assert esme.free_window == 1


async def test_refusals_are_answers(link: Any, business: Any, network: Any) -> None:
    """An error status, even one of the operator's own, arrives as it was given."""
    network.answering = False
    esme, session = await link()
    esme.submit(BODY, "a")
    esme.submit(BODY, "b")
    await network.until(lambda: len(network.submits) == 2)
    first, second = (submit.sequence for submit in network.submits)
    session.answer_submits([(second, 0x0401, ""), (first, Status.ESME_RTHROTTLED, "")])
    await business.until(lambda: len(business.answers) == 2)
    assert business.answers == [("b", 0x0401, ""), ("a", Status.ESME_RTHROTTLED, "")]


async def test_sequence_numbers_wrap_and_skip_those_in_use(link: Any, network: Any, business: Any) -> None:
    """After 0x7FFFFFFF comes 1; a number that still waits for its answer is passed over."""
    network.answering = False
    esme, _ = await link()
    esme.submit(BODY, "old")
    used = esme._sequence
    esme._sequence = 0x7FFFFFFE
    for token in range(used + 1):
        esme.submit(BODY, token)
    await network.until(lambda: len(network.submits) == used + 2)
    expected = [used, 0x7FFFFFFF, *range(1, used), used + 1]
    assert [submit.sequence for submit in network.submits] == expected


async def test_deliveries_are_answered_only_by_the_owner(link: Any, business: Any, network: Any) -> None:
    """A deliver_sm waits for answer_delivery; nothing acknowledges it before."""
    esme, session = await link()
    assert session.deliver_many([(delivery(number), number) for number in range(3)]) == 3
    await business.until(lambda: len(business.deliveries) == 3)
    # The link is busy and answers other things, yet no delivery is acknowledged by itself.
    esme.submit(BODY, "probe")
    await business.until(lambda: business.answers)
    assert network.answers == []
    assert esme.owed == 3
    first, second, third = business.deliveries
    esme.answer_delivery(second.sequence)
    esme.answer_deliveries([(third.sequence, 0), (first.sequence, Status.ESME_RX_T_APPN)])
    await network.until(lambda: len(network.answers) == 3)
    assert network.answers == [(1, 0, ""), (2, 0, ""), (0, Status.ESME_RX_T_APPN, "")]
    assert esme.owed == 0


async def test_a_delivery_in_the_same_read_as_the_bind_answer(peers: Any, business: Any, settings: Any) -> None:
    """An SMSC that starts to deliver right behind bind_resp is heard, not refused."""
    port, arrived = await peers()
    connecting = asyncio.ensure_future(connect(business, settings(), "127.0.0.1", port, BIND))
    peer = await arrived()
    peer.binding = lambda bind: (
        codec.encode(pdu.BindTransceiverResp(bind.sequence)) + frame(CommandId.DELIVER_SM, 0, 77, delivery(1))
    )
    esme = await connecting
    await business.until(lambda: business.deliveries)
    assert business.deliveries[0].sequence == 77
    esme.abort()
    await esme.wait_closed()


async def test_requests_in_the_same_read_as_the_bind(smsc: Any, network: Any, dial: Any) -> None:
    """An ESME that pipelines its first submit behind the bind is served, in order."""
    peer = await dial(await smsc())
    peer.send(pdu.BindTransmitter(1, "shop"), frame(CommandId.SUBMIT_SM, 0, 2, BODY))
    await peer.until(lambda: len(peer.got) == 2)
    assert [type(one) for one in peer.got] == [pdu.BindTransmitterResp, pdu.SubmitSmResp]


async def test_the_link_cut_with_submits_in_flight(against: Any, business: Any) -> None:
    """Every submit that was given to the transport is reported unanswered, exactly once; answered ones are not."""
    esme, peer = await against()
    esme.submit_many([(BODY, token) for token in range(5)])
    await peer.until(lambda: len(peer.of(pdu.SubmitSm)) == 5)
    peer.send(pdu.SubmitSmResp(peer.of(pdu.SubmitSm)[0].sequence, 0, "m"))
    await business.until(lambda: business.answers)
    peer.cut()
    loss = await esme.wait_closed()
    assert business.lost == [([1, 2, 3, 4], [], loss)]
    assert loss.cause in (Cause.CLOSED_BY_PEER, Cause.NETWORK_ERROR)
    assert esme.free_window == 0
    with pytest.raises(WindowFull):
        esme.submit(BODY, "late")


async def test_submits_that_never_left_are_told_apart(against: Any, business: Any) -> None:
    """What was still queued when the link ended is never_sent; only that may be sent again."""
    esme, peer = await against()
    esme.submit(BODY, "given to the transport")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    esme.submit(BODY, "queued in this turn")
    esme.abort()
    loss = await esme.wait_closed()
    assert loss.cause is Cause.ABORTED
    assert business.lost == [(["given to the transport"], ["queued in this turn"], loss)]


async def test_a_partial_pdu_then_the_end(against: Any, business: Any) -> None:
    """Half an answer is no answer: the submit is reported unanswered."""
    esme, peer = await against()
    esme.submit(BODY, "a")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    peer.send(codec.encode(pdu.SubmitSmResp(peer.of(pdu.SubmitSm)[0].sequence, 0, "m1"))[:-2])
    await peer._writer.drain()
    peer._writer.close()
    await esme.wait_closed()
    assert business.answers == []
    assert business.lost[0][:2] == (["a"], [])


async def test_a_peer_that_never_answers(against: Any, business: Any) -> None:
    """After the response time-out a submit is reported as unknown, its place in the window is free, the link stays."""
    esme, peer = await against(response_timeout=0.02, window=1)
    esme.submit(BODY, "a")
    await business.until(lambda: business.timed_out)
    assert business.timed_out == ["a"]
    assert esme.free_window == 1
    assert esme.state is State.BOUND
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    peer.send(pdu.SubmitSmResp(peer.of(pdu.SubmitSm)[0].sequence, 0, "m1"))
    await business.until(lambda: business.late)
    assert business.late == [("a", 0, "m1")]
    assert business.answers == []
    peer.cut()
    await esme.wait_closed()
    assert business.lost[0][:2] == ([], [])


async def test_a_late_nack_is_a_late_answer(against: Any, business: Any) -> None:
    """generic_nack for a timed-out submit is told too, and never reads as success."""
    esme, peer = await against(response_timeout=0.02)
    esme.submit(BODY, "a")
    await business.until(lambda: business.timed_out)
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    peer.send(pdu.GenericNack(peer.of(pdu.SubmitSm)[0].sequence, 0))
    await business.until(lambda: business.late)
    assert business.late == [("a", Status.ESME_RUNKNOWNERR, "")]


async def test_a_peer_that_answers_twice(against: Any, business: Any) -> None:
    """The second answer, and one to a number never used, change nothing but a counter."""
    esme, peer = await against()
    esme.submit(BODY, "a")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    sequence = peer.of(pdu.SubmitSm)[0].sequence
    peer.send(
        pdu.SubmitSmResp(sequence, 0, "m1"),
        pdu.SubmitSmResp(sequence, Status.ESME_RSUBMITFAIL),
        pdu.SubmitSmResp(0x1234567, 0, "m2"),
        pdu.GenericNack(0x1234567, 3),
        pdu.QuerySmResp(0x1234567, 0, "m2"),
        pdu.EnquireLink(99),
    )
    await peer.until(lambda: peer.of(pdu.EnquireLinkResp))
    assert business.answers == [("a", 0, "m1")]
    assert esme.counters.stray_answers == 4
    assert esme.state is State.BOUND


async def test_an_answer_with_an_unreadable_id_is_still_an_answer(against: Any, business: Any) -> None:
    """Its status is in the header; the id is empty, and the text is not thought lost."""
    esme, peer = await against()
    esme.submit(BODY, "a")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    peer.send(frame(CommandId.SUBMIT_SM_RESP, 0, peer.of(pdu.SubmitSm)[0].sequence, b"x" * 70))
    await business.until(lambda: business.answers)
    assert business.answers == [("a", 0, "")]


async def test_generic_nack_answers_a_submit(against: Any, business: Any) -> None:
    """A nack with the submit's number is its refusal."""
    esme, peer = await against()
    esme.submit(BODY, "a")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    peer.send(pdu.GenericNack(peer.of(pdu.SubmitSm)[0].sequence, Status.ESME_RINVCMDID))
    await business.until(lambda: business.answers)
    assert business.answers == [("a", Status.ESME_RINVCMDID, "")]
    assert esme.in_flight == 0


async def test_garbled_requests_are_refused_and_the_session_lives(against: Any, business: Any) -> None:
    """A broken deliver_sm is answered with its status, an unknown or misplaced command with generic_nack."""
    esme, peer = await against()
    peer.send(
        frame(CommandId.DELIVER_SM, 0, 11, b"1234567\0"),
        frame(0x00000777, 0, 12),
        frame(CommandId.SUBMIT_SM, 0, 13, BODY),
        frame(0x80000777, 0, 14),
        pdu.AlertNotification(15),
        frame(CommandId.DELIVER_SM, 0, 16, delivery(1)),
        pdu.EnquireLink(17),
    )
    await peer.until(lambda: peer.of(pdu.EnquireLinkResp))
    assert sorted(peer.got[1:], key=lambda one: one.sequence) == [
        pdu.DeliverSmResp(11, Status.ESME_RINVSERTYP),
        pdu.GenericNack(12, Status.ESME_RINVCMDID),
        pdu.GenericNack(13, Status.ESME_RINVCMDID),
        pdu.EnquireLinkResp(17),
    ]
    assert [one.sequence for one in business.deliveries] == [16]
    assert esme.state is State.BOUND


@pytest.mark.parametrize("length", [15, 65_537, 0xFFFFFFFF])
async def test_an_impossible_length_ends_the_link(against: Any, business: Any, length: int) -> None:
    """The good PDU before it is served, then a nack leaves and the link closes: the stream cannot be followed."""
    esme, peer = await against()
    esme.submit(BODY, "a")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    peer.send(frame(CommandId.DELIVER_SM, 0, 11, delivery(1)), length.to_bytes(4, "big"), b"x" * 100)
    loss = await esme.wait_closed()
    assert loss.cause is Cause.FRAMING
    assert len(business.deliveries) == 1
    assert business.lost[0][0] == ["a"]
    await peer.until(lambda: peer.ended)
    assert peer.got[-1] == pdu.GenericNack(0, Status.ESME_RINVCMDLEN)


async def test_a_peer_that_stops_reading(peers: Any, business: Any, settings: Any) -> None:
    """The window shuts, what is queued stays bounded, and what never left is said to have never left."""
    port, arrived = await peers(reading=False)
    loop = asyncio.get_running_loop()
    _, esme = await loop.create_connection(lambda: Esme(business, settings(window=10**6)), "127.0.0.1", port)
    peer = await arrived()
    binding = asyncio.ensure_future(esme.bind(BIND))
    await turn_of_the_loop()
    peer.send(pdu.BindTransceiverResp(1, 0, "deaf"))
    await binding
    body = TEMPLATE.body("12025550199", 0, b"x" * 250)
    taken = 0
    while esme.free_window:
        taken += esme.submit_many([(body, taken + number) for number in range(100)])
        await turn_of_the_loop()
    assert taken < 200_000
    assert esme._transport is not None
    assert esme._transport.get_write_buffer_size() < 4 * 1024 * 1024
    esme.answer_delivery(1)
    with pytest.raises(WindowFull):
        esme.submit(body, "more")
    esme.abort()
    await esme.wait_closed()
    ((unanswered, never_sent, _),) = business.lost
    assert unanswered + never_sent == list(range(taken))


async def turn_of_the_loop() -> None:
    """Let what is scheduled run once."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


async def test_reading_resumes_and_the_window_opens_again(peers: Any, business: Any, settings: Any) -> None:
    """pause_writing shuts the window and holds bytes back; resume_writing sends them and announces the window."""
    port, arrived = await peers()
    esme = await connect(business, settings(), "127.0.0.1", port, BIND)
    peer = await arrived()
    esme.submit(BODY, "held")
    esme.pause_writing()
    assert esme.free_window == 0
    await turn_of_the_loop()
    peer.send(pdu.EnquireLink(9))
    before = business.windows
    esme.resume_writing()
    assert business.windows == before + 1
    await peer.until(lambda: peer.of(pdu.SubmitSm) and peer.of(pdu.EnquireLinkResp))
    esme.abort()
    await esme.wait_closed()


async def test_a_peer_that_asks_but_does_not_read(against: Any) -> None:
    """Answers that cannot leave are not hoarded without end: reading stops until they can."""
    esme, peer = await against(max_unanswered=100)
    esme.pause_writing()
    for first in range(0, 1000, 50):
        peer.send(*(pdu.EnquireLink(first + number) for number in range(1, 51)))
        await peer._writer.drain()
    while not esme._read_paused:
        await turn_of_the_loop()
    assert len(esme._control) >= 100
    esme.resume_writing()
    await peer.until(lambda: len(peer.of(pdu.EnquireLinkResp)) == 1000)


async def test_an_owner_that_lags_stops_the_reading(link: Any, business: Any, network: Any) -> None:
    """With too many unanswered deliveries nothing more is read; answering them lets the rest in."""
    esme, session = await link({"max_unanswered": 10})
    session.deliver_many([(hot.body_of(pdu.DeliverSm(short_message=b"x" * 200)), number) for number in range(1000)])
    await business.until(lambda: business.deliveries)
    assert esme.owed >= 10
    while len(business.deliveries) < 1000:
        seen = len(business.deliveries)
        esme.answer_deliveries([(one.sequence, 0) for one in business.deliveries])
        await business.until(lambda seen=seen: len(business.deliveries) > seen)
    esme.answer_deliveries([(one.sequence, 0) for one in business.deliveries])
    await network.until(lambda: len(network.answers) == 1000)


async def test_a_dead_peer_is_found_by_enquire_link(against: Any, business: Any) -> None:
    """Silence brings an enquire_link; without an answer to it the link is cut and its requests reported."""
    esme, peer = await against(enquire_interval=0.01, response_timeout=0.05)
    peer.binding = None
    loss = await esme.wait_closed()
    assert loss.cause is Cause.ENQUIRE_TIMEOUT
    assert len(peer.of(pdu.EnquireLink)) == 1


async def test_a_living_peer_is_kept(against: Any) -> None:
    """Answered enquiries keep the link bound, each asked after a silence."""
    esme, peer = await against(enquire_interval=0.005)
    for asked in range(1, 4):
        await peer.until(lambda asked=asked: len(peer.of(pdu.EnquireLink)) == asked)
        assert esme.state is State.BOUND
        peer.send(pdu.EnquireLinkResp(peer.of(pdu.EnquireLink)[-1].sequence))


async def test_a_peer_that_speaks_but_forgets_the_enquiry(against: Any, business: Any) -> None:
    """Whoever has spoken since lives, even when its enquire_link_resp never comes."""
    esme, peer = await against(enquire_interval=0.01, response_timeout=0.3)
    await peer.until(lambda: peer.of(pdu.EnquireLink))
    peer.send(frame(CommandId.DELIVER_SM, 0, 5, delivery(1)))
    await peer.until(lambda: len(peer.of(pdu.EnquireLink)) == 2)
    assert esme.state is State.BOUND


async def test_an_inactive_esme_is_dropped(smsc: Any, dial: Any, network: Any) -> None:
    """The SMSC's inactivity timer closes a link on which nothing is heard."""
    peer = await dial(await smsc(inactivity_timeout=0.02))
    peer.send(pdu.BindTransceiver(1, "shop"))
    await network.until(lambda: network.lost)
    assert network.lost[0][2].cause is Cause.INACTIVE


@pytest.mark.parametrize("status", [Status.ESME_RINVPASWD, Status.ESME_RBINDFAIL])
async def test_bind_refused(smsc: Any, business: Any, network: Any, settings: Any, status: Status) -> None:
    """A refused bind raises with the SMSC's own status, and the link is closed."""
    network.bind_status = status
    port = await smsc()
    with pytest.raises(ConnectionLost) as caught:
        await connect(business, settings(), "127.0.0.1", port, BIND)
    assert (caught.value.loss.cause, caught.value.loss.status) == (Cause.BIND_REFUSED, status)
    assert business.lost == [([], [], caught.value.loss)]


async def test_bind_nacked(peers: Any, business: Any, settings: Any) -> None:
    """An SMSC that does not know bind_transceiver and nacks it has refused."""
    port, arrived = await peers()
    connecting = asyncio.ensure_future(connect(business, settings(), "127.0.0.1", port, BIND))
    peer = await arrived()
    peer.binding = lambda bind: codec.encode(pdu.GenericNack(bind.sequence, Status.ESME_RINVCMDID))
    with pytest.raises(ConnectionLost) as caught:
        await connecting
    assert caught.value.loss.cause is Cause.BIND_REFUSED


async def test_bind_unanswered(peers: Any, business: Any, settings: Any) -> None:
    """A peer that accepts the connection and then says nothing is given up after the bind time-out."""
    port, _ = await peers(reading=False)
    with pytest.raises(ConnectionLost) as caught:
        await connect(business, settings(bind_timeout=0.02), "127.0.0.1", port, BIND)
    assert caught.value.loss.cause is Cause.BIND_TIMEOUT


async def test_a_client_that_never_binds(smsc: Any, dial: Any) -> None:
    """The SMSC closes a link on which no bind came in time."""
    peer = await dial(await smsc(bind_timeout=0.02))
    await peer.until(lambda: peer.ended)
    assert peer.got == []


async def test_only_the_bound_are_served(smsc: Any, dial: Any, network: Any) -> None:
    """Before the bind, or against the bound direction, requests are ESME_RINVBNDSTS; a second bind is RALYBND."""
    peer = await dial(await smsc())
    peer.send(frame(CommandId.SUBMIT_SM, 0, 1, BODY), pdu.QuerySm(2, "m"), pdu.BindReceiver(3, "shop"))
    await peer.until(lambda: len(peer.got) == 3)
    peer.send(frame(CommandId.SUBMIT_SM, 0, 4, BODY), pdu.BindReceiver(5, "shop"))
    await peer.until(lambda: len(peer.got) == 5)
    assert [(type(one), one.status) for one in peer.got] == [
        (pdu.SubmitSmResp, Status.ESME_RINVBNDSTS),
        (pdu.QuerySmResp, Status.ESME_RINVBNDSTS),
        (pdu.BindReceiverResp, 0),
        (pdu.SubmitSmResp, Status.ESME_RINVBNDSTS),
        (pdu.BindReceiverResp, Status.ESME_RALYBND),
    ]
    assert network.submits == []


async def test_a_transmitter_gets_no_deliveries(smsc: Any, dial: Any, network: Any) -> None:
    """deliver_sm never goes to a link that was bound as transmitter."""
    peer = await dial(await smsc())
    peer.send(pdu.BindTransmitter(1, "shop"))
    await peer.until(lambda: peer.got)
    session: SmscSession = network.sessions[0]
    assert session.free_window == 0
    with pytest.raises(WindowFull):
        session.deliver(delivery(1), 1)


async def test_other_requests(link: Any, network: Any) -> None:
    """query_sm goes to the SMSC's owner and its answer comes back; what nobody serves is nacked."""
    esme, _ = await link()
    network.replies = lambda record: (
        pdu.QuerySmResp(record.sequence, 0, record.message_id, "", 2) if isinstance(record, pdu.QuerySm) else None
    )
    found = await esme.request(pdu.QuerySm(message_id="m7"))
    assert (found.message_id, found.message_state) == ("m7", 2)
    refused = await esme.request(pdu.CancelSm(message_id="m7"))
    assert isinstance(refused, pdu.GenericNack)


async def test_other_requests_end_once(against: Any) -> None:
    """A request without an answer raises ResponseTimeout; on a lost link ConnectionLost, then and afterwards."""
    esme, peer = await against(response_timeout=0.2)
    with pytest.raises(ResponseTimeout):
        await esme.request(pdu.QuerySm(message_id="m7"))
    asking = asyncio.ensure_future(esme.request(pdu.QuerySm(message_id="m8")))
    await peer.until(lambda: len(peer.of(pdu.QuerySm)) == 2)
    peer.cut()
    with pytest.raises(ConnectionLost):
        await asking
    with pytest.raises(ConnectionLost):
        await esme.request(pdu.QuerySm(message_id="m9"))


async def test_close_waits_for_answers_then_unbinds(against: Any, business: Any) -> None:
    """A polite end: the answer in flight is taken, unbind is sent, and reading goes on until unbind_resp."""
    esme, peer = await against()
    esme.submit(BODY, "a")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    closing = asyncio.ensure_future(esme.close(5.0))
    await turn_of_the_loop()
    assert peer.of(pdu.Unbind) == []
    peer.send(pdu.SubmitSmResp(peer.of(pdu.SubmitSm)[0].sequence, 0, "m1"))
    await peer.until(lambda: peer.of(pdu.Unbind))
    peer.send(
        frame(CommandId.DELIVER_SM, 0, 5, delivery(1)),
        pdu.UnbindResp(peer.of(pdu.Unbind)[0].sequence),
    )
    loss = await closing
    assert loss.cause is Cause.UNBOUND
    assert business.answers == [("a", 0, "m1")]
    assert len(business.deliveries) == 1
    assert business.lost == [([], [], loss)]


async def test_close_gives_up_in_the_end(against: Any, business: Any) -> None:
    """Answers that do not come within the patience, and an unbind nobody answers, do not hold the end up."""
    esme, peer = await against(response_timeout=0.05)
    esme.submit(BODY, "a")
    loss = await esme.close(0.01)
    assert loss.cause is Cause.UNBIND_TIMEOUT
    assert business.lost[0][0] + business.timed_out == ["a"]
    assert len(peer.of(pdu.Unbind)) == 1


async def test_unbind_between_ours(link: Any, network: Any, business: Any) -> None:
    """Our SMSC answers an unbind by itself; each side knows who ended it."""
    esme, session = await link()
    assert (await esme.close(1.0)).cause is Cause.UNBOUND
    assert (await session.wait_closed()).cause is Cause.UNBOUND_BY_PEER


async def test_unbind_by_the_smsc(link: Any, network: Any, business: Any) -> None:
    """When the SMSC unbinds, what is queued in that turn stays never sent and what is in flight is reported."""
    network.answering = False
    esme, session = await link()
    esme.submit(BODY, "in flight")
    await network.until(lambda: network.submits)
    session.unbind()
    loss = await esme.wait_closed()
    assert loss.cause is Cause.UNBOUND_BY_PEER
    assert business.lost == [(["in flight"], [], loss)]
    assert (await session.wait_closed()).cause is Cause.UNBOUND


async def test_a_queued_submit_does_not_leave_behind_an_unbind(against: Any, business: Any) -> None:
    """Once unbind was read no submit follows the answer to it: it is honestly never sent."""
    esme, peer = await against()
    esme.submit(BODY, "queued")
    esme.data_received(codec.encode(pdu.Unbind(3)))
    await esme.wait_closed()
    await peer.until(lambda: peer.ended)
    assert business.lost[0][:2] == ([], ["queued"])
    assert peer.got[1:] == [pdu.UnbindResp(3)]


async def test_unbind_before_the_bind_just_closes(smsc: Any, business: Any, settings: Any) -> None:
    """A session that is not bound has nothing to unbind."""
    port = await smsc()
    loop = asyncio.get_running_loop()
    _, esme = await loop.create_connection(lambda: Esme(business, settings()), "127.0.0.1", port)
    assert (await esme.close(1.0)).cause is Cause.UNBOUND
    with pytest.raises(ConnectionLost):
        await esme.bind(BIND)


class Unreliable(SmscOwner):
    """An SMSC that answers some, forgets some, and cuts or unbinds in between, as its dice say."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.seen: list[int] = []
        self.forgotten: list[int] = []

    def on_submits(self, session: SmscSession, submits: list[pdu.SubmitSm]) -> None:
        self.seen += [int.from_bytes(submit.short_message, "big") for submit in submits]
        cut = self._dice.randrange(len(submits) + 1)
        session.answer_submits([(sequence, 0, "late") for sequence in self.forgotten])
        session.answer_submits([(submit.sequence, 0, "m") for submit in submits[:cut]])
        self.forgotten = [submit.sequence for submit in submits[cut:] if self._dice.random() < 0.5]
        if self._dice.random() < 0.1:
            self._dice.choice([session.abort, session.unbind])()


class Accountant(EsmeOwner):
    """Writes down how each request ended, and refuses a second ending."""

    def __init__(self) -> None:
        self.ends: dict[int, str] = {}

    def _note(self, tokens: Any, end: str) -> None:
        for token in tokens:
            assert self.ends.get(token) == ("timed out" if end == "late" else None)
            self.ends[token] = end

    def on_answers(self, session: Esme, answers: list[Any]) -> None:
        self._note((token for token, _, _ in answers), "answered")

    def on_late_answers(self, session: Esme, answers: list[Any]) -> None:
        self._note((token for token, _, _ in answers), "late")

    def on_timed_out(self, session: Esme, tokens: list[Any]) -> None:
        self._note(tokens, "timed out")

    def on_lost(self, session: Esme, unanswered: list[Any], never_sent: list[Any], loss: Any) -> None:
        self._note(unanswered, "unanswered")
        self._note(never_sent, "never sent")


@pytest.mark.parametrize("seed", range(5))
async def test_every_request_ends_exactly_once(settings: Any, seed: int) -> None:
    """Whatever cuts, time-outs, unbinds and late answers a run holds, each submit ends once, and never_sent is true."""
    dice = random.Random(seed)
    network, books, handed_in = Unreliable(dice), Accountant(), 0
    loop = asyncio.get_running_loop()
    served: list[SmscSession] = []

    def serve() -> SmscSession:
        served.append(SmscSession(network, settings()))
        return served[-1]

    server = await loop.create_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(12):
        esme = await connect(books, settings(window=200, response_timeout=0.005), "127.0.0.1", port, BIND)
        for _ in range(dice.randrange(1, 40)):
            numbers = range(handed_in, handed_in + dice.randrange(1, 100))
            handed_in += esme.submit_many(
                [(TEMPLATE.body("12025550199", 4, number.to_bytes(4, "big")), number) for number in numbers]
            )
            if dice.random() < 0.05:
                dice.choice([esme.abort, esme.unbind])()
            await turn_of_the_loop()
        esme.abort()
        await esme.wait_closed()
    server.close()
    for session in served:
        session.abort()
        await session.wait_closed()
    assert set(books.ends) == set(range(handed_in))
    assert {"answered", "unanswered"} <= set(books.ends.values())
    assert len(network.seen) == len(set(network.seen))
    assert not {number for number in network.seen if books.ends[number] == "never sent"}
