"""What becomes of a submit: its answer, its receipt, whether a handset rings. Decided here, done by `network`.

The magic numbers are published in docs/reference/simulator.md.
"""

import random
import re
from collections import OrderedDict
from typing import Final

import msgspec

from opengage.simulator.chaos import Chaos
from opengage.smpp.commands import Status
from opengage.smpp.receipt import State

_MOST_REFUSED: Final = 10_000


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """One submit's future. The default: answered, delivered, receipt sent when asked for."""

    refusal: int = 0
    """The command_status that refuses it; 0 takes it."""
    refusals: int = 0
    """How often in a row the same text is refused before it is taken; 0 refuses always."""
    answered: bool = True
    state: State = State.DELIVRD
    """What the receipt says; a handset rings when it says delivered."""
    receipts: int = 1
    rings: bool = True
    early: bool = False
    """The receipt leaves before the answer."""
    reply: str = ""
    """What the handset's owner answers."""


DELIVERED: Final = Fate()

MAGIC: Final[dict[str, Fate]] = {
    "99": Fate(answered=False, receipts=0, rings=False),
    "98": Fate(refusal=Status.ESME_RINVDSTADR),
    "97": Fate(state=State.UNDELIV),
    "96": Fate(state=State.EXPIRED),
    "95": Fate(receipts=0),
    "94": Fate(refusal=Status.ESME_RTHROTTLED, refusals=1),
    "93": Fate(early=True),
    "92": Fate(receipts=2),
    "91": Fate(refusal=Status.ESME_RMSGQFUL, refusals=2),
    "90": Fate(reply="STOP"),
}
"""By the last two digits of a fictional number."""

_FICTIONAL: Final = re.compile(
    r"\+?(?:1[2-9]\d\d55501\d\d"  # NANPA: 555-0100 to 555-0199 of each area code
    r"|447700900\d{3}|442079460\d{3}|441414960\d{3}"  # Ofcom: numbers for drama
    r"|493023125\d{3}|3319900\d{4}|467017406\d\d)"  # Bundesnetzagentur, ARCEP, PTS
)


def magic_fate(destination: str) -> Fate | None:
    """What a magic number stands for; None for every other number, real ones above all."""
    fate = MAGIC.get(destination[-2:])
    return fate if fate is not None and _FICTIONAL.fullmatch(destination) else None


class Judge:
    """Decides fates by the chaos settings. One per simulator: what is every Nth is counted over all links."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos
        self._random = random.Random(chaos.seed)  # noqa: S311 - chaos must be repeatable, not secret
        self._taken = 0
        self._refused: OrderedDict[int, int] = OrderedDict()

    def decide(self, destination: str, mark: int) -> Fate:
        """The fate of one submit, known by its fingerprint `mark`."""
        fate = (magic_fate(destination) if self._chaos.magic else None) or DELIVERED
        if fate.refusal:
            return fate if self._refuses(fate, mark) else DELIVERED
        return fate if fate is not DELIVERED else self._ordinary()

    def _ordinary(self) -> Fate:
        chaos = self._chaos
        self._taken += 1
        silent = chaos.silent_every and self._taken % chaos.silent_every == 0
        lost = chaos.undelivered_percent and self._random.random() * 100 < chaos.undelivered_percent
        if not silent and not lost:
            return DELIVERED
        return Fate(answered=not silent, state=State.UNDELIV if lost else State.DELIVRD)

    def _refuses(self, fate: Fate, mark: int) -> bool:
        """Whether this text is refused once more; of those refused the latest are remembered."""
        if not fate.refusals:
            return True
        before = self._refused.pop(mark, 0)
        if before >= fate.refusals:
            return False
        self._refused[mark] = before + 1
        if len(self._refused) > _MOST_REFUSED:
            self._refused.popitem(last=False)
        return True


class Throttle:
    """Submits per second of one system_id: a bucket that holds one second's worth."""

    def __init__(self, now: float) -> None:
        self._level = 0.0
        self._at = now

    def admits(self, limit: int, now: float) -> bool:
        """Whether one more submit stays within `limit` per second; `now` in monotonic seconds."""
        self._level = max(0.0, self._level - (now - self._at) * limit)
        self._at = now
        if self._level + 1 > limit:
            return False
        self._level += 1
        return True
