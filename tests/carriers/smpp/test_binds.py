"""Several binds for one service profile: texts are spread, answers find their way, and a lost link is lost alone."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from carriers.smpp.scripted import (
    LONG,
    Recorder,
    Reply,
    ScriptedSmsc,
    accept_all,
    inbound_pdu,
    receipt_pdu,
    submission,
    text_id,
)
from opengage.carriers.smpp import SmppCarrier
from opengage.domain.outcomes import CONNECTION_LOST, NEVER_SENT, Accepted, Deferred, Unknown
from opengage.smpp import hot, pdu
from opengage.smpp.commands import Status
from opengage.smpp.concatenation import split
from opengage.smpp.smsc import SmscSession

Make = Callable[..., SmppCarrier]
Joined = Callable[..., Awaitable[SmppCarrier]]


class Network(ScriptedSmsc):
    """Remembers which link brought each submit."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[SmscSession, pdu.SubmitSm]] = []

    def on_submits(self, session: SmscSession, submits: list[pdu.SubmitSm]) -> None:
        self.came += [(session, submit) for submit in submits]
        super().on_submits(session, submits)

    def shares(self) -> list[int]:
        """How many submits each link brought, in the order of the binds."""
        counted = Counter(session for session, _ in self.came)
        return [counted[session] for session in self.sessions]


@pytest.fixture
async def smsc() -> Any:
    """The other end."""
    made = Network()
    yield made
    await made.close()


@pytest.fixture
async def joined(smsc: Network, make: Make, recorder: Recorder) -> Joined:
    """A carrier whose binds are all there."""

    async def build(binds: int = 3, **options: Any) -> SmppCarrier:
        await smsc.serve()
        carrier = make(binds=binds, **options)
        carrier.start(recorder)
        window = options.get("window", 100)
        await recorder.until(lambda: carrier.capacity() == binds * window)
        return carrier

    return build


def silent(submit: pdu.SubmitSm) -> Reply:
    """An SMSC that does not answer."""
    return None


async def test_texts_are_spread(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """Each link has a window of its own and its share of the texts; what does not fit waits for room anywhere."""
    carrier = await joined(window=10)
    smsc.reply = silent
    carrier.submit([submission(number) for number in range(31)])
    assert carrier.capacity() == 0
    await smsc.until(lambda: len(smsc.came) == 30)
    assert smsc.shares() == [10, 10, 10]
    smsc.reply = accept_all()
    for session, submit in list(smsc.came):
        session.answer_submits([(submit.sequence, 0, f"m{submit.sequence}")])
    await recorder.until(lambda: len(recorder.told) == 31)
    assert {outcome.text_id for outcome in recorder.told if isinstance(outcome, Accepted)} == {
        text_id(number) for number in range(31)
    }


async def test_the_emptier_link_gets_more(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """A link whose answers are slow is left alone until the others are as full."""
    carrier = await joined(binds=2, window=10)
    smsc.reply = silent
    carrier.submit([submission(number) for number in range(8)])
    await smsc.until(lambda: len(smsc.came) == 8)
    fast = smsc.sessions[0]
    fast.answer_submits([(submit.sequence, 0, "m") for session, submit in smsc.came if session is fast])
    await recorder.until(lambda: len(recorder.told) == 4)
    carrier.submit([submission(number) for number in range(8, 12)])
    await smsc.until(lambda: len(smsc.came) == 12)
    assert smsc.shares() == [8, 4]


async def test_a_long_text_goes_whole_over_one_link(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """Its segments stay together and in order, and its outcome is one."""
    carrier = await joined(binds=2)
    carrier.submit([submission(1, LONG), submission(2, LONG)])
    await recorder.until(lambda: len(recorder.told) == 2)
    assert smsc.shares() == [3, 3]
    for session in smsc.sessions:
        came = [submit.short_message[5] for each, submit in smsc.came if each is session]
        assert came == [1, 2, 3]
    assert {type(outcome) for outcome in recorder.told} == {Accepted}


async def test_a_lost_link_is_lost_alone(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """Only what was in flight on it is Unknown; what waited there never left; the others go on; it is dialled anew."""
    carrier = await joined(binds=2, window=5)
    smsc.reply = silent
    carrier.submit([submission(number) for number in range(14)])
    await smsc.until(lambda: len(smsc.came) == 10)
    lost = smsc.sessions[0]
    lost.abort()
    await recorder.until(lambda: len(recorder.told) == 7)
    assert carrier.is_bound
    unknown = [outcome for outcome in recorder.told if outcome == Unknown(outcome.text_id, CONNECTION_LOST)]
    waited = [outcome for outcome in recorder.told if outcome == Deferred(outcome.text_id, NEVER_SENT, throttled=True)]
    assert (len(unknown), len(waited)) == (5, 2)
    await recorder.until(lambda: carrier.capacity() == 5)
    smsc.reply = accept_all()
    other = smsc.sessions[1]
    other.answer_submits([(submit.sequence, 0, "m") for session, submit in smsc.came if session is other])
    await recorder.until(lambda: len(recorder.told) == 14)
    assert len({outcome.text_id for outcome in recorder.told}) == 14
    assert len(smsc.sessions) == 3


async def test_bound_as_long_as_one_is(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """And not one link longer."""
    carrier = await joined(binds=2, window=5)
    smsc.bind_status = Status.ESME_RBINDFAIL
    smsc.sessions[0].abort()
    await recorder.until(lambda: carrier.capacity() == 5)
    assert carrier.is_bound
    smsc.sessions[1].abort()
    await recorder.until(lambda: not carrier.is_bound)
    carrier.submit([submission(1)])
    await recorder.until(lambda: recorder.told)
    assert recorder.told == [Deferred(text_id(1), NEVER_SENT, throttled=True)]


async def test_a_network_that_allows_fewer(smsc: Network, make: Make, recorder: Recorder) -> None:
    """The bind that is refused is tried again and again, and the others work meanwhile."""
    await smsc.serve()
    plain, tried = smsc.on_bind, 0

    def at_most_one(session: SmscSession, bind: Any) -> int:
        nonlocal tried
        tried += 1
        return plain(session, bind) if not smsc.sessions else int(Status.ESME_RALYBND)

    smsc.on_bind = at_most_one  # type: ignore[method-assign]
    carrier = make(binds=2, window=5)
    carrier.start(recorder)
    await smsc.until(lambda: smsc.sessions)
    await recorder.until(lambda: carrier.capacity() == 5)
    carrier.submit([submission(number) for number in range(5)])
    await recorder.until(lambda: len(recorder.told) == 5)
    assert smsc.shares() == [5]
    assert tried >= 2


async def test_deliveries_are_answered_where_they_came(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """Receipts and texts with the same sequence numbers on two links, and a text whose parts came over both."""
    carrier = await joined(binds=2)
    one, other = smsc.sessions
    receipt = receipt_pdu(b"id:m1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:")
    cut = split("a" * 200, 7)
    parts = [inbound_pdu(part, esm_class=cut.esm_class, data_coding=cut.data_coding) for part in cut.payloads]
    one.deliver(hot.body_of(receipt), "one")
    other.deliver(hot.body_of(inbound_pdu(b"Hi")), "other")
    one.deliver(hot.body_of(parts[0]), "first")
    other.deliver(hot.body_of(parts[1]), "second")
    await recorder.until(lambda: len(recorder.got_receipts) == 1 and len(recorder.got_inbound) == 2)
    assert {text.body for text in recorder.got_inbound} == {"Hi", "a" * 200}
    carrier.acknowledge([recorder.got_receipts[0].token], stored=True)
    await smsc.until(lambda: smsc.delivered)
    assert smsc.delivered == [("one", 0)]
    carrier.acknowledge([text.token for text in recorder.got_inbound], stored=True)
    await smsc.until(lambda: len(smsc.delivered) == 4)
    assert sorted(smsc.delivered) == [("first", 0), ("one", 0), ("other", 0), ("second", 0)]


async def test_a_lost_link_tells_which_texts_come_again(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """Those that it brought and that nobody has acknowledged, or that were acknowledged just before; no others."""
    carrier = await joined(binds=2)
    one, other = smsc.sessions
    other.deliver(hot.body_of(inbound_pdu(b"stays")), 0)
    await recorder.until(lambda: len(recorder.got_inbound) == 1)
    one.deliver(hot.body_of(inbound_pdu(b"acknowledged")), 1)
    one.deliver(hot.body_of(inbound_pdu(b"not yet")), 2)
    await recorder.until(lambda: len(recorder.got_inbound) == 3)
    tokens = [text.token for text in recorder.got_inbound]
    carrier.acknowledge(tokens[1:2], stored=True)
    await smsc.until(lambda: smsc.delivered)
    one.abort()
    await recorder.until(lambda: len(recorder.got_unacknowledged) == 2)
    assert recorder.got_unacknowledged == [(tokens[2:], True), (tokens[1:2], False)]


async def test_stop_drains_all(joined: Joined, smsc: Network, recorder: Recorder) -> None:
    """Every link waits for its answers and takes leave; nothing is in doubt."""
    carrier = await joined(binds=3, window=5)
    smsc.reply = silent
    carrier.submit([submission(number) for number in range(9)])
    await smsc.until(lambda: len(smsc.came) == 9)
    stopping = asyncio.ensure_future(carrier.stop(5))
    await asyncio.sleep(0)
    assert (carrier.is_bound, carrier.capacity()) == (False, 0)
    for session, submit in smsc.came:
        session.answer_submits([(submit.sequence, 0, "m")])
    await stopping
    assert len(recorder.told) == 9
    assert {type(outcome) for outcome in recorder.told} == {Accepted}
