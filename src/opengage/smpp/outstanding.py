"""The account of a session's requests: handed in, given to the transport, answered or timed out. Each is in one place.

Time-outs cost nothing per request: requests of one flush share a deadline, flushes close together share a group, and
sequence numbers tell which requests belong to it.
"""

from collections import deque
from typing import Final

from opengage.smpp.commands import MAX_SEQUENCE
from opengage.smpp.contract import Token

_HALF: Final = (MAX_SEQUENCE + 1) // 2
_GROUPS: Final = 64


class Outstanding:
    """Requests by sequence number, in the order in which they were handed in.

    `unsent` and `pending` are open to the session, whose hot path works on them directly.
    """

    __slots__ = ("_groups", "_max_remembered", "_timeout", "pending", "timed_out", "unsent")

    def __init__(self, timeout: float, max_remembered: int) -> None:
        self._timeout = timeout
        self._max_remembered = max_remembered
        self._groups: deque[tuple[float, int]] = deque()
        self.unsent: dict[int, Token] = {}
        self.pending: dict[int, Token] = {}
        self.timed_out: dict[int, Token] = {}

    def __len__(self) -> int:
        """Requests without an answer or a time-out."""
        return len(self.unsent) + len(self.pending)

    def __contains__(self, sequence: int) -> bool:
        """Whether this number is in use, be it only to recognise a late answer."""
        return sequence in self.pending or sequence in self.unsent or sequence in self.timed_out

    @property
    def deadline(self) -> float | None:
        """When the oldest group is to be judged; None when nothing is pending."""
        return self._groups[0][0] if self._groups and self.pending else None

    def note_sent(self, now: float) -> None:
        """Everything unsent was given to the transport just now."""
        last = next(reversed(self.unsent))
        self.pending.update(self.unsent)
        self.unsent.clear()
        # A group is judged late by at most its own width, so that none of its requests is judged early.
        width = self._timeout / _GROUPS
        deadline = now + self._timeout
        if self._groups and deadline <= self._groups[-1][0]:
            self._groups[-1] = (self._groups[-1][0], last)
        else:
            self._groups.append((deadline + width, last))

    def expire(self, now: float) -> list[Token]:
        """The tokens whose time is over; their numbers are remembered for late answers."""
        expired: list[Token] = []
        while self._groups and self._groups[0][0] <= now:
            expired += self._expire_up_to(self._groups.popleft()[1])
        return expired

    def _expire_up_to(self, last: int) -> list[Token]:
        """Those of the group stand in front; "up to" holds across the wrap of the numbers."""
        sequences = []
        for sequence in self.pending:
            if (last - sequence) % (MAX_SEQUENCE + 1) >= _HALF:
                break
            sequences.append(sequence)
        tokens = [self.pending.pop(sequence) for sequence in sequences]
        self.timed_out.update(zip(sequences, tokens, strict=True))
        while len(self.timed_out) > self._max_remembered:
            del self.timed_out[next(iter(self.timed_out))]
        return tokens

    def drain(self) -> tuple[list[Token], list[Token]]:
        """Everything given to the transport and unanswered, and everything that never was; all is forgotten."""
        unanswered, never_sent = list(self.pending.values()), list(self.unsent.values())
        for store in (self.pending, self.unsent, self.timed_out, self._groups):
            store.clear()
        return unanswered, never_sent
