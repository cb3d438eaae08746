"""The ledger: every envelope of an engagement in exactly one named place, and the sums that prove it.

Counts move in the same transaction as the envelopes they count; a `Moves` collects one batch's worth.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from opengage.domain.states import CLOSED, LEFT, STATUS_OF, EnvelopeStatus, Reason
from opengage.ids import Id


class Dimension(StrEnum):
    """What is counted of an engagement beside its places."""

    MINUTE = "minute"
    """Texts written as sending, by the minute since the epoch."""
    NUMBER = "number"
    """The same, by the wire id of the phone number that they went from."""
    CODE = "code"
    """Texts that came to their end, by the carrier's last word."""
    ENDED = "ended"
    """Texts that had left when their envelope ended as `expired` or `unknown`, by that reason: others so named never
    had one."""
    OPT_OUT = "opt-out"
    """People who were texted and then opted out while it ran, by the keyword."""


class Moves:
    """The changes of one transaction, per engagement: how many envelopes left which place for which."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[int, Id], Counter[Reason]] = defaultdict(Counter)
        self._details: Counter[tuple[int, Id, Dimension, str]] = Counter()

    def arrive(self, account_id: int, engagement_id: Id, reason: Reason, count: int = 1) -> None:
        """`count` envelopes stand at `reason` now."""
        self._counts[account_id, engagement_id][reason] += count

    def leave(self, account_id: int, engagement_id: Id, reason: Reason, count: int = 1) -> None:
        """`count` envelopes no longer stand at `reason`."""
        self._counts[account_id, engagement_id][reason] -= count

    def touch(self, account_id: int, engagement_id: Id) -> None:
        """Look at this engagement too, though nothing moves in it."""
        self._counts.setdefault((account_id, engagement_id), Counter())

    def note(self, account_id: int, engagement_id: Id, dimension: Dimension, key: str, count: int = 1) -> None:
        """Count something that happened in an engagement, beside the places."""
        self._details[account_id, engagement_id, dimension, key] += count

    def details(self) -> list[tuple[int, Id, Dimension, str, int]]:
        """(account, engagement, dimension, key, how often), in a stable order."""
        return [(*key, count) for key, count in sorted(self._details.items())]

    def changes(self) -> list[tuple[int, Id, Reason, int]]:
        """(account, engagement, reason, difference) of every place whose count changed, in a stable order.

        The order keeps two writers from locking the same rows the other way round.
        """
        return [
            (account_id, engagement_id, reason, count)
            for (account_id, engagement_id), counts in sorted(self._counts.items(), key=lambda item: item[0])
            for reason, count in sorted(counts.items())
            if count
        ]

    def nearer_their_end(self) -> list[tuple[int, Id]]:
        """The engagements that this may settle: fewer of their envelopes are open, or they are to be looked at."""
        return [key for key, counts in self._counts.items() if not counts or _opened(counts) < 0]

    def engagements(self) -> list[tuple[int, Id]]:
        """The engagements touched."""
        return list(self._counts)


def _opened(counts: Mapping[Reason, int]) -> int:
    """How many more envelopes are open than before."""
    return sum(count for reason, count in counts.items() if STATUS_OF[reason] not in CLOSED)


class Ledger(msgspec.Struct, frozen=True):
    """The counts of one engagement: `total` is always the sum of the five statuses."""

    total: int
    pending: int
    processing: int
    hold: int
    complete: int
    incomplete: int
    reasons: dict[str, int]
    ended: int = 0
    """How many of the expired and unknown had left; known where ledgers are read to be shown (`read_many`)."""

    @property
    def left(self) -> int:
        """How many texts have left, or may have."""
        return sum(self.reasons.get(reason.value, 0) for reason in LEFT) + self.ended

    @property
    def is_settled(self) -> bool:
        """Nothing is left to send, to wait for or to resolve."""
        return self.pending == self.processing == self.hold == 0


def balance(counts: Iterable[tuple[Reason, int]] | Mapping[Reason, int]) -> Ledger:
    """Sum (reason, count) pairs into a Ledger; places that hold nobody are left out of `reasons`."""
    pairs = list(counts.items()) if isinstance(counts, Mapping) else list(counts)
    totals = dict.fromkeys(EnvelopeStatus, 0)
    reasons: dict[str, int] = {}
    for reason, count in pairs:
        totals[STATUS_OF[reason]] += count
        if reason is not Reason.NONE and count:
            reasons[reason.value] = reasons.get(reason.value, 0) + count
    return Ledger(
        total=sum(totals.values()),
        pending=totals[EnvelopeStatus.PENDING],
        processing=totals[EnvelopeStatus.PROCESSING],
        hold=totals[EnvelopeStatus.HOLD],
        complete=totals[EnvelopeStatus.COMPLETE],
        incomplete=totals[EnvelopeStatus.INCOMPLETE],
        reasons=dict(sorted(reasons.items())),
    )
