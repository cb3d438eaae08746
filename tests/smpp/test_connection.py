"""The connection that comes back: its pauses, its reports, and its end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import hot, pdu
from opengage.smpp.commands import Status
from opengage.smpp.connection import Backoff, Connection, ConnectionOwner, Phase, Report, pause_before
from opengage.smpp.contract import Cause, ConnectionLost, Loss

BIND = pdu.BindTransceiver(system_id="shop", password="secret")


class Keeper(ConnectionOwner):
    """A connection's owner: an ESME's owner that also remembers phases."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.reports: list[Report] = []

    def on_phase(self, report: Report) -> None:
        self.reports.append(report)
        self.inner.changed()

    def on_answers(self, session: Any, answers: list[Any]) -> None:
        self.inner.on_answers(session, answers)

    def on_lost(self, session: Any, unanswered: list[Any], never_sent: list[Any], loss: Loss) -> None:
        self.inner.on_lost(session, unanswered, never_sent, loss)

    @property
    def phases(self) -> list[Phase]:
        """The phases so far."""
        return [report.phase for report in self.reports]


class Pauses:
    """A sleep that waits for the test instead of for time."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._go: asyncio.Event = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        """Wait until `end`."""
        self.asked.append(seconds)
        self._go.clear()
        await self._go.wait()

    def end(self) -> None:
        """The pause is over."""
        self._go.set()


@pytest.fixture
def keeper(business: Any) -> Keeper:
    """A connection's owner."""
    return Keeper(business)


@pytest.fixture
def pauses() -> Pauses:
    """A sleep in the test's hands."""
    return Pauses()


@pytest.fixture
async def keeping(keeper: Keeper, settings: Any, pauses: Pauses) -> Any:
    """Keep a connection to a port; stopped at the end."""
    made: list[Connection] = []

    def keep(port: int, **changes: Any) -> Connection:
        given: dict[str, Any] = {"sleep": pauses, "uniform": lambda: 0.5} | changes
        made.append(Connection(keeper, settings(), "127.0.0.1", port, BIND, **given))
        made[-1].start()
        return made[-1]

    yield keep
    for connection in made:
        await connection.stop(0.0)


def test_pauses_grow_to_the_cap() -> None:
    """Each failure doubles the pause, up to the cap; the jitter covers its upper half."""
    backoff = Backoff(first=1.0, cap=10.0)
    assert [pause_before(attempt, backoff, 1.0) for attempt in (1, 2, 3, 4, 5, 10_000)] == [1, 2, 4, 8, 10, 10]
    assert pause_before(1, backoff, 0.0) == 0.5
    assert pause_before(1, backoff, 1.0, permanent=True) == 10.0


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True), st.booleans())
def test_pauses_are_bounded(attempt: int, uniform: float, permanent: bool) -> None:
    """No number of failures waits longer than the cap, or not at all."""
    assert 0.25 <= pause_before(attempt, Backoff(), uniform, permanent=permanent) <= 60.0


async def test_it_binds_and_stops(smsc: Any, keeping: Any, keeper: Keeper, business: Any, network: Any) -> None:
    """Connecting, bound, stopped: and the SMSC saw an unbind, not a cut."""
    connection = keeping(await smsc())
    await business.until(lambda: connection.phase is Phase.BOUND)
    await connection.stop()
    assert keeper.phases == [Phase.CONNECTING, Phase.BOUND, Phase.STOPPED]
    await network.until(lambda: network.lost)
    assert network.lost[0][2].cause is Cause.UNBOUND_BY_PEER
    assert connection.session is None


async def test_it_comes_back_after_a_cut(
    smsc: Any, keeping: Any, keeper: Keeper, business: Any, network: Any, pauses: Pauses
) -> None:
    """A cut link is reported with its cause and its pause, then bound anew; the new session submits."""
    connection = keeping(await smsc())
    await business.until(lambda: connection.phase is Phase.BOUND)
    network.sessions[0].abort()
    await business.until(lambda: pauses.asked)
    report = keeper.reports[-1]
    assert (report.phase, report.attempt, report.permanent) == (Phase.LOST, 1, False)
    assert pauses.asked == [report.retry_in] == [0.375]
    sessions = [connection.session]
    pauses.end()
    await business.until(lambda: connection.phase is Phase.BOUND)
    sessions.append(connection.session)
    assert sessions[0] is None
    assert sessions[1] is not None
    sessions[1].submit(hot.SubmitTemplate("12025550100").body("12025550199", 0, b"Hi"), "token")
    await business.until(lambda: business.answers)
    assert business.answers[0][0] == "token"


async def test_nobody_listens(keeping: Any, keeper: Keeper, business: Any, pauses: Pauses, smsc: Any) -> None:
    """A refused connection is retried with growing pauses."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    keeping(port)
    for failures in (1, 2, 3):
        await business.until(lambda failures=failures: len(pauses.asked) == failures)
        pauses.end()
    assert pauses.asked[:3] == [0.375, 0.75, 1.5]
    assert keeper.reports[1].detail.startswith("network-error")


async def test_a_wrong_password_is_permanent(
    smsc: Any, keeping: Any, keeper: Keeper, business: Any, network: Any, pauses: Pauses
) -> None:
    """A refusal that retrying cannot mend is reported as such and retried only at the cap."""
    network.bind_status = Status.ESME_RINVPASWD
    connection = keeping(await smsc())
    await business.until(lambda: pauses.asked)
    report = keeper.reports[-1]
    assert (report.permanent, report.status, report.retry_in) == (True, Status.ESME_RINVPASWD, 45.0)
    assert "ESME_RINVPASWD" in report.detail
    network.bind_status = 0
    pauses.end()
    await business.until(lambda: connection.phase is Phase.BOUND)


async def test_a_busy_smsc_is_not_permanent(
    smsc: Any, keeping: Any, keeper: Keeper, business: Any, network: Any, pauses: Pauses
) -> None:
    """ESME_RBINDFAIL may pass by itself: the pause is an ordinary one."""
    network.bind_status = Status.ESME_RBINDFAIL
    keeping(await smsc())
    await business.until(lambda: pauses.asked)
    assert (keeper.reports[-1].permanent, keeper.reports[-1].retry_in) == (False, 0.375)


async def test_links_that_drop_at_once_are_not_dialled_at_once(
    smsc: Any, keeping: Any, business: Any, network: Any, pauses: Pauses
) -> None:
    """A bind that is followed by a cut counts as a failure, so the pauses grow."""
    connection = keeping(await smsc())
    for cuts in (1, 2, 3):
        await business.until(lambda: connection.phase is Phase.BOUND)
        network.sessions[-1].abort()
        await business.until(lambda cuts=cuts: len(pauses.asked) == cuts)
        pauses.end()
    assert pauses.asked == [0.375, 0.75, 1.5]


async def test_stop_while_it_waits(keeping: Any, keeper: Keeper, business: Any, pauses: Pauses) -> None:
    """A pause is no obstacle to stopping."""

    async def refuse(*_: Any) -> Any:
        raise ConnectionLost(Loss(Cause.CLOSED_BY_PEER))

    connection = keeping(1, connect=refuse)
    await business.until(lambda: pauses.asked)
    await connection.stop()
    assert keeper.phases == [Phase.CONNECTING, Phase.LOST, Phase.STOPPED]


async def test_stop_while_it_connects(keeping: Any, keeper: Keeper, business: Any) -> None:
    """A connection attempt that hangs is given up."""
    hanging = asyncio.Event()

    async def hang(*_: Any) -> Any:
        await hanging.wait()

    connection = keeping(1, connect=hang)
    await business.until(lambda: keeper.reports)
    await connection.stop()
    assert keeper.phases == [Phase.CONNECTING, Phase.STOPPED]


async def test_stop_takes_the_answers_in_flight(
    peers: Callable[..., Any], keeping: Any, business: Any, keeper: Keeper
) -> None:
    """Stopping waits for the answer of a submit before it unbinds."""
    port, arrived = await peers()
    connection = keeping(port)
    peer = await arrived()
    await business.until(lambda: connection.phase is Phase.BOUND)
    assert connection.session is not None
    connection.session.submit(hot.SubmitTemplate("12025550100").body("12025550199", 0, b"Hi"), "token")
    await peer.until(lambda: peer.of(pdu.SubmitSm))
    stopping = asyncio.ensure_future(connection.stop())
    peer.send(pdu.SubmitSmResp(peer.of(pdu.SubmitSm)[0].sequence, 0, "m1"))
    await peer.until(lambda: peer.of(pdu.Unbind))
    peer.send(pdu.UnbindResp(peer.of(pdu.Unbind)[0].sequence))
    await stopping
    assert business.answers == [("token", 0, "m1")]
    assert business.lost[0][:2] == ([], [])
