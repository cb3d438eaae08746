"""Rare requests of a session that somebody awaits.

Query_sm, cancel_sm and the like. Each ends once, as a Future does.
"""

import asyncio

from opengage.smpp import codec, pdu
from opengage.smpp.contract import ConnectionLost, ResponseTimeout
from opengage.smpp.errors import PduError


class Inquiries:
    """Awaited requests by sequence number."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[int, tuple[asyncio.Future[pdu.Pdu], float]] = {}

    def __contains__(self, sequence: int) -> bool:
        """Whether this number is an awaited request's."""
        return sequence in self._open

    @property
    def deadline(self) -> float | None:
        """When the first of them is overdue."""
        return min((deadline for _, deadline in self._open.values()), default=None)

    def add(self, sequence: int, answer: "asyncio.Future[pdu.Pdu]", deadline: float) -> None:
        """This request's answer is awaited until the deadline."""
        self._open[sequence] = (answer, deadline)

    def settle(self, command: int, status: int, sequence: int, body: bytes) -> None:
        """The answer came; one that cannot be read raises its PduError where it is awaited."""
        answer, _ = self._open.pop(sequence)
        if answer.done():
            return
        try:
            answer.set_result(codec.decode_body(command, status, sequence, body))
        except PduError as error:
            answer.set_exception(error)

    def expire(self, now: float) -> None:
        """Those overdue raise ResponseTimeout."""
        for sequence in [one for one, (_, deadline) in self._open.items() if deadline <= now]:
            self._fail(sequence, ResponseTimeout("no answer within the response time-out"))

    def lose(self, error: ConnectionLost) -> None:
        """The link is gone: all of them raise."""
        for sequence in list(self._open):
            self._fail(sequence, error)

    def _fail(self, sequence: int, error: Exception) -> None:
        answer, _ = self._open.pop(sequence)
        if not answer.done():
            answer.set_exception(error)
