"""How many texts one person may get in so many seconds: the account's own cap and those of the law. Pure.

Several may hold for one person, and all of them do: the one that ends last is the answer, by name.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain.legal_clock import Hold

FREQUENCY_CAP: Final = "frequency-cap"
"""The name of an account's own cap."""


class Cap(msgspec.Struct, frozen=True):
    """At most `count` texts to one person in `seconds`; `rule` says who asks for it."""

    rule: str
    count: int
    seconds: int


def over(caps: Iterable[Cap], texted: Sequence[Instant], now: Instant) -> Hold | None:
    """What holds a text to somebody who was texted at these times, oldest first, and until when; None if it may go.

    A cap lets go when the oldest of the last `count` texts has left its time.
    """
    holds = []
    for cap in caps:
        lately = [at for at in texted if at > now - cap.seconds * SECOND]
        if len(lately) >= cap.count:
            holds.append(Hold(cap.rule, Instant(lately[-cap.count] + cap.seconds * SECOND)))
    return max(holds, key=lambda hold: hold.until, default=None)
