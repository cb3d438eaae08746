"""When to try again, if at all: asked by the recorder after a carrier's refusal. Webhooks have
a schedule of their own (`domain.webhooks`).

A pure decision: what happened, how often it was tried, and a random number in; seconds or None out. Only what is
known not to have been taken may be tried again. A submit without an answer is in doubt: it is not in this table,
because it is never resent blindly.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Trouble(StrEnum):
    """What kept an attempt from succeeding."""

    THROTTLED = "throttled"
    """The carrier said "too fast" or "queue full": the text is fine, the pace is not."""
    TEMPORARY = "temporary"
    """The carrier refused for now (system error, handset busy), and surely did not take the text."""
    DISCONNECTED = "disconnected"
    """No connection, or none that is bound: nothing was submitted."""
    REJECTED = "rejected"
    """Refused for good."""
    IN_DOUBT = "in-doubt"
    """Submitted, no answer: only a receipt, the carrier's look-up or an operator may resolve it."""


class Policy(NamedTuple):
    """Capped exponential backoff: delays double from `first` to at most `cap` seconds, for `attempts` attempts in all.

    None attempts means for ever.
    """

    first: float
    cap: float
    attempts: int | None


POLICIES: Mapping[Trouble, Policy] = MappingProxyType(
    {
        Trouble.THROTTLED: Policy(first=1.0, cap=30.0, attempts=60),
        Trouble.TEMPORARY: Policy(first=5.0, cap=900.0, attempts=8),
        Trouble.DISCONNECTED: Policy(first=0.5, cap=30.0, attempts=None),
    }
)
"""What is retried, and how. What is not listed is never retried."""

_MOST_DOUBLINGS = 30


def next_delay(
    trouble: Trouble, attempt: int, chance: float, policies: Mapping[Trouble, Policy] = POLICIES
) -> float | None:
    """Seconds to wait after attempt number `attempt` (from 1) failed, or None to give up.

    `chance`, in [0, 1), spreads the delay over its upper half, so that failures which came together do not
    come back together.
    """
    if attempt < 1:
        raise ValueError("attempts are counted from 1")
    policy = policies.get(trouble)
    if policy is None or (policy.attempts is not None and attempt >= policy.attempts):
        return None
    full = min(policy.cap, policy.first * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS))
    return full * (0.5 + chance / 2)
