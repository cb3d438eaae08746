"""How long each part of a drill may take, what that comes to, and the end of one that takes longer.

What waits for something names its allowance here; the limit of the whole is the sum of its parts, so that no healthy
run is cut.
"""

import contextlib
import signal
import types
from collections.abc import Iterable, Iterator
from typing import Final

READY: Final = 30.0
"""Until a process that was started answers."""
OWNED: Final = 30.0
"""Until a lane has an owner."""
TAKEN_OVER: Final = 20.0
"""Until another worker has the lanes of one that is frozen."""
UNDER_WAY: Final = 60.0
"""Until a blast's first part has left."""
SETTLED: Final = 90.0
"""Until nothing of a blast is on its way any more."""
TOLD: Final = 30.0
"""Until somebody answers what the ledger says."""
ENDED: Final = 30.0
"""Until a process that was asked to has ended."""
DISK: Final = 20.0
"""Until a full disk is noticed, or that it has room again."""
KILLING: Final = 25.0
"""Kills follow each other for so long."""
AWAY: Final = 4.0
"""The network stays away for so long."""

_STARTED: Final = 120.0
"""Until a database server and the network are there, and gone again."""
_BLAST: Final = READY + UNDER_WAY + SETTLED + TOLD + ENDED
"""What each scene may take before and after it does something of its own."""


class Late(Exception):
    """The drill took too long, or was asked to end."""


def together(own: Iterable[float]) -> int:
    """The limit of a drill whose scenes do something of their own for so long, each."""
    return int(_STARTED + sum(_BLAST + seconds for seconds in own))


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """A block that raises Late when its time is over, or when SIGTERM asks it to end."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGALRM, signal.SIGTERM)}
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: types.FrameType | None) -> None:
    raise Late("the drill took too long" if number == signal.SIGALRM else "stopped")
