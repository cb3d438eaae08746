"""The published magic numbers, each as an ESME meets it."""

import pytest

from opengage.smpp.commands import Status
from opengage.smpp.receipt import State, is_receipt
from simulator.shops import Join, Serve, Shop, text_to

NUMBER = "120255501"


async def answered(shop: Shop, token: int) -> None:
    """Wait for the answer to one submit."""
    await shop.until(lambda: token in shop.answers)


@pytest.mark.parametrize(("ending", "state"), [("97", State.UNDELIV), ("96", State.EXPIRED)])
async def test_texts_that_fail_later(serve: Serve, join: Join, ending: str, state: State) -> None:
    """97 and 96 are taken, and their receipts say that they came to nothing; no handset rings."""
    smsc = await serve(magic=True)
    shop, esme = await join(smsc)
    esme.submit(text_to(NUMBER + ending), 1)
    await shop.until(lambda: shop.receipts)
    assert shop.answers[1][0] == 0
    assert shop.receipts[0].state is state
    assert smsc.report()["rung"] == 0


async def test_99_never_answers(serve: Serve, join: Join) -> None:
    """99 is read and never heard of again."""
    smsc = await serve(magic=True)
    shop, esme = await join(smsc, response_timeout=0.2)
    esme.submit(text_to(NUMBER + "99"), 1)
    esme.submit(text_to(NUMBER + "01"), 2)
    await shop.until(lambda: shop.timed_out == [1])
    assert list(shop.answers) == [2]
    assert len(shop.receipts) == 1
    assert (smsc.report()["unique"], smsc.report()["rung"], smsc.report()["unanswered"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("ending", "statuses"),
    [
        ("98", [Status.ESME_RINVDSTADR] * 3),
        ("94", [Status.ESME_RTHROTTLED, 0]),
        ("91", [Status.ESME_RMSGQFUL, Status.ESME_RMSGQFUL, 0]),
    ],
)
async def test_refusals(serve: Serve, join: Join, ending: str, statuses: list[int]) -> None:
    """98 is refused for good, 94 and 91 until they are sent again; what is refused is no duplicate."""
    smsc = await serve(magic=True)
    shop, esme = await join(smsc)
    for attempt in range(len(statuses)):
        esme.submit(text_to(NUMBER + ending), attempt)
        await answered(shop, attempt)
    assert [status for status, _ in shop.answers.values()] == statuses
    taken = statuses.count(0)
    await shop.until(lambda: len(shop.receipts) == taken)
    assert (smsc.report()["unique"], smsc.report()["duplicates"]) == (taken, 0)


async def test_95_has_no_receipt(serve: Serve, join: Join) -> None:
    """95 rings, and no receipt ever says so."""
    smsc = await serve(magic=True)
    shop, esme = await join(smsc)
    esme.submit(text_to(NUMBER + "95"), 1)
    esme.submit(text_to(NUMBER + "01"), 2)
    await shop.until(lambda: shop.receipts)
    assert [one.message_id for one in shop.receipts] == [shop.answers[2][1]]
    await esme.close(1)
    assert (smsc.report()["rung"], smsc.report()["pending"]) == (2, 0)


async def test_93_overtakes_its_answer(serve: Serve, join: Join) -> None:
    """93's receipt is there before its answer."""
    smsc = await serve(magic=True)
    shop, esme = await join(smsc)
    esme.submit(text_to(NUMBER + "93"), 1)
    await shop.until(lambda: len(shop.events) == 2)
    assert [kind for kind, _ in shop.events] == ["delivery", "answer"]
    assert shop.receipts[0].message_id == shop.answers[1][1]


async def test_92_has_two_receipts(serve: Serve, join: Join) -> None:
    """92's receipt comes twice."""
    smsc = await serve(magic=True)
    shop, esme = await join(smsc)
    esme.submit(text_to(NUMBER + "92"), 1)
    await shop.until(lambda: len(shop.receipts) == 2)
    assert shop.receipts[0] == shop.receipts[1]


async def test_90_answers_stop(serve: Serve, join: Join) -> None:
    """90 gets its text, and its owner answers STOP after the receipt."""
    smsc = await serve(magic=True)
    shop, esme = await join(smsc)
    esme.submit(text_to(NUMBER + "90"), 1)
    await shop.until(lambda: len(shop.deliveries) == 2)
    first, second = shop.deliveries
    assert is_receipt(first)
    assert (second.payload, second.source_addr, second.destination_addr) == (b"STOP", NUMBER + "90", "12025550100")


async def test_by_default_all_is_delivered(serve: Serve, join: Join) -> None:
    """Without --magic these numbers are like any other."""
    smsc = await serve()
    shop, esme = await join(smsc)
    esme.submit_many([(text_to(f"{NUMBER}{ending}"), ending) for ending in range(90, 100)])
    await shop.until(lambda: len(shop.receipts) == 10)
    assert {one.state for one in shop.receipts} == {State.DELIVRD}
    assert smsc.report()["rung"] == 10
