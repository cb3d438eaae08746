"""The simulation can fail: without one of the main safeguards some of a few hundred schedules break the promise.

tests/dispatch/test_mutations.py holds each safeguard to the test that is about it; here nobody tells the schedules
what to look for.
"""

import pytest

from dispatch import test_mutations as mutations
from simulation.disk import Disk
from simulation.proof import broken

MOST = 400
"""Schedules until a mutation counts as not found."""

FOUND: dict[mutations.Mutation, str] = {
    mutations.bytes_before_the_commit: "left without a committed intent",
    mutations.no_epoch_check: "under a lease that has run out",
    mutations.no_look_at_the_switch: "from a number that is switched off",
    mutations.no_suppression_check: "after the opt-out's commit",
    mutations.no_look_at_the_engagement: "of an engagement that is",
    mutations.no_parking: "acknowledged before it was stored",
    mutations.acknowledged_when_read: "acknowledged before it was stored",
    mutations.lost_texts_go_again: "left again",
    mutations.every_doubt_goes_again: "left again",
    mutations.no_gates: "beyond the canary",
    mutations.no_legal_clock: "in quiet hours",
    mutations.no_spending: "beyond the limit of the hour",
    mutations.nothing_is_taken_back: "is sending for",
}
"""What a schedule says that meets the mutation, in words of the monitor's."""


MAIN = {
    mutations.bytes_before_the_commit,
    mutations.no_epoch_check,
    mutations.no_suppression_check,
    mutations.no_parking,
}
"""What the promise stands on: intent before bytes, the lease's epoch, the opt-outs, receipts that come early."""


def test_the_main_safeguards_are_taken_away_everywhere() -> None:
    """Here, and where each is held to the test that is about it."""
    assert FOUND.keys() >= MAIN
    assert {mutation for mutation, _ in mutations.HELD_BY} >= MAIN | (FOUND.keys() - MAIN)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutation", FOUND, ids=lambda mutation: mutation.__name__)
def test_a_missing_safeguard_is_found(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, mutation: mutations.Mutation
) -> None:
    """Some schedule breaks, and says what is wrong."""
    mutation(monkeypatch)
    told: list[str] = []
    for made in broken(range(MOST), disk):
        told += made.monitor.violations
        if any(FOUND[mutation] in violation for violation in told):
            return
    pytest.fail(f"{MOST} schedules did not find it; they said {told[:5]}")
