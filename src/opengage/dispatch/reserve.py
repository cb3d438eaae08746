"""Room at a carrier that one sender keeps while it looks and writes: its neighbours must not count on it meanwhile.

A neighbour that found no room for that reason is woken as soon as it is given back. Without that, senders that wake
together would find it taken each time by the first of them, though that one has nothing to send.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Waiting(Protocol):
    """Somebody who found no room."""

    def wake(self) -> None:
        """There may be room to send."""
        ...


class Reserve:
    """What is kept of the room, and who waits for it."""

    def __init__(self) -> None:
        self.texts = 0
        self._waiting: dict[Waiting, None] = {}  # in the order of their coming

    @contextlib.contextmanager
    def keep(self, texts: int) -> Iterator[None]:
        """Keep room for so many texts."""
        self.texts += texts
        try:
            yield
        finally:
            self.texts -= texts
            waiting, self._waiting = self._waiting, {}
            for each in waiting:
                each.wake()

    def wait(self, whoever: Waiting) -> None:
        """Wake this one once something is given back."""
        if self.texts:
            self._waiting[whoever] = None
