"""What an SMPP session and its owner agree on: limits, the events the owner is told of, and how a link can end."""

from enum import StrEnum
from typing import Any, Protocol, TypeVar

import msgspec

from opengage.smpp.framing import MAX_LENGTH

Token = Any
"""Whatever the owner finds its request by; a session never looks into it."""

Answer = tuple[Token, int, str]
"""token, command_status, message_id (empty when refused, or unreadable, or for a deliver_sm)."""

S_contra = TypeVar("S_contra", contravariant=True)


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one session; times in seconds (SMPP 3.4 section 7.2 names the timers)."""

    window: int = 100
    """Requests that may wait for their answer at once."""
    response_timeout: float = 30.0
    """response_timer: how long an answer may take; also to unbind and enquire_link. Judged to about 2 per cent."""
    bind_timeout: float = 10.0
    """session_init_timer: how long the link may stay unbound."""
    enquire_interval: float | None = 30.0
    """enquire_link_timer: silence after which the peer is asked whether it lives; None never asks."""
    inactivity_timeout: float | None = None
    """inactivity_timer: silence after which the link is closed; None keeps it."""
    max_length: int = MAX_LENGTH
    """Octets of the largest PDU accepted."""
    max_unanswered: int = 10_000
    """Requests of the peer that may wait for the owner's answer before reading stops."""
    max_remembered: int = 10_000
    """Timed-out requests whose late answers are still recognised."""


class State(StrEnum):
    """Where a session stands (section 2.2)."""

    OPEN = "open"
    BINDING = "binding"
    BOUND = "bound"
    UNBINDING = "unbinding"
    CLOSED = "closed"


class Cause(StrEnum):
    """Why a link ended."""

    CLOSED_BY_PEER = "closed-by-peer"
    UNBOUND_BY_PEER = "unbound-by-peer"
    UNBOUND = "unbound"
    NETWORK_ERROR = "network-error"
    FRAMING = "framing"
    BIND_REFUSED = "bind-refused"
    BIND_TIMEOUT = "bind-timeout"
    ENQUIRE_TIMEOUT = "enquire-timeout"
    UNBIND_TIMEOUT = "unbind-timeout"
    INACTIVE = "inactive"
    ABORTED = "aborted"


class Loss(msgspec.Struct, frozen=True):
    """The end of a link. `status` is the peer's refusal when the cause is BIND_REFUSED."""

    cause: Cause
    detail: str = ""
    status: int = 0


class Counters(msgspec.Struct):
    """What a session saw that no owner is told of."""

    stray_answers: int = 0
    """Answers to nothing: a second answer, or a sequence number never used."""
    refused: int = 0
    """PDUs turned down because they were broken, unknown or out of place."""


class ConnectionLost(Exception):
    """A link ended. For a request by `Session.request`, whether the peer acted on it is unknown."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(f"{loss.cause}: {loss.detail}" if loss.detail else str(loss.cause))
        self.loss = loss


class ResponseTimeout(Exception):
    """A request by `Session.request` had no answer in time: whether the peer acted on it is unknown."""


class WindowFull(Exception):
    """More was handed in than `free_window` allows; nothing of it has left."""


class SessionOwner(Protocol[S_contra]):
    """Whoever is told what a session sees; both roles. Called on the event loop: these must not block or raise.

    Inherit and override; what is left out is ignored.
    """

    def on_answers(self, session: S_contra, answers: list[Answer]) -> None:
        """Answers to requests, all those of one read, in order."""
        return

    def on_late_answers(self, session: S_contra, answers: list[Answer]) -> None:
        """Answers to requests that were reported by `on_timed_out` before."""
        return

    def on_timed_out(self, session: S_contra, tokens: list[Token]) -> None:
        """No answer within the response time-out: whether the peer acted on these is unknown."""
        return

    def on_window(self, session: S_contra) -> None:
        """There is room in the window after something became free, or the peer reads again."""
        return

    def on_lost(self, session: S_contra, unanswered: list[Token], never_sent: list[Token], loss: Loss) -> None:
        """The link is gone; called once, last.

        `unanswered`: given to the transport, fate unknown. `never_sent`: no byte of these has left; only these may be
        sent again.
        """
        return
