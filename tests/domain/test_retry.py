"""Retry: what may be tried again, how soon, and when to give up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.retry import POLICIES, Policy, Trouble, next_delay

ONE = {Trouble.TEMPORARY: Policy(first=2.0, cap=60.0, attempts=8)}


@pytest.mark.parametrize(
    ("attempt", "longest"),
    [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 60), (7, 60)],
)
def test_backoff_doubles_to_the_cap(attempt: int, longest: float) -> None:
    """Delays double up to the cap; chance spreads each over its upper half."""
    assert next_delay(Trouble.TEMPORARY, attempt, 0.0, ONE) == longest / 2
    assert next_delay(Trouble.TEMPORARY, attempt, 0.5, ONE) == longest * 0.75


def test_giving_up() -> None:
    """After the last attempt there is no next."""
    assert next_delay(Trouble.TEMPORARY, 7, 0.0, ONE) is not None
    assert next_delay(Trouble.TEMPORARY, 8, 0.0, ONE) is None
    assert next_delay(Trouble.TEMPORARY, 9, 0.0, ONE) is None


@pytest.mark.parametrize("trouble", [Trouble.IN_DOUBT, Trouble.REJECTED])
@pytest.mark.parametrize("attempt", [1, 2, 100])
def test_never_again(trouble: Trouble, attempt: int) -> None:
    """What may have been sent, and what was refused for good, is never tried again."""
    assert next_delay(trouble, attempt, 0.0) is None


def test_reconnecting_never_ends() -> None:
    """A lane without a connection keeps trying, every half minute at most."""
    assert next_delay(Trouble.DISCONNECTED, 10**9, 0.999) <= 30  # type: ignore[operator]


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    """An attempt count that cannot be is a mistake of the caller."""
    with pytest.raises(ValueError, match="from 1"):
        next_delay(Trouble.TEMPORARY, attempt, 0.0)


@given(st.sampled_from(list(Trouble)), st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_delays_are_sane(trouble: Trouble, attempt: int, chance: float) -> None:
    """A delay is at least half the first and at most the cap, whatever is asked."""
    delay = next_delay(trouble, attempt, chance)
    if delay is not None:
        assert POLICIES[trouble].first / 2 <= delay <= POLICIES[trouble].cap
