"""When to stop submitting to a carrier that fails, and how to find out that it works again: a circuit breaker.

One per service profile, kept by `dispatch.recorder`, which shows it every outcome; `dispatch.sender` asks for its room
before each batch, and the failover to another profile looks at its phase. Time is an argument: seconds that never step.

What counts as a failure: a system error, a submit without an answer, a lost connection (once, however many texts it
left in doubt), and no connection for a while. What says nothing: throttling, which is the pace's affair; a refusal,
which is about one number or one text; a text that never left.

    closed ── failures ──> open ── its time is over, and connected ──> half-open ── probes succeed ──> closed
                            ^                                            │
                            └──────────── a probe fails, longer ─────────┘
"""

from collections import deque
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from opengage.domain.outcomes import CONNECTION_LOST, Accepted, Deferred, Outcome, Unknown
from opengage.ids import Id


class Phase(StrEnum):
    """How a circuit stands."""

    CLOSED = "closed"
    """Texts go."""
    OPEN = "open"
    """None goes."""
    HALF_OPEN = "half-open"
    """A few go, to see what comes of them."""


class Policy(NamedTuple):
    """When a circuit opens and for how long; times in seconds."""

    in_a_row: int = 20
    """Failures without one success between them."""
    share: float = 0.5
    """Failures among what said anything within `within` seconds, once there are `sample` of that."""
    sample: int = 40
    within: float = 30.0
    unbound: float = 30.0
    """No connection for this long."""
    first: float = 10.0
    """How long it stays open at first; each time that it opens again soon, twice as long, up to `cap`."""
    cap: float = 600.0
    calm: float = 120.0
    """How long it must have been closed to start at `first` again."""
    probes: int = 3
    """Texts that must succeed before all may go again."""


class Verdict(StrEnum):
    """What an outcome says of the carrier."""

    GOOD = "good"
    BAD = "bad"
    SILENT = "silent"


def judge(outcome: Outcome) -> Verdict:
    """What an outcome says of its carrier's health."""
    match outcome:
        case Accepted():
            return Verdict.GOOD
        case Unknown():
            return Verdict.BAD
        case Deferred(throttled=False):
            return Verdict.BAD
    return Verdict.SILENT


class Breaker:
    """The circuit of one service profile; `reason` says in words why it opened last."""

    def __init__(self, policy: Policy = Policy()) -> None:  # noqa: B008 - immutable
        self.policy = policy
        self.phase = Phase.CLOSED
        self.reason: str | None = None
        self.retry_at: float | None = None
        """When a probe may go, while open; it also takes a connection."""
        self._in_a_row = 0
        self._seconds: deque[tuple[float, int, int]] = deque()
        self._unbound_since: float | None = None
        self._openings = 0
        self._closed_at: float | None = None
        self._probing: set[Id] = set()
        self._proved = 0

    def room(self) -> int | None:
        """How many texts may be submitted now; None is no limit."""
        if self.phase is Phase.CLOSED:
            return None
        if self.phase is Phase.OPEN:
            return 0
        return max(0, self.policy.probes - self._proved - len(self._probing))

    def submitted(self, text_ids: Iterable[Id]) -> None:
        """These texts are handed to the carrier: while half-open they are the probes."""
        if self.phase is Phase.HALF_OPEN:
            self._probing.update(text_ids)

    def tick(self, now: float, *, is_bound: bool) -> Phase:
        """Let time pass: to be called about once a second, and whenever the connection comes or goes."""
        if is_bound:
            self._unbound_since = None
            if self.phase is Phase.OPEN and self.retry_at is not None and now >= self.retry_at:
                self.phase, self.retry_at, self._proved = Phase.HALF_OPEN, None, 0
                self._probing.clear()
            return self.phase
        if self._unbound_since is None:
            self._unbound_since = now
        without = now - self._unbound_since
        if self.phase is Phase.HALF_OPEN:
            self._open(now, "the connection was lost while it was tried")
        elif self.phase is Phase.CLOSED and without >= self.policy.unbound:
            self._open(now, f"there has been no connection for {without:.0f} seconds")
        return self.phase

    def observe(self, now: float, outcomes: Sequence[Outcome]) -> Phase:
        """Look at outcomes as they come, in batches."""
        if self.phase is Phase.HALF_OPEN:
            for outcome in outcomes:
                self._observe_probe(now, outcome)
        elif self.phase is Phase.CLOSED:
            self._observe_all(now, outcomes)
        return self.phase

    def _observe_all(self, now: float, outcomes: Sequence[Outcome]) -> None:
        good = bad = 0
        lost, last = False, ""
        for outcome in outcomes:
            verdict = judge(outcome)
            if verdict is Verdict.GOOD:
                good, self._in_a_row = good + 1, 0
            elif verdict is Verdict.BAD and not (lost and _is_loss(outcome)):
                lost = lost or _is_loss(outcome)
                bad, self._in_a_row, last = bad + 1, self._in_a_row + 1, _code(outcome)
        self._remember(now, good, bad)
        if not bad:
            return
        if self._in_a_row >= self.policy.in_a_row:
            self._open(now, f"{self._in_a_row} submits in a row failed, the last with {last}")
            return
        failed, total = sum(each[2] for each in self._seconds), sum(each[1] + each[2] for each in self._seconds)
        if total >= self.policy.sample and failed >= self.policy.share * total:
            self._open(now, f"{failed} of {total} submits failed within {self.policy.within:.0f} seconds")

    def _remember(self, now: float, good: int, bad: int) -> None:
        """Counts by the second, for as long as they matter."""
        seconds = self._seconds
        while seconds and seconds[0][0] <= now - self.policy.within:
            seconds.popleft()
        if good or bad:
            if seconds and now - seconds[-1][0] < 1:
                at, earlier_good, earlier_bad = seconds.pop()
                seconds.append((at, earlier_good + good, earlier_bad + bad))
            else:
                seconds.append((now, good, bad))

    def _observe_probe(self, now: float, outcome: Outcome) -> None:
        """Only the probes count: answers to what was submitted before it opened may still be coming in."""
        if self.phase is not Phase.HALF_OPEN or outcome.text_id not in self._probing:
            return
        self._probing.discard(outcome.text_id)
        verdict = judge(outcome)
        if verdict is Verdict.BAD:
            self._open(now, f"a text sent to try it failed with {_code(outcome)}")
        elif verdict is Verdict.GOOD:
            self._proved += 1
            if self._proved >= self.policy.probes:
                self._close(now)

    def _open(self, now: float, reason: str) -> None:
        calm = self._closed_at is not None and now - self._closed_at >= self.policy.calm
        self._openings = 1 if calm else self._openings + 1
        lasts = min(self.policy.cap, self.policy.first * 2.0 ** min(self._openings - 1, 30))
        self.phase, self.reason, self.retry_at = Phase.OPEN, reason, now + lasts
        self._closed_at = None
        self._forget()

    def _close(self, now: float) -> None:
        self.phase, self._closed_at, self.retry_at = Phase.CLOSED, now, None
        self._forget()

    def _forget(self) -> None:
        self._in_a_row, self._proved = 0, 0
        self._seconds.clear()
        self._probing.clear()


def _is_loss(outcome: Outcome) -> bool:
    return isinstance(outcome, Unknown) and outcome.code == CONNECTION_LOST


def _code(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Accepted) else outcome.code
