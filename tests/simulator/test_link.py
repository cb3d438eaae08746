"""Each chaos setting, as an ESME meets it on its link."""

import asyncio

import pytest

from opengage.simulator.link import GARBAGE
from opengage.smpp import codec, pdu
from opengage.smpp.commands import Status
from opengage.smpp.contract import Cause
from opengage.smpp.errors import PduError
from opengage.smpp.esme import Esme
from simulator.shops import Join, Serve, Shop, text_to


def submit(esme: Esme, count: int, number: str = "12025550101") -> None:
    """Hand in so many different texts, with the tokens 0 and up."""
    assert esme.submit_many([(text_to(number, f"Text {token}"), token) for token in range(count)]) == count


async def test_answers_can_be_late(serve: Serve, join: Join) -> None:
    """Answers come after their delay, all of them, and receipts behind them."""
    smsc = await serve(answer_delay=0.05, answer_jitter=0.02)
    shop, esme = await join(smsc)
    start = asyncio.get_running_loop().time()
    submit(esme, 20)
    await shop.until(lambda: len(shop.answers) == 20)
    assert asyncio.get_running_loop().time() - start >= 0.05
    await shop.until(lambda: len(shop.receipts) == 20)
    assert smsc.report()["answers"] == {"ESME_ROK": 20}


async def test_receipts_can_be_late(serve: Serve, join: Join) -> None:
    """Receipts come after their delay; answers do not wait for them."""
    smsc = await serve(receipt_delay=0.05, receipt_jitter=0.02)
    shop, esme = await join(smsc)
    submit(esme, 20)
    await shop.until(lambda: len(shop.answers) == 20)
    answered = asyncio.get_running_loop().time()
    assert shop.receipts == []
    assert smsc.report()["pending"] == 20
    await shop.until(lambda: len(shop.receipts) == 20)
    assert asyncio.get_running_loop().time() - answered >= 0.03


async def test_receipts_survive_their_link(serve: Serve, join: Join) -> None:
    """A receipt that falls due when nobody is bound waits for the next bind."""
    smsc = await serve(receipt_delay=0.05)
    shop, esme = await join(smsc)
    submit(esme, 3)
    await shop.until(lambda: len(shop.answers) == 3)
    esme.abort()
    await esme.wait_closed()
    again, _ = await join(smsc)
    await again.until(lambda: len(again.receipts) == 3)


async def test_too_fast_is_throttled(serve: Serve, join: Join) -> None:
    """Above the rate ESME_RTHROTTLED answers, and what is throttled is not taken."""
    smsc = await serve(throttle_above=5)
    shop, esme = await join(smsc)
    submit(esme, 8)
    await shop.until(lambda: len(shop.answers) == 8)
    assert [status for status, _ in shop.answers.values()] == [0] * 5 + [Status.ESME_RTHROTTLED] * 3
    assert smsc.report()["unique"] == 5


async def test_the_link_is_cut_before_answers(serve: Serve, join: Join) -> None:
    """So many are read and unanswered, then the link is cut, once; those texts are taken and their receipts come."""
    smsc = await serve(drop_skip=2, drop_after=3)
    shop, esme = await join(smsc)
    submit(esme, 5)
    await shop.until(lambda: shop.lost)
    assert sorted(shop.answers) == [0, 1]
    unanswered, never_sent, loss = shop.lost[0]
    assert (unanswered, never_sent, loss.cause) == ([2, 3, 4], [], Cause.CLOSED_BY_PEER)
    assert (smsc.report()["unique"], smsc.report()["unanswered"], smsc.report()["links-cut"]) == (5, 3, 1)
    again, second = await join(smsc)
    await again.until(lambda: len({one.message_id for one in shop.receipts + again.receipts}) == 5)
    submit(second, 9, "12025550102")
    await again.until(lambda: len(again.answers) == 9)


async def test_what_comes_behind_the_cut_is_not_read(serve: Serve, join: Join) -> None:
    """Submits behind the one that cuts the link are in nobody's count."""
    smsc = await serve(drop_after=3)
    shop, esme = await join(smsc)
    submit(esme, 10)
    await shop.until(lambda: shop.lost)
    assert sorted(shop.lost[0][0]) == list(range(10))
    assert smsc.report()["submits"] == 3


async def test_every_nth_is_never_answered(serve: Serve, join: Join) -> None:
    """Each third submit stays unanswered; its receipt tells its fate."""
    smsc = await serve(silent_every=3)
    shop, esme = await join(smsc, response_timeout=0.2)
    submit(esme, 6)
    await shop.until(lambda: shop.timed_out == [2, 5])
    assert sorted(shop.answers) == [0, 1, 3, 4]
    await shop.until(lambda: len(shop.receipts) == 6)
    assert smsc.report()["unanswered"] == 2


@pytest.mark.parametrize("kind", ["command", "body"])
async def test_a_peer_survives_garbage(serve: Serve, join: Join, kind: str) -> None:
    """A garbled PDU before each second answer is refused by the peer, and every answer still comes."""
    smsc = await serve(garble_every=2, garble_with=kind)
    shop, esme = await join(smsc)
    submit(esme, 6)
    await shop.until(lambda: len(shop.answers) == 6 and len(shop.receipts) == 6)
    assert esme.counters.refused == 3


async def test_an_impossible_length_ends_the_link(serve: Serve, join: Join) -> None:
    """Behind an impossible command_length nothing can be read, so the peer leaves."""
    smsc = await serve(garble_every=3, garble_with="length")
    shop, esme = await join(smsc)
    submit(esme, 4)
    await shop.until(lambda: shop.lost)
    assert sorted(shop.answers) == [0, 1]
    assert shop.lost[0][2].cause is Cause.FRAMING


def test_garbage_is_garbage() -> None:
    """Our own codec refuses each kind; any kind can be chosen."""
    for data in GARBAGE.values():
        with pytest.raises(PduError):
            codec.decode(data)


async def test_garbage_of_any_kind_is_by_seed(serve: Serve) -> None:
    """With `any` the kinds follow from the seed."""

    async def kinds() -> list[str | None]:
        smsc = await serve(garble_every=2, seed=4)
        return [smsc.network.garbage() for _ in range(40)]

    first, second = await kinds(), await kinds()
    assert first == second
    assert set(first) == {None, "command", "body", "length"}


async def test_reading_can_stall(serve: Serve, join: Join) -> None:
    """After N submits the link is not read for a while; then everything is served."""
    smsc = await serve(stall_every=2, stall_seconds=0.1)
    shop, esme = await join(smsc)
    submit(esme, 2)
    await shop.until(lambda: len(shop.answers) == 2)
    start = asyncio.get_running_loop().time()
    await esme.request(pdu.EnquireLink())
    assert asyncio.get_running_loop().time() - start >= 0.05
    await shop.until(lambda: len(shop.receipts) == 2)


async def test_a_stalled_link_can_be_lost(serve: Serve, join: Join) -> None:
    """A peer that leaves while it is not read harms nobody."""
    smsc = await serve(stall_every=1, stall_seconds=0.05)
    shop, esme = await join(smsc)
    submit(esme, 1)
    await shop.until(lambda: shop.answers)
    esme.abort()
    again, other = await join(smsc)
    await again.until(lambda: again.receipts or shop.receipts)
    submit(other, 2, "12025550102")
    await again.until(lambda: len(again.answers) == 2)


async def test_receipts_can_come_twice(serve: Serve, join: Join) -> None:
    """With all receipts duplicated each comes twice and both are acknowledged."""
    smsc = await serve(duplicate_percent=100.0)
    shop, esme = await join(smsc)
    submit(esme, 5)
    await shop.until(lambda: len(shop.receipts) == 10)
    assert len({one.message_id for one in shop.receipts}) == 5
    await esme.close(1)
    assert smsc.report()["receipts"] == 10


async def test_receipts_can_be_reordered(serve: Serve, join: Join) -> None:
    """All come, in another order than their answers."""
    smsc = await serve(reorder=True)
    shop, esme = await join(smsc)
    submit(esme, 50)
    await shop.until(lambda: len(shop.receipts) == 50)
    ids = [shop.answers[token][1] for token in range(50)]
    came = [one.message_id for one in shop.receipts]
    assert came != ids
    assert sorted(came) == sorted(ids)


@pytest.mark.parametrize(
    ("answer", "receipt"), [("hex", "same"), ("decimal", "same"), ("hex", "decimal"), ("decimal", "hex")]
)
async def test_ids_in_either_form(serve: Serve, join: Join, answer: str, receipt: str) -> None:
    """Answers and receipts write ids as asked for; they name the same message."""
    smsc = await serve(ids=answer, receipt_ids=receipt)
    shop, esme = await join(smsc)
    submit(esme, 3)
    await shop.until(lambda: len(shop.receipts) == 3)
    bases = {"hex": 16, "decimal": 10}
    answered = [int(shop.answers[token][1], bases[answer]) for token in range(3)]
    form = answer if receipt == "same" else receipt
    assert [int(one.message_id, bases[form]) for one in shop.receipts] == answered


async def test_chaos_can_change_under_way(serve: Serve, join: Join) -> None:
    """New settings hold for the next submit, and counts towards an Nth start anew."""
    smsc = await serve(drop_after=100)
    shop, esme = await join(smsc)
    submit(esme, 3)
    esme.submit(text_to("12025550101"), "unanswered")
    await esme.request(pdu.EnquireLink())
    assert (shop.answers, shop.receipts, smsc.report()["submits"]) == ({}, [], 4)
    smsc.network.change(type(smsc.network.chaos)(drop_after=2, drop_skip=1))
    esme.submit(text_to("12025550102", "One"), "one")
    await shop.until(lambda: "one" in shop.answers)
    esme.submit_many([(text_to("12025550102", "Two"), "two"), (text_to("12025550102", "Three"), "three")])
    await shop.until(lambda: shop.lost)
    assert list(shop.answers) == ["one"]


async def test_stopping_refuses_what_still_comes(serve: Serve, join: Join) -> None:
    """A submit that crosses the stop is refused in a way that lets it be sent again."""
    smsc = await serve()
    shop, esme = await join(smsc, shop=Shop())
    smsc.network.stop()
    esme.submit(text_to("12025550101"), 1)
    await shop.until(lambda: shop.answers)
    assert shop.answers[1][0] == Status.ESME_RMSGQFUL
    assert smsc.report()["unique"] == 0
