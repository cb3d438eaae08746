"""Which inbound text is one that is known already: asked by `dispatch.recorder` for each text as it comes in.

A network delivers a text again when it has not heard our acknowledgement: the connection ended, or this process did,
between the commit and the answer. SMPP gives such a text no mark (3.4 has no field for it), and people do write the
same words twice. So a text is taken for a redelivery only where one is expected: each text whose acknowledgement is
known to be lacking, or may be, lets exactly one of the same sender, recipient and words pass by unstored.

A text whose connection ended before it was stored is neither expected nor new: it is `unstored` until it is known
whether it will be, and if it comes meanwhile it is to come once more.

What is expected is kept in memory. After a start the texts that were stored last take its place (`expect`).
"""

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

SURELY: Final = 86_400.0
"""Seconds for which a redelivery is expected that must come: networks keep such a text for a day or more."""

PERHAPS: Final = 300.0
"""Seconds for which one is expected that need not come: afterwards the same words are taken for new ones."""

RESEND: Final = 5.0
"""Seconds after which a network may send a text again that we have not answered; nobody's response time-out is less."""

CROSSING: Final = 5.0
"""Seconds for which a text may still come that was sent again before the network read our late answer."""

REMEMBERED: Final = 900.0
"""Seconds for which a text that came in is remembered by its token: connections end, or prove good, much sooner."""

_MOST: Final = 100_000


class _Heard(NamedTuple):
    token: int
    mark: bytes
    at: float


def mark_of(sender: str, recipient: str, body: str) -> bytes:
    """What two deliveries of one text have in common; nobody can read the words in it."""
    octets = f"{sender} {recipient} {body}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(octets, digest_size=16).digest()


class Redeliveries:
    """The memory of one service profile's recorder. Times are seconds that never step."""

    def __init__(self) -> None:
        self._heard: deque[_Heard] = deque()
        self._marks: dict[int, bytes] = {}
        self._unanswered: dict[bytes, dict[int, float]] = {}
        self._expected: dict[bytes, list[float]] = {}
        self._lost: dict[int, tuple[bytes, float]] = {}
        """What was lost before it was stored, and for how long it is expected once it is."""
        self._unstored: Counter[bytes] = Counter()
        self._stored: set[int] = set()
        """What came again, and was stored when it came first."""
        self._repeats: set[int] = set()
        """What came again for want of an answer: it is as much stored as what came before it."""
        self._swept = float("-inf")

    def share(self, earlier: "Redeliveries") -> None:
        """Expect what an earlier recorder of the same service profile expects, which may still run, and hears of it."""
        self._expected = earlier._expected
        self._unstored = earlier._unstored

    def is_owed(self, now: float) -> bool:
        """Whether a text may come again: the network lacks an acknowledgement, or may lack one."""
        if self._unanswered or self._unstored:
            return True
        return any(until >= now for untils in self._expected.values() for until in untils)

    def arrive(self, token: int, mark: bytes, now: float) -> bool:
        """A text came in, under this token: whether it is one that came before and needs no storing.

        It is to be acknowledged like any other, once what came before it is stored.
        """
        self._sweep(now)
        is_again = self._was_expected(mark, now)
        if is_again:
            self._stored.add(token)
        elif self._is_overdue(mark, now):
            is_again = True
            self._repeats.add(token)
        self._heard.append(_Heard(token, mark, now))
        self._marks[token] = mark
        self._unanswered.setdefault(mark, {})[token] = now
        return is_again

    def is_unstored(self, mark: bytes) -> bool:
        """Whether the same text is being stored still, though its connection has ended: to be asked before `arrive`."""
        return mark in self._unstored

    def acknowledge(self, tokens: Iterable[int], now: float) -> None:
        """These texts are stored, and the acknowledgements of those that were not lost were written."""
        late = set()
        for token in tokens:
            if token in self._lost:
                lost, seconds = self._forget_lost(token)
                self._expect(lost, now + seconds)
            mark = self._marks.get(token)
            if mark is not None:
                if self._is_overdue(mark, now):
                    late.add(mark)
                self._answer(token, mark)
        for mark in late:
            self._expect(mark, now + CROSSING)

    def refuse(self, tokens: Sequence[int], again: Iterable[int]) -> set[int]:
        """These texts were not stored, and the network was told so: they come as new ones.

        Returns those of `again` that are the same ones, come again for want of an answer: to be refused like them.
        """
        marks = {self._marks[token] for token in tokens if token in self._marks}
        marks |= {self._lost[token][0] for token in tokens if token in self._lost}
        also = {token for token in again if token in self._repeats and self._marks.get(token) in marks}
        for token in [*tokens, *also]:
            if token in self._lost:
                self._forget_lost(token)
            mark = self._marks.pop(token, None)
            if mark is not None:
                self._answer(token, mark)
        return also

    def lose(self, tokens: Iterable[int], now: float, *, surely: bool) -> None:
        """The network lacks the acknowledgements of these texts, or not `surely` may lack them."""
        for token in tokens:
            mark = self._marks.pop(token, None)
            if mark is None:
                continue
            seconds = SURELY if surely else PERHAPS
            if token in self._unanswered.get(mark, {}) and token not in self._stored:
                self._lost[token] = mark, seconds
                self._unstored[mark] += 1
            else:
                self._expect(mark, now + seconds)
            self._answer(token, mark)

    def give_up(self) -> None:
        """What was lost unstored will not be stored any more: it comes as a new one."""
        for token in list(self._lost):
            self._forget_lost(token)

    def _forget_lost(self, token: int) -> tuple[bytes, float]:
        mark, seconds = self._lost.pop(token)
        self._unstored[mark] -= 1
        if not self._unstored[mark]:
            del self._unstored[mark]
        return mark, seconds

    def expect(self, marks: Iterable[bytes], now: float) -> None:
        """These texts were stored just before an earlier process ended, perhaps unacknowledged."""
        for mark in marks:
            self._expect(mark, now + PERHAPS)

    def _expect(self, mark: bytes, until: float) -> None:
        if len(self._expected) < _MOST or mark in self._expected:
            self._expected.setdefault(mark, []).append(until)

    def _was_expected(self, mark: bytes, now: float) -> bool:
        """Whether one was expected; that one has come then."""
        untils = [until for until in self._expected.pop(mark, ()) if until >= now]
        if not untils:
            return False
        untils.remove(min(untils))
        if untils:
            self._expected[mark] = untils
        return True

    def _is_overdue(self, mark: bytes, now: float) -> bool:
        """Whether the network waits for the answer to the same text for so long that it may have lost patience."""
        return any(now - since >= RESEND for since in self._unanswered.get(mark, {}).values())

    def _answer(self, token: int, mark: bytes) -> None:
        self._repeats.discard(token)
        self._stored.discard(token)
        waiting = self._unanswered.get(mark)
        if waiting is not None:
            waiting.pop(token, None)
            if not waiting:
                del self._unanswered[mark]

    def _sweep(self, now: float) -> None:
        """Forget what is too old to matter; texts that are not answered yet stay."""
        heard = self._heard
        while heard and heard[0].at < now - REMEMBERED:
            oldest = heard.popleft()
            if oldest.token in self._unanswered.get(oldest.mark, {}):
                heard.append(oldest._replace(at=now))
            else:
                self._marks.pop(oldest.token, None)
        while len(heard) > _MOST:
            oldest = heard.popleft()
            self._marks.pop(oldest.token, None)
            self._answer(oldest.token, oldest.mark)
        if now - self._swept >= PERHAPS:
            self._swept = now
            alive = {mark: [until for until in untils if until >= now] for mark, untils in self._expected.items()}
            self._expected.clear()  # the same dictionary: it may be shared
            self._expected.update((mark, untils) for mark, untils in alive.items() if untils)
