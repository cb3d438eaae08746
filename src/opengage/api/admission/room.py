"""How much may be under way at once: the answer to overload is a quick 503, never a long queue.

Step 1 of a text's path. Bodies are held in memory while they are read and checked, so their announced bytes are bounded
too. No account may fill the whole room: others get their turn while one of them floods it.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

from opengage.domain.errors import Overloaded, TooMany

_SHARE: Final = 4
"""One part in this many stays free for other accounts."""


class Room:
    """Requests under way in this process."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._most_of_one = max(1, most - most // _SHARE)
        self._count = 0
        self._bytes = 0
        self._by_account: Counter[int] = Counter()

    @contextlib.contextmanager
    def one(self, size: int) -> Iterator[None]:
        """Hold a place for a request with a body of this size. Raises Overloaded.

        A body that would not fit beside others is taken when it is the only one.
        """
        if self._count >= self._most or (self._bytes and self._bytes + size > self._most_bytes):
            raise Overloaded(
                f"{self._count} requests are under way, which is all that fits. Nothing was done: send it again, "
                "with fewer at once."
            )
        self._count += 1
        self._bytes += size
        try:
            yield
        finally:
            self._count -= 1
            self._bytes -= size

    @contextlib.contextmanager
    def of(self, account_id: int) -> Iterator[None]:
        """Hold a place of this account's share. Raises TooMany."""
        if self._by_account[account_id] >= self._most_of_one:
            detail = f"The account has {self._most_of_one} requests under way. Wait for their answers, then go on."
            raise TooMany(detail, 1)
        self._by_account[account_id] += 1
        try:
            yield
        finally:
            self._by_account[account_id] -= 1
            if not self._by_account[account_id]:
                del self._by_account[account_id]
