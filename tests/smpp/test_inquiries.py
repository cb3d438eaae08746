"""Awaited requests: each ends once, also when its waiter has gone."""

import asyncio

import pytest

from opengage.smpp import pdu
from opengage.smpp.commands import CommandId
from opengage.smpp.contract import Cause, ConnectionLost, Loss, ResponseTimeout
from opengage.smpp.errors import BodyError
from opengage.smpp.inquiries import Inquiries


def ask(inquiries: Inquiries, sequence: int, deadline: float) -> "asyncio.Future[pdu.Pdu]":
    """A request with this number."""
    answer: asyncio.Future[pdu.Pdu] = asyncio.get_running_loop().create_future()
    inquiries.add(sequence, answer, deadline)
    return answer


async def test_each_ends_in_its_own_way() -> None:
    """Answered, unreadable, overdue and lost: every waiter learns which."""
    inquiries = Inquiries()
    answered, unreadable, overdue, lost = (ask(inquiries, number, float(number)) for number in (1, 2, 3, 9))
    assert inquiries.deadline == 1.0
    inquiries.settle(CommandId.QUERY_SM_RESP, 0, 1, b"m\0\0\2\0")
    inquiries.settle(CommandId.QUERY_SM_RESP, 0, 2, b"m")
    inquiries.expire(3.0)
    assert 3 not in inquiries
    assert 9 in inquiries
    inquiries.lose(ConnectionLost(Loss(Cause.ABORTED)))
    assert (await answered) == pdu.QuerySmResp(1, 0, "m", "", 2, 0)
    for answer, error in ((unreadable, BodyError), (overdue, ResponseTimeout), (lost, ConnectionLost)):
        with pytest.raises(error):
            await answer
    assert inquiries.deadline is None


async def test_a_waiter_that_has_gone() -> None:
    """A cancelled request is settled, expired or lost without an error."""
    inquiries = Inquiries()
    for number in (1, 2, 3):
        ask(inquiries, number, float(number)).cancel()
    inquiries.settle(CommandId.CANCEL_SM_RESP, 0, 1, b"")
    inquiries.expire(2.0)
    inquiries.lose(ConnectionLost(Loss(Cause.ABORTED)))
    assert inquiries.deadline is None
