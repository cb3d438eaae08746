"""An ESME that remembers, and the texts it sends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from opengage.simulator.server import Smsc
from opengage.smpp import hot, pdu, receipt, tlv
from opengage.smpp.contract import Loss
from opengage.smpp.esme import Esme, EsmeOwner

SENDER = "12025550100"
TEMPLATE = hot.SubmitTemplate(SENDER)


class Shop(EsmeOwner):
    """An ESME's owner: remembers everything, and answers deliveries with `status` unless that is None."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.events: list[tuple[str, Any]] = []
        """Answers and deliveries in the order in which they came."""
        self.answers: dict[Any, tuple[int, str]] = {}
        self.deliveries: list[pdu.DeliverSm] = []
        self.late: list[Any] = []
        self.timed_out: list[Any] = []
        self.lost: list[tuple[list[Any], list[Any], Loss]] = []
        self.status: int | None = 0

    async def until(self, seen: Callable[[], Any]) -> None:
        """Return once `seen()` holds."""
        async with asyncio.timeout(10):
            while not seen():
                self._changed.clear()
                await self._changed.wait()

    @property
    def receipts(self) -> list[receipt.Receipt]:
        """The receipts among the deliveries, in order."""
        return [found for one in self.deliveries if (found := receipt.parse(one)) is not None]

    @property
    def texts(self) -> list[bytes]:
        """The user data of the other deliveries."""
        return [one.payload for one in self.deliveries if not receipt.is_receipt(one)]

    def _note(self, kind: str, what: Any) -> None:
        if kind in ("answer", "delivery"):
            self.events.append((kind, what))
        self._changed.set()

    def on_answers(self, session: Esme, answers: list[Any]) -> None:
        """See SessionOwner."""
        for token, status, message_id in answers:
            self.answers[token] = (status, message_id)
            self._note("answer", token)

    def on_late_answers(self, session: Esme, answers: list[Any]) -> None:
        """See SessionOwner."""
        self.late += [token for token, _, _ in answers]
        self._note("late", answers)

    def on_timed_out(self, session: Esme, tokens: list[Any]) -> None:
        """See SessionOwner."""
        self.timed_out += tokens
        self._note("timed out", tokens)

    def on_window(self, session: Esme) -> None:
        """See SessionOwner."""
        self._note("window", None)

    def on_deliveries(self, session: Esme, deliveries: list[pdu.DeliverSm]) -> None:
        """See EsmeOwner."""
        self.deliveries += deliveries
        if self.status is not None:
            session.answer_deliveries([(one.sequence, self.status) for one in deliveries])
        for one in deliveries:
            self._note("delivery", one)

    def on_lost(self, session: Esme, unanswered: list[Any], never_sent: list[Any], loss: Loss) -> None:
        """See SessionOwner."""
        self.lost.append((unanswered, never_sent, loss))
        self._note("lost", loss)


def text_to(number: str, words: str = "Hello", reference: int | None = None) -> bytes:
    """The body of a submit_sm."""
    parameters = b"" if reference is None else tlv.user_message_reference(reference)
    return TEMPLATE.body(number, 0, words.encode(), 0, parameters)


Serve = Callable[..., Awaitable[Smsc]]
Join = Callable[..., Awaitable[tuple[Shop, Esme]]]
