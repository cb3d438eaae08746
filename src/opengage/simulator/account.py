"""One system_id's side of the network: its links, and the deliveries that wait for them.

A delivery waits here until some receiving link has room, travels, and is forgotten only when it was acknowledged.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from opengage.simulator.deliveries import Delivery
from opengage.simulator.fates import Throttle
from opengage.smpp.contract import Token

RETRY_SECONDS: Final = 1.0
"""Pause before a delivery that was refused is sent again."""


class Receiver(Protocol):
    """A link as the deliveries see it: `smpp.smsc.SmscSession`."""

    @property
    def free_window(self) -> int:
        """Deliveries that may be sent now."""
        ...

    def deliver_many(self, items: Sequence[tuple[bytes, Token]]) -> int:
        """Send these; returns how many were."""
        ...


class Account:
    """What is kept per system_id."""

    def __init__(self, system_id: str, now: float, on_sent: Callable[[list[Delivery]], None]) -> None:
        self.system_id = system_id
        self.throttle = Throttle(now)
        self.receivers: deque[Receiver] = deque()
        self.waiting: deque[Delivery] = deque()
        self.held: list[Delivery] = []
        """Receipts of texts whose answers are withheld: due when their link is cut."""
        self.pending = 0
        """Deliveries promised and not acknowledged, wherever they are."""
        self.links = 0
        self._on_sent = on_sent

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost by forgetting this account."""
        return not self.links and not self.pending

    def put_back(self, deliveries: Sequence[Delivery]) -> int:
        """A link was lost with these on it: they go first, in their order. Returns how many."""
        again = [delivery for delivery in deliveries if not delivery.acknowledged]
        self.waiting.extendleft(reversed(again))
        return len(again)

    def acknowledge(self, delivery: Delivery) -> bool:
        """An ESME took it; False when it was known already."""
        if delivery.acknowledged:
            return False
        delivery.acknowledged = True
        self.pending -= 1
        return True

    def pump(self) -> None:
        """Send what waits, as far as the windows of the links allow, each link in its turn."""
        for _ in range(len(self.receivers)):
            if not self.waiting:
                return
            receiver = self.receivers[0]
            self.receivers.rotate(-1)
            free = receiver.free_window
            if free:
                self._send(receiver, free)

    def _send(self, receiver: Receiver, free: int) -> None:
        waiting = self.waiting
        batch: list[tuple[bytes, Delivery]] = []
        while waiting and len(batch) < free:
            delivery = waiting.popleft()
            # A late answer may have acknowledged what already waits to be sent again.
            if not delivery.acknowledged:
                batch.append((delivery.body, delivery))
        sent = receiver.deliver_many(batch)
        waiting.extendleft(delivery for _, delivery in reversed(batch[sent:]))
        self._on_sent([delivery for _, delivery in batch[:sent]])
