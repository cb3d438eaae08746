"""The simulator on its socket: binds, answers, receipts, and what becomes of them when links are lost."""

import asyncio

import pytest

from opengage.simulator.network import Access, Limits
from opengage.smpp import pdu, tlv
from opengage.smpp.commands import Status
from opengage.smpp.contract import Cause, ConnectionLost
from opengage.smpp.receipt import State
from simulator.shops import Join, Serve, Shop, text_to


@pytest.mark.parametrize(
    ("access", "status"),
    [
        (Access("other", "secret"), Status.ESME_RINVSYSID),
        (Access("shop", "other"), Status.ESME_RINVPASWD),
    ],
)
async def test_wrong_credentials_are_refused(serve: Serve, join: Join, access: Access, status: int) -> None:
    """With a required pair the bind says which half is wrong, and is counted."""
    smsc = await serve(access=access)
    with pytest.raises(ConnectionLost) as caught:
        await join(smsc)
    assert caught.value.loss.status == status
    assert smsc.report()["binds"] == {Status(status).name: 1}


async def test_the_right_credentials_bind(serve: Serve, join: Join) -> None:
    """The pair that is asked for is let in."""
    smsc = await serve(access=Access("shop", "secret"))
    _, esme = await join(smsc)
    assert esme.system_id == "opengage"
    assert smsc.report()["links"] == 1


async def test_links_are_bounded(serve: Serve, join: Join) -> None:
    """A link too many is refused, and a free place is taken again."""
    smsc = await serve(limits=Limits(max_links=1))
    _, first = await join(smsc)
    with pytest.raises(ConnectionLost) as caught:
        await join(smsc)
    assert caught.value.loss.status == Status.ESME_RBINDFAIL
    first.unbind()
    assert (await first.wait_closed()).cause is Cause.UNBOUND
    await join(smsc)


async def test_every_submit_is_answered_and_delivered(serve: Serve, join: Join) -> None:
    """Each text gets an id of its own, a receipt with that id and its reference, and rings."""
    smsc = await serve()
    shop, esme = await join(smsc)
    esme.submit_many([(text_to(f"12025550{number}", reference=number), number) for number in range(100, 200)])
    await shop.until(lambda: len(shop.receipts) == 100)
    ids = {message_id for _, message_id in shop.answers.values()}
    assert len(ids) == 100
    assert {status for status, _ in shop.answers.values()} == {0}
    assert {one.message_id for one in shop.receipts} == ids
    for one, found in zip(shop.deliveries, shop.receipts, strict=True):
        number = tlv.find_int(one.tlvs, tlv.Tag.USER_MESSAGE_REFERENCE)
        assert shop.answers[number][1] == found.message_id
        assert one.source_addr == f"12025550{number}"
    await esme.close(1)
    report = smsc.report()
    assert (report["submits"], report["unique"], report["duplicates"], report["receipts"]) == (100, 100, 0, 100)
    assert (report["rung"], report["pending"]) == (100, 0)


async def test_duplicates_are_counted(serve: Serve, join: Join) -> None:
    """The same source, destination and content again is a duplicate, on whatever link."""
    smsc = await serve()
    shop, esme = await join(smsc)
    _, other = await join(smsc, shop=shop)
    esme.submit(text_to("12025550101", reference=1), 1)
    esme.submit(text_to("12025550101", "Other"), 2)
    other.submit(text_to("12025550101", reference=2), 3)
    await shop.until(lambda: len(shop.answers) == 3)
    assert (smsc.report()["unique"], smsc.report()["duplicates"]) == (2, 1)


async def test_no_receipt_unless_asked_for(serve: Serve, join: Join) -> None:
    """registered_delivery 0 gets an answer and nothing else."""
    smsc = await serve()
    shop, esme = await join(smsc)
    body = pdu.SubmitSm(destination_addr="12025550101", short_message=b"Hi")
    answer = await esme.request(body)
    assert isinstance(answer, pdu.SubmitSmResp)
    assert answer.status == 0
    esme.submit(text_to("12025550102"), 1)
    await shop.until(lambda: shop.receipts)
    assert [one.source_addr for one in shop.deliveries] == ["12025550102"]


async def test_receipts_wait_for_a_receiver(serve: Serve, join: Join) -> None:
    """A transmitter gets no deliveries; they come when a receiver of the same system_id binds."""
    smsc = await serve()
    sender, transmitter = await join(smsc, pdu.BindTransmitter)
    transmitter.submit_many([(text_to("12025550101", f"Text {number}"), number) for number in range(5)])
    await sender.until(lambda: len(sender.answers) == 5)
    assert smsc.report()["pending"] == 5
    reader, _ = await join(smsc, pdu.BindReceiver)
    await reader.until(lambda: len(reader.receipts) == 5)
    assert [one.message_id for one in reader.receipts] == [sender.answers[number][1] for number in range(5)]
    assert sender.deliveries == []


async def test_a_receiver_may_not_submit(serve: Serve, join: Join) -> None:
    """A submit on a receiver's link is refused and not taken."""
    smsc = await serve()
    _, esme = await join(smsc, pdu.BindReceiver)
    answer = await esme.request(pdu.SubmitSm(destination_addr="12025550101"))
    assert isinstance(answer, pdu.SubmitSmResp)
    assert answer.status == Status.ESME_RINVBNDSTS
    assert smsc.report()["submits"] == 0


async def test_unacknowledged_receipts_come_again(serve: Serve, join: Join) -> None:
    """A link lost before deliver_sm_resp gives its receipts back; the next bind gets them, once and in order."""
    smsc = await serve()
    shop, esme = await join(smsc)
    shop.status = None
    esme.submit_many([(text_to("12025550101", f"Text {number}"), number) for number in range(10)])
    await shop.until(lambda: len(shop.receipts) == 10 and len(shop.answers) == 10)
    esme.abort()
    await esme.wait_closed()
    again, second = await join(smsc)
    await again.until(lambda: len(again.receipts) == 10)
    assert again.receipts == shop.receipts
    await second.close(1)
    assert (smsc.report()["receipts"], smsc.report()["redelivered"], smsc.report()["pending"]) == (10, 10, 0)


async def test_refused_receipts_come_again(serve: Serve, join: Join) -> None:
    """An error in deliver_sm_resp is no acknowledgement: the same link gets the receipt again after a pause."""
    smsc = await serve()
    shop, esme = await join(smsc)
    shop.status = Status.ESME_RX_T_APPN
    esme.submit(text_to("12025550101"), 1)
    await shop.until(lambda: shop.receipts)
    shop.status = 0
    await shop.until(lambda: len(shop.receipts) == 2)
    assert shop.receipts[0] == shop.receipts[1]
    await esme.close(1)
    assert (smsc.report()["receipts"], smsc.report()["redelivered"]) == (1, 1)


async def test_a_late_acknowledgement_counts_once(serve: Serve, join: Join) -> None:
    """A receipt unanswered in time is sent again; whichever answer comes first ends it."""
    smsc = await serve(response_timeout=0.1)
    shop, esme = await join(smsc)
    shop.status = None
    esme.submit(text_to("12025550101"), 1)
    await shop.until(lambda: len(shop.receipts) == 2)
    esme.answer_deliveries([(one.sequence, 0) for one in shop.deliveries])
    await esme.close(1)
    assert (smsc.report()["receipts"], smsc.report()["pending"]) == (1, 0)
    assert smsc.report()["redelivered"] >= 1


async def test_the_window_is_obeyed(serve: Serve, join: Join) -> None:
    """No more deliveries than the window are unanswered; each answer makes room for one."""
    smsc = await serve(window=3)
    shop, esme = await join(smsc)
    shop.status = None
    esme.submit_many([(text_to("12025550101", f"Text {number}"), number) for number in range(10)])
    await shop.until(lambda: len(shop.answers) == 10 and len(shop.receipts) == 3)
    await esme.request(pdu.QuerySm())  # what the simulator sent before its answer has been read by now
    assert len(shop.receipts) == 3
    esme.answer_delivery(shop.deliveries[0].sequence)
    await shop.until(lambda: len(shop.receipts) == 4)
    shop.status = 0
    esme.answer_deliveries([(one.sequence, 0) for one in shop.deliveries[1:]])
    await shop.until(lambda: len(shop.receipts) == 10)


async def test_links_share_the_receipts(serve: Serve, join: Join) -> None:
    """Receipts go over every link of the system_id that has room, and to nobody else."""
    smsc = await serve(window=2)
    shop, esme = await join(smsc)
    other, _ = await join(smsc)
    shop.status = other.status = None
    esme.submit_many([(text_to("12025550101", f"Text {number}"), number) for number in range(4)])
    await shop.until(lambda: len(shop.receipts) == 2)
    await other.until(lambda: len(other.receipts) == 2)
    assert not {one.message_id for one in shop.receipts} & {one.message_id for one in other.receipts}


async def test_what_waits_is_bounded(serve: Serve, join: Join) -> None:
    """Above the limit of waiting receipts a submit is refused as ESME_RMSGQFUL, and nothing of it is owed."""
    smsc = await serve(limits=Limits(max_pending=2))
    shop, esme = await join(smsc, pdu.BindTransmitter)
    esme.submit_many([(text_to("12025550101", f"Text {number}"), number) for number in range(3)])
    await shop.until(lambda: len(shop.answers) == 3)
    assert [status for status, _ in shop.answers.values()] == [0, 0, Status.ESME_RMSGQFUL]
    assert (smsc.report()["pending"], smsc.report()["unique"], smsc.report()["submits"]) == (2, 2, 3)


async def test_other_commands_are_refused(serve: Serve, join: Join) -> None:
    """query_sm is known and not served: generic_nack, and the link lives."""
    smsc = await serve()
    _, esme = await join(smsc)
    answer = await esme.request(pdu.QuerySm(message_id="1"))
    assert answer == pdu.GenericNack(answer.sequence, Status.ESME_RINVCMDID)
    assert isinstance(await esme.request(pdu.EnquireLink()), pdu.EnquireLinkResp)


async def test_a_stop_unbinds(serve: Serve, join: Join) -> None:
    """Stopping sends unbind on every link and accepts nobody more."""
    smsc = await serve()
    shop, esme = await join(smsc)
    esme.submit(text_to("12025550101"), 1)
    await shop.until(lambda: shop.receipts)
    await smsc.stop()
    assert (await esme.wait_closed()).cause is Cause.UNBOUND_BY_PEER
    assert smsc.report()["receipts"] == 1
    with pytest.raises(OSError, match=r"Connect|refused"):
        await asyncio.open_connection("127.0.0.1", smsc.port)


async def test_a_stop_cuts_who_does_not_answer(serve: Serve) -> None:
    """A link that was never bound, and one that is silent, do not hold the stop up."""
    smsc = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", smsc.port)
    writer.write(b"\0\0")
    await writer.drain()
    await asyncio.wait_for(smsc.stop(0.05), 5)
    try:
        left = await reader.read()
    except ConnectionResetError:  # the other way in which an end can show
        left = b""
    assert left == b""
    writer.close()


async def test_a_handset_can_answer(serve: Serve, join: Join) -> None:
    """An inbound text reaches who texted from that number; while nobody is bound it waits."""
    smsc = await serve()
    shop, esme = await join(smsc)
    esme.submit(text_to("12025550101"), 1)
    await shop.until(lambda: shop.receipts)
    assert smsc.network.send("+12025550101", "+12025550100", "Thanks €") == 1
    await shop.until(lambda: shop.texts)
    assert shop.deliveries[-1].source_addr == "12025550101"
    await esme.close(1)
    smsc.network.send("12025550101", "12025550100", "Later")
    assert smsc.report()["pending"] == 1
    later, second = await join(smsc, shop=Shop())
    await later.until(lambda: later.texts == [b"Later"])
    await second.close(1)
    assert (smsc.report()["inbound"], smsc.report()["pending"]) == (2, 0)


async def test_states_of_receipts(serve: Serve, join: Join) -> None:
    """With every text undelivered no handset rings and each receipt says so."""
    smsc = await serve(undelivered_percent=100.0)
    shop, esme = await join(smsc)
    esme.submit(text_to("12025550101"), 1)
    await shop.until(lambda: shop.receipts)
    assert shop.receipts[0].state is State.UNDELIV
    assert smsc.report()["rung"] == 0
