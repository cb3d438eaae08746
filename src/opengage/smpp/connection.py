"""An ESME that comes back: connects, binds, and after a loss tries again with growing, jittered pauses.

It decides when to connect, never what to send again: every request of a lost link was reported by the session.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from opengage.smpp.commands import Status
from opengage.smpp.contract import Cause, ConnectionLost, Loss, SessionSettings
from opengage.smpp.esme import Bind, Esme, EsmeOwner, connect

PERMANENT: Final = frozenset({Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RINVSYSTYP})
"""Refusals that a retry alone will not change: someone must correct the settings, here or there."""


class Phase(StrEnum):
    """Where the connection stands."""

    CONNECTING = "connecting"
    BOUND = "bound"
    LOST = "lost"
    STOPPED = "stopped"


class Report(msgspec.Struct, frozen=True):
    """What led to a phase. For LOST: why, whether a retry can help, and the seconds until it is made."""

    phase: Phase
    attempt: int = 0
    """Failures in a row so far."""
    detail: str = ""
    status: int = 0
    """The SMSC's refusal of the bind; 0 when it was something else."""
    permanent: bool = False
    retry_in: float = 0.0


class Backoff(msgspec.Struct, frozen=True):
    """Pauses between attempts, in seconds."""

    first: float = 0.5
    cap: float = 60.0
    factor: float = 2.0


def pause_before(attempt: int, backoff: Backoff, uniform: float, *, permanent: bool = False) -> float:
    """Seconds to wait after this many failures in a row (from 1); `uniform` in [0, 1) spreads it over the upper half.

    A permanent refusal waits at the cap from the start.
    """
    # The exponent is bounded so that years of failures overflow nothing.
    longest = backoff.cap if permanent else min(backoff.cap, backoff.first * backoff.factor ** min(attempt - 1, 64))
    return longest * (0.5 + uniform / 2)


class ConnectionOwner(EsmeOwner, Protocol):
    """Whoever keeps a connection: told of its sessions' events and of its phases."""

    def on_phase(self, report: Report) -> None:
        """The connection entered a phase. With BOUND, its `session` is there to submit by."""
        return


Connect = Callable[[EsmeOwner, SessionSettings, str, int, Bind], Awaitable[Esme]]


class Connection:
    """Keeps one session alive until stopped. Sleep, randomness and the connecting itself are arguments."""

    def __init__(
        self,
        owner: ConnectionOwner,
        settings: SessionSettings,
        host: str,
        port: int,
        bind: Bind,
        *,
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[], float] = random.random,
        connect: Connect = connect,
    ) -> None:
        self._owner = owner
        self._settings = settings
        self._where = host, port
        self._bind = bind
        self._backoff = backoff
        self._sleep = sleep
        self._uniform = uniform
        self._connect = connect
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._was_bound = False
        self.phase = Phase.STOPPED
        self.session: Esme | None = None
        """The bound session, or None."""

    def start(self) -> None:
        """Begin to connect, in a task of its own; the phases tell how it goes."""
        self._stopping.clear()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self, patience: float = 10.0) -> None:
        """Stop for good: up to `patience` seconds for answers in flight, unbind, read until unbind_resp, close.

        Hand in nothing more. What is unanswered even then is reported by `on_lost`.
        """
        self._stopping.set()
        if self.session is not None:
            await self.session.close(patience)
        elif self._task is not None:
            self._task.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
            self._task = None
        self._enter(Report(Phase.STOPPED))

    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._enter(Report(Phase.CONNECTING, failures))
            started = asyncio.get_running_loop().time()
            loss = await self._attempt()
            lived = asyncio.get_running_loop().time() - started
            if self._stopping.is_set():
                return
            # A link that is cut again at once must not be dialled again at once.
            failures = (
                1 if self._was_bound and lived >= pause_before(failures + 1, self._backoff, 1.0) else failures + 1
            )
            await self._wait(loss, failures)

    async def _attempt(self) -> Loss:
        """Connect, and stay until the session ends."""
        self._was_bound = False
        try:
            self.session = await self._connect(self._owner, self._settings, *self._where, self._bind)
        except ConnectionLost as error:
            return error.loss
        except OSError as error:
            return Loss(Cause.NETWORK_ERROR, str(error) or type(error).__name__)
        self._was_bound = True
        self._enter(Report(Phase.BOUND))
        loss = await self.session.wait_closed()
        self.session = None
        return loss

    async def _wait(self, loss: Loss, failures: int) -> None:
        permanent = loss.cause is Cause.BIND_REFUSED and loss.status in PERMANENT
        pause = pause_before(failures, self._backoff, self._uniform(), permanent=permanent)
        detail = f"{loss.cause}: {loss.detail}" if loss.detail else str(loss.cause)
        self._enter(Report(Phase.LOST, failures, detail, loss.status, permanent, pause))
        await self._sleep(pause)

    def _enter(self, report: Report) -> None:
        self.phase = report.phase
        self._owner.on_phase(report)


__all__ = [
    "PERMANENT",
    "Backoff",
    "Connection",
    "ConnectionOwner",
    "Phase",
    "Report",
    "pause_before",
]
